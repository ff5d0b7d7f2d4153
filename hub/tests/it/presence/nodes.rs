//! Whole nodes: who watches a room on one sees who is connected to another.

use super::TIMES;
use crate::support::redis::{RedisServer, cluster_of_six, cluster_url, redis_broker};
use crate::support::{Client, NodeBuilder, TestNode, eventually, incarnation};
use hub::broker::local::LocalBus;
use hub::presence::local::{LocalLeases, LocalPresence};
use hub::presence::redis::RedisPresence;
use hub::server::NodeSettings;
use hub::store::Store;
use hub::store::memory::MemoryStore;
use protocol::model::User;
use protocol::{Epoch, NodeId};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::time::Instant;

fn settings(name: &str) -> NodeSettings {
    NodeSettings { node: NodeId(name.into()), presence: TIMES, ..NodeSettings::default() }
}

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Epoch(1)))
}

fn on_redis(url: &str, name: &str, store: &Arc<dyn Store>) -> NodeBuilder {
    let broker = redis_broker(url, name);
    let presence = Arc::new(RedisPresence::new(broker.commands(), incarnation(), &TIMES));
    let (broker, store, settings) = (Arc::new(broker), Arc::clone(store), settings(name));
    NodeBuilder { store, broker, presence, settings, ..NodeBuilder::default() }
}

/// Two nodes of one process.
async fn pair() -> (TestNode, TestNode) {
    let (bus, leases, store) = (LocalBus::default(), LocalLeases::default(), store());
    let node = async |name: &str| {
        let presence = Arc::new(LocalPresence::new(leases.clone(), incarnation(), &TIMES));
        let (broker, store, settings) = (Arc::new(bus.join()), Arc::clone(&store), settings(name));
        NodeBuilder { store, broker, presence, settings, ..NodeBuilder::default() }.start().await
    };
    (node("hub-1").await, node("hub-2").await)
}

/// Who watches a room, and what it was told.
struct Watcher {
    client: Client,
    room: u64,
    online: BTreeSet<u64>,
}

impl Watcher {
    async fn new(mut client: Client, room: u64) -> Self {
        client.send(json!({ "type": "watch_presence", "room_id": room })).await;
        let frame = client.expect("presence").await;
        assert_eq!((&frame["room_id"], frame.get("more")), (&json!(room), None));
        let online = users(&frame["online"]).collect();
        Self { client, room, online }
    }

    /// Takes frames until exactly these are online.
    async fn until(&mut self, expected: &[u64]) {
        let expected = expected.iter().copied().collect();
        while self.online != expected {
            let frame = self.client.next().await.unwrap();
            self.take(&frame);
        }
    }

    fn take(&mut self, frame: &serde_json::Value) {
        if frame["type"] == "presence" {
            assert_eq!(frame["room_id"], self.room);
            self.online = users(&frame["online"]).collect();
        } else if frame["type"] == "presence_changed" {
            assert_eq!(frame["room_id"], self.room);
            let offline: BTreeSet<_> = users(&frame["offline"]).collect();
            self.online.retain(|user| !offline.contains(user));
            self.online.extend(users(&frame["online"]));
        }
    }

    /// Takes what came so far; whether any of it was about presence.
    async fn heard(&mut self) -> bool {
        let frames = self.client.drain().await;
        frames.iter().for_each(|frame| self.take(frame));
        frames.iter().any(|frame| frame["type"].as_str().unwrap().starts_with("presence"))
    }
}

fn users(list: &serde_json::Value) -> impl Iterator<Item = u64> {
    list.as_array().unwrap().iter().map(|id| id.as_u64().unwrap())
}

/// Mira, in a room of hers on the first node, and Jun, a member too, who is not there.
async fn room_of_two(first: &TestNode) -> (Client, u64, User, User) {
    let (mira, jun) = (first.user("mira").await, first.user("jun").await);
    let mut client = first.join(&mira).await;
    let room = client.create_room("delivery").await;
    invite(&mut client, room, "jun").await;
    (client, room, mira, jun)
}

async fn invite(client: &mut Client, room: u64, username: &str) {
    let invite = json!({ "type": "invite", "room_id": room, "username": username });
    assert_eq!(client.request(invite).await["type"], "ack");
}

/// People come to the second node and go, in several tabs.
async fn come_and_go(first: TestNode, second: TestNode) {
    let (client, room, mira, jun) = room_of_two(&first).await;
    let (mira, jun_id) = (mira.id.0, jun.id.0);
    let mut watcher = Watcher::new(client, room).await;
    assert_eq!(watcher.online, BTreeSet::from([mira]));

    let tab = second.join(&jun).await;
    watcher.until(&[mira, jun_id]).await;
    // Two tabs are one person: the second is no news, and neither is the end of the first.
    let other_tab = second.join(&jun).await;
    drop(tab);
    tokio::time::sleep(TIMES.linger * 3).await;
    assert!(!watcher.heard().await);
    // The last one moves to the other node.
    let moved = first.join(&jun).await;
    drop(other_tab);
    tokio::time::sleep(TIMES.linger * 3).await;
    assert!(!watcher.heard().await);
    drop(moved);
    watcher.until(&[mira]).await;
    // One who is there before anybody watches is found.
    let back = second.join(&jun).await;
    let late = first.user("ada").await;
    let mut late = first.join(&late).await;
    late.join_room(room).await;
    let mut late = Watcher::new(late, room).await;
    let ada = *late.online.iter().find(|user| **user != mira && **user != jun_id).expect("ada is there");
    late.until(&[mira, jun_id, ada]).await;
    watcher.until(&[mira, jun_id, ada]).await;
    // Leaving the room ends being seen there, and seeing.
    let leave = json!({ "type": "leave_room", "room_id": room });
    assert_eq!(late.client.request(leave).await["type"], "ack");
    watcher.until(&[mira, jun_id]).await;
    late.client.expect("room_removed").await;
    drop(back);
    watcher.until(&[mira]).await;
    assert!(!late.heard().await);
    // A watch that was ended tells nothing.
    watcher.client.send(json!({ "type": "unwatch_presence", "room_id": room })).await;
    watcher.heard().await;
    let again = second.join(&jun).await;
    tokio::time::sleep(TIMES.sweep.1 * 2).await;
    assert!(!watcher.heard().await);
    drop((again, watcher, late));
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn people_come_and_go_on_nodes_of_one_process() {
    let (first, second) = pair().await;
    come_and_go(first, second).await;
}

#[tokio::test]
async fn people_come_and_go_on_nodes_joined_by_redis() {
    let redis = RedisServer::start(&[]).await;
    let store = store();
    let first = on_redis(&redis.url(), "hub-1", &store).start().await;
    let second = on_redis(&redis.url(), "hub-2", &store).start().await;
    come_and_go(first, second).await;
    assert_eq!(redis.try_cli(&["keys", "*"]), "", "nodes that left in order leave nothing behind");
}

#[tokio::test]
async fn people_come_and_go_on_nodes_joined_by_a_redis_cluster() {
    let servers = cluster_of_six().await;
    let (url, store) = (cluster_url(&servers), store());
    let first = on_redis(&url, "hub-1", &store).start().await;
    let second = on_redis(&url, "hub-2", &store).start().await;
    come_and_go(first, second).await;
}

#[tokio::test]
async fn only_members_watch_and_only_so_many_rooms() {
    let (first, second) = pair().await;
    let (mut client, room, ..) = room_of_two(&first).await;
    let eve = second.user("eve").await;
    let mut eve = second.join(&eve).await;
    for room in [room, 999] {
        eve.send(json!({ "type": "watch_presence", "room_id": room })).await;
        let error = eve.expect("error").await;
        assert_eq!((&error["code"], &error["field"]), (&json!("not_member"), &json!("room_id")));
    }
    for n in 0..16 {
        let room = client.create_room(&format!("room-{n}")).await;
        client.send(json!({ "type": "watch_presence", "room_id": room })).await;
        assert_eq!(client.expect("presence").await["room_id"], room);
    }
    client.send(json!({ "type": "watch_presence", "room_id": room })).await;
    let error = client.expect("error").await;
    assert_eq!((&error["code"], &error["field"]), (&json!("conflict"), &json!("room_id")));
}

#[tokio::test]
async fn who_is_removed_sees_nothing_more() {
    let (first, second) = pair().await;
    let (mut mira, room, _, jun) = room_of_two(&first).await;
    let mut watcher = Watcher::new(second.join(&jun).await, room).await;
    let kick = json!({ "type": "kick", "room_id": room, "user_id": jun.id });
    assert_eq!(mira.request(kick).await["type"], "ack");
    watcher.client.expect("room_removed").await;
    watcher.client.send(json!({ "type": "watch_presence", "room_id": room })).await;
    assert_eq!(watcher.client.expect("error").await["code"], "not_member");
    drop(mira);
    tokio::time::sleep(TIMES.linger * 2 + TIMES.sweep.1).await;
    assert!(!watcher.heard().await);
}

#[tokio::test]
async fn a_node_that_dies_leaves_no_ghosts_after_its_lease() {
    let redis = RedisServer::start(&[]).await;
    let store = store();
    let first = on_redis(&redis.url(), "hub-1", &store).start().await;
    let (client, room, mira, jun) = room_of_two(&first).await;
    let (mira, jun_id) = (mira.id.0, jun.id.0);
    // On a runtime of its own, which takes all of it down at once.
    let doomed = Runtime::new().unwrap();
    let second = on_redis(&redis.url(), "hub-2", &store);
    let second = doomed.spawn(second.start()).await.unwrap();
    let mut watcher = Watcher::new(client, room).await;
    let tab = second.join(&jun).await;
    watcher.until(&[mira, jun_id]).await;
    doomed.shutdown_background();
    let died = Instant::now();
    watcher.until(&[mira]).await;
    let took = died.elapsed();
    assert!(took + TIMES.renew * 2 > TIMES.lease, "{took:?}: a lease is not cut short");
    assert!(took < TIMES.lease + TIMES.sweep.1 * 3, "{took:?}");
    // It comes back under the same name and inherits nothing.
    let second = on_redis(&redis.url(), "hub-2", &store).start().await;
    tokio::time::sleep(TIMES.sweep.1 * 2).await;
    watcher.heard().await;
    assert_eq!(watcher.online, BTreeSet::from([mira]));
    let back = second.join(&jun).await;
    watcher.until(&[mira, jun_id]).await;
    drop((tab, back));
}

#[tokio::test]
async fn without_redis_a_node_knows_its_own_and_leases_are_written_anew() {
    let mut redis = RedisServer::start(&[]).await;
    let store = store();
    let first = on_redis(&redis.url(), "hub-1", &store).start().await;
    let second = on_redis(&redis.url(), "hub-2", &store).start().await;
    let (client, room, mira, jun) = room_of_two(&first).await;
    let (mira, jun_id) = (mira.id.0, jun.id.0);
    let mut watcher = Watcher::new(client, room).await;
    let tab = second.join(&jun).await;
    watcher.until(&[mira, jun_id]).await;
    redis.kill();
    watcher.until(&[mira]).await;
    // On the own node people come and go as ever.
    let ada = first.user("ada").await;
    let mut here = first.join(&ada).await;
    here.join_room(room).await;
    watcher.until(&[mira, ada.id.0]).await;
    redis.revive().await;
    watcher.until(&[mira, jun_id, ada.id.0]).await;
    // And those who went meanwhile are gone for good.
    redis.kill();
    drop(tab);
    drop(here);
    redis.revive().await;
    watcher.until(&[mira]).await;
    eventually("leases hold who is there", async || {
        redis.try_cli(&["--raw", "keys", "{presence}:node:*"]).lines().count() == 1
    })
    .await;
}
