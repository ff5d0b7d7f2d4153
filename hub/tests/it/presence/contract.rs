//! What all leases do, whatever keeps them.

use super::TIMES;
use crate::broker::inbox::Node;
use crate::support::redis::{FakeServer, RedisServer, cluster_of_six, cluster_url, redis_broker};
use crate::support::{eventually, incarnation};
use hub::presence::Presence;
use hub::presence::local::{LocalLeases, LocalPresence};
use hub::presence::redis::RedisPresence;
use protocol::UserId;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;

fn ids(ids: impl IntoIterator<Item = u64>) -> Vec<UserId> {
    ids.into_iter().map(UserId).collect()
}

/// Which of these users others hold, over all leases.
async fn held(by: &dyn Presence, asked: &[UserId]) -> Vec<u64> {
    let holders = by.holders(asked).await.unwrap();
    let users: BTreeSet<_> = holders.into_iter().flat_map(|(_, users)| users).map(|user| user.0).collect();
    users.into_iter().collect()
}

/// Holds three nodes to the contract.
async fn holds(nodes: [Arc<dyn Presence>; 3]) {
    let [a, b, c] = nodes;
    let asked = ids(1..=9);
    assert!(held(c.as_ref(), &asked).await.is_empty());
    a.change(&ids([1, 2, 3]), &[]).await.unwrap();
    b.change(&ids([3, 4]), &[]).await.unwrap();
    assert_eq!(held(c.as_ref(), &asked).await, [1, 2, 3, 4]);
    assert_eq!(held(c.as_ref(), &ids([2, 9])).await, [2]);
    assert_eq!(held(a.as_ref(), &asked).await, [3, 4], "its own it knows better");
    let holders = c.holders(&ids([3])).await.unwrap();
    let runs: BTreeSet<_> =
        holders.iter().filter(|(_, users)| !users.is_empty()).map(|(run, _)| *run).collect();
    assert_eq!(runs, BTreeSet::from([a.incarnation(), b.incarnation()]));

    a.change(&ids([5]), &ids([2, 3, 7])).await.unwrap();
    assert_eq!(held(c.as_ref(), &asked).await, [1, 3, 4, 5], "b still holds 3");
    assert!(a.renew(2).await.unwrap());
    assert!(!a.renew(3).await.unwrap(), "it does not hold as many");
    a.rewrite(&ids([6, 1])).await.unwrap();
    assert_eq!(held(c.as_ref(), &asked).await, [1, 3, 4, 6]);
    assert!(a.renew(2).await.unwrap());

    let many = ids(1_000..4_500);
    a.rewrite(&many).await.unwrap();
    assert_eq!(held(c.as_ref(), &many).await.len(), many.len());
    a.change(&[], &many[1..]).await.unwrap();
    assert_eq!(held(c.as_ref(), &many).await, [1_000]);

    // One renews, the other does not: it is gone after its lease and not before.
    let began = Instant::now();
    eventually("the lease of b ends", async || {
        assert!(a.renew(1).await.unwrap());
        held(c.as_ref(), &asked).await.is_empty()
    })
    .await;
    assert!(began.elapsed() + TIMES.renew > TIMES.lease, "{:?}", began.elapsed());
    assert_eq!(held(c.as_ref(), &many).await, [1_000]);
    assert!(!b.renew(2).await.unwrap(), "it must be written anew");
    b.rewrite(&ids([3, 4])).await.unwrap();
    assert_eq!(held(c.as_ref(), &asked).await, [3, 4]);

    for node in [a, b] {
        node.release().await.unwrap();
    }
    assert!(held(c.as_ref(), &asked).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn leases_of_one_process() {
    let leases = LocalLeases::default();
    let node = || Arc::new(LocalPresence::new(leases.clone(), incarnation(), &TIMES)) as Arc<dyn Presence>;
    holds([node(), node(), node()]).await;
}

/// Leases over brokers that are connected, and what keeps those running.
async fn on_redis(url: &str) -> (Vec<Node>, [Arc<dyn Presence>; 3]) {
    let mut brokers = Vec::new();
    let presence = ["hub-1", "hub-2", "hub-3"].map(|name| {
        let broker = redis_broker(url, name);
        let presence = RedisPresence::new(broker.commands(), incarnation(), &TIMES);
        brokers.push(Node::start(broker));
        Arc::new(presence) as Arc<dyn Presence>
    });
    for broker in &brokers {
        broker.is_well().await;
    }
    (brokers, presence)
}

#[tokio::test]
async fn leases_in_one_redis() {
    let redis = RedisServer::start(&[]).await;
    let (_brokers, presence) = on_redis(&redis.url()).await;
    holds(presence).await;
    assert_eq!(redis.try_cli(&["keys", "*"]), "", "nothing is left behind");
}

#[tokio::test]
async fn leases_in_the_redis_of_the_simulation() {
    let redis = FakeServer::start().await;
    let (_brokers, presence) = on_redis(&redis.url()).await;
    holds(presence).await;
}

#[tokio::test]
async fn leases_in_a_redis_cluster() {
    let servers = cluster_of_six().await;
    let (_brokers, presence) = on_redis(&cluster_url(&servers)).await;
    holds(presence).await;
}

#[tokio::test]
async fn a_lease_without_an_end_is_none_and_is_cleared_away() {
    let redis = RedisServer::start(&[]).await;
    let (_brokers, [a, _, _]) = on_redis(&redis.url()).await;
    // What a node leaves that dies between making its lease and giving it an end.
    let dead = incarnation();
    redis.cli(&["sadd", "{presence}:nodes", &dead.to_string()]);
    redis.cli(&["sadd", &format!("{{presence}}:node:{dead}"), "7"]);
    assert!(held(a.as_ref(), &ids([7])).await.is_empty());
    eventually("it is cleared away", async || {
        assert!(held(a.as_ref(), &ids([7])).await.is_empty());
        redis.try_cli(&["keys", "*"]).is_empty()
    })
    .await;
}

#[tokio::test]
async fn without_redis_every_call_fails_soon() {
    let mut redis = RedisServer::start(&[]).await;
    let (_brokers, [a, _, _]) = on_redis(&redis.url()).await;
    redis.kill();
    let began = Instant::now();
    a.change(&ids([1]), &[]).await.unwrap_err();
    a.renew(1).await.unwrap_err();
    a.holders(&ids([1])).await.unwrap_err();
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
}
