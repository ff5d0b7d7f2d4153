//! All clients of a run: where they connect, what they are asked, and how they stand.

use crate::args::Size;
use crate::member::{Log, Recorder};
use crate::rest::{Login, Rest, SignedIn};
use anyhow::{Context, Result};
use futures_util::future::BoxFuture;
use loadgen::content::Content;
use loadgen::driver::{self, Handle, Options};
use loadgen::socket::{Dial, Stream, Tcp};
use parking_lot::Mutex;
use protocol::client::{Config, Persisted};
use protocol::{RoomId, Seq, Timestamp, UserId};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_util::task::TaskTracker;

/// A client of the run.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) handle: Handle,
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) user_id: UserId,
    pub(crate) rooms: Vec<RoomId>,
    pub(crate) stays: bool,
    /// How much it said in each room; none after it left.
    said: Mutex<Option<BTreeMap<RoomId, u64>>>,
}

/// Everyone.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) members: Vec<Member>,
    pub(crate) rooms: Vec<RoomId>,
    /// Why something could not be said: as many as there were.
    refused: Mutex<Vec<String>>,
    tasks: TaskTracker,
}

/// Dials like a browser that keeps the proxy's cookie.
#[derive(Debug)]
struct ByRoute(HeaderValue);

impl Dial for ByRoute {
    fn dial(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        Tcp.dial(address)
    }

    fn cookie(&self) -> Option<HeaderValue> {
        Some(self.0.clone())
    }
}

/// How long a client waits for an answer before it sends again.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Quicker than a browser's, so that a short run sees retries and reconnects.
fn config() -> Config {
    Config {
        backoff_base: Duration::from_millis(100),
        backoff_cap: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(5),
        answer_timeout: ANSWER_TIMEOUT,
        ..Config::new("hubbub-chaos", env!("CARGO_PKG_VERSION"))
    }
}

impl Member {
    /// Whether it is gone, as those are who do not stay once they were told to leave.
    pub(crate) fn has_left(&self) -> bool {
        self.said.lock().is_none()
    }
}

impl Crowd {
    /// Starts a client for each of those who signed in, with the rooms that it is in.
    pub(crate) fn start(
        rest: &Rest,
        address: &str,
        people: Vec<(SignedIn, Vec<RoomId>)>,
        rooms: Vec<RoomId>,
        size: Size,
        (seed, began): (u64, Instant),
    ) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let tasks = TaskTracker::new();
        let mut members = Vec::new();
        for (number, (signed_in, rooms)) in people.into_iter().enumerate() {
            let mut entropy = [0; 32];
            rng.fill_bytes(&mut entropy);
            let cookie = format!("hub_route={:016x}", rng.next_u64());
            let options = Options {
                dial: Arc::new(ByRoute(HeaderValue::try_from(cookie).context("no header")?)),
                addresses: Arc::from([address.to_owned()]),
                config: config(),
                tokens: Arc::new(Login::new(rest.clone(), signed_in.clone())),
                seed: entropy,
                restored: Persisted::default(),
            };
            let log = Arc::new(Mutex::new(Log::default()));
            let (handle, drive) = driver::client(options, Recorder::new(began, Arc::clone(&log)));
            tasks.spawn(drive);
            members.push(Member {
                handle,
                log,
                user_id: signed_in.user.id,
                rooms,
                stays: number >= size.leavers,
                said: Mutex::new(Some(BTreeMap::new())),
            });
        }
        Ok(Self { members, rooms, refused: Mutex::default(), tasks })
    }

    /// Waits until everyone who stays is connected.
    pub(crate) async fn all_online(&self, within: Duration) -> bool {
        eventually(within, || self.staying().all(|member| member.log.lock().node.is_some())).await
    }

    pub(crate) fn staying(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.stays)
    }

    /// The places of a room's members. There is one: who made it.
    fn members_of(&self, room: RoomId) -> impl Iterator<Item = usize> {
        let members = self.members.iter().enumerate();
        members.filter(move |(_, member)| member.rooms.contains(&room)).map(|(place, _)| place)
    }

    /// The node that most of those who are to leave are connected to.
    pub(crate) fn node_of_leavers(&self) -> Option<String> {
        let mut nodes = BTreeMap::<String, usize>::new();
        for member in self.members.iter().filter(|member| !member.stays) {
            if let Some(node) = member.log.lock().node.clone() {
                *nodes.entry(node).or_default() += 1;
            }
        }
        nodes.into_iter().max_by_key(|(_, clients)| *clients).map(|(node, _)| node)
    }

    /// Has someone say something in the room with this number, counted from zero and beyond the last.
    pub(crate) async fn say(&self, room: usize, rng: &mut StdRng) {
        let room = self.rooms[room % self.rooms.len()];
        let members: Vec<usize> = self.members_of(room).collect();
        let client = members[rng.random_range(0..members.len())];
        let member = &self.members[client];
        let number = {
            let mut said = member.said.lock();
            let Some(said) = said.as_mut() else { return };
            let number = said.entry(room).or_default();
            *number += 1;
            *number
        };
        let content = Content { client, number, room }.to_string();
        let send = move |client: &mut protocol::client::Client, now| {
            client.send_message(room, content, None, Timestamp(0), now)
        };
        let why = match member.handle.with(send).await {
            Some(Ok(_)) => return,
            Some(Err(refused)) => refused.to_string(),
            None if member.stays => "it has ended".to_owned(),
            // It left in between.
            None => return,
        };
        self.refused.lock().push(format!("client {client} could not say anything: {why}"));
    }

    /// Why something could not be said, which then was not.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.lock().clone()
    }

    /// Those who are to leave do so, without a goodbye that anyone could hear.
    pub(crate) async fn leave(&self) {
        for member in self.members.iter().filter(|member| !member.stays) {
            *member.said.lock() = None;
            member.handle.cut().await;
            member.handle.close().await;
        }
    }

    /// Loses the connections of so many, drawn at random.
    pub(crate) async fn cut(&self, clients: usize, rng: &mut StdRng) {
        let all = self.members.len();
        for client in rand::seq::index::sample(rng, all, clients.min(all)) {
            self.members[client].handle.cut().await;
        }
    }

    /// How many of those who stay wait for an answer, are not connected, or lack events.
    pub(crate) fn behind(&self, heads: &BTreeMap<RoomId, Seq>) -> usize {
        let is_behind = |member: &&Member| {
            let log = member.log.lock();
            let lacks = |room: &RoomId| log.heads.get(room) < heads.get(room);
            log.node.is_none() || !log.pending.is_empty() || member.rooms.iter().any(lacks)
        };
        self.staying().filter(is_behind).count()
    }

    /// Ends everyone.
    pub(crate) async fn end(&self) {
        for member in &self.members {
            member.handle.close().await;
        }
        self.tasks.close();
        if tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await.is_err() {
            eprintln!("  some clients did not end");
        }
    }
}

/// Looks until something holds; whether it came to hold.
pub(crate) async fn eventually(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + within;
    while !holds() {
        if Instant::now() > until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}
