//! What the parts of the broker share.

use super::backoff::Backoff;
use super::echo::Echo;
use super::handover::Handover;
use super::link::{Call, Dialer};
use super::outbox::{Outbox, Publication};
use super::routes::Routes;
use super::status::Counters;
use super::table::Table;
use crate::broker::redis_url::{Address, RedisUrl, Topology};
use crate::broker::{BrokerStatus, Topic};
use crate::random::Random;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Most addresses whose last error is remembered; beyond that some are logged again.
const LOGGED_MAX: usize = 1_024;
/// A connection that lived that long was a good one: the next wait is the shortest again.
const STABLE_AFTER: Duration = Duration::from_secs(2);

/// The broker's state.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) url: RedisUrl,
    pub(super) dialer: Dialer,
    pub(super) random: Arc<dyn Random>,
    pub(super) table: Mutex<Table>,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) echo: Mutex<Echo>,
    pub(super) handover: Arc<Handover>,
    pub(super) counters: Arc<Counters>,
    /// Connections to publish on, for [`crate::broker::Broker::check`].
    pub(super) connections: Mutex<BTreeMap<Address, MultiplexedConnection>>,
    /// Asks for a fresh look at who is master.
    pub(super) look_again: Notify,
    /// Nothing waits to be published any more.
    pub(super) flushed: Notify,
    health: Mutex<Health>,
}

#[derive(Debug)]
struct Health {
    degraded_since: Option<Instant>,
    last_error: Option<String>,
    /// What was logged last of each address and purpose since all was well.
    logged: BTreeMap<(Address, &'static str), String>,
}

impl Shared {
    pub(super) fn new(
        url: RedisUrl,
        dialer: Dialer,
        random: Arc<dyn Random>,
        handover: Arc<Handover>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            url,
            dialer,
            random,
            table: Mutex::default(),
            outbox: Mutex::default(),
            echo: Mutex::default(),
            handover,
            counters,
            connections: Mutex::default(),
            look_again: Notify::new(),
            flushed: Notify::new(),
            health: Mutex::new(Health {
                degraded_since: Some(Instant::now()),
                last_error: None,
                logged: BTreeMap::new(),
            }),
        }
    }

    /// Whether topics are spread over servers (`SSUBSCRIBE`, `SPUBLISH`).
    pub(super) const fn is_sharded(&self) -> bool {
        matches!(self.url.topology, Topology::Cluster(_))
    }

    /// Whether a server must say that it is master before it is used.
    pub(super) const fn must_be_master(&self) -> bool {
        matches!(self.url.topology, Topology::Sentinel { .. })
    }

    pub(super) const fn call<'a>(&'a self, address: &'a Address, purpose: &'static str) -> Call<'a> {
        Call { address, credentials: &self.url.credentials, db: self.url.db, purpose }
    }

    /// Topics live elsewhere from now on.
    pub(super) fn set_routes(&self, routes: &Arc<Routes>) {
        self.table.lock().set_routes(Arc::clone(routes));
        let dropped = self.outbox.lock().set_routes(Arc::clone(routes));
        self.counters.publications_dropped.add(dropped);
        self.review();
    }

    /// Queues a publication.
    pub(super) fn publish(&self, topic: Topic, payload: Arc<str>) {
        self.echo.lock().remember(payload.as_bytes());
        let dropped = self.outbox.lock().push(Publication { topic, payload, refusals: 0 });
        self.counters.publications_dropped.add(dropped);
    }

    /// Looks whether all is well again, or not any more.
    pub(super) fn review(&self) {
        let is_whole = self.table.lock().is_whole() && self.outbox.lock().is_whole();
        let mut health = self.health.lock();
        match (is_whole, health.degraded_since) {
            (true, Some(since)) => {
                let degraded_ms = since.elapsed().as_millis();
                health.degraded_since = None;
                health.last_error = None;
                health.logged.clear();
                drop(health);
                tracing::info!(degraded_ms, "redis is connected");
            }
            (false, None) => health.degraded_since = Some(Instant::now()),
            (true, None) | (false, Some(_)) => {}
        }
    }

    /// Takes note of what went wrong; warns of what it did not just warn of.
    pub(super) fn report(&self, address: &Address, purpose: &'static str, error: &str) {
        let text = format!("redis at {address}: {error}");
        let mut health = self.health.lock();
        health.last_error = Some(text.clone());
        if health.logged.len() >= LOGGED_MAX {
            health.logged.clear();
        }
        let before = health.logged.insert((address.clone(), purpose), error.to_owned());
        let is_news = before.as_deref() != Some(error);
        drop(health);
        if is_news {
            tracing::warn!(purpose, "{text}; delivery between nodes goes through the store meanwhile");
        } else {
            tracing::debug!(purpose, "{text}");
        }
    }

    /// What went wrong last, if not all is well.
    pub(super) fn trouble(&self) -> Option<String> {
        let health = self.health.lock();
        health.degraded_since?;
        Some(health.last_error.clone().unwrap_or_else(|| "not connected".to_owned()))
    }

    pub(super) fn status(&self) -> BrokerStatus {
        let degraded_since = self.health.lock().degraded_since;
        BrokerStatus {
            degraded_for: degraded_since.map(|since| since.elapsed()),
            topics: self.table.lock().len(),
            reconnects: self.counters.reconnects.get(),
            published: self.counters.published.get(),
            publications_waiting: self.outbox.lock().len(),
            received: self.counters.received.get(),
            handover_waiting: self.handover.len(),
            publications_dropped: self.counters.publications_dropped.get(),
            handover_dropped: self.counters.handover_dropped.get(),
        }
    }

    /// Waits before the next attempt, after one that began at `began`.
    pub(super) async fn pause(&self, backoff: &mut Backoff, began: Instant) {
        if began.elapsed() >= STABLE_AFTER {
            backoff.reset();
        }
        tokio::time::sleep(backoff.next(self.random.as_ref())).await;
    }
}
