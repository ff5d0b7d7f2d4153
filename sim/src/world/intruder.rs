//! One that speaks the protocol by itself, and badly: it must be told so in the protocol's words, and
//! get nothing that is not its user's.

use super::World;
use super::clients::{SECRET, Site, signed};
use super::judge::{Shared, now};
use crate::history::{Lane, Name, What};
use crate::marks::{Mark, sometimes};
use crate::oracle::{Check, Invariant, hold};
use crate::plan::{Host, Intrusion};
use crate::rng::Rng;
use fakes::version::{HIDDEN, Version};
use futures_util::{FutureExt, SinkExt, StreamExt};
use loadgen::socket::{Dial, Stream};
use protocol::codec::Incoming;
use protocol::frame::server::ServerMessage;
use protocol::limits::CONTENT_BYTES_MAX;
use protocol::{ClientId, CloseCode, ErrorCode, RoomId, Seq, UserId};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

/// How long it listens.
const LISTENS: Duration = Duration::from_secs(3);
/// How much longer if it was not answered yet.
const LISTENS_ON: Duration = Duration::from_secs(10);
/// How long a node may take until it ends a connection that says nothing.
const SILENCE_MAX: Duration = Duration::from_secs(13);

type Socket = WebSocketStream<Box<dyn Stream>>;

/// What it is about.
struct Visit {
    site: Site,
    user: UserId,
    token: String,
    room: RoomId,
    how: Intrusion,
    hub: String,
    version: Version,
    /// Names for two sends.
    id: ClientId,
    /// The number of the visit.
    number: u32,
}

/// What it was told.
#[derive(Default)]
struct Heard {
    cursors: BTreeMap<RoomId, Seq>,
    errors: Vec<ErrorCode>,
    welcome: bool,
    /// Of the room that it is about, when it was welcomed.
    is_member: bool,
    /// It was told that its cursor of that room does not hold.
    is_reset: bool,
    closed: Option<u16>,
}

impl Heard {
    /// An event came: it is the next of its room.
    fn takes(&mut self, room_id: RoomId, seq: Seq) -> Check {
        let cursor = self.cursors.entry(room_id).or_default();
        let next = cursor.next();
        hold!(seq == next, Intruders, "gets event {seq} of room {room_id} where {next} belongs");
        *cursor = seq;
        Ok(())
    }
}

/// Sends one on its way, as a user.
pub(super) fn send(world: &mut World<'_>, index: u32, room: RoomId, how: Intrusion) {
    let (user, login, version) = {
        let mut judge = world.judge.lock();
        let client = judge.client(index);
        if client.revoked_at.is_some() {
            return;
        }
        (client.user, client.login, client.version)
    };
    world.visits += 1;
    let mut rng = Rng::new(world.plan.seed ^ u64::from(world.visits), "intruder");
    let hub = Host::Hub(u32::try_from(rng.index(world.plan.topology.hubs as usize)).unwrap_or(0));
    let visit = Visit {
        site: world.site.clone(),
        user,
        token: if how == Intrusion::ForgedToken {
            signed(user, login, 600, b"a secret that no node has")
        } else {
            signed(user, login, if how == Intrusion::OldToken { -600 } else { 600 }, SECRET)
        },
        room,
        how,
        hub: hub.to_string(),
        version,
        id: ClientId(Uuid::from_u64_pair(rng.next_u64(), rng.next_u64())),
        number: 1_000_000 + world.visits,
    };
    let text = format!("an intruder goes to {hub}: {how:?} in room {room}");
    world.judge.lock().tell(Lane::Client(index), What::Did(text));
    let host = world.plan.topology.clients[index as usize].host;
    world.site.run_on(host, visit.go().boxed());
}

impl Visit {
    async fn go(self) {
        let judge = self.site.judge.clone();
        if let Err((invariant, text)) = self.visit().await {
            judge.lock().fail(invariant, format!("intruder: {text}"));
        }
    }

    async fn visit(&self) -> Check {
        let Some(mut socket) = self.connect().await else { return Ok(()) };
        let mut heard = Heard::default();
        if self.how == Intrusion::Silence {
            let ends = Instant::now() + SILENCE_MAX;
            self.listen(&mut socket, &mut heard, ends, false).await?;
            let code = heard.closed.and_then(CloseCode::from_code);
            if code == Some(CloseCode::HelloTimeout) {
                sometimes(Mark::Intruded);
            }
            let is_ended = code == Some(CloseCode::HelloTimeout);
            hold!(is_ended || !self.is_calm(), Intruders, "says nothing and is ended by {code:?}");
            return Ok(());
        }
        for frame in [self.hello(&mut heard)].into_iter().chain(self.frames()) {
            if socket.send(Message::text(frame)).await.is_err() {
                return Ok(());
            }
        }
        let ends = Instant::now() + LISTENS;
        self.listen(&mut socket, &mut heard, ends, true).await?;
        if heard.closed.is_none() && !self.is_answered(&heard) {
            // A node on which everyone comes back at once takes longer.
            self.listen(&mut socket, &mut heard, ends + LISTENS_ON, true).await?;
        }
        self.judge(&heard)
    }

    async fn connect(&self) -> Option<Socket> {
        let stream = self.site.net.of(self.version).dial(self.hub.clone()).await.ok()?;
        let mut request = format!("ws://{}/ws", self.hub).into_client_request().ok()?;
        let subprotocol = HeaderValue::from_static(protocol::SUBPROTOCOL);
        request.headers_mut().insert("sec-websocket-protocol", subprotocol);
        let ends = Instant::now() + LISTENS;
        let (socket, _) = timeout_at(ends, client_async(request, stream)).await.ok()?.ok()?;
        Some(socket)
    }

    fn hello(&self, heard: &mut Heard) -> String {
        let cursor = match self.how {
            Intrusion::FutureCursor => Some(Seq(1_000_000)),
            Intrusion::OldCursor | Intrusion::ForeignCursor => Some(Seq(1)),
            Intrusion::BadFrames
            | Intrusion::NameReused
            | Intrusion::ForeignRoom
            | Intrusion::OddTexts
            | Intrusion::ForgedToken
            | Intrusion::OldToken
            | Intrusion::Silence => None,
        };
        let mut cursors = BTreeMap::new();
        if let Some(cursor) = cursor {
            cursors.insert(self.room, cursor);
            heard.cursors.insert(self.room, cursor);
        }
        json!({
            "type": "hello", "token": self.token, "version": 1, "epoch": 1,
            "client": {"name": "intruder", "version": "1"}, "cursors": cursors,
        })
        .to_string()
    }

    fn frames(&self) -> Vec<String> {
        let room_id = self.room;
        let send = |content: &str| {
            let name = Name { client: self.number, number: 0 };
            let mut judge = self.site.judge.lock();
            judge.log.say(self.id, name, self.user, room_id, content.to_owned());
            json!({"type": "send_message", "client_id": self.id, "room_id": room_id, "content": content})
                .to_string()
        };
        match self.how {
            Intrusion::BadFrames => vec![
                json!({"type": "make_coffee", "client_id": self.id}).to_string(),
                "{\"type\": \"send_mess".to_owned(),
                "[1, 2, 3]".to_owned(),
            ],
            Intrusion::NameReused => vec![send("intruder"), send("odd intruder")],
            Intrusion::ForeignRoom => vec![send("intruder")],
            // Nobody said these: if one is stored, it was invented.
            Intrusion::OddTexts => [String::new(), "a\0b".to_owned(), "x".repeat(CONTENT_BYTES_MAX + 1)]
                .into_iter()
                .map(|content| {
                    json!({"type": "send_message", "client_id": self.id, "room_id": room_id, "content": content})
                        .to_string()
                })
                .collect(),
            Intrusion::FutureCursor
            | Intrusion::OldCursor
            | Intrusion::ForeignCursor
            | Intrusion::ForgedToken
            | Intrusion::OldToken
            | Intrusion::Silence => Vec::new(),
        }
    }

    async fn listen(&self, socket: &mut Socket, heard: &mut Heard, ends: Instant, speaks: bool) -> Check {
        while let Ok(Some(Ok(message))) = timeout_at(ends, socket.next()).await {
            if let Message::Text(text) = message {
                self.hear(&self.site.judge, heard, text.as_str())?;
            } else if let Message::Close(frame) = message {
                heard.closed = frame.map(|frame| frame.code.into());
                return Ok(());
            }
            hold!(speaks || !heard.welcome, Intruders, "is welcomed without a word");
        }
        Ok(())
    }

    fn hear(&self, judge: &Shared, heard: &mut Heard, text: &str) -> Check {
        let message = match protocol::decode_server(text) {
            Ok(Incoming::Known(message)) => *message,
            Ok(Incoming::UnknownEvent { room_id, seq }) => {
                let is_later = text.contains(HIDDEN) && self.version == Version::Earlier;
                hold!(is_later, Readable, "an event of no known type: {text}");
                return heard.takes(room_id, seq);
            }
            Ok(Incoming::UnknownFrame) => {
                return Err((Invariant::Readable, format!("no known type: {text}")));
            }
            Err(error) => return Err((Invariant::Readable, format!("{error}: {text}"))),
        };
        if let ServerMessage::Welcome(welcome) = message {
            heard.welcome = true;
            heard.is_member = welcome.rooms.iter().any(|room| room.id == self.room);
            for room in welcome.rooms {
                let had = heard.cursors.entry(room.id).or_insert(room.head_seq);
                // One from the future is dropped; a reset follows.
                *had = (*had).min(room.head_seq);
            }
        } else if let ServerMessage::Reset(reset) = message {
            heard.is_reset |= reset.room_id == self.room;
            heard.cursors.insert(reset.room_id, reset.head_seq);
        } else if let ServerMessage::RoomAdded(added) = message {
            heard.cursors.insert(added.room.id, added.room.head_seq);
        } else if let ServerMessage::Error(error) = message {
            heard.errors.push(error.code);
        } else if let Ok(event) = message.into_event() {
            heard.takes(event.room_id(), event.seq())?;
            judge.lock().log.check_event(&event, self.user)?;
        }
        Ok(())
    }

    /// Whether nothing was broken until now.
    fn is_calm(&self) -> bool {
        now() < self.site.judge.lock().terms.calm_until
    }

    /// What it is to be told.
    const fn expected(&self) -> &'static [ErrorCode] {
        match self.how {
            Intrusion::BadFrames => &[ErrorCode::UnknownType, ErrorCode::InvalidMessage],
            Intrusion::NameReused => &[ErrorCode::ClientIdReused, ErrorCode::NotMember],
            Intrusion::ForeignRoom => &[ErrorCode::NotMember],
            Intrusion::OddTexts => &[ErrorCode::InvalidField, ErrorCode::TooLarge],
            Intrusion::FutureCursor
            | Intrusion::OldCursor
            | Intrusion::ForeignCursor
            | Intrusion::ForgedToken
            | Intrusion::OldToken
            | Intrusion::Silence => &[],
        }
    }

    /// With what it is turned away, if it is not to be let in at all.
    const fn turned_away(&self) -> Option<CloseCode> {
        if matches!(self.how, Intrusion::ForgedToken) {
            Some(CloseCode::Unauthorized)
        } else if matches!(self.how, Intrusion::OldToken) {
            Some(CloseCode::TokenExpired)
        } else {
            None
        }
    }

    /// Whether it was told all that it must be told.
    fn is_answered(&self, heard: &Heard) -> bool {
        let is_told = |code: &ErrorCode| heard.errors.contains(code);
        match self.how {
            Intrusion::BadFrames | Intrusion::OddTexts => self.expected().iter().all(is_told),
            Intrusion::NameReused => self.expected().iter().any(is_told),
            // In a room that it was in once it may be a member.
            Intrusion::ForeignRoom => {
                let mut judge = self.site.judge.lock();
                judge.look(self.room);
                judge.log.joined(self.user, self.room).is_some() || self.expected().iter().any(is_told)
            }
            Intrusion::FutureCursor => heard.welcome && (!heard.is_member || heard.is_reset),
            Intrusion::ForgedToken | Intrusion::OldToken => heard.closed.is_some(),
            Intrusion::OldCursor | Intrusion::ForeignCursor | Intrusion::Silence => true,
        }
    }

    /// Whether it was told what it did wrong, and nothing else; as long as nothing is broken, one who was welcomed
    /// must have been.
    fn judge(&self, heard: &Heard) -> Check {
        if let Some(code) = self.turned_away() {
            hold!(!heard.welcome, Intruders, "is welcomed with {:?}", self.how);
            let is_told = heard.closed == Some(code.code());
            if is_told {
                sometimes(Mark::TurnedAway);
            }
            hold!(
                is_told || !self.is_calm(),
                Intruders,
                "{:?} is turned away by {:?} instead of {code:?}",
                self.how,
                heard.closed
            );
            return Ok(());
        }
        let fits = |code: &ErrorCode| self.expected().contains(code) || code.is_transient();
        let odd = heard.errors.iter().find(|code| heard.welcome && !fits(code));
        hold!(odd.is_none(), Intruders, "{:?} is answered by {odd:?}", self.how);
        if heard.welcome && !heard.errors.is_empty() {
            sometimes(Mark::Intruded);
        }
        let is_due = heard.welcome && self.is_calm() && !self.site.judge.lock().is_revoked(self.user);
        let is_excused = heard.errors.iter().any(|code| code.is_transient());
        hold!(
            !is_due || is_excused || self.is_answered(heard),
            Intruders,
            "{:?} is answered by {:?}, closed by {:?}",
            self.how,
            heard.errors,
            heard.closed
        );
        Ok(())
    }
}
