//! One connection: a loop that reads frames into the session, does what the session asks, and
//! writes what is new since its cursors. It has no queue of events; it is woken and pulls.

use super::Connections;
use super::in_flight::{Done, InFlight};
use super::outgoing::Outgoing;
use crate::limits::Limiter;
use crate::limits::bounds::{CLOSE_TIMEOUT, IN_FLIGHT_MAX, PULL_BYTES_MAX, QUESTIONS_MAX};
use crate::room::ring::{RingEvent, RingRead};
use crate::room::{Bell, Present, Subscription, UserStream, Watch};
use crate::session::{Admission, Session};
use crate::store::{Event, LoginId};
use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use protocol::{CloseCode, RoomId};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite;

/// Drives a connection until it ends.
pub(super) async fn run(socket: WebSocket, node: Arc<Connections>) {
    let (sink, stream) = socket.split();
    let out = Outgoing::new(sink, node.settings.queue.frames_max);
    let mut connection = Connection::new(node, out);
    let code = connection.serve(stream).await;
    if let Some(code) = code {
        connection.node.rooms.metrics().count_closed(code.code());
        connection.close(code).await;
    }
}

pub(super) struct Connection {
    pub(super) node: Arc<Connections>,
    pub(super) session: Session,
    pub(super) bell: Arc<Bell>,
    pub(super) subscriptions: BTreeMap<RoomId, Subscription>,
    pub(super) user_stream: Option<UserStream>,
    pub(super) present: Option<Present>,
    pub(super) watches: BTreeMap<RoomId, Watch>,
    /// Watched rooms to look at.
    pub(super) presence_due: BTreeSet<RoomId>,
    pub(super) login: Option<LoginId>,
    pub(super) in_flight: InFlight,
    pub(super) out: Outgoing,
    /// Frames for the user did not fit: what they told is read again once there is room.
    reload_due: bool,
    limiter: Limiter,
    /// Reading waits until then: a rate limit slows down, it loses nothing.
    read_at: Option<Instant>,
    /// The room whose page is being read from the store.
    lagging: Option<RoomId>,
    drain_at: Option<Instant>,
    /// Armed for the earliest deadline; one that moved away is let fire and armed again, which
    /// costs less than arming at each step.
    timer: Pin<Box<Sleep>>,
    pub(super) ends: Option<CloseCode>,
}

impl Connection {
    fn new(node: Arc<Connections>, out: Outgoing) -> Self {
        let session = Session::new(node.settings.session.clone(), Instant::now().into_std());
        let limiter = node.limits.connection();
        Self {
            node,
            session,
            bell: Arc::default(),
            subscriptions: BTreeMap::new(),
            user_stream: None,
            present: None,
            watches: BTreeMap::new(),
            presence_due: BTreeSet::new(),
            login: None,
            in_flight: InFlight::default(),
            out,
            reload_due: false,
            limiter,
            read_at: None,
            lagging: None,
            drain_at: None,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            ends: None,
        }
    }

    /// Serves until the peer is gone, or until it is to be closed with a code.
    async fn serve(&mut self, mut stream: SplitStream<WebSocket>) -> Option<CloseCode> {
        let node = Arc::clone(&self.node);
        let mut drain = pin!(node.drain.cancelled());
        loop {
            self.reload_if_due();
            self.act();
            self.pull();
            self.pull_presence();
            if self.ends.is_some() {
                return self.ends;
            }
            let (reads, busy) = (self.reads_now(), self.out.is_busy());
            self.arm();
            tokio::select! {
                biased;
                () = drain.as_mut(), if self.drain_at.is_none() => self.start_drain(),
                () = self.timer.as_mut() => self.handle_timeout(),
                done = self.in_flight.next(), if !self.in_flight.is_empty() => self.handle_done(done),
                () = self.bell.wait() => self.handle_bell(),
                // After all that adds to it, so that it goes out with one flush.
                written = poll_fn(|cx| self.out.poll_written(cx)), if busy => {
                    if let Err(error) = written {
                        tracing::debug!(%error, "peer is gone");
                        return None;
                    }
                }
                frame = stream.next(), if reads => match frame {
                    Some(Ok(message)) => self.handle_message(message)?,
                    Some(Err(error)) => return close_code(error),
                    None => return None,
                },
            }
        }
    }

    /// Whether the next frame is read now, or waits in the network.
    fn reads_now(&self) -> bool {
        self.session.reads_frames()
            && self.out.has_room()
            && self.in_flight.len() < IN_FLIGHT_MAX
            && self.in_flight.questions() < QUESTIONS_MAX
            && !self.in_flight.waits_for_writer()
            && self.read_at.is_none()
    }

    fn arm(&mut self) {
        let wake_at = self.wake_at();
        if wake_at < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(wake_at);
        }
    }

    fn wake_at(&self) -> Instant {
        let session = self.session.poll_timeout().map(Instant::from_std);
        let slow = self.out.deadline(self.node.settings.slow_reader_timeout);
        // While the drain is under way `drain_at` lies ahead; afterwards the session is told.
        [session, slow, self.read_at, self.drain_at]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + self.node.settings.session.idle_timeout)
    }

    fn handle_timeout(&mut self) {
        let now = Instant::now();
        self.read_at = self.read_at.filter(|at| *at > now);
        if self.out.deadline(self.node.settings.slow_reader_timeout).is_some_and(|at| at <= now) {
            tracing::debug!("gives up a connection that does not read");
            self.ends = Some(CloseCode::SlowReader);
        } else if self.drain_at.is_some_and(|at| at <= now) {
            self.go_on_draining(now);
        } else {
            self.session.handle_timeout(now.into_std());
        }
    }

    fn handle_message(&mut self, message: Message) -> Option<()> {
        match message {
            Message::Text(text) => {
                if let Err(retry_after) = self.limiter.try_take() {
                    self.read_at = Some(Instant::now() + retry_after.0);
                }
                self.session.handle_frame(&text, Instant::now().into_std());
            }
            Message::Binary(_) => self.session.handle_binary_frame(),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return None,
        }
        Some(())
    }

    fn handle_bell(&mut self) {
        let rung = self.bell.take();
        for room_id in rung.rooms {
            self.session.handle_dirty(room_id);
        }
        // Before the welcome nothing is written: what a frame would tell is read again then.
        let lives = self.session.is_live();
        if rung.reload || !lives && !rung.user_frames.is_empty() {
            self.session.handle_user_changed();
        }
        for frame in rung.user_frames.iter().filter(|_| lives) {
            if self.takes_more() {
                self.out.push_shared(frame);
            } else {
                self.reload_due = true;
            }
        }
        // What may be lost is lost first.
        for frame in rung.ephemeral_frames.iter().filter(|_| lives) {
            if self.takes_more() {
                self.out.push_shared(frame);
            }
        }
        self.presence_due.extend(rung.presence);
        self.ends = self.ends.or(rung.close);
    }

    fn handle_done(&mut self, done: Option<Done>) {
        match done {
            Some(Done::Page(room_id, events)) => {
                self.lagging = None;
                self.admit_all(events.into_iter().map(RingEvent::from));
                self.session.handle_page_sent(room_id);
            }
            Some(done) => self.finish(done),
            None => {}
        }
    }

    /// Whether there is room for more that is new; how much waits already is noted.
    fn takes_more(&self) -> bool {
        let takes = self.out.has_room();
        if takes {
            self.node.rooms.metrics().note_queue(self.out.len());
        }
        takes
    }

    fn reload_if_due(&mut self) {
        if self.reload_due && self.out.has_room() {
            self.reload_due = false;
            self.session.handle_user_changed();
        }
    }

    /// Does what the session asks for.
    fn act(&mut self) {
        while let Some(action) = self.session.poll_action() {
            self.perform(action);
        }
    }

    /// Takes what is new in the session's rooms until there is enough to write.
    fn pull(&mut self) {
        while self.takes_more() && self.ends.is_none() {
            let Some((room_id, after)) = self.session.poll_pull() else { return };
            if self.lagging == Some(room_id) {
                self.session.handle_page_sent(room_id);
                if self.session.poll_pull().is_none_or(|(next, _)| next == room_id) {
                    return;
                }
                continue;
            }
            let Some(subscription) = self.subscriptions.get(&room_id) else {
                self.session.handle_up_to_date(room_id);
                continue;
            };
            match subscription.read(after, self.node.settings.queue.pull_events_max, PULL_BYTES_MAX) {
                RingRead::Events { events, is_all } => {
                    self.admit_all(events);
                    if is_all {
                        self.session.handle_up_to_date(room_id);
                    } else {
                        self.session.handle_page_sent(room_id);
                    }
                }
                RingRead::Behind if self.lagging.is_none() => {
                    self.lagging = Some(room_id);
                    self.in_flight.read_page(Arc::clone(&self.node), room_id, after);
                }
                // One page at a time: the other lagging room is read first.
                RingRead::Behind => return,
            }
            self.act();
        }
    }

    /// Takes what is new in watched rooms: after all events, and only while there is room. Who is slow
    /// gets the newest state once, not each change.
    fn pull_presence(&mut self) {
        while self.takes_more()
            && let Some(room_id) = self.presence_due.pop_first()
        {
            if let Some(frame) = self.watches.get_mut(&room_id).and_then(Watch::read) {
                self.out.push_shared(&frame);
            }
        }
    }

    fn admit_all(&mut self, events: impl IntoIterator<Item = RingEvent>) {
        let mut delivered = 0;
        for RingEvent { event, frame } in events {
            match self.session.admit(&event) {
                Admission::Send | Admission::SendLast => {
                    self.out.push_shared(&frame);
                    delivered += 1;
                }
                Admission::Skip => {}
                Admission::Gap => log_gap(&event),
            }
        }
        self.node.rooms.metrics().events_delivered.inc_by(delivered);
    }

    fn start_drain(&mut self) {
        let settings = &self.node.settings;
        let mut byte = [0; 4];
        self.node.random.fill(&mut byte);
        let share = f64::from(u32::from_le_bytes(byte)) / f64::from(u32::MAX);
        self.drain_at = Some(Instant::now() + settings.drain_spread.mul_f64(share));
        if settings.drain_spread.is_zero() {
            self.ends = Some(CloseCode::Drain);
        }
    }

    /// First the client is asked to go, then it is made to.
    fn go_on_draining(&mut self, now: Instant) {
        let grace = self.node.settings.drain_grace;
        if self.session.is_draining() {
            self.ends = Some(CloseCode::Drain);
        } else {
            self.session.handle_drain(grace);
            self.drain_at = Some(now + grace);
        }
    }

    /// Writes what is left, and the close frame.
    async fn close(&mut self, code: CloseCode) {
        // Whoever does not read is not going to read a reason.
        if code != CloseCode::SlowReader {
            self.out.push_close(code);
            let written = poll_fn(|cx| self.out.poll_written(cx));
            tokio::time::timeout(CLOSE_TIMEOUT, written).await.ok();
        }
    }
}

/// The ring and the store give a room's events without a hole: this is a defect.
fn log_gap(event: &Event) {
    tracing::error!(room = %event.room_id, seq = %event.seq, "event is not next to the cursor");
}

/// What to tell a peer whose frame could not be read; nothing, if it is gone.
fn close_code(error: axum::Error) -> Option<CloseCode> {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => Some(CloseCode::FrameTooLarge),
        Some(tungstenite::Error::Utf8(_) | tungstenite::Error::Protocol(_)) => {
            Some(CloseCode::ProtocolViolation)
        }
        _ => None,
    }
}
