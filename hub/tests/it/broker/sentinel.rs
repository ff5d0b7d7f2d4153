//! A master that sentinels name: the node follows it when it fails over.

use super::contract;
use super::inbox::{Node, room};
use crate::support::eventually;
use crate::support::redis::{RedisServer, redis_broker};
use cluster::free_port;

/// A master, its replica and a sentinel that knows both.
async fn trio() -> (RedisServer, RedisServer, RedisServer) {
    let master = RedisServer::start(&[]).await;
    let replica = RedisServer::start(&[&format!("replicaof 127.0.0.1 {}", master.port)]).await;
    eventually("the replica follows", async || replica.try_cli(&["role"]).contains("connected")).await;
    let sentinel = RedisServer::sentinel(master.port).await;
    let knows =
        async || sentinel.try_cli(&["sentinel", "replicas", "chat"]).contains(&replica.port.to_string());
    eventually("the sentinel knows the replica", knows).await;
    (master, replica, sentinel)
}

#[tokio::test]
async fn the_contract_holds_and_a_failover_costs_a_resync() {
    let (mut master, replica, sentinel) = trio().await;
    // The first sentinel is not there.
    let url = format!("redis+sentinel://127.0.0.1:{},127.0.0.1:{}/chat", free_port(), sentinel.port);
    let nodes = Node::on(&url, 3).await;
    contract::holds(&nodes).await;
    let before: Vec<_> = nodes.iter().map(Node::resyncs).collect();
    nodes[0].subscribe(room(77)).await;
    master.kill();
    for node in &nodes {
        node.is_degraded().await;
    }
    eventually("the replica takes over", async || replica.try_cli(&["role"]).starts_with("master")).await;
    for node in &nodes {
        node.is_well().await;
    }
    for (node, before) in nodes.iter().zip(before) {
        if !node.taken(room(3)).is_empty() {
            node.expect_resync_after(before).await;
        }
    }
    assert_eq!(replica.subscribers("room:77"), 1);
    nodes[1].publish(room(77), "on the new master");
    nodes[0].expect(room(77), "on the new master").await;
    // The old one comes back as a replica, and nobody follows it.
    master.revive().await;
    eventually("the old master obeys", async || master.try_cli(&["role"]).starts_with("slave")).await;
    assert_eq!(master.subscribers("room:77"), 0);
    nodes[2].publish(room(77), "still there");
    nodes[0].expect(room(77), "still there").await;
}

#[tokio::test]
async fn a_master_that_is_told_to_step_down_is_followed_too() {
    let (_master, replica, sentinel) = trio().await;
    let nodes = Node::on(&format!("redis+sentinel://127.0.0.1:{}/chat", sentinel.port), 2).await;
    nodes[0].subscribe(room(1)).await;
    eventually("the sentinel fails over", async || {
        sentinel.try_cli(&["sentinel", "failover", "chat"]) == "OK"
    })
    .await;
    eventually("the nodes move", async || replica.subscribers("room:1") == 1).await;
    nodes[0].is_well().await;
    nodes[1].is_well().await;
    nodes[1].publish(room(1), "moved");
    nodes[0].expect(room(1), "moved").await;
}

#[tokio::test]
async fn a_master_that_no_sentinel_knows_is_told() {
    let (_master, _replica, sentinel) = trio().await;
    let url = format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port);
    let node = Node::start(redis_broker(&url, "hub-1"));
    node.subscribe(room(1)).await;
    let told = async || {
        node.broker.check().await.is_err_and(|error| error.to_string().contains("knows no master \"other\""))
    };
    eventually("the error names it", told).await;
}
