//! The server: connections, what they sent and what is still to be sent to them, and one command after
//! the other. Pure: bytes come in with the time at which they did, and bytes are there to be fetched.

use super::commands::{self, Command, Run};
use super::keyspace::Keyspace;
use super::pubsub::{Family, PubSub};
use super::resp::{self, Arg, Parsed, Reply, Version};
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Names a connection; none is used twice.
pub(super) type ConnId = u64;

/// Most lost publications that are remembered; the oldest are forgotten first.
const LOST_MAX: usize = 4_096;
/// How many arguments of an unknown command are repeated, in bytes (`processCommand`).
const UNKNOWN_ARGS_BYTES_MAX: usize = 128;

/// A connection.
#[derive(Debug, Default)]
pub(super) struct Conn {
    pub(super) version: Version,
    pub(super) db: u8,
    pub(super) name: Vec<u8>,
    pub(super) is_authenticated: bool,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    end: End,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    No,
    /// Once everything is sent.
    Sent,
    /// At once.
    Now,
}

/// What a connection is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To send these bytes, which may be none, and go on.
    Send(Vec<u8>),
    /// To end.
    End,
}

/// Publications to lose.
#[derive(Debug)]
struct Loss {
    percent: u64,
    rng: Rng,
}

/// A publication that was lost on purpose on its way to one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The name of the connection that published it.
    pub from: Vec<u8>,
    /// The name of the connection that did not get it.
    pub to: Vec<u8>,
    /// What was published.
    pub payload: Vec<u8>,
}

/// What is counted since the server was made, restarts included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are open.
    pub connections: usize,
    /// Subscriptions of all connections.
    pub subscriptions: usize,
    /// Publications that were put out for a subscriber.
    pub delivered: u64,
    /// Publications that were lost on purpose on their way to one.
    pub dropped: u64,
    /// Connections that were cut for what waited to be sent to them.
    pub cut: u64,
    /// Connections that subscribed and were killed.
    pub killed: u64,
    /// Subscriptions that a restart ended.
    pub forgotten: u64,
    /// Writes that a fail-over lost.
    pub unsaved: u64,
    /// Commands that were carried out.
    pub commands: u64,
    /// Commands that were refused with an error.
    pub refused: u64,
}

/// The server.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) keys: Keyspace,
    pub(super) pubsub: PubSub,
    pub(super) password: Option<String>,
    conns: BTreeMap<ConnId, Conn>,
    last_id: ConnId,
    output_max: Option<usize>,
    loss: Option<Loss>,
    lost: VecDeque<Lost>,
    counts: Counts,
    /// Connections that have something to send, or an end, since this was last asked.
    touched: BTreeSet<ConnId>,
}

impl Server {
    /// Someone connected.
    pub(super) fn open(&mut self) -> ConnId {
        self.last_id += 1;
        let is_authenticated = self.password.is_none();
        self.conns.insert(self.last_id, Conn { is_authenticated, ..Conn::default() });
        self.last_id
    }

    /// The other side is gone.
    pub(super) fn close(&mut self, id: ConnId) {
        self.conns.remove(&id);
        self.pubsub.leave(id);
    }

    /// Bytes came in.
    pub(super) fn input(&mut self, id: ConnId, bytes: &[u8], now: u64) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let mut incoming = std::mem::take(&mut conn.incoming);
        incoming.extend_from_slice(bytes);
        let mut at = 0;
        while self.conn(id).is_some_and(|conn| conn.end == End::No) {
            match resp::parse(&incoming[at..]) {
                Parsed::Partial => break,
                Parsed::Request(args, length) => {
                    at += length;
                    self.execute(id, &args, now);
                }
                Parsed::Wrong(error) => {
                    self.say(id, &Reply::Error(error));
                    self.end(id);
                }
            }
        }
        incoming.drain(..at);
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.incoming = incoming;
        }
    }

    /// What a connection is to do now: sends at most so many bytes.
    pub(super) fn next(&mut self, id: ConnId, bytes_max: usize) -> Next {
        let Some(conn) = self.conns.get_mut(&id) else { return Next::End };
        if conn.end == End::Now || (conn.end == End::Sent && conn.outgoing.is_empty()) {
            return Next::End;
        }
        let length = conn.outgoing.len().min(bytes_max);
        Next::Send(conn.outgoing.drain(..length).collect())
    }

    /// Whether a connection is to end at once.
    pub(super) fn is_cut(&self, id: ConnId) -> bool {
        self.conns.get(&id).is_none_or(|conn| conn.end == End::Now)
    }

    /// Connections that have something new to do.
    pub(super) fn take_touched(&mut self) -> BTreeSet<ConnId> {
        std::mem::take(&mut self.touched)
    }

    /// A connection.
    pub(super) fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(&id)
    }

    /// A connection, to change it.
    pub(super) fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(&id)
    }

    /// Ends a connection once everything is sent.
    pub(super) fn end(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.end == End::No) {
            conn.end = End::Sent;
            self.touched.insert(id);
        }
    }

    /// Ends a connection at once; what waits to be sent is lost.
    fn cut(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.end = End::Now;
            conn.outgoing.clear();
            self.touched.insert(id);
            self.pubsub.leave(id);
        }
    }

    /// Forgets everything and ends all connections, as when the process is killed and started again.
    pub(super) fn restart(&mut self) -> usize {
        let forgotten = self.pubsub.subscriptions();
        self.counts.forgotten += forgotten as u64;
        self.keys = Keyspace::default();
        self.cut_all();
        forgotten
    }

    /// Another server takes over, which never got the last writes; how many it lacks.
    pub(super) fn fail_over(&mut self, writes: usize) -> usize {
        self.cut_all();
        let lost = self.keys.lose(writes);
        self.counts.unsaved += lost as u64;
        lost
    }

    fn cut_all(&mut self) {
        for id in self.conns.keys().copied().collect::<Vec<_>>() {
            self.cut(id);
        }
    }

    /// Ends up to so many connections that subscribe, the oldest first; how many.
    pub(super) fn kill_subscribers(&mut self, count: usize) -> usize {
        let subscribers = self.conns.keys().copied().filter(|id| self.pubsub.is_subscriber(*id));
        let killed: Vec<_> = subscribers.take(count).collect();
        for id in &killed {
            self.cut(*id);
        }
        self.counts.killed += killed.len() as u64;
        killed.len()
    }

    /// Loses publications from now on.
    pub(super) fn lose_publications(&mut self, percent: u64, seed: u64) {
        self.loss = (percent > 0).then(|| Loss { percent, rng: Rng::new(seed, "redis loss") });
    }

    /// Cuts subscribers for whom more bytes than this wait; the bytes that wait now count as well.
    pub(super) fn set_output_max(&mut self, bytes: Option<usize>) {
        self.output_max = bytes;
        for id in self.conns.keys().copied().collect::<Vec<_>>() {
            self.enforce_output_max(id);
        }
    }

    /// What was counted.
    pub(super) fn counts(&self) -> Counts {
        let subscriptions = self.pubsub.subscriptions();
        Counts { connections: self.conns.len(), subscriptions, ..self.counts }
    }

    /// Says something to a connection.
    pub(super) fn say(&mut self, id: ConnId, reply: &Reply) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.end == End::No) else { return };
        reply.encode(conn.version, &mut conn.outgoing);
        self.counts.refused += u64::from(matches!(reply, Reply::Error(_)));
        self.touched.insert(id);
        self.enforce_output_max(id);
    }

    fn enforce_output_max(&mut self, id: ConnId) {
        let (Some(max), Some(conn)) = (self.output_max, self.conns.get(&id)) else { return };
        if conn.outgoing.len() > max && self.pubsub.is_subscriber(id) {
            self.counts.cut += 1;
            self.cut(id);
        }
    }

    /// What was lost on purpose since this was last asked.
    pub(super) fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost).into()
    }

    fn note_lost(&mut self, from: ConnId, to: ConnId, payload: &[u8]) {
        let name = |id| self.conn(id).map(|conn| conn.name.clone()).unwrap_or_default();
        let lost = Lost { from: name(from), to: name(to), payload: payload.to_vec() };
        self.lost.push_back(lost);
        if self.lost.len() > LOST_MAX {
            self.lost.pop_front();
        }
    }

    /// Puts out what a connection publishes; how many subscribers it had.
    pub(super) fn publish(&mut self, from: ConnId, family: Family, channel: &[u8], payload: &[u8]) -> usize {
        let receivers = self.pubsub.receivers(family, channel, payload);
        let count = receivers.len();
        for (id, push) in receivers {
            if self.loss.as_mut().is_some_and(|loss| loss.rng.chance(loss.percent)) {
                self.counts.dropped += 1;
                self.note_lost(from, id, payload);
            } else {
                self.counts.delivered += 1;
                self.say(id, &push);
            }
        }
        count
    }

    fn execute(&mut self, id: ConnId, args: &[Arg], now: u64) {
        let Some(name) = args.first() else { return };
        if name.eq_ignore_ascii_case(b"quit") {
            self.say(id, &Reply::Simple("OK"));
            self.end(id);
            return;
        }
        self.keys.expire(now);
        match self.admit(id, args) {
            Ok(command) => {
                self.counts.commands += 1;
                let reply = match command.run {
                    Run::Data(run) => {
                        let db = self.conn(id).map_or(0, |conn| conn.db);
                        let reply = run(&mut commands::Data { keys: &mut self.keys, db, now }, args);
                        self.keys.settle();
                        Some(reply.unwrap_or_else(|error| error))
                    }
                    Run::Conn(run) => run(self, id, args),
                };
                if let Some(reply) = reply {
                    self.say(id, &reply);
                }
            }
            Err(error) => self.say(id, &Reply::Error(error)),
        }
    }

    /// Whether a command may run, in the order in which the server asks.
    fn admit(&self, id: ConnId, args: &[Arg]) -> Result<&'static Command, String> {
        let command = commands::find(args).ok_or_else(|| unknown(args))?;
        let arity = usize::try_from(command.arity.unsigned_abs()).unwrap_or(usize::MAX);
        if (command.arity > 0 && args.len() != arity) || args.len() < arity {
            return Err(wrong_arity(command.name));
        }
        let Some(conn) = self.conn(id) else { return Ok(command) };
        if !conn.is_authenticated && !command.is_open {
            return Err("NOAUTH Authentication required.".to_owned());
        }
        let is_confined = conn.version == Version::Two && self.pubsub.is_subscriber(id);
        if is_confined && !command.is_for_subscribers {
            return Err(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                command.name
            ));
        }
        Ok(command)
    }
}

/// The error for a command that is not known.
fn unknown(args: &[Arg]) -> String {
    let text = |arg: &[u8]| String::from_utf8_lossy(arg).replace(['\r', '\n'], " ");
    let (name, rest) = (&args[0], &args[1..]);
    if commands::is_container(name) {
        return match rest.first() {
            None => wrong_arity(&text(name).to_lowercase()),
            Some(sub) => {
                let container = text(name).to_uppercase();
                format!("ERR unknown subcommand '{}'. Try {container} HELP.", text(sub))
            }
        };
    }
    let mut told = String::new();
    for arg in rest {
        if told.len() >= UNKNOWN_ARGS_BYTES_MAX {
            break;
        }
        let left = UNKNOWN_ARGS_BYTES_MAX - told.len();
        told.push_str(&format!("'{}' ", text(&arg[..arg.len().min(left)])));
    }
    let name = text(&name[..name.len().min(UNKNOWN_ARGS_BYTES_MAX)]);
    format!("ERR unknown command '{name}', with args beginning with: {told}")
}

/// The error for a command with too many or too few arguments.
pub(super) fn wrong_arity(name: &str) -> String {
    format!("ERR wrong number of arguments for '{name}' command")
}
