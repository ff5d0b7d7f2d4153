//! Which topics this node subscribes to: each from its first lease until a moment after its last.

use crate::broker::{Broker, BrokerError, SUBSCRIBE_WAIT_MAX, Topic};
use crate::limits::bounds::{LINGER, SUBSCRIBE_DEADLINE};
use crate::sync::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

const _: () = assert!(SUBSCRIBE_WAIT_MAX.as_millis() < SUBSCRIBE_DEADLINE.as_millis());

#[derive(Debug, Default)]
struct Entry {
    state: Mutex<EntryState>,
    subscribed: OnceCell<()>,
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct EntryState {
    leases: usize,
    idle_since: Option<Instant>,
    is_leaving: bool,
}

/// The node's subscriptions.
#[derive(Debug)]
pub struct Topics {
    broker: Arc<dyn Broker>,
    entries: Mutex<BTreeMap<Topic, Arc<Entry>>>,
}

/// Keeps a topic subscribed.
#[derive(Debug)]
pub struct Lease(Arc<Entry>);

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.leases -= 1;
        if state.leases == 0 {
            state.idle_since = Some(tokio::time::Instant::now().into_std());
        }
    }
}

impl Topics {
    /// No subscriptions yet.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>) -> Self {
        Self { broker, entries: Mutex::default() }
    }

    /// Subscribes, or joins a subscription that is there or under way; returns once it is
    /// confirmed.
    ///
    /// # Errors
    /// When the broker does not confirm within [`SUBSCRIBE_DEADLINE`].
    pub async fn lease(&self, topic: Topic) -> Result<Lease, BrokerError> {
        let subscribe = async {
            let lease = self.enter(topic).await;
            lease.0.subscribed.get_or_try_init(|| self.broker.subscribe(topic)).await?;
            Ok(lease)
        };
        tokio::time::timeout(SUBSCRIBE_DEADLINE, subscribe)
            .await
            .unwrap_or_else(|_| Err(BrokerError("subscription was not confirmed in time".into())))
    }

    async fn enter(&self, topic: Topic) -> Lease {
        loop {
            let entry = Arc::clone(self.entries.lock().entry(topic).or_default());
            {
                let mut state = entry.state.lock();
                if !state.is_leaving {
                    state.leases += 1;
                    state.idle_since = None;
                    drop(state);
                    return Lease(entry);
                }
            }
            // An unsubscribe is under way; a subscribe must not overtake it.
            entry.gone.cancelled().await;
        }
    }

    /// Unsubscribes from topics that had no lease for [`LINGER`].
    pub async fn sweep(&self, now: Instant) {
        let leaving: Vec<_> = self
            .entries
            .lock()
            .iter()
            .filter(|(_, entry)| {
                let mut state = entry.state.lock();
                state.is_leaving = state.idle_since.is_some_and(|since| since + LINGER <= now);
                state.is_leaving
            })
            .map(|(topic, entry)| (*topic, Arc::clone(entry)))
            .collect();
        for (topic, entry) in leaving {
            self.broker.unsubscribe(topic).await;
            self.entries.lock().remove(&topic);
            entry.gone.cancel();
        }
    }

    /// How many topics are subscribed to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
