//! The in-process broker of a node that runs alone: hands each publication straight back.

use super::{Broker, BrokerError, BrokerEvent, BrokerSink, Topic};
use async_trait::async_trait;
use parking_lot::RwLock;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A broker for one node.
#[derive(Default)]
pub struct LocalBroker {
    topics: RwLock<BTreeSet<Topic>>,
    sink: OnceLock<Arc<dyn BrokerSink>>,
}

impl fmt::Debug for LocalBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBroker").field("topics", &self.topics.read().len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Broker for LocalBroker {
    fn start(&self, sink: Arc<dyn BrokerSink>) {
        assert!(self.sink.set(sink).is_ok(), "a broker is started once");
    }

    fn publish(&self, topic: Topic, payload: Arc<str>) {
        if !self.topics.read().contains(&topic) {
            return;
        }
        if let Some(sink) = self.sink.get() {
            sink.handle_broker_event(BrokerEvent::Publication { topic, payload });
        }
    }

    async fn subscribe(&self, topic: Topic) -> Result<(), BrokerError> {
        self.topics.write().insert(topic);
        Ok(())
    }

    async fn unsubscribe(&self, topic: Topic) {
        self.topics.write().remove(&topic);
    }

    async fn check(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}
