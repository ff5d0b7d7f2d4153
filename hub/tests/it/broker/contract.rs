//! What every broker does, whatever is beneath it.

use super::inbox::{Node, room, user};
use crate::support::eventually;
use crate::support::redis::{FakeServer, RedisServer};
use hub::broker::local::LocalBus;

/// Holds three nodes to the contract.
pub async fn holds(nodes: &[Node]) {
    let [a, b, c] = nodes else { panic!("three nodes") };
    reaches_subscribers_alone(a, b, c).await;
    misses_nothing_once_confirmed(a, b).await;
    keeps_the_order_of_one_node(a, b, c).await;
    carries_any_text(a, b).await;
    ends_a_subscription(a, b).await;
    assert!(nodes.iter().all(|node| node.broker.is_shared()));
    for node in nodes {
        let status = node.broker.status();
        assert_eq!((status.degraded_for, status.publications_dropped, status.handover_dropped), (None, 0, 0));
        node.broker.check().await.unwrap();
    }
}

async fn reaches_subscribers_alone(a: &Node, b: &Node, c: &Node) {
    b.subscribe(room(1)).await;
    c.subscribe(user(1)).await;
    b.subscribe(user(2)).await;
    c.subscribe(room(2)).await;
    a.publish(room(1), "to b");
    a.publish(user(1), "to c");
    b.publish(room(2), "from b");
    b.expect(room(1), "to b").await;
    c.expect(user(1), "to c").await;
    c.expect(room(2), "from b").await;
    // What was published before these has arrived or never will.
    a.publish(room(2), "mark");
    a.publish(user(2), "mark");
    c.expect(room(2), "mark").await;
    b.expect(user(2), "mark").await;
    assert_eq!((b.taken(user(1)), c.taken(room(1))), (vec![], vec![]));
    assert_eq!(a.taken(room(1)), [] as [&str; 0]);
}

async fn misses_nothing_once_confirmed(a: &Node, b: &Node) {
    for n in 100..250 {
        b.subscribe(room(n)).await;
        a.publish(room(n), "at once");
    }
    for n in 100..250 {
        b.expect(room(n), "at once").await;
    }
    // Many at the same time, and twice the same.
    let wishes = (300..400).chain(300..400).map(|n| b.subscribe(room(n)));
    futures_util::future::join_all(wishes).await;
    for n in 300..400 {
        a.publish(room(n), "all at once");
        b.expect(room(n), "all at once").await;
    }
}

async fn keeps_the_order_of_one_node(a: &Node, b: &Node, c: &Node) {
    b.subscribe(room(3)).await;
    c.subscribe(room(3)).await;
    let sent: Vec<_> = (0..3_000).map(|n| n.to_string()).collect();
    for payload in &sent {
        a.publish(room(3), payload);
    }
    for node in [b, c] {
        node.expect(room(3), "2999").await;
        assert_eq!(node.taken(room(3)), sent);
    }
}

async fn carries_any_text(a: &Node, b: &Node) {
    let large = "x".repeat(200_000);
    b.subscribe(user(9)).await;
    for payload in ["", "Grüße 👋\r\n\0", large.as_str()] {
        a.publish(user(9), payload);
        b.expect(user(9), payload).await;
    }
}

async fn ends_a_subscription(a: &Node, b: &Node) {
    b.subscribe(room(4)).await;
    b.broker.unsubscribe(room(4)).await;
    b.subscribe(room(5)).await;
    let mut n = 0;
    eventually("nothing comes on a topic that was given up", async || {
        n += 1;
        let payload = format!("late {n}");
        a.publish(room(4), &payload);
        a.publish(room(5), &payload);
        b.expect(room(5), &payload).await;
        !b.has(room(4), &payload)
    })
    .await;
    b.subscribe(room(4)).await;
    a.publish(room(4), "again");
    b.expect(room(4), "again").await;
}

#[tokio::test]
async fn the_bus_of_one_process() {
    let bus = LocalBus::default();
    let nodes: Vec<_> = (0..3).map(|_| Node::start(bus.join())).collect();
    holds(&nodes).await;
}

#[tokio::test]
async fn one_redis() {
    let redis = RedisServer::start(&[]).await;
    holds(&Node::on(&redis.url(), 3).await).await;
}

#[tokio::test]
async fn the_redis_of_the_simulation() {
    let redis = FakeServer::start().await;
    holds(&Node::on(&redis.url(), 3).await).await;
}

#[tokio::test]
async fn one_redis_by_a_socket_with_a_user_and_a_database() {
    let socket = tempfile::tempdir().unwrap();
    let path = socket.path().join("redis.sock");
    let path = path.to_str().unwrap();
    let user = "user hub on >secret &* +@all";
    let _redis = RedisServer::start(&[&format!("unixsocket {path}"), user]).await;
    holds(&Node::on(&format!("redis+unix://hub:secret@{path}?db=3"), 3).await).await;
}
