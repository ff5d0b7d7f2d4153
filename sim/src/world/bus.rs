//! Joins nodes by calls in the process, for plans without Redis: loses what the plan says, and knows
//! that a node is gone when it is.

use crate::marks::{Mark, sometimes};
use crate::rng::Rng;
use async_trait::async_trait;
use hub::broker::{Broker, BrokerError, BrokerEvent, BrokerSink, Topic};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// All nodes.
#[derive(Clone)]
pub(super) struct Bus {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    nodes: BTreeMap<u32, Node>,
    lost: u64,
    rng: Rng,
}

#[derive(Default)]
struct Node {
    topics: BTreeSet<Topic>,
    sink: Option<Arc<dyn BrokerSink>>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("nodes", &self.inner.lock().nodes.len()).finish_non_exhaustive()
    }
}

impl Bus {
    /// A bus that loses so many percent of what is published.
    #[must_use]
    pub(super) fn new(lost: u64, seed: u64) -> Self {
        let inner = Inner { nodes: BTreeMap::new(), lost, rng: Rng::new(seed, "bus") };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// A node's side.
    #[must_use]
    pub(super) fn join(&self, node: u32) -> BusBroker {
        self.inner.lock().nodes.insert(node, Node::default());
        BusBroker { bus: self.clone(), node }
    }

    /// A node is gone.
    pub(super) fn leave(&self, node: u32) {
        let gone = self.inner.lock().nodes.remove(&node);
        drop(gone);
    }

    /// How many topics a node is subscribed to.
    #[must_use]
    pub(super) fn topics(&self) -> usize {
        self.inner.lock().nodes.values().map(|node| node.topics.len()).sum()
    }
}

/// A node's side of the bus.
#[derive(Debug)]
pub(super) struct BusBroker {
    bus: Bus,
    node: u32,
}

#[async_trait]
impl Broker for BusBroker {
    fn start(&self, sink: Arc<dyn BrokerSink>) {
        if let Some(node) = self.bus.inner.lock().nodes.get_mut(&self.node) {
            node.sink = Some(sink);
        }
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn publish(&self, topic: Topic, payload: Arc<str>) {
        let sinks: Vec<_> = {
            let mut inner = self.bus.inner.lock();
            let Inner { nodes, lost, rng } = &mut *inner;
            let others = nodes.iter().filter(|(id, node)| **id != self.node && node.topics.contains(&topic));
            let sinks = others.filter_map(|(_, node)| node.sink.clone());
            sinks.filter(|_| !rng.chance(*lost) || lose()).collect()
        };
        for sink in sinks {
            sink.handle_broker_event(BrokerEvent::Publication { topic, payload: Arc::clone(&payload) });
        }
    }

    async fn subscribe(&self, topic: Topic) -> Result<(), BrokerError> {
        if let Some(node) = self.bus.inner.lock().nodes.get_mut(&self.node) {
            node.topics.insert(topic);
        }
        Ok(())
    }

    async fn unsubscribe(&self, topic: Topic) {
        if let Some(node) = self.bus.inner.lock().nodes.get_mut(&self.node) {
            node.topics.remove(&topic);
        }
    }

    async fn check(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}

fn lose() -> bool {
    sometimes(Mark::PublicationLost);
    false
}
