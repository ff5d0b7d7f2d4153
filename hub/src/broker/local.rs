//! The in-process broker: nothing to do for a node that runs alone, and a bus between several
//! nodes of one process for tests.

use super::{Broker, BrokerError, BrokerEvent, BrokerSink, Topic};
use async_trait::async_trait;
use parking_lot::RwLock;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Joins the nodes of one process.
#[derive(Clone, Debug, Default)]
pub struct LocalBus {
    nodes: Arc<RwLock<Vec<Arc<Node>>>>,
}

#[derive(Default)]
struct Node {
    topics: RwLock<BTreeSet<Topic>>,
    sink: OnceLock<Arc<dyn BrokerSink>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("topics", &self.topics.read().len()).finish_non_exhaustive()
    }
}

/// One node's side of the bus.
#[derive(Debug)]
pub struct LocalBroker {
    bus: LocalBus,
    node: Arc<Node>,
}

impl LocalBus {
    /// The side of one more node.
    #[must_use]
    pub fn join(&self) -> LocalBroker {
        let node = Arc::new(Node::default());
        self.nodes.write().push(Arc::clone(&node));
        LocalBroker { bus: self.clone(), node }
    }
}

impl LocalBroker {
    /// The broker of a node that runs alone.
    #[must_use]
    pub fn alone() -> Self {
        LocalBus::default().join()
    }
}

impl Drop for LocalBroker {
    fn drop(&mut self) {
        self.bus.nodes.write().retain(|node| !Arc::ptr_eq(node, &self.node));
    }
}

#[async_trait]
impl Broker for LocalBroker {
    fn start(&self, sink: Arc<dyn BrokerSink>) {
        assert!(self.node.sink.set(sink).is_ok(), "a broker is started once");
    }

    fn is_shared(&self) -> bool {
        self.bus.nodes.read().len() > 1
    }

    fn publish(&self, topic: Topic, payload: Arc<str>) {
        for node in self.bus.nodes.read().iter() {
            if Arc::ptr_eq(node, &self.node) || !node.topics.read().contains(&topic) {
                continue;
            }
            if let Some(sink) = node.sink.get() {
                sink.handle_broker_event(BrokerEvent::Publication { topic, payload: Arc::clone(&payload) });
            }
        }
    }

    async fn subscribe(&self, topic: Topic) -> Result<(), BrokerError> {
        self.node.topics.write().insert(topic);
        Ok(())
    }

    async fn unsubscribe(&self, topic: Topic) {
        self.node.topics.write().remove(&topic);
    }

    async fn check(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}
