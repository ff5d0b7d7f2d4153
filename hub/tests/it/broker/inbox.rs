//! A node's side of a broker: what came in, and how to wait for it.

use crate::support::eventually;
use crate::support::redis::redis_broker;
use hub::broker::{Broker, BrokerEvent, BrokerSink, Topic};
use parking_lot::Mutex;
use protocol::{RoomId, UserId};
use std::sync::Arc;

#[derive(Default)]
pub struct Inbox(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    publications: Vec<(Topic, String)>,
    resyncs: usize,
}

impl BrokerSink for Inbox {
    fn handle_broker_event(&self, event: BrokerEvent) {
        let mut taken = self.0.lock();
        match event {
            BrokerEvent::Publication { topic, payload } => {
                taken.publications.push((topic, payload.to_string()))
            }
            BrokerEvent::Resync => taken.resyncs += 1,
        }
    }
}

/// A broker and what it handed over.
pub struct Node {
    pub broker: Arc<dyn Broker>,
    inbox: Arc<Inbox>,
}

pub fn room(id: u64) -> Topic {
    Topic::Room(RoomId(id))
}

pub fn user(id: u64) -> Topic {
    Topic::User(UserId(id))
}

impl Node {
    pub fn start(broker: impl Broker) -> Self {
        let (broker, inbox): (Arc<dyn Broker>, _) = (Arc::new(broker), Arc::new(Inbox::default()));
        broker.start(Arc::clone(&inbox) as _);
        Self { broker, inbox }
    }

    /// Nodes on Redis, connected.
    pub async fn on(url: &str, count: usize) -> Vec<Self> {
        let nodes: Vec<_> =
            (1..=count).map(|n| Self::start(redis_broker(url, &format!("hub-{n}")))).collect();
        for node in &nodes {
            node.is_well().await;
        }
        nodes
    }

    pub async fn is_well(&self) {
        let mut last = String::new();
        let is_well = async || {
            let error = self.broker.check().await.err().map(|error| error.to_string());
            // Shown when the test fails.
            if let Some(error) = error.as_ref().filter(|error| **error != last) {
                eprintln!("not well yet: {error}");
                last.clone_from(error);
            }
            error.is_none() && self.broker.status().degraded_for.is_none()
        };
        eventually("the broker is well", is_well).await;
    }

    pub async fn is_degraded(&self) {
        let is_degraded =
            async || self.broker.status().degraded_for.is_some() && self.broker.check().await.is_err();
        eventually("the broker is degraded", is_degraded).await;
    }

    pub async fn subscribe(&self, topic: Topic) {
        self.broker.subscribe(topic).await.unwrap();
    }

    pub fn publish(&self, topic: Topic, payload: &str) {
        self.broker.publish(topic, payload.into());
    }

    pub fn has(&self, topic: Topic, payload: &str) -> bool {
        self.inbox.0.lock().publications.iter().any(|(on, text)| *on == topic && text == payload)
    }

    /// What came in on a topic, in order.
    pub fn taken(&self, topic: Topic) -> Vec<String> {
        let taken = self.inbox.0.lock();
        taken.publications.iter().filter(|(on, _)| *on == topic).map(|(_, payload)| payload.clone()).collect()
    }

    pub async fn expect(&self, topic: Topic, payload: &str) {
        eventually(&format!("{topic} brings {payload:.40}"), async || self.has(topic, payload)).await;
    }

    pub fn resyncs(&self) -> usize {
        self.inbox.0.lock().resyncs
    }

    pub async fn expect_resync_after(&self, before: usize) {
        eventually("resync", async || self.resyncs() > before).await;
    }
}

/// Publishes on one node until another has it: for when links are being made again.
pub async fn reaches(from: &Node, to: &Node, topic: Topic) {
    let mut n = 0;
    eventually("publications arrive again", async || {
        n += 1;
        from.publish(topic, &format!("try {n}"));
        to.taken(topic).iter().any(|payload| payload.starts_with("try"))
    })
    .await;
}
