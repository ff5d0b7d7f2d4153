//! A session against anything: random frames, answers, events and times, in any order. What it promises to
//! the client and to its connection holds after each step.

use super::*;
use crate::store::Membership;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use protocol::model::{Role, RoomKind};
use protocol::{Epoch, MessageNo, NodeId, Timestamp, UserId};
use std::cell::RefCell;
use std::collections::BTreeMap;

const CASES: u32 = 3_000;
const ROOMS: u64 = 3;
const ME: UserId = UserId(1);
const EPOCH: Epoch = Epoch(7);
const RESUME_MAX: u64 = 20;
/// What is to happen in some of the cases.
const HAPPENS: [&str; 12] = [
    "welcome",
    "reset",
    "room_added",
    "room_removed",
    "send",
    "skip",
    "gap",
    "submit",
    "ask",
    "error",
    "drain",
    "close",
];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Frame(String),
    /// The oldest thing that waits for an answer is answered: well, or not.
    Answer(bool),
    /// The event so many after what the client has, and whether it ends the user's stay.
    Event(u64, i64, bool),
    /// The room's log grows.
    Grow(u64),
    /// Others let the user into a room, or out of it, where the session is told only by a reload.
    Member(u64, bool),
    UserChanged,
    Dirty(u64),
    Pull,
    Wait(u64),
    Drain,
    Binary,
}

/// Someone who knows what a session must do, and nothing of how it does it.
struct World {
    session: Session,
    now: Instant,
    heads: BTreeMap<RoomId, Seq>,
    members: BTreeSet<RoomId>,
    waiting: VecDeque<Action>,
    /// The last event that went out in each room that the client was told of.
    told: BTreeMap<RoomId, Seq>,
    hello: Option<Hello>,
    is_live: bool,
    is_closed: bool,
    joins: u32,
    counts: BTreeMap<&'static str, u64>,
}

impl World {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start")]
        let now = Instant::now();
        let config = SessionConfig {
            node: NodeId("hub-1".into()),
            hello_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            heartbeat: Duration::from_secs(25),
            resume_events_max: RESUME_MAX,
        };
        Self {
            session: Session::new(config, now),
            now,
            heads: (1..=ROOMS).map(|room| (RoomId(room), Seq(10 * room))).collect(),
            members: [1, 2].map(RoomId).into(),
            waiting: VecDeque::new(),
            told: BTreeMap::new(),
            hello: None,
            is_live: false,
            is_closed: false,
            joins: 0,
            counts: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn room(&self, id: RoomId) -> Room {
        Room {
            id,
            name: "any".into(),
            kind: RoomKind::Public,
            topic: String::new(),
            role: Role::Member,
            head_seq: self.heads[&id],
            last_message_no: MessageNo(0),
            last_read_no: MessageNo(0),
            joined_seq: Seq(1),
            unread_count: 0,
            mention_count: 0,
            member_count: 1,
            created_at: Timestamp(0),
        }
    }

    fn take(&mut self, step: &Step) {
        if self.is_closed {
            // Its connection asks nothing more of it, nor could it be given more.
            let idle = (self.session.reads_frames(), self.session.poll_pull(), self.session.poll_timeout());
            assert_eq!(idle, (false, None, None));
            return;
        }
        match step {
            Step::Frame(text) => return self.frame(text),
            Step::Answer(well) => self.answer(*well),
            Step::Event(room, ahead, leaves) => return self.event(RoomId(*room), *ahead, *leaves),
            Step::Grow(room) => {
                self.heads.entry(RoomId(*room)).and_modify(|head| *head = head.next());
            }
            Step::Member(room, is_in) => {
                let room = RoomId(*room);
                if *is_in {
                    self.members.insert(room)
                } else {
                    self.members.remove(&room)
                };
            }
            Step::UserChanged => self.session.handle_user_changed(),
            Step::Dirty(room) => self.session.handle_dirty(RoomId(*room)),
            Step::Pull => self.pull(),
            Step::Wait(seconds) => {
                self.now += Duration::from_secs(*seconds);
                if self.session.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.session.handle_timeout(self.now);
                    assert!(!self.act().is_empty(), "a deadline passes and nothing ends");
                    assert!(self.session.poll_timeout().is_none(), "what has ended waits for nothing");
                }
            }
            Step::Drain => self.session.handle_drain(Duration::from_secs(5)),
            Step::Binary => self.session.handle_binary_frame(),
        }
        self.act();
    }

    /// A frame of the client's has one answer under its name, or is done.
    fn frame(&mut self, text: &str) {
        if !self.session.reads_frames() {
            return;
        }
        let (was_live, was_closed) = (self.is_live, self.is_closed);
        if let (false, Ok(ClientMessage::Hello(hello))) = (was_live, protocol::decode_client(text)) {
            self.hello = Some(hello);
        }
        let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        self.session.handle_frame(text, self.now);
        let actions = self.act();
        assert!(!was_closed || actions.is_empty());
        if !was_live || self.is_closed {
            return;
        }
        let is_answer = |action: &String| {
            let name = |field: &str| {
                value[field].as_str().map(str::to_owned).or(value[field].as_u64().map(|id| id.to_string()))
            };
            let names = ["client_id", "request_id"].map(name);
            names.iter().flatten().any(|name| action.ends_with(name.as_str()))
        };
        let is_named = value["client_id"].is_string() || value["request_id"].is_u64();
        let answers = actions.iter().filter(|action| is_answer(action)).count();
        assert!(!is_named || answers == 1, "{text} is answered by {actions:?}");
        assert!(actions.len() <= 1, "{text} leads to {actions:?}");
    }

    fn answer(&mut self, well: bool) {
        let Some(action) = self.waiting.pop_front() else { return };
        let failure = || Failure::new(ErrorCode::Unavailable, "not now");
        match action {
            Action::Authenticate { .. } if well => {
                let user = User { id: ME, username: "mira".into(), display_name: "Mira".into() };
                let expires = self.now + Duration::from_secs(900);
                self.session
                    .handle_subject(Subject { user, expires, expires_at: Timestamp(900_000) }, self.now);
            }
            Action::Authenticate { .. } => self.session.handle_refused(CloseCode::Unauthorized),
            Action::Join if well => {
                let rooms = self.members.iter().map(|id| self.room(*id)).collect();
                self.session.handle_joined(Snapshot { epoch: EPOCH, now: Timestamp(1), rooms }, self.now);
            }
            Action::Join => self.session.handle_refused(CloseCode::Unavailable),
            Action::Reload => {
                let rooms = self.members.iter().map(|id| self.room(*id)).collect();
                self.session.handle_reloaded(rooms);
            }
            Action::Attach(room) => self.session.handle_attached(*room),
            Action::Submit { client_id, .. } if well => {
                let committed =
                    Committed { room_id: RoomId(1), seq: Seq(1), message: None, events: Vec::new() };
                self.session.handle_committed(client_id, &committed);
            }
            Action::Submit { client_id, .. } => self.session.handle_failed(client_id, failure()),
            Action::Ask { request_id, .. } if well => {
                self.session.handle_answer(request_id, Ok(ServerMessage::Pong));
            }
            Action::Ask { request_id, .. } => self.session.handle_answer(request_id, Err(failure())),
            Action::WatchPresence(room_id) if !well => self.session.handle_watch_failed(room_id, failure()),
            Action::Send(_)
            | Action::Detach(_)
            | Action::MarkRead { .. }
            | Action::Typing(_)
            | Action::WatchPresence(_)
            | Action::UnwatchPresence(_)
            | Action::Close(_) => {}
        }
    }

    /// An event of a room: it goes out if it is next, once, and only while the client is in the room.
    fn event(&mut self, room_id: RoomId, ahead: i64, leaves: bool) {
        let base = self.told.get(&room_id).or(self.heads.get(&room_id)).copied().unwrap_or_default();
        let seq = Seq(base.0.saturating_add_signed(ahead));
        let head = self.heads.get_mut(&room_id).expect("there is such a room");
        *head = seq.max(*head);
        let membership = leaves.then_some(Membership::Left(ME));
        let event = Event { room_id, seq, membership, scrubs: false, json: "{}".into() };
        let expected = match self.told.get(&room_id).filter(|_| self.is_live && !self.is_closed) {
            None => Admission::Skip,
            Some(told) if seq <= *told => Admission::Skip,
            Some(told) if seq != told.next() => Admission::Gap,
            Some(_) if leaves => Admission::SendLast,
            Some(_) => Admission::Send,
        };
        let admission = self.session.admit(&event);
        assert_eq!(admission, expected, "event {seq} of room {room_id}");
        match admission {
            Admission::Send | Admission::SendLast => {
                self.told.insert(room_id, seq);
                self.count("send");
            }
            Admission::Skip => self.count("skip"),
            Admission::Gap => self.count("gap"),
        }
        if admission == Admission::SendLast {
            self.members.remove(&room_id);
        }
        let actions = self.act();
        let is_last = admission == Admission::SendLast;
        assert_eq!(is_last, actions.iter().any(|action| action.starts_with("room_removed")));
        assert!(!is_last || !self.told.contains_key(&room_id));
    }

    /// Each room that has something is read in turn, after what the client has.
    fn pull(&mut self) {
        for _ in 0..=ROOMS {
            let Some((room_id, after)) = self.session.poll_pull() else { return };
            assert!(self.is_live && !self.is_closed);
            assert_eq!(self.told.get(&room_id), Some(&after), "room {room_id} is read after another event");
            self.session.handle_up_to_date(room_id);
        }
        panic!("a room that is read is still to be read");
    }

    /// Takes the actions, in few words each.
    fn act(&mut self) -> Vec<String> {
        let mut taken = Vec::new();
        while let Some(action) = self.session.poll_action() {
            assert!(!self.is_closed, "{action:?} after the end");
            taken.push(self.look(&action));
            self.waiting.push_back(action);
        }
        taken
    }

    fn look(&mut self, action: &Action) -> String {
        match action {
            Action::Send(message) => self.sends(message),
            Action::Authenticate { .. } => "authenticate".into(),
            Action::Join => {
                self.joins += 1;
                assert_eq!((self.joins, self.is_live), (1, false), "it joins once");
                "join".into()
            }
            Action::Reload => "reload".into(),
            Action::Attach(room) => format!("attach {}", room.id),
            Action::Detach(room_id) => format!("detach {room_id}"),
            Action::Submit { client_id, .. } => {
                assert!(self.is_live, "nothing is done for who was not welcomed");
                self.count("submit");
                format!("submit {client_id}")
            }
            Action::Ask { request_id, .. } => {
                assert!(self.is_live, "nothing is answered to who was not welcomed");
                self.count("ask");
                format!("ask {request_id}")
            }
            Action::MarkRead { room_id, .. }
            | Action::Typing(room_id)
            | Action::WatchPresence(room_id)
            | Action::UnwatchPresence(room_id) => {
                assert!(self.told.contains_key(room_id), "{action:?} is of a room that the client is not in");
                "in a room".into()
            }
            Action::Close(_) => {
                self.is_closed = true;
                self.count("close");
                "close".into()
            }
        }
    }

    fn sends(&mut self, message: &ServerMessage) -> String {
        assert!(self.is_live || matches!(message, ServerMessage::Welcome(_) | ServerMessage::Error(_)));
        if let ServerMessage::Welcome(welcome) = message {
            assert!(!self.is_live, "a client is welcomed once");
            self.is_live = true;
            self.count("welcome");
            for room in &welcome.rooms {
                self.told.insert(room.id, self.resumes_after(room));
            }
        } else if let ServerMessage::Reset(reset) = message {
            self.count("reset");
            let claimed = self.hello.as_ref().and_then(|hello| hello.cursors.get(&reset.room_id));
            assert!(claimed.is_some(), "a room is skipped of which the client told nothing");
            assert_eq!(self.told.get(&reset.room_id), Some(&reset.head_seq), "and it could be resumed");
        } else if let ServerMessage::RoomAdded(added) = message {
            self.count("room_added");
            let before = self.told.insert(added.room.id, added.room.head_seq);
            assert_eq!(before, None, "a room comes that was there");
        } else if let ServerMessage::RoomRemoved(removed) = message {
            self.count("room_removed");
            assert!(self.told.remove(&removed.room_id).is_some(), "a room goes that was not there");
            return "room_removed".into();
        } else if let ServerMessage::Error(error) = message {
            self.count("error");
            let client_id = error.client_id.map(|id| id.to_string());
            let name = client_id.or(error.request_id.map(|id| id.to_string()));
            return format!("error {}", name.unwrap_or_default());
        } else if let ServerMessage::Drain(_) = message {
            self.count("drain");
        }
        "frame".into()
    }

    /// After which event a room goes on that the client is welcomed to.
    fn resumes_after(&self, room: &Room) -> Seq {
        let hello = self.hello.as_ref().filter(|hello| hello.epoch == Some(EPOCH));
        let claimed = hello.and_then(|hello| hello.cursors.get(&room.id).copied());
        claimed
            .filter(|seq| *seq <= room.head_seq && room.head_seq.0 - seq.0 <= RESUME_MAX)
            .unwrap_or(room.head_seq)
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let begin = (hello(), any::<bool>()).prop_map(|(hello, begins)| {
        let whole = vec![Step::Frame(hello), Step::Answer(true), Step::Answer(true)];
        if begins { whole } else { Vec::new() }
    });
    (begin, prop::collection::vec(step(), 1..60)).prop_map(|(mut begin, steps)| {
        begin.extend(steps);
        begin
    })
}

fn step() -> impl Strategy<Value = Step> {
    let room = || 1..=ROOMS;
    prop_oneof![
        24 => frame().prop_map(Step::Frame),
        30 => prop::bool::weighted(0.95).prop_map(Step::Answer),
        30 => (room(), prop_oneof![6 => Just(1), 1 => -2..=3_i64], prop::bool::weighted(0.1))
            .prop_map(|(room, ahead, leaves)| Step::Event(room, ahead, leaves)),
        4 => room().prop_map(Step::Grow),
        4 => (room(), any::<bool>()).prop_map(|(room, is_in)| Step::Member(room, is_in)),
        10 => Just(Step::UserChanged),
        6 => (1..=ROOMS + 1).prop_map(Step::Dirty),
        10 => Just(Step::Pull),
        3 => prop_oneof![30 => 0..5_u64, 1 => 20..1_000_u64].prop_map(Step::Wait),
        1 => Just(Step::Drain),
        1 => prop::bool::weighted(0.1).prop_map(|binary| if binary { Step::Binary } else { Step::Pull }),
    ]
}

fn hello() -> impl Strategy<Value = String> {
    let cursors = prop::collection::btree_map(1..=ROOMS, 0..40_u64, 0..4);
    (cursors, prop_oneof![4 => Just(EPOCH.0), 1 => Just(8)]).prop_map(|(cursors, epoch)| {
        let cursors: BTreeMap<String, u64> =
            cursors.into_iter().map(|(room, seq)| (room.to_string(), seq)).collect();
        serde_json::json!({
            "type": "hello", "version": 1, "token": "t", "client": { "name": "c", "version": "1" },
            "epoch": epoch, "cursors": cursors,
        })
        .to_string()
    })
}

fn frame() -> impl Strategy<Value = String> {
    let room = 1..=ROOMS + 1;
    let others = (0..12_usize, room, 1..200_u64, any::<u128>()).prop_map(|(kind, room, number, name)| {
        let name = uuid::Uuid::from_u128(name).to_string();
        let frame = match kind {
            0 => serde_json::json!({ "type": "ping" }),
            1 => serde_json::json!({ "type": "typing", "room_id": room }),
            2 => serde_json::json!({ "type": "mark_read", "room_id": room, "message_no": number }),
            3 => serde_json::json!({ "type": "watch_presence", "room_id": room }),
            4 => serde_json::json!({ "type": "unwatch_presence", "room_id": room }),
            5 => serde_json::json!({ "type": "history", "request_id": number, "room_id": room, "limit": number }),
            6 => serde_json::json!({ "type": "list_rooms", "request_id": number, "limit": number }),
            7 => serde_json::json!({ "type": "join_room", "client_id": name, "room_id": room }),
            8 => serde_json::json!({ "type": "of_another_version", "client_id": name }),
            9 => serde_json::json!({ "type": "send_message", "client_id": name, "room_id": room }),
            _ => {
                let content = if number > 190 { "" } else { "hi" };
                serde_json::json!({ "type": "send_message", "client_id": name, "room_id": room, "content": content })
            }
        };
        frame.to_string()
    });
    prop_oneof![30 => others, 1 => hello(), 1 => Just("{".to_owned()), 1 => Just("[]".to_owned())]
}

#[test]
fn whatever_comes_a_session_keeps_its_promises() {
    let counts = RefCell::new(BTreeMap::<&'static str, u64>::new());
    let cases = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let run = |steps: Vec<Step>| {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        world.pull();
        for (what, times) in world.counts {
            *counts.borrow_mut().entry(what).or_default() += times;
        }
        Ok(())
    };
    TestRunner::new_with_rng(cases, random).run(&steps(), run).unwrap_or_else(|failure| panic!("{failure}"));
    let counts = counts.into_inner();
    for what in HAPPENS {
        assert!(counts.get(what).is_some_and(|times| *times > 50), "{what} hardly ever happens: {counts:?}");
    }
}
