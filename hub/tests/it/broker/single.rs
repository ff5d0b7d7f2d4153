//! One Redis that fails in every way: what was missed is answered for with `Resync`, and nobody
//! waits longer than a moment.

use super::inbox::{Node, reaches, room, user};
use crate::support::eventually;
use crate::support::redis::{RedisServer, redis_broker};
use std::time::Duration;

async fn pair(redis: &RedisServer) -> (Node, Node) {
    let mut nodes = Node::on(&redis.url(), 2).await;
    (nodes.remove(0), nodes.remove(0))
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_costs_a_resync() {
    let mut redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    for n in 1..=1_200 {
        b.subscribe(room(n)).await;
    }
    let before = b.resyncs();
    redis.kill();
    b.is_degraded().await;
    a.is_degraded().await;
    // Nobody is kept waiting by a server that is away.
    tokio::time::timeout(Duration::from_secs(1), b.subscribe(user(7))).await.unwrap();
    a.publish(room(1), "while it was away");
    assert_eq!(b.resyncs(), before, "there is nothing to compare with yet");
    redis.revive().await;
    b.is_well().await;
    a.is_well().await;
    b.expect_resync_after(before).await;
    assert_eq!(redis.subscribers("room:1200"), 1);
    for topic in [room(1), room(600), room(1_200), user(7)] {
        a.publish(topic, "after");
        b.expect(topic, "after").await;
    }
    let status = b.broker.status();
    assert_eq!((status.topics, status.reconnects), (1_201, 1));
}

#[tokio::test]
async fn what_waited_for_the_server_is_published_when_it_is_back() {
    let mut redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    b.subscribe(room(1)).await;
    redis.signal("STOP");
    for n in 0..100 {
        a.publish(room(1), &format!("waits {n}"));
    }
    redis.signal("CONT");
    b.expect(room(1), "waits 99").await;
    redis.kill();
    a.is_degraded().await;
    // More than there is room for: the oldest go, and are counted.
    for n in 0..20_000 {
        a.publish(room(1), &format!("queued {n}"));
    }
    assert!(a.broker.status().publications_dropped > 10_000);
    redis.revive().await;
    a.is_well().await;
    assert!(!b.has(room(1), "queued 0"));
}

#[tokio::test]
async fn subscribers_that_the_server_kills_subscribe_again() {
    let redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    b.subscribe(room(1)).await;
    for _ in 0..3 {
        let before = b.resyncs();
        assert_eq!(redis.cli(&["client", "kill", "type", "pubsub"]), "1");
        b.expect_resync_after(before).await;
        b.is_well().await;
        a.publish(room(1), "after");
        b.expect(room(1), "after").await;
    }
    assert_eq!(b.broker.status().reconnects, 3);
    assert_eq!(a.resyncs(), 0, "who subscribes to nothing misses nothing");
}

#[tokio::test]
async fn a_publication_that_is_no_text_is_answered_for_with_a_resync() {
    let redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    b.subscribe(room(1)).await;
    let before = b.resyncs();
    assert_eq!(redis.cli(&["eval", r"return redis.call('publish', 'room:1', 'a\255')", "0"]), "1");
    b.expect_resync_after(before).await;
    a.publish(room(1), "after");
    b.expect(room(1), "after").await;
    assert_eq!(b.taken(room(1)), ["after"]);
}

#[tokio::test]
async fn publishers_that_the_server_kills_publish_what_was_under_way_again() {
    let redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    b.subscribe(room(1)).await;
    for round in 0..20 {
        for n in 0..50 {
            a.publish(room(1), &format!("{round}.{n}"));
            if n == 25 {
                redis.try_cli(&["client", "kill", "type", "normal", "skipme", "yes"]);
            }
        }
    }
    for round in 0..20 {
        for n in 0..50 {
            b.expect(room(1), &format!("{round}.{n}")).await;
        }
    }
    assert_eq!(a.broker.status().publications_dropped, 0);
}

#[tokio::test]
async fn an_output_limit_that_drops_the_subscriber_costs_a_resync() {
    let redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    b.subscribe(room(1)).await;
    redis.cli(&["config", "set", "client-output-buffer-limit", "pubsub 32kb 32kb 1"]);
    let before = b.resyncs();
    a.publish(room(1), &"x".repeat(300_000));
    b.expect_resync_after(before).await;
    b.is_well().await;
    assert_eq!(b.taken(room(1)), [] as [&str; 0], "what the server dropped is gone");
    a.publish(room(1), "small");
    b.expect(room(1), "small").await;
}

#[tokio::test]
async fn a_server_that_hangs_keeps_nobody_waiting() {
    let redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    b.subscribe(room(1)).await;
    let before = b.resyncs();
    redis.signal("STOP");
    tokio::time::timeout(Duration::from_secs(5), b.subscribe(room(2))).await.unwrap();
    b.is_degraded().await;
    tokio::time::timeout(Duration::from_secs(5), b.subscribe(room(3))).await.unwrap();
    redis.signal("CONT");
    b.is_well().await;
    a.is_well().await;
    b.expect_resync_after(before).await;
    for n in 1..=3 {
        a.publish(room(n), "after");
        b.expect(room(n), "after").await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_shown_nowhere() {
    let redis = RedisServer::start(&["requirepass right"]).await;
    let wrong = redis.url().replace("right", "hunter2");
    let node = Node::start(redis_broker(&wrong, "hub-1"));
    let told = async || node.broker.check().await.is_err_and(|error| error.to_string().contains("WRONGPASS"));
    eventually("the error says what is wrong", told).await;
    let error = node.broker.check().await.unwrap_err().to_string();
    assert!(error.contains(&format!("redis at 127.0.0.1:{}", redis.port)), "{error}");
    assert!(!error.contains("hunter2") && !format!("{:?}", node.broker).contains("hunter2"), "{error}");
    tokio::time::timeout(Duration::from_secs(1), node.subscribe(room(1))).await.unwrap();
    let before = node.resyncs();
    redis.cli(&["config", "set", "requirepass", "hunter2"]);
    node.is_well().await;
    node.expect_resync_after(before).await;
    let none = Node::start(redis_broker(&redis.url().replace(":right@", ""), "hub-2"));
    let told = async || none.broker.check().await.is_err_and(|error| error.to_string().contains("NOAUTH"));
    eventually("a missing password is told too", told).await;
}

#[tokio::test]
async fn a_channel_that_the_user_may_not_read_is_told_and_tried_again() {
    let user = "user hub on >secret resetchannels &room:1 +@all";
    let redis = RedisServer::start(&[user]).await;
    let url = redis.url().replace("redis://", "redis://hub:secret@");
    let (a, b) = (Node::start(redis_broker(&url, "hub-1")), Node::start(redis_broker(&url, "hub-2")));
    b.is_well().await;
    b.subscribe(room(1)).await;
    b.subscribe(room(2)).await;
    b.is_degraded().await;
    let error = b.broker.check().await.unwrap_err().to_string();
    assert!(error.contains("no permissions"), "{error}");
    a.publish(room(1), "allowed");
    b.expect(room(1), "allowed").await;
    let before = b.resyncs();
    redis.cli(&["acl", "setuser", "hub", "&room:2"]);
    b.is_well().await;
    b.expect_resync_after(before).await;
    reaches(&a, &b, room(2)).await;
}

#[tokio::test]
async fn a_node_starts_without_its_server() {
    let mut redis = RedisServer::start(&[]).await;
    redis.kill();
    let node = Node::start(redis_broker(&redis.url(), "hub-1"));
    tokio::time::timeout(Duration::from_secs(5), node.subscribe(room(1))).await.unwrap();
    node.is_degraded().await;
    redis.revive().await;
    node.is_well().await;
    node.expect_resync_after(0).await;
    eventually("the wish is fulfilled", async || redis.subscribers("room:1") == 1).await;
}

#[tokio::test]
async fn a_broker_that_closes_sends_what_is_queued_and_leaves_no_connection() {
    let redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    b.subscribe(room(1)).await;
    for n in 0..500 {
        a.publish(room(1), &n.to_string());
    }
    a.broker.close().await;
    b.expect(room(1), "499").await;
    let clients = || redis.cli(&["client", "list"]);
    assert!(
        clients().contains("name=hubbub:hub-2:subscribe") && clients().contains("name=hubbub:hub-2:publish")
    );
    eventually("its connections are gone", async || !clients().contains("hub-1")).await;
    b.broker.close().await;
    assert!(b.broker.check().await.is_err());
}

#[tokio::test]
async fn own_publications_do_not_come_back() {
    let redis = RedisServer::start(&[]).await;
    let (a, b) = pair(&redis).await;
    a.subscribe(room(1)).await;
    b.subscribe(room(1)).await;
    a.publish(room(1), "own");
    b.publish(room(1), "foreign");
    a.expect(room(1), "foreign").await;
    b.expect(room(1), "own").await;
    a.publish(room(1), "own again");
    b.publish(room(1), "mark");
    a.expect(room(1), "mark").await;
    assert_eq!(a.taken(room(1)), ["foreign", "mark"]);
}
