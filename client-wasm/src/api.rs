//! The client as the worker's TypeScript sees it. Commands are methods; what becomes of them comes out
//! of the host's `event`. A command that is refused throws its [`Refusal`] as JSON.

use crate::browser::{self, Host, Refusal, number};
use crate::pump::Pump;
use protocol::client::{Client, Config, Kick, Operation, Refused, Request, Token, TokenError};
use protocol::model::{Anchor, Role, RoomKind};
use protocol::view::ClientEvent;
use protocol::{ClientId, ErrorCode, MessageId, MessageNo, RoomId, UserId};
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::prelude::*;

type Outcome = Result<(), JsValue>;

/// A client of one user. `free()` it to let go of its connections and its timer.
#[wasm_bindgen]
pub struct ChatClient {
    pump: Rc<Pump>,
}

impl std::fmt::Debug for ChatClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChatClient")
    }
}

#[wasm_bindgen]
impl ChatClient {
    /// A client that has yet to be started. `url` is that of the node's WebSocket, `restored` what was
    /// kept of an earlier one: the JSON of its session with the entries of the outbox in `outbox`.
    ///
    /// # Errors
    /// When `restored` cannot be read.
    #[wasm_bindgen(constructor)]
    pub fn new(url: String, restored: &str, host: Host) -> Result<Self, JsValue> {
        browser::report_panics();
        let restored = protocol::compact::from_str(restored).map_err(|error| {
            let message = &error.to_string();
            JsValue::from(Refusal { code: ErrorCode::InvalidMessage, message, field: Some("restored") })
        })?;
        let config = Config::new("web", env!("CARGO_PKG_VERSION"));
        let client = Client::new(config, browser::seed(), restored);
        Ok(Self { pump: Pump::new(client, url, host) })
    }

    /// Begins to connect.
    pub fn start(&self, access_token: String, expires_in_ms: f64) {
        let token = token(access_token, expires_in_ms);
        self.pump.input(|client, now| client.start(Some(token), now));
    }

    /// Ends the client for good. The outbox stays kept.
    pub fn close(&self) {
        self.pump.input(Client::close);
    }

    /// The next access token: the answer to the host's `refresh`.
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&self, access_token: String, expires_in_ms: f64) {
        let token = token(access_token, expires_in_ms);
        self.pump.input(|client, now| client.handle_token(Ok(token), now));
    }

    /// There is no next access token: for now, or because the login `ended`.
    #[wasm_bindgen(js_name = tokenFailed)]
    pub fn token_failed(&self, ended: bool) {
        let error = if ended { TokenError::Ended } else { TokenError::Transient };
        self.pump.input(|client, now| client.handle_token(Err(error), now));
    }

    /// Looks whether the connection lives, or tries to connect now. `why`: `asked`, `online` or `visible`.
    pub fn kick(&self, why: &str) {
        let kick = match why {
            "online" => Kick::Online,
            "visible" => Kick::Visible,
            _ => Kick::Asked,
        };
        self.pump.input(|client, now| client.kick(kick, now));
    }

    /// The present state: an array of ClientEvents as JSON.
    #[must_use]
    pub fn snapshot(&self) -> String {
        let events: Vec<ClientEvent> = self.pump.look(Client::snapshot);
        protocol::encode(&events)
    }

    /// Puts a message in the outbox under a name that its sender gives. Known names are left alone.
    ///
    /// # Errors
    /// When it is refused.
    #[wasm_bindgen(js_name = sendMessage)]
    pub fn send_message(
        &self,
        client_id: &str,
        room_id: f64,
        content: String,
        reply_to: Option<f64>,
    ) -> Outcome {
        let client_id = name(client_id)?;
        let reply_to = reply_to.map(|id| MessageId(number(id)));
        let written_at = browser::wall_clock();
        outcome(self.pump.input(|client, now| {
            client.send_message_as(client_id, room(room_id), content, reply_to, written_at, now)
        }))
    }

    /// Sends a failed message again.
    ///
    /// # Errors
    /// When `client_id` is not a UUID.
    pub fn retry(&self, client_id: &str) -> Outcome {
        let client_id = name(client_id)?;
        self.pump.input(|client, now| client.retry(client_id, now));
        Ok(())
    }

    /// Takes a queued or failed message out of the outbox.
    ///
    /// # Errors
    /// When `client_id` is not a UUID.
    pub fn discard(&self, client_id: &str) -> Outcome {
        let client_id = name(client_id)?;
        self.pump.input(|client, now| client.discard(client_id, now));
        Ok(())
    }

    /// The user has read a room up to a message.
    #[wasm_bindgen(js_name = markRead)]
    pub fn mark_read(&self, room_id: f64, message_no: f64) {
        let message_no = MessageNo(number(message_no));
        self.pump.input(|client, now| client.mark_read(room(room_id), message_no, now));
    }

    /// The user is writing.
    pub fn typing(&self, room_id: f64) {
        self.pump.input(|client, now| client.typing(room(room_id), now));
    }

    /// The page shows who of a room is online.
    #[wasm_bindgen(js_name = watchPresence)]
    pub fn watch_presence(&self, room_id: f64) {
        self.pump.input(|client, now| client.watch_presence(room(room_id), now));
    }

    /// The page does not show it any more.
    #[wasm_bindgen(js_name = unwatchPresence)]
    pub fn unwatch_presence(&self, room_id: f64) {
        self.pump.input(|client, now| client.unwatch_presence(room(room_id), now));
    }
}

/// Durable operations. Each ends as an `operation_done` or `operation_failed` under its `client_id`.
#[wasm_bindgen]
#[expect(clippy::missing_errors_doc, reason = "each throws when it is refused")]
impl ChatClient {
    /// Changes the text of one's own message.
    #[wasm_bindgen(js_name = editMessage)]
    pub fn edit_message(&self, client_id: &str, room_id: f64, message_id: f64, content: String) -> Outcome {
        let (room_id, message_id) = (room(room_id), message(message_id));
        self.operate(client_id, Operation::EditMessage { room_id, message_id, content })
    }

    /// Deletes a message.
    #[wasm_bindgen(js_name = deleteMessage)]
    pub fn delete_message(&self, client_id: &str, room_id: f64, message_id: f64) -> Outcome {
        let (room_id, message_id) = (room(room_id), message(message_id));
        self.operate(client_id, Operation::DeleteMessage { room_id, message_id })
    }

    /// Puts an emoji on a message.
    #[wasm_bindgen(js_name = addReaction)]
    pub fn add_reaction(&self, client_id: &str, room_id: f64, message_id: f64, emoji: String) -> Outcome {
        let (room_id, message_id) = (room(room_id), message(message_id));
        self.operate(client_id, Operation::AddReaction { room_id, message_id, emoji })
    }

    /// Takes one's emoji off a message.
    #[wasm_bindgen(js_name = removeReaction)]
    pub fn remove_reaction(&self, client_id: &str, room_id: f64, message_id: f64, emoji: String) -> Outcome {
        let (room_id, message_id) = (room(room_id), message(message_id));
        self.operate(client_id, Operation::RemoveReaction { room_id, message_id, emoji })
    }

    /// Pins a message.
    #[wasm_bindgen(js_name = pinMessage)]
    pub fn pin_message(&self, client_id: &str, room_id: f64, message_id: f64) -> Outcome {
        let (room_id, message_id) = (room(room_id), message(message_id));
        self.operate(client_id, Operation::PinMessage { room_id, message_id })
    }

    /// Unpins a message.
    #[wasm_bindgen(js_name = unpinMessage)]
    pub fn unpin_message(&self, client_id: &str, room_id: f64, message_id: f64) -> Outcome {
        let (room_id, message_id) = (room(room_id), message(message_id));
        self.operate(client_id, Operation::UnpinMessage { room_id, message_id })
    }

    /// Makes a room.
    #[wasm_bindgen(js_name = createRoom)]
    pub fn create_room(&self, client_id: &str, name: String, private: bool, topic: String) -> Outcome {
        let kind = if private { RoomKind::Private } else { RoomKind::Public };
        self.operate(client_id, Operation::CreateRoom { name, kind, topic })
    }

    /// Changes a room's name or topic.
    #[wasm_bindgen(js_name = updateRoom)]
    pub fn update_room(
        &self,
        client_id: &str,
        room_id: f64,
        name: Option<String>,
        topic: Option<String>,
    ) -> Outcome {
        self.operate(client_id, Operation::UpdateRoom { room_id: room(room_id), name, topic })
    }

    /// Becomes a member of a public room.
    #[wasm_bindgen(js_name = joinRoom)]
    pub fn join_room(&self, client_id: &str, room_id: f64) -> Outcome {
        self.operate(client_id, Operation::JoinRoom { room_id: room(room_id) })
    }

    /// Stops being a member.
    #[wasm_bindgen(js_name = leaveRoom)]
    pub fn leave_room(&self, client_id: &str, room_id: f64) -> Outcome {
        self.operate(client_id, Operation::LeaveRoom { room_id: room(room_id) })
    }

    /// Makes someone a member.
    pub fn invite(&self, client_id: &str, room_id: f64, username: String) -> Outcome {
        self.operate(client_id, Operation::Invite { room_id: room(room_id), username })
    }

    /// Removes a member.
    #[wasm_bindgen(js_name = kickMember)]
    pub fn kick_member(&self, client_id: &str, room_id: f64, user_id: f64) -> Outcome {
        let (room_id, user_id) = (room(room_id), user(user_id));
        self.operate(client_id, Operation::Kick { room_id, user_id })
    }

    /// Removes someone and keeps them out.
    pub fn ban(&self, client_id: &str, room_id: f64, user_id: f64) -> Outcome {
        let (room_id, user_id) = (room(room_id), user(user_id));
        self.operate(client_id, Operation::Ban { room_id, user_id })
    }

    /// Lifts a ban.
    pub fn unban(&self, client_id: &str, room_id: f64, user_id: f64) -> Outcome {
        let (room_id, user_id) = (room(room_id), user(user_id));
        self.operate(client_id, Operation::Unban { room_id, user_id })
    }

    /// Changes a member's role: `owner`, `admin` or `member`.
    #[wasm_bindgen(js_name = setRole)]
    pub fn set_role(&self, client_id: &str, room_id: f64, user_id: f64, role: &str) -> Outcome {
        let role = match role {
            "owner" => Role::Owner,
            "admin" => Role::Admin,
            "member" => Role::Member,
            _ => return Err(invalid("role", "is none of owner, admin and member")),
        };
        let (room_id, user_id) = (room(room_id), user(user_id));
        self.operate(client_id, Operation::SetRole { room_id, user_id, role })
    }

    fn operate(&self, client_id: &str, operation: Operation) -> Outcome {
        let client_id = name(client_id)?;
        outcome(self.pump.input(|client, now| client.operate_as(client_id, operation, now)))
    }
}

/// Requests for pages. Each gives the `request_id` under which its answer comes.
#[wasm_bindgen]
#[expect(clippy::missing_errors_doc, reason = "each throws when it is refused")]
impl ChatClient {
    /// Messages of a room: the newest, or those before, after or around a message.
    pub fn history(
        &self,
        room_id: f64,
        before: Option<f64>,
        after: Option<f64>,
        around: Option<f64>,
        limit: Option<u32>,
        pinned: bool,
    ) -> Result<f64, JsValue> {
        let no = |no: Option<f64>| no.map(|no| MessageNo(number(no)));
        let anchor: Anchor = protocol::validate::anchor(no(before), no(after), no(around))
            .map_err(|error| refusal(&Refused::from(error)))?;
        self.request(Request::History { room_id: room(room_id), anchor, limit, pinned })
    }

    /// Members of a room after a username.
    #[wasm_bindgen(js_name = listMembers)]
    pub fn list_members(&self, room_id: f64, after: Option<String>) -> Result<f64, JsValue> {
        self.request(Request::ListMembers { room_id: room(room_id), after, limit: None })
    }

    /// Rooms to join whose name contains `query`, after a name.
    #[wasm_bindgen(js_name = listRooms)]
    pub fn list_rooms(&self, query: Option<String>, after: Option<String>) -> Result<f64, JsValue> {
        self.request(Request::ListRooms { query, after, limit: None })
    }

    fn request(&self, request: Request) -> Result<f64, JsValue> {
        let id = self.pump.input(|client, now| client.request(request, now));
        id.map(|id| id.0 as f64).map_err(|refused| refusal(&refused))
    }
}

fn token(access_token: String, expires_in_ms: f64) -> Token {
    Token { access_token, expires_in: Some(Duration::from_millis(number(expires_in_ms))) }
}

fn room(id: f64) -> RoomId {
    RoomId(number(id))
}

fn message(id: f64) -> MessageId {
    MessageId(number(id))
}

fn user(id: f64) -> UserId {
    UserId(number(id))
}

fn name(client_id: &str) -> Result<ClientId, JsValue> {
    client_id.parse().map_err(|_| invalid("client_id", "is not a UUID"))
}

fn invalid(field: &str, message: &str) -> JsValue {
    Refusal { code: ErrorCode::InvalidField, message, field: Some(field) }.into()
}

fn refusal(refused: &Refused) -> JsValue {
    Refusal { code: refused.code, message: &refused.message, field: refused.field }.into()
}

fn outcome<T>(result: Result<T, Refused>) -> Outcome {
    result.map(drop).map_err(|refused| refusal(&refused))
}
