//! Several nodes on one store and one bus.

use crate::support::{NodeBuilder, TestNode};
use async_trait::async_trait;
use hub::broker::local::LocalBus;
use hub::broker::{Broker, BrokerError, BrokerSink, Topic};
use hub::server::NodeSettings;
use hub::store::Store;
use hub::store::memory::MemoryStore;
use protocol::{Epoch, NodeId};
use serde_json::json;
use std::sync::Arc;

async fn pair(lossy: bool) -> (TestNode, TestNode) {
    let bus = LocalBus::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Epoch(1)));
    let node = async |name: &str| {
        let settings = NodeSettings { node: NodeId(name.into()), ..NodeSettings::default() };
        let local = bus.join();
        let broker: Arc<dyn Broker> = if lossy { Arc::new(Mute(local)) } else { Arc::new(local) };
        NodeBuilder { store: Arc::clone(&store), broker, settings, ..NodeBuilder::default() }.start().await
    };
    (node("hub-1").await, node("hub-2").await)
}

/// A broker that loses everything.
#[derive(Debug)]
struct Mute(hub::broker::local::LocalBroker);

#[async_trait]
impl Broker for Mute {
    fn start(&self, sink: Arc<dyn BrokerSink>) {
        self.0.start(sink);
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn publish(&self, _: Topic, _: Arc<str>) {}
    async fn subscribe(&self, topic: Topic) -> Result<(), BrokerError> {
        self.0.subscribe(topic).await
    }
    async fn unsubscribe(&self, topic: Topic) {
        self.0.unsubscribe(topic).await;
    }
    async fn check(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}

async fn talk_across(first: TestNode, second: TestNode) {
    let (mira, jun) = (first.user("mira").await, first.user("jun").await);
    let (mut a, mut b) = (first.join(&mira).await, second.join(&jun).await);
    let room = a.create_room("delivery").await;
    assert_eq!(
        a.request(json!({ "type": "invite", "room_id": room, "username": "jun" })).await["type"],
        "ack"
    );
    assert_eq!(b.expect("room_added").await["room"]["id"], room);
    for n in 0..20 {
        a.say(room, &format!("a{n}")).await;
        b.say(room, &format!("b{n}")).await;
    }
    let collect = async |client: &mut crate::support::Client| {
        client.send(json!({ "type": "history", "request_id": 1, "room_id": room, "limit": 100 })).await;
        let page = client.expect("history_page").await;
        let contents: Vec<_> =
            page["page"]["messages"].as_array().unwrap().iter().map(|m| m["content"].clone()).collect();
        contents
    };
    assert_eq!(collect(&mut a).await.len(), 40);
    a.say(room, "last").await;
    loop {
        if b.expect("new_message").await["content"] == "last" {
            break;
        }
    }
}

#[tokio::test]
async fn members_on_different_nodes_talk() {
    let (first, second) = pair(false).await;
    talk_across(first, second).await;
}

#[tokio::test]
async fn a_broker_that_loses_everything_costs_latency_and_no_message() {
    let (first, second) = pair(true).await;
    talk_across(first, second).await;
}
