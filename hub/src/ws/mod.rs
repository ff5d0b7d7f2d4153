//! The WebSocket endpoint: upgrades, and one task for each connection that drives its session.

mod connection;
mod in_flight;
mod outgoing;
mod perform;

use crate::auth::Auth;
use crate::clock::Clock;
use crate::limits::RateLimits;
use crate::limits::bounds::{
    FRAME_READ_BYTES_MAX, OUT_FRAMES_MAX, PAGE_READS_MAX, PULL_EVENTS_MAX, READ_BUFFER_BYTES,
};
use crate::random::Random;
use crate::room::{Rooms, Writer};
use crate::session::SessionConfig;
use crate::store::Store;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How much of what is new waits to be written to one connection: what is over that stays in the room's ring
/// and in the store.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// From so many waiting frames on the connection takes no more, and reads no more of its client's.
    pub frames_max: usize,
    /// Most events that it takes of a room at a time.
    pub pull_events_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { frames_max: OUT_FRAMES_MAX, pull_events_max: PULL_EVENTS_MAX }
    }
}

/// How connections behave.
#[derive(Clone, Debug)]
pub struct WsSettings {
    /// What each session is told.
    pub session: SessionConfig,
    /// Most connections of this node; more are refused with 503.
    pub connections_max: usize,
    /// How much waits for each.
    pub queue: QueueLimits,
    /// How long a connection may not read while something is to be written.
    pub slow_reader_timeout: Duration,
    /// Over how long the `drain` frames of a leaving node are spread; zero when there is no other
    /// node to go to: connections are then closed at once.
    pub drain_spread: Duration,
    /// How long a client may take to connect elsewhere after `drain`.
    pub drain_grace: Duration,
}

/// What all connections of a node share.
#[derive(Debug)]
pub struct Connections {
    pub(crate) auth: Arc<Auth>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) settings: WsSettings,
    page_reads: Semaphore,
    open: AtomicUsize,
    tasks: TaskTracker,
    drain: CancellationToken,
}

/// What connections need of their node.
#[derive(Debug)]
pub struct Parts {
    /// Verifies tokens.
    pub auth: Arc<Auth>,
    /// Answers questions.
    pub store: Arc<dyn Store>,
    /// Delivers events.
    pub rooms: Arc<Rooms>,
    /// Commits operations.
    pub writer: Writer,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Spreads what must not happen together.
    pub random: Arc<dyn Random>,
    /// Limits how often.
    pub limits: Arc<RateLimits>,
    /// How connections behave.
    pub settings: WsSettings,
    /// Says that the node is leaving.
    pub drain: CancellationToken,
}

impl Connections {
    /// No connections yet.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            auth: parts.auth,
            store: parts.store,
            rooms: parts.rooms,
            writer: parts.writer,
            clock: parts.clock,
            random: parts.random,
            limits: parts.limits,
            settings: parts.settings,
            page_reads: Semaphore::new(PAGE_READS_MAX),
            open: AtomicUsize::new(0),
            tasks: TaskTracker::new(),
            drain: parts.drain,
        })
    }

    /// How many connections are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until all connections have ended. They end by themselves once the node drains.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Counts an open connection.
struct Open(Arc<Connections>);

impl Open {
    /// None when the node has as many as it takes.
    fn try_new(connections: &Arc<Connections>) -> Option<Self> {
        let before = connections.open.fetch_add(1, Ordering::Relaxed);
        connections.rooms.metrics().connections.inc();
        let open = Self(Arc::clone(connections));
        (before < connections.settings.connections_max).then_some(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.rooms.metrics().connections.dec();
    }
}

/// The endpoint `/ws`.
pub fn router(connections: Arc<Connections>) -> Router {
    Router::new().route("/ws", any(upgrade)).with_state(connections)
}

async fn upgrade(State(connections): State<Arc<Connections>>, upgrade: WebSocketUpgrade) -> Response {
    if connections.drain.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], "this node is leaving")
            .into_response();
    }
    let Some(open) = Open::try_new(&connections) else {
        let text = "this node has as many connections as it takes";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], text).into_response();
    };
    let tasks = connections.tasks.clone();
    upgrade
        .protocols([protocol::SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(FRAME_READ_BYTES_MAX)
        .max_frame_size(FRAME_READ_BYTES_MAX)
        .on_upgrade(move |socket| {
            tasks.track_future(async move {
                connection::run(socket, Arc::clone(&open.0)).await;
                drop(open);
            })
        })
}
