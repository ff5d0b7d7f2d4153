//! Whole nodes over Redis: people on different nodes talk, with Redis and without it.

use crate::support::postgres::Database;
use crate::support::redis::{RedisServer, redis_broker};
use crate::support::{Client, NodeBuilder, TestNode, eventually};
use hub::limits::bounds::REQUESTS_WIND_DOWN;
use hub::server::NodeSettings;
use hub::store::Store;
use hub::store::memory::MemoryStore;
use protocol::{Epoch, NodeId};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

async fn nodes(url: &str, count: usize) -> Vec<TestNode> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Epoch(1)));
    let mut nodes = Vec::new();
    for n in 1..=count {
        nodes.push(node(url, n, Arc::clone(&store)).await);
    }
    nodes
}

async fn node(url: &str, n: usize, store: Arc<dyn Store>) -> TestNode {
    let name = format!("hub-{n}");
    let broker = Arc::new(redis_broker(url, &name));
    let settings = NodeSettings { node: NodeId(name), ..NodeSettings::default() };
    NodeBuilder { store, broker, settings, ..NodeBuilder::default() }.start().await
}

/// What a node tells of its parts.
async fn ready(node: &TestNode) -> Value {
    let response = reqwest::get(format!("http://{}/ready", node.address)).await.unwrap();
    let is_served = response.status() == 200;
    let ready: Value = response.json().await.unwrap();
    assert_eq!(ready["ready"], is_served);
    json!({ "ready": ready["ready"], "broker": ready["broker"], "store": ready["store"] })
}

/// Contents up to the given one, each once and in order.
async fn read_until(client: &mut Client, last: &str) -> Vec<String> {
    let mut contents = Vec::new();
    loop {
        let content = client.expect("new_message").await["content"].as_str().unwrap().to_owned();
        let is_last = content == last;
        contents.push(content);
        if is_last {
            return contents;
        }
    }
}

/// As many people in one room as there are nodes, three at most, each on a node of their own.
async fn people(nodes: &[TestNode]) -> (u64, Vec<Client>) {
    let mut clients = Vec::new();
    for (node, name) in nodes.iter().zip(["mira", "jun", "ada"]) {
        let user = node.user(name).await;
        clients.push(node.join(&user).await);
    }
    let room = clients[0].create_room("delivery").await;
    for client in &mut clients[1..] {
        client.join_room(room).await;
    }
    (room, clients)
}

#[tokio::test]
async fn a_message_reaches_every_node_and_redis_shows_it_plainly() {
    let redis = RedisServer::start(&[]).await;
    let nodes = nodes(&redis.url(), 3).await;
    let (room, mut clients) = people(&nodes).await;
    let seen = redis.dir.path().join("psubscribe");
    let _cli = redis.cli_into(&["psubscribe", "room:*"], &seen);
    let shown = || std::fs::read_to_string(&seen).unwrap();
    eventually("redis-cli subscribes", async || shown().contains("psubscribe")).await;

    let ack = clients[0].say(room, "Hello 👋").await;
    for client in &mut clients[1..] {
        let message = client.expect("new_message").await;
        assert_eq!((&message["content"], &message["seq"]), (&json!("Hello 👋"), &ack["seq"]));
    }
    eventually("redis-cli shows the message", async || shown().contains("Hello")).await;
    let text = shown();
    let lines: Vec<_> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains("Hello")).unwrap();
    assert_eq!(lines[at - 1].trim_matches('"'), format!("room:{room}"));
    let message: Value = serde_json::from_str(lines[at]).unwrap();
    assert_eq!(message["type"], "new_message");
    assert_eq!((&message["room_id"], &message["username"]), (&json!(room), &json!("mira")));
    for field in ["message_id", "user_id", "content", "created_at"] {
        assert!(!message[field].is_null(), "{field} in {message}");
    }
}

#[tokio::test]
async fn on_postgres_what_any_node_acks_reaches_the_members_on_each() {
    let redis = RedisServer::start(&[]).await;
    for count in [2, 3] {
        let database = Database::new().await;
        let mut nodes = Vec::new();
        // One more than people, with nobody on it; each with a store of its own, and one database.
        for n in 1..=count + 1 {
            nodes.push(node(&redis.url(), n, Arc::new(database.open().await)).await);
        }
        let (room, mut clients) = people(&nodes[..count]).await;
        for sender in 0..count {
            let content = format!("of {sender}");
            assert_eq!(clients[sender].say(room, &content).await["type"], "ack");
            for reader in (0..count).filter(|reader| *reader != sender) {
                assert_eq!(read_until(&mut clients[reader], &content).await.last(), Some(&content));
            }
        }
        assert_eq!(redis.subscribers(&format!("room:{room}")), count, "only nodes with members subscribe");
        for node in nodes {
            node.stop().await;
        }
    }
}

#[tokio::test]
async fn only_nodes_with_members_subscribe_and_they_stop_after_the_last() {
    let redis = RedisServer::start(&[]).await;
    let nodes = nodes(&redis.url(), 3).await;
    let (mira, jun) = (nodes[0].user("mira").await, nodes[0].user("jun").await);
    let mut a = nodes[0].join(&mira).await;
    let room = a.create_room("delivery").await;
    let channel = format!("room:{room}");
    assert_eq!(redis.subscribers(&channel), 1);
    let mut b = nodes[1].join(&jun).await;
    assert_eq!(redis.subscribers(&format!("user:{}", jun.id)), 1);
    assert_eq!(redis.subscribers(&channel), 1, "jun is no member");
    b.join_room(room).await;
    assert_eq!(redis.subscribers(&channel), 2);
    drop(b);
    eventually("the node lets go", async || redis.subscribers(&channel) == 1).await;
    drop(a);
    let channels = async || redis.try_cli(&["pubsub", "channels"]).is_empty();
    eventually("nothing is subscribed to any more", channels).await;
}

#[tokio::test]
async fn with_redis_dead_delivery_goes_on_through_the_store() {
    let mut redis = RedisServer::start(&[]).await;
    let nodes = nodes(&redis.url(), 3).await;
    let (room, mut clients) = people(&nodes).await;
    clients[0].say(room, "before").await;
    for client in &mut clients[1..] {
        read_until(client, "before").await;
    }
    redis.kill();
    for n in 0..30 {
        assert_eq!(clients[0].say(room, &format!("dead {n}")).await["type"], "ack");
    }
    let expected: Vec<_> = (0..30).map(|n| format!("dead {n}")).collect();
    for client in &mut clients[1..] {
        assert_eq!(read_until(client, "dead 29").await, expected);
    }
    // Each message waits for a sweep, and those go fast now: at their usual pace, five would take
    // fifteen seconds and more.
    let began = Instant::now();
    for n in 0..5 {
        let content = format!("timed {n}");
        clients[0].say(room, &content).await;
        read_until(&mut clients[1], &content).await;
        read_until(&mut clients[2], &content).await;
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(ready(&nodes[0]).await, json!({ "ready": true, "broker": "degraded", "store": "ok" }));
    assert_eq!(nodes[1].metric("hub_broker_up").await, Some(0.0));
    assert!(nodes[0].metric("hub_broker_publications_waiting").await.unwrap() >= 35.0);
    assert!(nodes[1].metric("hub_broker_degraded_seconds").await.unwrap() > 0.0);
    assert!(nodes[1].metric("hub_sweep_gaps_total").await.unwrap() >= 5.0, "what was timed came by sweeps");
    assert!(nodes[1].metric("hub_backfills_total").await.unwrap() >= 5.0);
    // People come and go meanwhile.
    let eve = nodes[1].user("eve").await;
    let mut late = nodes[1].join(&eve).await;
    late.join_room(room).await;
    assert_eq!(clients[0].say(room, "for eve too").await["type"], "ack");
    read_until(&mut late, "for eve too").await;
    redis.revive().await;
    eventually("the nodes subscribe again", async || redis.subscribers(&format!("room:{room}")) == 3).await;
    eventually("all is well", async || ready(&nodes[0]).await["broker"] == "ok").await;
    eventually("and told", async || nodes[1].metric("hub_broker_up").await == Some(1.0)).await;
    assert!(nodes[1].metric("hub_resyncs_total").await.unwrap() >= 1.0);
    clients[0].say(room, "after").await;
    for client in clients[1..].iter_mut().chain([&mut late]) {
        read_until(client, "after").await;
    }
    drop(clients);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn whatever_redis_loses_every_message_arrives_once_and_in_order() {
    let mut redis = RedisServer::start(&[]).await;
    let nodes = nodes(&redis.url(), 3).await;
    let (room, mut clients) = people(&nodes).await;
    let mut expected = Vec::new();
    for round in 0..6 {
        match round {
            1 => drop(redis.cli(&["client", "kill", "type", "pubsub"])),
            2 => redis.kill(),
            3 => redis.revive().await,
            4 => drop(redis.cli(&["config", "set", "client-output-buffer-limit", "pubsub 1 1 1"])),
            5 => redis.signal("STOP"),
            _ => {}
        }
        for n in 0..20 {
            let content = format!("{round}.{n} {}", "x".repeat(2_000));
            assert_eq!(clients[0].say(room, &content).await["type"], "ack");
            expected.push(content);
        }
    }
    redis.signal("CONT");
    let last = expected.last().unwrap().clone();
    for client in &mut clients[1..] {
        assert_eq!(read_until(client, &last).await, expected);
    }
}

#[tokio::test]
async fn a_leaving_node_goes_on_serving_until_no_proxy_keeps_a_connection_to_it() {
    let redis = RedisServer::start(&[]).await;
    let node = nodes(&redis.url(), 1).await.pop().unwrap();
    let health = format!("http://{}/health", node.address);
    let stays_open = |response: &reqwest::Response| response.headers().get("connection").is_none();
    assert!(stays_open(&reqwest::get(&health).await.unwrap()));
    let (shutdown, began) = (node.shutdown.clone(), Instant::now());
    shutdown.cancel();
    let asks = async {
        while began.elapsed() < REQUESTS_WIND_DOWN / 2 {
            let response = reqwest::get(&health).await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(!stays_open(&response), "this is the last of its connection");
        }
    };
    tokio::join!(asks, node.stop());
    assert!(began.elapsed() >= REQUESTS_WIND_DOWN);
    assert!(reqwest::get(&health).await.is_err());
}
