//! A node as its sessions see it: what the connection's task, the writer and the room feeds do, less
//! the sockets. Latencies come from the world.

use super::world::{Due, World, now};
use hub::rules::Rejection;
use hub::session::{Action, Admission, Failure, Request, Session, SessionConfig, Snapshot, Subject};
use hub::store::{Append, Committed, Event, Membership, Outcome, Store};
use protocol::frame::server::{HistoryPage, ReadMarker, ServerMessage};
use protocol::model::Room;
use protocol::{ClientId, CloseCode, ErrorCode, NodeId, RequestId, RoomId, Seq, Timestamp, UserId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How far back a session resumes here: short, so that resets happen.
pub(super) const RESUME_EVENTS_MAX: u64 = 40;
/// How long a token lives here: short, so that it is refreshed.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(100);
const PAGE: u32 = 3;

#[derive(Default)]
pub(super) struct Node {
    /// Takes new connections.
    pub(super) up: bool,
    /// The newest event of each room that its feed gave out.
    heads: BTreeMap<RoomId, Seq>,
    /// What waits for the writer, and who for its answer.
    pub(super) queue: VecDeque<(u64, Append)>,
    pub(super) is_committing: bool,
    /// Users whose connections were told of this version.
    versions: BTreeMap<UserId, u64>,
}

impl Node {
    pub(super) fn new() -> Self {
        Self { up: true, ..Self::default() }
    }

    pub(super) fn forget(&mut self) {
        self.heads.clear();
        self.queue.clear();
        self.versions.clear();
    }
}

/// A connection's end at the node.
pub(super) struct NodeEnd {
    pub(super) node: usize,
    pub(super) user: UserId,
    pub(super) session: Session,
    attached: BTreeSet<RoomId>,
    in_user_stream: bool,
    is_reloading: bool,
    reload_again: bool,
    lagging: Option<RoomId>,
    /// When the session is woken, as far as that is arranged.
    pub(super) wakes_at: Option<std::time::Instant>,
    /// Frames that came while the session reads none.
    pub(super) unread: VecDeque<String>,
}

/// Something that a node has under way for a connection.
#[derive(Debug)]
pub(super) enum Job {
    Subject(String),
    EnterUser,
    ReadSnapshot,
    Join(Snapshot),
    ReadRooms,
    Reloaded(Vec<Room>),
    Attach(Box<Room>),
    Mark { room_id: RoomId, message_no: protocol::MessageNo },
    Ask { request_id: RequestId, request: Request },
    Page(RoomId, Seq),
    Answered(RequestId, Box<Result<ServerMessage, Failure>>),
    Committed(ClientId, Committed),
    Failed(ClientId, Failure),
    Changed,
    Marker(ReadMarker),
}

impl NodeEnd {
    pub(super) fn new(node: usize, user: UserId, world: &World) -> Self {
        let config = SessionConfig {
            node: NodeId(["n0", "n1", "n2"][node].to_owned()),
            hello_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            heartbeat: Duration::from_secs(25),
            resume_events_max: RESUME_EVENTS_MAX,
        };
        Self {
            node,
            user,
            session: Session::new(config, world.instant()),
            attached: BTreeSet::new(),
            in_user_stream: false,
            is_reloading: false,
            reload_again: false,
            lagging: None,
            wakes_at: None,
            unread: VecDeque::new(),
        }
    }
}

impl World {
    /// Does what the session asks for, and writes what is new.
    pub(super) fn run_session(&mut self, conn: u64) {
        loop {
            let Some(end) = self.ends.get_mut(&conn) else { return };
            if let Some(action) = end.session.poll_action() {
                self.perform(conn, action);
            } else if end.session.reads_frames()
                && let Some(text) = end.unread.pop_front()
            {
                let instant = self.instant();
                self.ends.get_mut(&conn).expect("it is there").session.handle_frame(&text, instant);
            } else if !self.pull(conn) {
                break;
            }
        }
        self.arm_session(conn);
    }

    fn perform(&mut self, conn: u64, action: Action) {
        match action {
            Action::Send(message) => self.send_to_client(conn, protocol::encode(&*message)),
            Action::Authenticate { token } => self.job(conn, Job::Subject(token)),
            Action::Join => self.job(conn, Job::EnterUser),
            Action::Reload => {
                let end = self.ends.get_mut(&conn).expect("it acts");
                end.reload_again |= end.is_reloading;
                if !std::mem::replace(&mut end.is_reloading, true) {
                    self.job(conn, Job::ReadRooms);
                }
            }
            Action::Attach(room) => self.job(conn, Job::Attach(room)),
            Action::Detach(room_id) => {
                self.ends.get_mut(&conn).expect("it acts").attached.remove(&room_id);
            }
            Action::Submit { client_id, op } => {
                let end = &self.ends[&conn];
                let append = Append { actor: end.user, client_id, at: self.timestamp(), op };
                let node = end.node;
                self.nodes[node].queue.push_back((conn, append));
                self.commit_soon(node);
            }
            Action::Ask { request_id, request } => self.job(conn, Job::Ask { request_id, request }),
            Action::MarkRead { room_id, message_no } => self.job(conn, Job::Mark { room_id, message_no }),
            Action::Typing(_) | Action::WatchPresence(_) | Action::UnwatchPresence(_) => {}
            Action::Close(code) => self.close_from_node(conn, code),
        }
    }

    /// Reads one room that has something new; whether there may be more to do.
    fn pull(&mut self, conn: u64) -> bool {
        let behind = self.chance(10);
        let Some(end) = self.ends.get_mut(&conn) else { return false };
        let Some((room_id, after)) = end.session.poll_pull() else { return false };
        if end.lagging == Some(room_id) {
            end.session.handle_page_sent(room_id);
            return end.session.poll_pull().is_some_and(|(next, _)| next != room_id);
        }
        if !end.attached.contains(&room_id) {
            end.session.handle_up_to_date(room_id);
            return true;
        }
        if behind && end.lagging.is_none() {
            end.lagging = Some(room_id);
            self.job(conn, Job::Page(room_id, after));
            return true;
        }
        let head = self.nodes[end.node].heads.get(&room_id).copied().unwrap_or_default();
        let events = now(self.store().events(room_id, after, PAGE));
        let events: Vec<Event> = events.into_iter().filter(|event| event.seq <= head).collect();
        let is_all = events.last().map_or(after, |event| event.seq) >= head;
        self.admit(conn, events);
        let Some(end) = self.ends.get_mut(&conn) else { return false };
        if is_all {
            end.session.handle_up_to_date(room_id)
        } else {
            end.session.handle_page_sent(room_id)
        }
        true
    }

    fn admit(&mut self, conn: u64, events: Vec<Event>) {
        for event in events {
            let end = self.ends.get_mut(&conn).expect("it reads");
            match end.session.admit(&event) {
                Admission::Send | Admission::SendLast => self.send_to_client(conn, event.json.to_string()),
                Admission::Skip => {}
                Admission::Gap => panic!("event {} of room {} is not next", event.seq, event.room_id),
            }
        }
    }

    /// A step of something under way ends.
    pub(super) fn run_job(&mut self, conn: u64, job: Job) {
        let (instant, at) = (self.instant(), self.timestamp());
        let Some(end) = self.ends.get(&conn) else { return };
        let (user, node) = (end.user, end.node);
        match job {
            Job::Subject(token) => {
                assert_eq!(token, format!("user {user}"));
                let user = self.user(user);
                let expires_at = Timestamp(at.0 + TOKEN_LIFE.as_secs() * 1_000);
                let subject = Subject { user, expires: instant + TOKEN_LIFE, expires_at };
                self.session(conn).handle_subject(subject, instant);
            }
            Job::EnterUser => {
                self.ends.get_mut(&conn).expect("it is there").in_user_stream = true;
                self.job(conn, Job::ReadSnapshot);
            }
            Job::ReadSnapshot => {
                let (epoch, rooms) = (now(self.store().epoch()), now(self.store().rooms_of(user)));
                self.job(conn, Job::Join(Snapshot { epoch, now: at, rooms }));
            }
            Job::Join(snapshot) => {
                for room in &snapshot.rooms {
                    self.attach(conn, room.id);
                }
                self.session(conn).handle_joined(snapshot, instant);
            }
            Job::ReadRooms => {
                let rooms = now(self.store().rooms_of(user));
                self.job(conn, Job::Reloaded(rooms));
            }
            Job::Reloaded(rooms) => {
                let end = self.ends.get_mut(&conn).expect("it is there");
                end.is_reloading = false;
                let again = std::mem::take(&mut end.reload_again);
                end.session.handle_reloaded(rooms);
                if again {
                    end.session.handle_user_changed();
                }
            }
            Job::Attach(room) => {
                self.attach(conn, room.id);
                self.session(conn).handle_attached(*room);
            }
            Job::Mark { room_id, message_no } => {
                let marked = now(self.store().mark_read(user, room_id, message_no));
                if let Some(marked) = marked {
                    self.tell_marker(node, user, &marked.marker);
                }
            }
            Job::Ask { request_id, request } => {
                let answer = self.answer(user, request_id, request);
                self.job(conn, Job::Answered(request_id, Box::new(answer)));
            }
            Job::Answered(request_id, answer) => self.session(conn).handle_answer(request_id, *answer),
            Job::Page(room_id, after) => {
                let events = now(self.store().events(room_id, after, PAGE));
                self.ends.get_mut(&conn).expect("it is there").lagging = None;
                self.admit(conn, events);
                self.session(conn).handle_page_sent(room_id);
            }
            Job::Committed(client_id, committed) => {
                self.session(conn).handle_committed(client_id, &committed)
            }
            Job::Failed(client_id, failure) => self.session(conn).handle_failed(client_id, failure),
            Job::Changed => self.session(conn).handle_user_changed(),
            Job::Marker(marker) => {
                if self.session(conn).is_live() {
                    self.send_to_client(conn, protocol::encode(&ServerMessage::ReadMarker(marker)));
                } else {
                    self.session(conn).handle_user_changed();
                }
            }
        }
        self.run_session(conn);
    }

    fn session(&mut self, conn: u64) -> &mut Session {
        &mut self.ends.get_mut(&conn).expect("it is there").session
    }

    fn attach(&mut self, conn: u64, room_id: RoomId) {
        let head = self.head(room_id);
        let end = self.ends.get_mut(&conn).expect("it is there");
        end.attached.insert(room_id);
        self.nodes[end.node].heads.entry(room_id).or_insert(head);
    }

    fn answer(
        &self,
        user: UserId,
        request_id: RequestId,
        request: Request,
    ) -> Result<ServerMessage, Failure> {
        let Request::History { room_id, anchor, pinned, limit } = request else {
            return Err(Failure::new(ErrorCode::Internal, "not asked in this test"));
        };
        let page = now(self.store().history(user, room_id, anchor, pinned, limit));
        let page = page.ok_or_else(|| Failure::new(ErrorCode::NotMember, "no member"))?;
        Ok(ServerMessage::HistoryPage(HistoryPage { request_id, room_id, page }))
    }

    fn head(&self, room_id: RoomId) -> Seq {
        now(self.store().heads(&[room_id])).first().map_or(Seq(0), |(_, head)| *head)
    }

    fn commit_soon(&mut self, node: usize) {
        if !self.nodes[node].queue.is_empty() && !std::mem::replace(&mut self.nodes[node].is_committing, true)
        {
            let delay = self.latency().max(self.stalled_until.saturating_sub(self.now));
            self.after(delay, Due::Commit(node));
        }
    }

    /// One transaction of the node's writer.
    pub(super) fn commit(&mut self, node: usize) {
        self.nodes[node].is_committing = false;
        if self.stalled_until > self.now {
            return self.commit_soon(node);
        }
        let most = 1 + usize::try_from(self.random(6)).expect("it is small");
        let queue = &mut self.nodes[node].queue;
        let batch: Vec<_> = queue.drain(..most.min(queue.len())).collect();
        let unavailable = || Failure {
            retry_after: Some(Duration::from_millis(500)),
            ..Failure::new(ErrorCode::Unavailable, "the store is away")
        };
        if self.fail_commits > 0 {
            self.fail_commits -= 1;
            for (conn, append) in batch {
                self.job(conn, Job::Failed(append.client_id, unavailable()));
            }
            return self.commit_soon(node);
        }
        let outcomes = self.append(batch.iter().map(|(_, append)| append.clone()).collect());
        if self.lose_replies > 0 {
            self.lose_replies -= 1;
            for (conn, append) in batch {
                self.job(conn, Job::Failed(append.client_id, unavailable()));
            }
            return self.commit_soon(node);
        }
        for ((conn, append), outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Ok(committed) => {
                    self.deliver(node, &committed.events);
                    self.job(conn, Job::Committed(append.client_id, committed));
                }
                Err(rejection) => self.job(conn, Job::Failed(append.client_id, refusal(rejection))),
            }
        }
        self.commit_soon(node);
    }

    /// Applies operations and remembers them, for a backup.
    pub(super) fn append(&mut self, batch: Vec<Append>) -> Vec<Outcome> {
        self.log.extend(batch.iter().cloned());
        now(self.store().append(batch))
    }

    /// New events reach this node at once, and the others by a doorbell that may be lost.
    fn deliver(&mut self, node: usize, events: &[Event]) {
        for event in events {
            self.feed(node, event.room_id);
            for other in (0..self.nodes.len()).filter(|other| *other != node) {
                self.ring_doorbell(Due::Feed(other, event.room_id));
            }
            if let Some(Membership::Joined(user) | Membership::Left(user) | Membership::Changed(user)) =
                event.membership
            {
                self.tell_changed(node, user);
                for other in (0..self.nodes.len()).filter(|other| *other != node) {
                    self.ring_doorbell(Due::Changed(other, user));
                }
            }
        }
    }

    fn ring_doorbell(&mut self, due: Due) {
        if !self.chance(self.doorbells_lost) {
            let delay = self.latency();
            self.after(delay, due);
        }
    }

    /// A node's feed learns of a room's newest events.
    pub(super) fn feed(&mut self, node: usize, room_id: RoomId) {
        let head = self.head(room_id);
        if self.nodes[node].heads.get(&room_id).is_none_or(|known| *known >= head) {
            return;
        }
        self.nodes[node].heads.insert(room_id, head);
        for conn in self.conns_of(node) {
            if let Some(end) = self.ends.get_mut(&conn)
                && end.attached.contains(&room_id)
            {
                end.session.handle_dirty(room_id);
                self.after(0, Due::Run(conn));
            }
        }
    }

    /// Every connection of the user at the node reads the user's rooms again.
    pub(super) fn tell_changed(&mut self, node: usize, user: UserId) {
        for conn in self.stream_of(node, user) {
            self.job(conn, Job::Changed);
        }
    }

    fn tell_marker(&mut self, node: usize, user: UserId, marker: &ReadMarker) {
        for other in 0..self.nodes.len() {
            if other != node && self.chance(self.doorbells_lost) {
                continue;
            }
            for conn in self.stream_of(other, user) {
                self.job(conn, Job::Marker(marker.clone()));
            }
        }
    }

    /// What a lost doorbell did not tell.
    pub(super) fn sweep(&mut self, node: usize) {
        let rooms: Vec<RoomId> = self.nodes[node].heads.keys().copied().collect();
        for room_id in rooms {
            self.feed(node, room_id);
        }
        for user in self.users.clone() {
            let version =
                now(self.store().user_versions(&[user.id])).first().map_or(0, |(_, version)| *version);
            if self.nodes[node].versions.insert(user.id, version) != Some(version) {
                self.tell_changed(node, user.id);
            }
        }
    }

    fn conns_of(&self, node: usize) -> Vec<u64> {
        self.ends.iter().filter(|(_, end)| end.node == node).map(|(conn, _)| *conn).collect()
    }

    fn stream_of(&self, node: usize, user: UserId) -> Vec<u64> {
        let ends = self.ends.iter();
        let here = ends.filter(|(_, end)| end.node == node && end.user == user && end.in_user_stream);
        here.map(|(conn, _)| *conn).collect()
    }

    /// The node is gone, and with it what it had under way.
    pub(super) fn kill(&mut self, node: usize, half_open: bool) {
        // What is in the writer's queue may just have been committed.
        let most = self.nodes[node].queue.len() as u64 + 1;
        let committed = usize::try_from(self.random(most)).expect("it is small");
        let batch = self.nodes[node].queue.drain(..committed).map(|(_, append)| append).collect();
        self.append(batch);
        self.nodes[node].forget();
        self.nodes[node].up = false;
        for conn in self.conns_of(node) {
            self.ends.remove(&conn);
            if !half_open {
                self.client_loses(conn);
            }
        }
        let back = 500 + self.random(4_000);
        self.after(back, Due::NodeUp(node));
    }

    pub(super) fn drain(&mut self, node: usize) {
        self.nodes[node].up = false;
        for conn in self.conns_of(node) {
            let delay = self.random(2_000);
            self.after(delay, Due::Drain(conn));
        }
        self.after(2_000, Due::NodeUp(node));
    }

    pub(super) fn drain_session(&mut self, conn: u64) {
        if let Some(end) = self.ends.get_mut(&conn) {
            end.session.handle_drain(Duration::from_secs(6));
            self.run_session(conn);
            self.after(6_000, Due::CloseDrained(conn));
        }
    }

    pub(super) fn close_drained(&mut self, conn: u64) {
        if self.ends.contains_key(&conn) {
            self.close_from_node(conn, CloseCode::Drain);
        }
    }
}

fn refusal(rejection: Rejection) -> Failure {
    Failure::new(rejection.code(), rejection.to_string())
}
