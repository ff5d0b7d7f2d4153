//! The machines on which nodes run: the real server, with everything that it asks the world for handed
//! in.

use super::clients::SECRET;
use super::judge::Shared;
use super::net::{HUB_PORT, Listener, Net, REDIS_PORT};
use super::servers::{self, Servers};
use crate::entropy;
use crate::plan::{Host, Plan};
use crate::rng::Rng;
use fakes::store::SimStore;
use fakes::version::Version;
use hub::auth::{Auth, AuthSettings, Keys, PasswordParams, Passwords};
use hub::broker::Broker;
use hub::broker::local::LocalBroker;
use hub::broker::redis::RedisBroker;
use hub::broker::redis_url::RedisUrl;
use hub::clock::Clock;
use hub::http::NoPages;
use hub::limits::{RateLimits, Rates};
use hub::metrics::Metrics;
use hub::presence::local::LocalPresence;
use hub::presence::redis::RedisPresence;
use hub::presence::{Incarnation, Presence, PresenceTimes};
use hub::random::Random;
use hub::room::{RingLimits, RoomLimits};
use hub::server::{Deps, NodeSettings, serve};
use hub::store::{Store, StoreError};
use hub::ws::QueueLimits;
use parking_lot::Mutex;
use protocol::{NodeId, Timestamp};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A node, over all the times that it runs.
#[derive(Clone, Debug)]
pub(super) struct Hub {
    /// Which one.
    pub(super) number: u32,
    /// The plan.
    pub(super) plan: Arc<Plan>,
    /// The network.
    pub(super) net: Net,
    /// Redis and the store.
    pub(super) servers: Servers,
    /// The judge.
    pub(super) judge: Shared,
    /// What changes while it runs.
    pub(super) state: Arc<Mutex<State>>,
}

/// What of a node changes while it runs.
#[derive(Debug, Default)]
pub(super) struct State {
    runs: u64,
    /// Tells the present run to leave.
    pub(super) shutdown: CancellationToken,
    /// How wrong its wall clock is.
    pub(super) skew: Skew,
    /// Of which version it is.
    pub(super) version: Version,
    /// The present run's broker.
    pub(super) broker: Option<Weak<dyn Broker>>,
    /// What the present run counts.
    pub(super) metrics: Arc<Metrics>,
    /// The tasks that it had before there were clients, and those that it has now.
    pub(super) tasks: (usize, usize),
}

impl State {
    /// That of a node of a version, which did not run yet.
    #[must_use]
    pub(super) fn of(version: Version) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { version, ..Self::default() }))
    }
}

/// How wrong a wall clock is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skew {
    /// By so many milliseconds,
    pub(super) step: i64,
    /// and by so many parts per million more,
    pub(super) drift: i64,
    /// since so many milliseconds after the beginning.
    pub(super) since: u64,
}

/// How a node is joined with the others.
type Joining = (Arc<dyn Broker>, Arc<dyn Presence>);

#[derive(Debug)]
struct WallClock(Arc<Mutex<State>>);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let now = u64::try_from((entropy::EPOCH + entropy::elapsed()).as_millis()).unwrap_or(u64::MAX);
        let skew = self.0.lock().skew;
        let passed = super::judge::now().saturating_sub(skew.since);
        let drift = i64::try_from(passed).unwrap_or(0) * skew.drift / 1_000_000;
        Timestamp(now.saturating_add_signed(skew.step + drift))
    }
}

#[derive(Debug)]
struct Seeded(Mutex<Rng>);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill(bytes);
    }
}

/// Runs the node until it dies or has left.
///
/// # Errors
/// When the node cannot serve.
pub(super) async fn run(hub: Hub) -> turmoil::Result {
    let shutdown = CancellationToken::new();
    let runs = {
        let mut state = hub.state.lock();
        state.runs += 1;
        if state.runs > 1 {
            state.version = hub.plan.versions.next(state.version);
        }
        state.shutdown = shutdown.clone();
        state.metrics = Arc::default();
        hub.judge.lock().note_hub(hub.number, state.version);
        state.runs
    };
    let listener = Listener::bind(hub.net(), HUB_PORT).await?;
    let random = Rng::new(hub.plan.seed ^ u64::from(hub.number) << 32 ^ runs << 48, "hub");
    let deps = hub.deps(Arc::new(Seeded(Mutex::new(random)))).await?;
    let tasks = count_tasks(Arc::clone(&hub.state));
    tokio::select! {
        biased;
        served = serve(listener, deps, shutdown) => served?,
        never = tasks => match never {},
    }
    Ok(())
}

/// Notes now and then how many tasks there are.
async fn count_tasks(state: Arc<Mutex<State>>) -> std::convert::Infallible {
    let mut interval = tokio::time::interval(Duration::from_millis(90));
    interval.tick().await;
    loop {
        interval.tick().await;
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let mut state = state.lock();
        state.tasks.1 = tasks;
        if state.tasks.0 == 0 {
            state.tasks.0 = tasks;
        }
    }
}

impl Hub {
    fn node(&self) -> NodeId {
        NodeId(Host::Hub(self.number).to_string())
    }

    /// The network, as a node of its version sees it.
    fn net(&self) -> Net {
        self.net.of(self.state.lock().version)
    }

    async fn deps(&self, random: Arc<dyn Random>) -> Result<Deps, String> {
        let clock: Arc<dyn Clock> = Arc::new(WallClock(Arc::clone(&self.state)));
        let cheap = PasswordParams { memory_kib: 8, iterations: 1, parallelism: 1 };
        let passwords = Passwords::new(cheap, 1, random.as_ref())?;
        let keys = Keys::new(SECRET, None);
        let settings = AuthSettings::default();
        let store = self.store().await.map_err(|error| error.to_string())?;
        let auth =
            Auth::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&random), keys, passwords, settings);
        let settings = self.settings();
        let (broker, presence) = self.broker(&random, &settings.presence)?;
        self.state.lock().broker = Some(Arc::downgrade(&broker));
        Ok(Deps {
            store,
            broker,
            presence,
            clock,
            random,
            auth: Arc::new(auth),
            limits: Arc::new(RateLimits::new(&Rates::OFF)),
            pages: Arc::new(NoPages),
            metrics: Arc::clone(&self.state.lock().metrics),
            settings,
        })
    }

    async fn store(&self) -> Result<Arc<dyn Store>, StoreError> {
        let (connector, readers) = (Arc::new(self.net()), self.plan.knobs.store_readers);
        let (host, version) = (&self.servers.store, self.state.lock().version);
        let store = SimStore::open(host, connector, servers::store_address(), readers, version).await?;
        Ok(Arc::new(store))
    }

    fn broker(&self, random: &Arc<dyn Random>, times: &PresenceTimes) -> Result<Joining, String> {
        let incarnation = Incarnation(random.uuid());
        if !self.plan.topology.has_redis() {
            return Ok((Arc::new(LocalBroker::alone()), Arc::new(LocalPresence::alone(incarnation))));
        }
        let url = RedisUrl::parse(&format!("redis://{}:{REDIS_PORT}", Host::Redis))?;
        let connector = Arc::new(self.net());
        let broker =
            RedisBroker::new(url, connector, Arc::clone(random), &self.node(), CancellationToken::new());
        let presence = RedisPresence::new(broker.commands(), incarnation, times);
        Ok((Arc::new(broker), Arc::new(presence)))
    }

    fn settings(&self) -> NodeSettings {
        let knobs = &self.plan.knobs;
        let millis = Duration::from_millis;
        let ring = RingLimits { events_max: knobs.ring_events, bytes_max: 1 << 20 };
        NodeSettings {
            node: self.node(),
            rooms: RoomLimits { ring, rings_bytes_max: knobs.ring_bytes },
            queue: QueueLimits { frames_max: knobs.queue_frames, pull_events_max: knobs.pull_events },
            slow_reader_timeout: millis(knobs.slow_reader),
            drain_grace: millis(knobs.drain_grace),
            idle_timeout: millis(knobs.idle_timeout),
            heartbeat: millis(knobs.heartbeat),
            resume_events_max: knobs.resume_events,
            ..NodeSettings::default()
        }
    }
}
