//! Puts a node together and runs it: the one place that knows all its parts. Listener, store,
//! broker, clock and randomness come from outside, so that tests and the simulation run the same.

mod assemble;
mod patient;
mod probe;
mod process;

pub use assemble::migrate;
pub use probe::probe;
pub use process::{Stops, raise_file_limit};

use crate::auth::Auth;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::http::{self, Api, Pages, Peer, WithPeers};
use crate::limits::RateLimits;
use crate::limits::bounds::{REQUESTS_GRACE, REQUESTS_WIND_DOWN, SILENCE_GRACE, TASKS_GRACE};
use crate::metrics::Metrics;
use crate::presence::{Presence, PresenceTimes};
use crate::random::Random;
use crate::room::{self, Attendance, RoomLimits, Rooms, Sink, Writer};
use crate::session::SessionConfig;
use crate::store::Store;
use crate::ws::{self, Connections, QueueLimits, WsSettings};
use axum::serve::{Listener, ListenerExt};
use ipnet::IpNet;
use patient::Patient;
use protocol::planted::{self, Bug};
use protocol::{NodeId, limits};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a node behaves.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// The node's name.
    pub node: NodeId,
    /// What it keeps of rooms in memory.
    pub rooms: RoomLimits,
    /// Most WebSocket connections.
    pub connections_max: usize,
    /// How much waits to be written to each.
    pub queue: QueueLimits,
    /// How long a connection may not read while something is to be written.
    pub slow_reader_timeout: Duration,
    /// How presence keeps time; the same as the leases were made with.
    pub presence: PresenceTimes,
    /// How long a leaving node gives its connections.
    pub drain_grace: Duration,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// How often a connection is asked to say something.
    pub heartbeat: Duration,
    /// Most events that a resume replays for one room.
    pub resume_events_max: u64,
    /// Proxies whose word on a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            node: NodeId("hub".into()),
            rooms: RoomLimits::default(),
            connections_max: 15_000,
            queue: QueueLimits::default(),
            slow_reader_timeout: Duration::from_secs(60),
            presence: PresenceTimes::default(),
            drain_grace: Duration::from_secs(10),
            idle_timeout: limits::IDLE_TIMEOUT,
            heartbeat: limits::HEARTBEAT,
            resume_events_max: limits::RESUME_EVENTS_MAX,
            trusted_proxies: Vec::new(),
        }
    }
}

/// What a node is made of.
#[derive(Debug)]
pub struct Deps {
    /// Keeps everything.
    pub store: Arc<dyn Store>,
    /// Joins nodes.
    pub broker: Arc<dyn Broker>,
    /// Tells who is online on which node.
    pub presence: Arc<dyn Presence>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Is unpredictable.
    pub random: Arc<dyn Random>,
    /// Tells who is there.
    pub auth: Arc<Auth>,
    /// Limits how often.
    pub limits: Arc<RateLimits>,
    /// Is shown in a browser.
    pub pages: Arc<dyn Pages>,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// How the node behaves.
    pub settings: NodeSettings,
}

/// A TCP listener as a node wants it: small frames go out at once.
pub fn tcp(listener: TcpListener) -> impl Listener<Io = TcpStream, Addr = SocketAddr> {
    listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
    })
}

/// Serves until `shutdown`, then leaves in order: connections are asked to go, what was taken is
/// committed, the store is closed.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve<L>(listener: L, deps: Deps, shutdown: CancellationToken) -> io::Result<()>
where
    L: Listener<Addr = SocketAddr>,
{
    let node = Node::start(&deps);
    let app = http::router(node.api(&deps), ws::router(Arc::clone(&node.connections)));
    let service = app.into_make_service_with_connect_info::<Peer>();
    let stop_listening = CancellationToken::new();
    let silence_max = deps.settings.idle_timeout + SILENCE_GRACE;
    let silence_max =
        if planted::has(Bug::SilenceForEver) { Duration::from_secs(1 << 32) } else { silence_max };
    let listener = Patient::new(listener, silence_max);
    let serving = axum::serve(WithPeers(listener), service)
        .with_graceful_shutdown(stop_listening.clone().cancelled_owned());
    let leaving = async {
        shutdown.cancelled().await;
        tracing::info!(connections = node.connections.len(), "node is leaving");
        node.drain.cancel();
        tokio::join!(node.connections.finished(), tokio::time::sleep(wind_down(&deps)));
        stop_listening.cancel();
        tokio::time::sleep(REQUESTS_GRACE).await;
    };
    let result = tokio::select! {
        biased;
        result = serving => result,
        () = leaving => {
            tracing::warn!("requests were still under way when the node left");
            Ok(())
        }
    };
    node.finish(&deps).await;
    result
}

/// A node's running parts.
struct Node {
    rooms: Arc<Rooms>,
    writer: Writer,
    connections: Arc<Connections>,
    drain: CancellationToken,
    stop_writer: CancellationToken,
    stop: CancellationToken,
    writing: TaskTracker,
    tasks: TaskTracker,
}

impl Node {
    fn start(deps: &Deps) -> Self {
        let (drain, stop_writer, stop) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let (writing, tasks) = (TaskTracker::new(), TaskTracker::new());
        let attendance = Attendance::new(
            Arc::clone(&deps.presence),
            Arc::clone(&deps.broker),
            Arc::clone(&deps.store),
            deps.settings.presence,
        );
        let rooms = Rooms::new(room::Parts {
            node: deps.settings.node.clone(),
            store: Arc::clone(&deps.store),
            broker: Arc::clone(&deps.broker),
            attendance,
            limits: deps.settings.rooms,
            metrics: Arc::clone(&deps.metrics),
            tasks: tasks.clone(),
            stop: stop.clone(),
        });
        deps.broker.start(Arc::new(Sink(Arc::clone(&rooms))));
        tasks.spawn(Arc::clone(&rooms).run(fractions(Arc::clone(&deps.random))));
        tasks.spawn(Arc::clone(&rooms).run_presence(fractions(Arc::clone(&deps.random))));
        let (writer, write) = Writer::new(Arc::clone(&deps.store), Arc::clone(&rooms), stop_writer.clone());
        writing.spawn(write);
        let connections = Connections::new(ws::Parts {
            auth: Arc::clone(&deps.auth),
            store: Arc::clone(&deps.store),
            rooms: Arc::clone(&rooms),
            writer: writer.clone(),
            clock: Arc::clone(&deps.clock),
            random: Arc::clone(&deps.random),
            limits: Arc::clone(&deps.limits),
            settings: ws_settings(&deps.settings, deps.broker.is_shared()),
            drain: drain.clone(),
        });
        Self { rooms, writer, connections, drain, stop_writer, stop, writing, tasks }
    }

    fn api(&self, deps: &Deps) -> Api {
        Api {
            node: deps.settings.node.clone(),
            store: Arc::clone(&deps.store),
            broker: Arc::clone(&deps.broker),
            writer: self.writer.clone(),
            rooms: Arc::clone(&self.rooms),
            auth: Arc::clone(&deps.auth),
            limits: Arc::clone(&deps.limits),
            clock: Arc::clone(&deps.clock),
            random: Arc::clone(&deps.random),
            draining: self.drain.clone(),
            trusted_proxies: deps.settings.trusted_proxies.clone(),
            pages: Arc::clone(&deps.pages),
        }
    }

    /// Ends what is left, in the order in which one part needs another.
    async fn finish(self, deps: &Deps) {
        self.drain.cancel();
        self.stop_writer.cancel();
        self.writing.close();
        let written = timeout(TASKS_GRACE, self.writing.wait()).await;
        self.stop.cancel();
        self.tasks.close();
        let ended = timeout(TASKS_GRACE, self.tasks.wait()).await;
        if written.is_err() || ended.is_err() {
            tracing::error!("tasks were still running when the node left");
        }
        self.rooms.end_presence().await;
        deps.broker.close().await;
        deps.store.close().await;
    }
}

fn ws_settings(settings: &NodeSettings, has_other_nodes: bool) -> WsSettings {
    WsSettings {
        session: SessionConfig {
            node: settings.node.clone(),
            hello_timeout: limits::HELLO_TIMEOUT,
            idle_timeout: settings.idle_timeout,
            heartbeat: settings.heartbeat,
            resume_events_max: settings.resume_events_max,
        },
        connections_max: settings.connections_max,
        queue: settings.queue,
        slow_reader_timeout: settings.slow_reader_timeout,
        drain_spread: if has_other_nodes { settings.drain_grace / 2 } else { Duration::ZERO },
        drain_grace: settings.drain_grace / 2,
    }
}

/// How long a node that leaves takes requests at least. Of one that is alone nobody would take them over.
fn wind_down(deps: &Deps) -> Duration {
    if deps.broker.is_shared() { REQUESTS_WIND_DOWN.min(deps.settings.drain_grace) } else { Duration::ZERO }
}

/// Draws from `0.0..1.0`.
fn fractions(random: Arc<dyn Random>) -> impl FnMut() -> f64 + Send {
    move || {
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}
