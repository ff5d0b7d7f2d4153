//! The world of a run: virtual time, links, and what is due when. One seed, one course of things.

use super::device::Device;
use super::node::{Job, Node, NodeEnd, TOKEN_LIFE};
use super::oracle::{Log, ReadLogs};
use super::plan::{CutKind, Op, Plan, Step};
use futures_util::FutureExt;
use hub::store::memory::MemoryStore;
use hub::store::{Append, NewUser, Op as StoreOp, RoomOp, Store};
use protocol::client::{ConnId, Now, Operation, Output, Token};
use protocol::model::{RoomKind, User};
use protocol::view::{ClientEvent, Connection, Delivery};
use protocol::{ClientId, CloseCode, Epoch, MessageNo, RoomId, Timestamp, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const NODES: usize = 3;
const USERS: u64 = 3;
const SWEEP: u64 = 2_000;
/// How long after the faults everything has to be everywhere.
const HEAL: u64 = 300_000;

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

/// A link between a device and a node.
struct Link {
    device: usize,
    life: u64,
    conn: ConnId,
    /// What passes; a link that lost both is dead.
    to_node: bool,
    to_client: bool,
    /// Frames keep their order on a link.
    node_at: u64,
    client_at: u64,
}

pub(super) struct World {
    pub(super) now: u64,
    start: Instant,
    order: u64,
    queue: BTreeMap<(u64, u64), Due>,
    random: u64,
    plan: Plan,
    stores: BTreeMap<Epoch, MemoryStore>,
    epoch: Epoch,
    /// What the oracle has read of the logs.
    read: ReadLogs,
    /// All operations that were applied, in order.
    pub(super) log: Vec<Append>,
    pub(super) users: Vec<User>,
    pub(super) nodes: Vec<Node>,
    links: BTreeMap<u64, Link>,
    pub(super) ends: BTreeMap<u64, NodeEnd>,
    devices: Vec<Device>,
    pub(super) doorbells_lost: u64,
    pub(super) stalled_until: u64,
    pub(super) fail_commits: u32,
    pub(super) lose_replies: u32,
    last_conn: u64,
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

    fn make_users(&self) -> Vec<User> {
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
    fn next_random(&mut self) -> u64 {
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
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), due) = entry.remove_entry();
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
    fn drive(&mut self, index: usize) {
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

    fn connect(&mut self, device: usize, conn: ConnId) {
        let (user, life) = (self.devices[device].user, self.devices[device].life);
        self.last_conn += 1;
        let id = self.last_conn;
        self.devices[device].conns.insert(conn, id);
        let at = self.now;
        let link = Link { device, life, conn, to_node: true, to_client: true, node_at: at, client_at: at };
        self.links.insert(id, link);
        let up: Vec<usize> = (0..NODES).filter(|node| self.nodes[*node].up).collect();
        let delay = self.latency();
        let offline = self.devices[device].offline_until > self.now;
        if offline && self.chance(50) {
            // Nobody answers.
        } else if offline || up.is_empty() {
            self.after(delay, Due::ClientLoses(id, 1006));
        } else {
            let node = up[usize::try_from(self.random(up.len() as u64)).unwrap()];
            let end = NodeEnd::new(node, user, self);
            self.ends.insert(id, end);
            self.arm_session(id);
            self.after(delay, Due::Opened(id));
        }
    }

    pub(super) fn arm_session(&mut self, conn: u64) {
        let instant = self.instant();
        let Some(end) = self.ends.get_mut(&conn) else { return };
        let due = end.session.poll_timeout();
        if let Some(due) = due.filter(|due| end.wakes_at.is_none_or(|at| *due < at)) {
            end.wakes_at = Some(due);
            let delay = u64::try_from(due.saturating_duration_since(instant).as_millis()).unwrap();
            self.after(delay, Due::WakeSession(conn));
        }
    }

    fn send_to_node(&mut self, device: usize, conn: ConnId, text: String) {
        let Some(id) = self.devices[device].conns.get(&conn).copied() else { return };
        let latency = self.latency();
        let Some(link) = self.links.get_mut(&id) else { return };
        link.node_at = link.node_at.max(self.now + latency);
        let delay = link.node_at - self.now;
        self.after(delay, Due::ToNode(id, text));
    }

    pub(super) fn send_to_client(&mut self, conn: u64, text: String) {
        let delay = self.to_client_delay(conn);
        self.after(delay, Due::ToClient(conn, text));
    }

    fn to_client_delay(&mut self, conn: u64) -> u64 {
        let latency = self.latency();
        let Some(link) = self.links.get_mut(&conn) else { return latency };
        link.client_at = link.client_at.max(self.now + latency);
        link.client_at - self.now
    }

    fn close_from_client(&mut self, device: usize, conn: ConnId) {
        let Some(id) = self.devices[device].conns.remove(&conn) else { return };
        let latency = self.latency();
        if let Some(link) = self.links.get_mut(&id) {
            link.to_client = false;
            if link.to_node {
                let delay = link.node_at.max(self.now + latency) - self.now;
                self.after(delay, Due::NodeLoses(id));
            }
        }
    }

    pub(super) fn close_from_node(&mut self, conn: u64, code: CloseCode) {
        self.ends.remove(&conn);
        let delay = self.to_client_delay(conn);
        self.after(delay, Due::ClientLoses(conn, code.code()));
    }

    /// The client sees its connection end, after what is on the way to it or before.
    pub(super) fn client_loses(&mut self, conn: u64) {
        let delay = self.latency();
        self.after(delay, Due::ClientLoses(conn, 1006));
    }

    fn cut(&mut self, device: usize, kind: CutKind) {
        let ids: Vec<u64> = self.devices[device].conns.values().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else { continue };
            match kind {
                CutKind::Clean => {
                    link.to_node = false;
                    self.client_loses(id);
                    let delay = self.latency();
                    self.after(delay, Due::NodeLoses(id));
                }
                CutKind::HalfOpen => (link.to_node, link.to_client) = (false, false),
                CutKind::Zombie => self.client_loses(id),
            }
        }
    }

    fn act(&mut self, op: &Op) {
        let devices = self.devices.len();
        let at = Now(self.now);
        match op {
            Op::Wait => {}
            Op::Say { device, room } => self.say(device % devices, *room),
            Op::Edit { device, room } => {
                self.operate_on_own(device % devices, *room, |room_id, message_id| Operation::EditMessage {
                    room_id,
                    message_id,
                    content: "edited".into(),
                })
            }
            Op::Delete { device, room } => {
                self.operate_on_own(device % devices, *room, |room_id, message_id| Operation::DeleteMessage {
                    room_id,
                    message_id,
                })
            }
            Op::React { device, room } => {
                self.operate_on_own(device % devices, *room, |room_id, message_id| Operation::AddReaction {
                    room_id,
                    message_id,
                    emoji: "🎉".into(),
                })
            }
            Op::Join { device, room } => {
                self.operate(device % devices, Operation::JoinRoom { room_id: RoomId(room + 1) });
            }
            Op::Leave { device, room } => {
                self.in_room(device % devices, *room, |room_id| Operation::LeaveRoom { room_id });
            }
            Op::Invite { device, user, room } => {
                let username = format!("user{user}");
                self.in_room(device % devices, *room, |room_id| Operation::Invite { room_id, username });
            }
            Op::Kick { device, user, room } => {
                let user_id = self.users[usize::try_from(*user).unwrap()].id;
                self.in_room(device % devices, *room, |room_id| Operation::Kick { room_id, user_id });
            }
            Op::CreateRoom { device } => {
                let (name, topic) = (format!("new{}", self.next_random()), String::new());
                self.operate(device % devices, Operation::CreateRoom { name, kind: RoomKind::Public, topic });
            }
            Op::Rename { device, room } => {
                let topic = Some(format!("topic {}", self.now));
                self.in_room(device % devices, *room, |room_id| Operation::UpdateRoom {
                    room_id,
                    name: None,
                    topic,
                });
            }
            Op::MarkRead { device, room } => {
                if let Some(room_id) = self.room_of(device % devices, *room) {
                    let no = MessageNo(1 + self.random(20));
                    self.devices[device % devices].client.mark_read(room_id, no, at);
                }
            }
            Op::Discard { device } => self.discard(device % devices),
            Op::Retry { device } => {
                let device = &mut self.devices[device % devices];
                if let Some(client_id) = device.page.failed() {
                    device.said.push(client_id);
                    device.client.retry(client_id, at);
                }
            }
            Op::Reload { device } => self.reload(device % devices),
            Op::Cut { device, kind } => self.cut(device % devices, *kind),
            Op::Offline { device, millis } => {
                self.devices[device % devices].offline_until = self.now + millis;
                self.cut(device % devices, CutKind::HalfOpen);
            }
            Op::Kill { node, half_open } => self.kill(*node, *half_open),
            Op::Drain { node } => self.drain(*node),
            Op::Stall { millis } => self.stalled_until = self.now + millis,
            Op::FailCommits { batches } => self.fail_commits = *batches,
            Op::LoseReplies { batches } => self.lose_replies = *batches,
            Op::Restore { lost } => self.restore(*lost),
        }
        for device in 0..devices {
            self.drive(device);
        }
    }

    fn room_of(&self, device: usize, room: usize) -> Option<RoomId> {
        let rooms: Vec<RoomId> = self.devices[device].page.rooms.keys().copied().collect();
        rooms.get(room % rooms.len().max(1)).copied()
    }

    fn say(&mut self, device: usize, room: usize) {
        let Some(room_id) = self.room_of(device, room) else { return };
        let (at, written_at) = (Now(self.now), self.timestamp());
        let device = &mut self.devices[device];
        let content = format!("message {} @user2", device.said.len());
        if let Ok(client_id) = device.client.send_message(room_id, content, None, written_at, at) {
            device.said.push(client_id);
        }
    }

    fn in_room(&mut self, device: usize, room: usize, operation: impl FnOnce(RoomId) -> Operation) {
        if let Some(room_id) = self.room_of(device, room) {
            self.operate(device, operation(room_id));
        }
    }

    fn operate(&mut self, device: usize, operation: Operation) {
        let at = Now(self.now);
        // Too many at a time are refused, which is all right here.
        self.devices[device].client.operate(operation, at).ok();
    }

    fn operate_on_own(
        &mut self,
        device: usize,
        room: usize,
        operation: impl FnOnce(RoomId, protocol::MessageId) -> Operation,
    ) {
        let Some(room_id) = self.room_of(device, room) else { return };
        let user = self.devices[device].user;
        let messages = self.log_now().messages(room_id);
        if let Some(message) = messages.iter().rfind(|message| message.user_id == user) {
            self.operate(device, operation(room_id, message.message_id));
        }
    }

    fn discard(&mut self, device: usize) {
        let at = Now(self.now);
        let device = &mut self.devices[device];
        let waiting = device.page.pending.values().find(|m| !matches!(m.delivery, Delivery::Sending));
        if let Some(client_id) = waiting.map(|message| message.client_id) {
            device.said.retain(|said| *said != client_id);
            device.client.discard(client_id, at);
        }
    }

    fn reload(&mut self, device: usize) {
        self.cut(device, CutKind::Zombie);
        let (seed, at) = (self.next_random(), Now(self.now));
        self.devices[device].reload(seed);
        self.devices[device].client.start(None, at);
    }

    /// All nodes stop; the store comes back as it was some operations ago, under another epoch.
    fn restore(&mut self, lost: usize) {
        for node in 0..NODES {
            self.kill(node, false);
        }
        self.epoch = self.epoch.next();
        self.stores.insert(self.epoch, MemoryStore::new(self.epoch));
        self.make_users();
        let set_up = usize::try_from(self.plan.rooms * USERS).unwrap();
        let kept = self.log.len().saturating_sub(lost).max(set_up);
        let log = std::mem::take(&mut self.log);
        for append in log.into_iter().take(kept) {
            self.append(vec![append]).clear();
        }
    }

    fn log_now(&self) -> Log<'_> {
        Log { store: self.store(), epoch: self.epoch, read: &self.read }
    }

    fn room_ids(&self) -> Vec<RoomId> {
        (1..200).map(RoomId).filter(|room_id| !self.log_now().events(*room_id).is_empty()).collect()
    }

    /// Everyone has everything, nothing that was acknowledged is missing, nothing is there twice.
    pub(super) fn check_end(&self) {
        let mut names = BTreeSet::new();
        for room_id in self.room_ids() {
            let log = self.log_now();
            for (at, event) in log.events(room_id).iter().enumerate() {
                assert_eq!(event.seq().0, at as u64 + 1, "room {room_id} has a hole");
            }
            let messages = log.messages(room_id);
            for client_id in messages.iter().filter_map(|message| message.client_id) {
                assert!(names.insert(client_id), "{client_id} was said twice");
            }
            for device in &self.devices {
                let order = messages.iter().filter_map(|message| message.client_id);
                let order = order.filter_map(|id| device.said.iter().rposition(|said| *said == id));
                assert!(order.is_sorted(), "room {room_id}: a sender's messages changed their order");
            }
        }
        for (index, device) in self.devices.iter().enumerate() {
            self.check_device(index, device, &names);
        }
    }

    fn check_device(&self, index: usize, device: &Device, names: &BTreeSet<ClientId>) {
        let online = matches!(device.page.connection, Some(Connection::Online { .. }));
        assert!(online, "device {index} is {:?}", device.page.connection);
        for (client_id, (epoch, ..)) in &device.page.acked {
            assert!(
                *epoch != self.epoch || names.contains(client_id),
                "{client_id} was acknowledged and is lost"
            );
        }
        for message in device.page.pending.values() {
            assert!(
                matches!(message.delivery, Delivery::Failed { .. }),
                "device {index} still has {message:?}"
            );
        }
        let rooms = now(self.store().rooms_of(device.user));
        let known: Vec<RoomId> = device.page.rooms.keys().copied().collect();
        assert_eq!(known, rooms.iter().map(|room| room.id).collect::<Vec<_>>(), "device {index}: rooms");
        for room in rooms {
            let known = &device.page.rooms[&room.id];
            assert_eq!(known.seq, room.head_seq, "device {index}: room {} is not up to date", room.id);
            let mut shown = known.room.clone().expect("there was a welcome");
            if self.log_now().changes_text(room.id) {
                // Whom an old message mentioned, which is changed later, only the node knows.
                shown.mention_count = room.mention_count;
            }
            assert_eq!(shown, room, "device {index}");
        }
    }

    pub(super) fn messages_in_log(&self) -> usize {
        self.room_ids().iter().map(|room_id| self.log_now().messages(*room_id).len()).sum()
    }

    pub(super) fn events_given_out(&self) -> usize {
        self.devices.iter().map(|device| device.page.events).sum()
    }

    pub(super) fn resets(&self) -> usize {
        self.devices.iter().map(|device| device.page.resets).sum()
    }

    pub(super) fn times_offline(&self) -> usize {
        self.devices.iter().map(|device| device.page.times_offline).sum()
    }
}
