//! The world of a run: virtual time, links, and what is due when. One seed, one course of things.

use super::device::Device;
use super::link::Link;
use super::node::{Job, Node, NodeEnd, TOKEN_LIFE};
use super::oracle::{Log, ReadLogs};
use super::plan::{Plan, Step};
use futures_util::FutureExt;
use hub::store::memory::MemoryStore;
use hub::store::{Append, NewUser, Op as StoreOp, RoomOp, Store};
use protocol::client::{ConnId, Now, Output, Token};
use protocol::model::{RoomKind, User};
use protocol::view::ClientEvent;
use protocol::{ClientId, CloseCode, Epoch, RoomId, Timestamp, UserId};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub(super) const NODES: usize = 3;
pub(super) const USERS: u64 = 3;
const SWEEP: u64 = 2_000;
/// How long after the faults everything has to be everywhere.
const HEAL: u64 = 150_000;

/// Something that happens at a time.
#[derive(Debug)]
pub(super) enum Due {
    ToNode(u64, String),
    ToClient(u64, String),
    NodeLoses(u64),
    ClientLoses(u64, u16),
    Opened(u64),
    WakeClient(usize, u64),
    WakeSession(u64),
    Token(usize, u64),
    Job(u64, Job),
    Run(u64),
    Commit(usize),
    Feed(usize, RoomId),
    Changed(usize, UserId),
    Sweep(usize),
    NodeUp(usize),
    Drain(u64),
    CloseDrained(u64),
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) start: Instant,
    pub(super) order: u64,
    pub(super) queue: BTreeMap<(u64, u64), Due>,
    pub(super) random: u64,
    pub(super) plan: Plan,
    pub(super) stores: BTreeMap<Epoch, MemoryStore>,
    pub(super) epoch: Epoch,
    /// What the oracle has read of the logs.
    pub(super) read: ReadLogs,
    /// All operations that were applied, in order.
    pub(super) log: Vec<Append>,
    pub(super) users: Vec<User>,
    pub(super) nodes: Vec<Node>,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) ends: BTreeMap<u64, NodeEnd>,
    pub(super) devices: Vec<Device>,
    pub(super) doorbells_lost: u64,
    pub(super) stalled_until: u64,
    pub(super) fail_commits: u32,
    pub(super) lose_replies: u32,
    pub(super) last_conn: u64,
}

/// The result of a future that never waits.
pub(super) fn now<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    answer.now_or_never().expect("the store in memory does not wait").expect("and does not fail")
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an Instant to count from; only differences matter")]
        let start = Instant::now();
        let epoch = Epoch(1);
        let mut world = Self {
            now: 1_000,
            start,
            order: 0,
            queue: BTreeMap::new(),
            random: plan.seed,
            plan: plan.clone(),
            stores: BTreeMap::from([(epoch, MemoryStore::new(epoch))]),
            epoch,
            read: ReadLogs::default(),
            log: Vec::new(),
            users: Vec::new(),
            nodes: (0..NODES).map(|_| Node::new()).collect(),
            links: BTreeMap::new(),
            ends: BTreeMap::new(),
            devices: Vec::new(),
            doorbells_lost: plan.doorbells_lost,
            stalled_until: 0,
            fail_commits: 0,
            lose_replies: 0,
            last_conn: 0,
        };
        world.users = world.make_users();
        world.make_rooms();
        for user in &plan.devices {
            let (user, seed) = (world.users[usize::try_from(*user).unwrap()].id, world.next_random());
            world.devices.push(Device::new(user, seed));
        }
        for node in 0..NODES {
            let at = world.random(SWEEP);
            world.after(at, Due::Sweep(node));
        }
        for device in 0..world.devices.len() {
            let at = Now(world.now);
            world.devices[device].client.start(None, at);
            world.drive(device);
        }
        world
    }

    pub(super) fn make_users(&self) -> Vec<User> {
        let new = |n: u64| NewUser {
            username: format!("user{n}"),
            display_name: format!("User {n}"),
            password_hash: None,
            external_sub: None,
            at: Timestamp(1),
        };
        (0..USERS).map(|n| now(self.store().create_user(new(n)))).collect()
    }

    /// Public rooms of the first user, whom the others have joined.
    fn make_rooms(&mut self) {
        for room in 0..self.plan.rooms {
            let op = StoreOp::create_room(&format!("room{room}"), RoomKind::Public, "").unwrap();
            let made = self.apply(self.users[0].id, op);
            for user in self.users.clone().iter().skip(1) {
                self.apply(user.id, StoreOp::in_room(made, RoomOp::Join));
            }
        }
    }

    fn apply(&mut self, actor: UserId, op: StoreOp) -> RoomId {
        let client_id = ClientId(uuid::Uuid::from_u128(u128::from(self.next_random())));
        let append = Append { actor, client_id, at: Timestamp(1), op };
        self.append(vec![append]).remove(0).expect("it is allowed").room_id
    }

    pub(super) fn store(&self) -> &MemoryStore {
        &self.stores[&self.epoch]
    }

    pub(super) fn user(&self, id: UserId) -> User {
        self.users.iter().find(|user| user.id == id).expect("it is one of ours").clone()
    }

    pub(super) fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    pub(super) const fn timestamp(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.now)
    }

    /// SplitMix64.
    pub(super) fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.next_random() % below.max(1)
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.random(100) < percent
    }

    /// Mostly short, now and then long.
    pub(super) fn latency(&mut self) -> u64 {
        let most = if self.chance(10) { 1_500 } else { 40 };
        self.random(most)
    }

    pub(super) fn after(&mut self, delay: u64, due: Due) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), due);
    }

    pub(super) fn job(&mut self, conn: u64, job: Job) {
        let delay = self.latency();
        self.after(delay, Due::Job(conn, job));
    }

    pub(super) fn run_plan(&mut self) {
        for Step { wait, op } in self.plan.steps.clone() {
            self.run_for(wait);
            self.act(&op);
        }
    }

    /// The faults end; then there is no more traffic, and time.
    pub(super) fn heal(&mut self) {
        self.stalled_until = 0;
        self.fail_commits = 0;
        self.lose_replies = 0;
        for device in &mut self.devices {
            device.offline_until = 0;
        }
        self.run_for(HEAL);
    }

    fn run_for(&mut self, millis: u64) {
        let end = self.now + millis;
        let mut steps = 0;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), due) = entry.remove_entry();
            steps = if at > self.now { 0 } else { steps + 1 };
            assert!(steps < 100_000, "time stands still: {due:?}");
            self.now = self.now.max(at);
            self.handle(due);
        }
        self.now = end;
    }

    fn handle(&mut self, due: Due) {
        let instant = self.instant();
        match due {
            Due::ToNode(conn, text) => {
                if self.links.get(&conn).is_some_and(|link| link.to_node)
                    && let Some(end) = self.ends.get_mut(&conn)
                {
                    end.unread.push_back(text);
                    self.run_session(conn);
                }
            }
            Due::ToClient(conn, text) => {
                self.with_client(conn, |device, id, at| device.client.handle_frame(id, &text, at));
            }
            Due::NodeLoses(conn) => {
                self.ends.remove(&conn);
            }
            Due::ClientLoses(conn, code) => {
                self.with_client(conn, |device, id, at| device.client.handle_closed(id, code, at));
                self.links.remove(&conn);
            }
            Due::Opened(conn) => {
                self.with_client(conn, |device, id, at| device.client.handle_opened(id, at));
            }
            Due::WakeClient(index, life) => {
                let device = &mut self.devices[index];
                if device.life == life {
                    device.wakes_at = None;
                    if device.client.poll_timeout().is_some_and(|at| at <= Now(self.now)) {
                        device.client.handle_timeout(Now(self.now));
                    }
                    self.drive(index);
                }
            }
            Due::WakeSession(conn) => {
                if let Some(end) = self.ends.get_mut(&conn) {
                    end.wakes_at = None;
                    if end.session.poll_timeout().is_some_and(|at| at <= instant) {
                        end.session.handle_timeout(instant);
                    }
                    self.run_session(conn);
                }
            }
            Due::Token(index, life) => {
                let device = &mut self.devices[index];
                if device.life == life {
                    let access_token = format!("user {}", device.user);
                    let token = Token { access_token, expires_in: Some(TOKEN_LIFE) };
                    device.client.handle_token(Ok(token), Now(self.now));
                    self.drive(index);
                }
            }
            Due::Job(conn, job) => self.run_job(conn, job),
            Due::Run(conn) => self.run_session(conn),
            Due::Commit(node) => self.commit(node),
            Due::Feed(node, room_id) => self.feed(node, room_id),
            Due::Changed(node, user) => self.tell_changed(node, user),
            Due::Sweep(node) => {
                self.sweep(node);
                self.after(SWEEP, Due::Sweep(node));
            }
            Due::NodeUp(node) => self.nodes[node].up = true,
            Due::Drain(conn) => self.drain_session(conn),
            Due::CloseDrained(conn) => self.close_drained(conn),
        }
    }

    /// Lets a client take something from its link, if it still has that.
    fn with_client(&mut self, conn: u64, input: impl FnOnce(&mut Device, ConnId, Now)) {
        let Some(link) = self.links.get(&conn).filter(|link| link.to_client) else { return };
        let (index, life, id) = (link.device, link.life, link.conn);
        if self.devices[index].life == life {
            input(&mut self.devices[index], id, Now(self.now));
            self.drive(index);
        }
    }

    /// Does what a client asks for.
    pub(super) fn drive(&mut self, index: usize) {
        while let Some(output) = self.devices[index].client.poll_output() {
            match output {
                Output::Connect { conn } => self.connect(index, conn),
                Output::Send { conn, text } => self.send_to_node(index, conn, text),
                Output::Close { conn, code, reason } => {
                    assert_ne!(code, CloseCode::ProtocolViolation.code(), "the client closes: {reason}");
                    self.close_from_client(index, conn);
                }
                Output::RefreshToken => {
                    let (delay, life) = (self.latency(), self.devices[index].life);
                    self.after(delay, Due::Token(index, life));
                }
                Output::Persist(persist) => self.devices[index].keep(persist),
                Output::Event(event) => self.show(index, &event),
            }
        }
        let device = &mut self.devices[index];
        let due = device.client.poll_timeout();
        if let Some(due) = due.filter(|due| device.wakes_at.is_none_or(|at| *due < at)) {
            device.wakes_at = Some(due);
            let (delay, life) = (due.0.saturating_sub(self.now), device.life);
            self.after(delay, Due::WakeClient(index, life));
        }
    }

    fn show(&mut self, index: usize, event: &ClientEvent) {
        let device = &mut self.devices[index];
        let epoch = device.client.persisted().epoch.unwrap_or(self.epoch);
        let log = Log { store: &self.stores[&epoch], epoch, read: &self.read };
        device.page.handle(event, device.user, &log);
    }
}
