//! The broker over Redis Pub/Sub: one server, a master that sentinels name, or a Redis Cluster with
//! sharded Pub/Sub. Owns every connection to it and the tasks that keep them; what it loses it
//! answers for with `Resync`.

mod backoff;
mod commands;
pub mod connector;
mod echo;
mod handover;
mod link;
mod outbox;
mod publisher;
mod routes;
mod shared;
mod status;
mod subscriber;
mod table;
mod topology;

use super::commands::Commands;
use super::redis_url::{Address, RedisUrl};
use super::{Broker, BrokerError, BrokerSink, BrokerStatus, SUBSCRIBE_WAIT_MAX, Topic};
use crate::random::Random;
use async_trait::async_trait;
use commands::RedisCommands;
use connector::Connector;
use handover::{Handover, Item};
use link::Dialer;
use parking_lot::Mutex;
use protocol::NodeId;
use routes::Routes;
use shared::Shared;
use status::Counters;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a node that leaves gives its last publications.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

/// A node's broker over Redis.
pub struct RedisBroker {
    shared: Arc<Shared>,
    incoming: Mutex<Option<mpsc::Receiver<Item>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for RedisBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBroker").field("url", &self.shared.url).finish_non_exhaustive()
    }
}

impl RedisBroker {
    /// A broker that connects once it is started, and ends with `stop` or when it is closed.
    #[must_use]
    pub fn new(
        url: RedisUrl,
        connector: Arc<dyn Connector>,
        random: Arc<dyn Random>,
        node: &NodeId,
        stop: CancellationToken,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let (handover, incoming) = Handover::new(Arc::clone(&counters));
        let dialer = Dialer { connector, node: node.0.clone() };
        let shared = Arc::new(Shared::new(url, dialer, random, handover, counters));
        Self { shared, incoming: Mutex::new(Some(incoming)), stop, tasks: TaskTracker::new() }
    }

    /// Runs commands on the servers that it is connected to.
    #[must_use]
    pub fn commands(&self) -> Arc<dyn Commands> {
        Arc::new(RedisCommands(Arc::clone(&self.shared)))
    }

    async fn flushed(&self) {
        loop {
            let flushed = self.shared.flushed.notified();
            if self.shared.outbox.lock().is_empty() {
                return;
            }
            flushed.await;
        }
    }
}

#[async_trait]
impl Broker for RedisBroker {
    fn start(&self, sink: Arc<dyn BrokerSink>) {
        let incoming = self.incoming.lock().take().expect("a broker is started once");
        self.tasks.spawn(Arc::clone(&self.shared.handover).run(incoming, sink, self.stop.clone()));
        self.tasks.spawn(supervise(Arc::clone(&self.shared), self.stop.clone()));
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn publish(&self, topic: Topic, payload: Arc<str>) {
        self.shared.publish(topic, payload);
    }

    async fn subscribe(&self, topic: Topic) -> Result<(), BrokerError> {
        let waiting = self.shared.table.lock().want(topic);
        if let Some(waiting) = waiting
            && tokio::time::timeout(SUBSCRIBE_WAIT_MAX, waiting).await.is_err()
        {
            self.shared.table.lock().give_up(topic);
        }
        self.shared.review();
        Ok(())
    }

    async fn unsubscribe(&self, topic: Topic) {
        self.shared.table.lock().unwant(topic);
    }

    async fn check(&self) -> Result<(), BrokerError> {
        if let Some(trouble) = self.shared.trouble() {
            return Err(BrokerError(trouble));
        }
        let connections = self.shared.connections.lock().clone();
        for (address, mut connection) in connections {
            link::ping(&mut connection)
                .await
                .map_err(|error| BrokerError(format!("redis at {address}: {error}")))?;
        }
        Ok(())
    }

    fn status(&self) -> BrokerStatus {
        self.shared.status()
    }

    async fn close(&self) {
        if tokio::time::timeout(FLUSH_DEADLINE, self.flushed()).await.is_err() {
            tracing::warn!(
                "publications were still waiting when the node left; the sweep of other nodes finds them"
            );
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Runs two links to each master, as the routes have them, until `stop`.
async fn supervise(shared: Arc<Shared>, stop: CancellationToken) {
    let (sender, mut routes) = watch::channel(Arc::new(Routes::Unknown));
    let mut links = BTreeMap::<Address, Links>::new();
    let keep = async {
        while routes.changed().await.is_ok() {
            let routes = Arc::clone(&routes.borrow_and_update());
            apply(&shared, &mut links, &routes).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = topology::run(Arc::clone(&shared), sender) => {}
        () = keep => {}
    }
    for links in links.into_values() {
        links.end().await;
    }
    shared.review();
}

async fn apply(shared: &Arc<Shared>, links: &mut BTreeMap<Address, Links>, routes: &Arc<Routes>) {
    let owners = routes.owners();
    let gone: Vec<_> = links.keys().filter(|owner| !owners.contains(*owner)).cloned().collect();
    for owner in gone {
        if let Some(links) = links.remove(&owner) {
            links.end().await;
        }
    }
    shared.set_routes(routes);
    for owner in owners {
        links.entry(owner.clone()).or_insert_with(|| Links::start(shared, &owner));
    }
}

/// The links to one server.
struct Links {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Links {
    fn start(shared: &Arc<Shared>, owner: &Address) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let subscribe = subscriber::run(Arc::clone(shared), owner.clone());
        let publish = publisher::run(Arc::clone(shared), owner.clone());
        let ended = stop.clone();
        tasks.spawn(async move { ended.run_until_cancelled_owned(subscribe).await });
        let ended = stop.clone();
        tasks.spawn(async move { ended.run_until_cancelled_owned(publish).await });
        Self { stop, tasks }
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
