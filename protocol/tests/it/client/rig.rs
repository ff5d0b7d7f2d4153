//! Runs a client against a script: each step is an input and the outputs that it must cause, as short
//! text. Names of sends are written `c0`, `c1`, … in order of their appearance.

use protocol::client::{
    Client, Config, ConnId, Kick, Now, Operation, Output, Persist, Persisted, Refused, Request, Token,
    TokenError,
};
use protocol::view::{ClientEvent, Connection, Delivery};
use protocol::{ClientId, MessageNo, RoomId, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// What happens to the client.
#[derive(Clone, Debug)]
pub(super) enum In {
    /// Starts with a token that is valid for this many seconds.
    Start(u64),
    StartWithoutToken,
    Opened(u32),
    Frame(u32, Value),
    Raw(u32, &'static str),
    Closed(u32, u16),
    Token(u64),
    TokenError(TokenError),
    /// Time passes, in milliseconds; what is due happens.
    Wait(u64),
    Say(u64, &'static str),
    Retry(usize),
    Discard(usize),
    Operate(Operation),
    Request(Request),
    MarkRead(u64, u64),
    Typing(u64),
    Watch(u64),
    Unwatch(u64),
    Kick(Kick),
    Close,
    Snapshot,
}

/// A client, its time, and what it said so far.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) client: Client,
    pub(super) now: Now,
    pub(super) ids: Vec<ClientId>,
    /// Also tells what most scripts do not care for: changed rooms and kept cursors.
    loud: bool,
    /// What a command was refused with.
    pub(super) refused: Option<Refused>,
}

pub(super) fn config() -> Config {
    Config::new("test", "1")
}

pub(super) fn rig() -> Rig {
    rig_with(config(), Persisted::default())
}

pub(super) fn rig_with(config: Config, restored: Persisted) -> Rig {
    let ids = restored.outbox.iter().map(|entry| entry.message.client_id).collect();
    let client = Client::new(config, [7; 32], restored);
    Rig { client, now: Now(1_000_000), ids, loud: false, refused: None }
}

/// A client that is online on connection 1, in rooms 1 (head 5, message 3, all read) and 2 (empty but
/// for its making).
pub(super) fn online() -> Rig {
    online_with(config())
}

/// The same with other settings.
pub(super) fn online_with(config: Config) -> Rig {
    let mut rig = rig_with(config, Persisted::default());
    rig.go_online();
    rig
}

impl Rig {
    pub(super) fn loud(mut self) -> Self {
        self.loud = true;
        self
    }

    pub(super) fn go_online(&mut self) {
        self.run(In::Start(3600));
        self.run(In::Opened(1));
        self.run(In::Frame(1, welcome()));
    }

    /// Loses the connection before `conn` and is welcomed on `conn`; gives what it says then.
    pub(super) fn come_back(&mut self, conn: u32, welcome: Value) -> Vec<String> {
        self.run(In::Closed(conn - 1, 1006));
        // The longest pause before that attempt.
        self.run(In::Wait(500 * u64::from(conn - 1)));
        self.run(In::Opened(conn));
        self.run(In::Frame(conn, welcome))
    }

    /// Runs a script and compares what the client does at each step.
    #[track_caller]
    pub(super) fn check(&mut self, script: &[(In, &[&str])]) -> &mut Self {
        for (at, (input, expected)) in script.iter().enumerate() {
            let outputs = self.run(input.clone());
            assert_eq!(outputs, *expected, "step {at}: {input:?}");
        }
        self
    }

    /// Runs one step and tells all that the client does.
    pub(super) fn run(&mut self, input: In) -> Vec<String> {
        let mut said = Vec::new();
        self.refused = None;
        let now = self.now;
        match input {
            In::Start(life) => self.client.start(Some(token("token", life)), now),
            In::StartWithoutToken => self.client.start(None, now),
            In::Opened(conn) => self.client.handle_opened(ConnId(conn), now),
            In::Frame(conn, frame) => {
                let text = self.fill(&frame.to_string());
                self.client.handle_frame(ConnId(conn), &text, now);
            }
            In::Raw(conn, text) => self.client.handle_frame(ConnId(conn), text, now),
            In::Closed(conn, code) => self.client.handle_closed(ConnId(conn), code, now),
            In::Token(life) => self.client.handle_token(Ok(token("token2", life)), now),
            In::TokenError(error) => self.client.handle_token(Err(error), now),
            In::Wait(millis) => self.wait(millis, &mut said),
            In::Say(room, text) => {
                let (room, at) = (RoomId(room), Timestamp(77));
                self.refused = self.client.send_message(room, text.to_owned(), None, at, now).err();
            }
            In::Retry(index) => self.client.retry(self.ids[index], now),
            In::Discard(index) => self.client.discard(self.ids[index], now),
            In::Operate(operation) => match self.client.operate(operation, now) {
                Ok(client_id) => self.ids.push(client_id),
                Err(refused) => self.refused = Some(refused),
            },
            In::Request(request) => self.refused = self.client.request(request, now).err(),
            In::MarkRead(room, no) => self.client.mark_read(RoomId(room), MessageNo(no), now),
            In::Typing(room) => self.client.typing(RoomId(room), now),
            In::Watch(room) => self.client.watch_presence(RoomId(room), now),
            In::Unwatch(room) => self.client.unwatch_presence(RoomId(room), now),
            In::Kick(kick) => self.client.kick(kick, now),
            In::Close => self.client.close(now),
            In::Snapshot => {
                for event in self.client.snapshot(now) {
                    said.push(self.event(&event));
                }
            }
        }
        self.drain(&mut said);
        said
    }

    /// Lets time pass from one timer to the next until the client says this; gives all it said.
    #[track_caller]
    pub(super) fn until(&mut self, line: &str) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..1_000 {
            if said.iter().any(|said| said == line) {
                return said;
            }
            let due = self.client.poll_timeout().expect("there is a timer");
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.drain(&mut said);
        }
        panic!("{line:?} does not come: {said:?}");
    }

    fn wait(&mut self, millis: u64, said: &mut Vec<String>) {
        let end = Now(self.now.0 + millis);
        let mut steps = 0;
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            steps += 1;
            assert!(steps < 10_000, "a timer does not advance: {due:?} at {:?}", self.now);
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.drain(said);
        }
        self.now = end;
    }

    fn drain(&mut self, said: &mut Vec<String>) {
        while let Some(output) = self.client.poll_output() {
            if let Some(text) = self.render(&output) {
                said.push(text);
            }
        }
    }

    /// Puts the names of sends in the place of `c0`, `c1`, ….
    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (index, id) in self.ids.iter().enumerate() {
            text = text.replace(&format!("\"c{index}\""), &format!("\"{id}\""));
        }
        text
    }

    fn name(&mut self, id: ClientId) -> String {
        let index = self.ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.ids.push(id);
            self.ids.len() - 1
        });
        format!("c{index}")
    }

    fn render(&mut self, output: &Output) -> Option<String> {
        Some(match output {
            Output::Connect { conn } => format!("connect {}", conn.0),
            Output::Send { conn, text } => format!("{} < {}", conn.0, self.frame(text)),
            Output::Close { conn, code, .. } => format!("close {} {code}", conn.0),
            Output::RefreshToken => "refresh token".to_owned(),
            Output::Persist(Persist::OutboxPut(entry)) => {
                let id = self.name(entry.message.client_id);
                format!("keep {id} at {} {}", entry.order, delivery(&entry.message.delivery))
            }
            Output::Persist(Persist::OutboxRemove { client_id }) => {
                format!("forget {}", self.name(*client_id))
            }
            Output::Persist(Persist::Session { .. }) if !self.loud => return None,
            Output::Persist(Persist::Session { user_id, epoch, cursors }) => {
                let cursors: Vec<String> =
                    cursors.iter().map(|(room, seq)| format!("{room}@{seq}")).collect();
                format!("keep user {user_id} epoch {epoch} {}", cursors.join(" ")).trim_end().to_owned()
            }
            Output::Event(ClientEvent::RoomChanged { .. }) if !self.loud => return None,
            Output::Event(event) => self.event(event),
        })
    }

    fn frame(&mut self, text: &str) -> String {
        let frame: Value = serde_json::from_str(text).expect("a frame is JSON");
        let kind = frame["type"].as_str().expect("a frame has a type").to_owned();
        let mut words = vec![kind];
        if let Some(id) = frame["client_id"].as_str() {
            let id = id.parse().expect("a client_id is a UUID");
            words.push(self.name(id));
        }
        for field in ["room_id", "message_no", "request_id", "token", "content", "cursors", "epoch"] {
            if let Some(value) = frame.get(field) {
                words.push(value.to_string().replace('"', ""));
            }
        }
        words.join(" ")
    }

    fn event(&mut self, event: &ClientEvent) -> String {
        match event {
            ClientEvent::Connection { connection } => match connection {
                Connection::Connecting { attempt } => format!("connecting {attempt}"),
                Connection::Online { node } => format!("online {node}"),
                Connection::Offline { attempt, .. } => format!("offline {attempt}"),
                Connection::Ended { reason } => format!("ended {reason:?}"),
            },
            ClientEvent::Ready { user, rooms, .. } => {
                let rooms: Vec<String> =
                    rooms.iter().map(|room| format!("{}@{}", room.id, room.head_seq)).collect();
                format!("ready {} {}", user.username, rooms.join(" ")).trim_end().to_owned()
            }
            ClientEvent::RoomChanged { room } => format!(
                "room {}@{} {} last {} read {} unread {} mentions {} members {}",
                room.id,
                room.head_seq,
                room.name,
                room.last_message_no,
                room.last_read_no,
                room.unread_count,
                room.mention_count,
                room.member_count
            ),
            ClientEvent::RoomRemoved { room_id } => format!("room {room_id} removed"),
            ClientEvent::Event { event } => {
                format!("event {}@{} {}", event.room_id(), event.seq(), event.kind())
            }
            ClientEvent::RoomReset { room_id, head_seq } => format!("reset {room_id}@{head_seq}"),
            ClientEvent::MessagePending { message } => {
                format!("pending {} {}", self.name(message.client_id), delivery(&message.delivery))
            }
            ClientEvent::MessageSent { client_id, room_id, seq, .. } => {
                format!("sent {} {room_id}@{seq}", self.name(*client_id))
            }
            ClientEvent::MessageDiscarded { client_id, .. } => format!("discarded {}", self.name(*client_id)),
            ClientEvent::OperationDone { client_id, room_id } => {
                format!("done {} {room_id}", self.name(*client_id))
            }
            ClientEvent::OperationFailed { client_id, code, .. } => {
                format!("failed {} {code:?}", self.name(*client_id))
            }
            ClientEvent::HistoryPage { request_id, .. } => format!("history {request_id}"),
            ClientEvent::MembersPage { request_id, .. } => format!("members {request_id}"),
            ClientEvent::RoomsPage { request_id, .. } => format!("rooms {request_id}"),
            ClientEvent::RequestFailed { request_id, code, .. } => {
                format!("request {request_id} failed {code:?}")
            }
            ClientEvent::Typing { room_id, users } => {
                let users: Vec<String> = users.iter().map(|user| user.user_id.to_string()).collect();
                format!("typing {room_id} {}", users.join(" ")).trim_end().to_owned()
            }
            ClientEvent::Presence { room_id, online, more } => {
                let more = if *more { " and more" } else { "" };
                let online: Vec<String> = online.iter().map(ToString::to_string).collect();
                format!("presence {room_id} {}{more}", online.join(" ")).trim_end().to_owned()
            }
        }
    }
}

fn delivery(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Queued => "queued".to_owned(),
        Delivery::Sending => "sending".to_owned(),
        Delivery::Failed { code, .. } => format!("failed {code:?}"),
    }
}

fn token(text: &str, life: u64) -> Token {
    Token { access_token: text.to_owned(), expires_in: Some(Duration::from_secs(life)) }
}

/// User 1 is welcomed by node `n1`, in rooms 1 and 2.
pub(super) fn welcome() -> Value {
    welcome_with("n1", 9, &[room(1, 5, 3), room(2, 1, 0)])
}

pub(super) fn welcome_with(node: &str, epoch: u64, rooms: &[Value]) -> Value {
    json!({
        "type": "welcome", "version": 1, "node": node, "epoch": epoch, "now": 1_000, "token_expires_at": 3_601_000,
        "user": {"id": 1, "username": "ann", "display_name": "Ann"}, "heartbeat_ms": 25_000, "rooms": rooms,
        "limits": {"content_bytes_max": 16384, "frame_bytes_max": 65536, "page_max": 100, "resume_events_max": 10000},
    })
}

/// A room that has been read to its end.
pub(super) fn room(id: u64, head_seq: u64, last_message_no: u64) -> Value {
    json!({
        "id": id, "name": format!("room{id}"), "kind": "public", "topic": "", "role": "member",
        "head_seq": head_seq, "last_message_no": last_message_no, "last_read_no": last_message_no,
        "joined_seq": 1, "unread_count": 0, "mention_count": 0, "member_count": 2, "created_at": 1,
    })
}

/// User 2 says something in a room.
pub(super) fn message(room_id: u64, seq: u64, message_no: u64) -> Value {
    message_by(2, room_id, seq, message_no)
}

pub(super) fn message_by(user_id: u64, room_id: u64, seq: u64, message_no: u64) -> Value {
    json!({
        "type": "new_message", "room_id": room_id, "seq": seq, "message_no": message_no,
        "message_id": 100 + message_no, "user_id": user_id, "username": "bob", "display_name": "Bob",
        "content": "hi", "created_at": 5,
    })
}

/// The value with some fields set.
pub(super) fn with(mut value: Value, fields: &Value) -> Value {
    for (key, field) in fields.as_object().expect("fields are an object") {
        value[key] = field.clone();
    }
    value
}

pub(super) fn ack(name: &str, room_id: u64, seq: u64) -> Value {
    json!({
        "type": "ack", "client_id": name, "room_id": room_id, "seq": seq,
        "message_no": seq, "message_id": 100 + seq, "created_at": 5,
    })
}

pub(super) fn error(name: &str, code: &str) -> Value {
    json!({"type": "error", "client_id": name, "code": code, "message": "why"})
}

pub(super) fn kind(kind: &str) -> Value {
    json!({"type": kind})
}
