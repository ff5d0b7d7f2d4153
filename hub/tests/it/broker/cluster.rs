//! A Redis Cluster of six processes, with sharded Pub/Sub.

use super::contract;
use super::inbox::{Node, room};
use crate::support::eventually;
use crate::support::redis::{RedisServer, cluster_of_six as six, cluster_url as url};

fn shard_subscribers(servers: &[RedisServer], channel: &str) -> usize {
    servers
        .iter()
        .filter_map(|server| {
            server.try_cli(&["pubsub", "shardnumsub", channel]).lines().next_back()?.parse::<usize>().ok()
        })
        .sum()
}

#[tokio::test]
async fn the_contract_holds_and_a_dead_master_costs_a_resync() {
    let mut servers = six().await;
    let nodes = Node::on(&url(&servers[..2]), 3).await;
    contract::holds(&nodes).await;
    let (a, b) = (&nodes[0], &nodes[1]);
    let rooms: Vec<_> = (1_000..1_060).map(room).collect();
    for topic in &rooms {
        b.subscribe(*topic).await;
    }
    assert_eq!(shard_subscribers(&servers, "room:1000"), 1);
    let before = b.resyncs();
    let dead = servers.iter().position(|server| server.cli(&["role"]).starts_with("master")).unwrap();
    servers[dead].kill();
    b.is_degraded().await;
    a.is_degraded().await;
    for node in &nodes {
        node.is_well().await;
    }
    b.expect_resync_after(before).await;
    for topic in &rooms {
        a.publish(*topic, "after the failover");
    }
    for topic in &rooms {
        b.expect(*topic, "after the failover").await;
    }
    // It comes back as a replica, and all is as before.
    servers[dead].revive().await;
    let obeys = async || servers[dead].try_cli(&["role"]).starts_with("slave");
    eventually("the old master obeys", obeys).await;
    for topic in &rooms {
        a.publish(*topic, "at last");
        b.expect(*topic, "at last").await;
    }
    assert_eq!(a.broker.status().publications_dropped, 0);
}

#[tokio::test]
async fn topics_follow_their_slot_to_another_master() {
    let servers = six().await;
    let nodes = Node::on(&url(&servers), 2).await;
    let (a, b) = (&nodes[0], &nodes[1]);
    let topics: Vec<_> = (1..=40).map(room).collect();
    for topic in &topics {
        b.subscribe(*topic).await;
    }
    let id = |server: &RedisServer| server.cli(&["cluster", "myid"]);
    let masters: Vec<_> =
        servers.iter().filter(|server| server.cli(&["role"]).starts_with("master")).collect();
    let before = b.resyncs();
    // The slot of one of them goes elsewhere, empty of keys, as a reshard would move it.
    let slot = servers[0].cli(&["cluster", "keyslot", "room:1"]);
    let owner = masters
        .iter()
        .position(|server| !server.try_cli(&["spublish", "room:1", "probe"]).contains("MOVED"))
        .unwrap();
    let target = id(masters[(owner + 1) % masters.len()]);
    for server in [masters[(owner + 1) % masters.len()], masters[owner]] {
        server.cli(&["cluster", "setslot", &slot, "node", &target]);
    }
    b.expect_resync_after(before).await;
    b.is_well().await;
    for topic in &topics {
        a.publish(*topic, "moved");
    }
    for topic in &topics {
        b.expect(*topic, "moved").await;
    }
    let there = masters[(owner + 1) % masters.len()];
    assert!(there.cli(&["pubsub", "shardnumsub", "room:1"]).ends_with('1'));
}
