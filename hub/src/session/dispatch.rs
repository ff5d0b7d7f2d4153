//! From a client's frame to what is done about it: the frame's text is checked, nothing else.

use super::{Action, Failure, Request, Session};
use crate::store::{Op, RoomOp};
use protocol::frame::client::{ClientMessage, Hello, History, ListMembers, ListRooms};
use protocol::frame::server::ServerMessage;
use protocol::validate::{self, FieldError};
use protocol::{ClientId, ErrorCode, RequestId, RoomId, limits};

impl Session {
    /// Handles a frame of a live session.
    pub(super) fn dispatch(&mut self, message: ClientMessage) {
        let (client_id, request_id) = names(&message);
        if let Err(failure) = self.try_dispatch(message) {
            self.refuse(client_id, request_id, failure);
        }
    }

    fn try_dispatch(&mut self, message: ClientMessage) -> Result<(), Failure> {
        let (client_id, _) = names(&message);
        match message {
            ClientMessage::Hello(_) => {
                return Err(Failure::new(ErrorCode::InvalidMessage, "hello comes once, as the first frame"));
            }
            ClientMessage::Ping => self.send(ServerMessage::Pong),
            ClientMessage::Refresh(refresh) => {
                self.actions.push_back(Action::Authenticate { token: refresh.token });
            }
            ClientMessage::Typing(typing) => {
                self.check_member(typing.room_id)?;
                self.actions.push_back(Action::Typing(typing.room_id));
            }
            ClientMessage::WatchPresence(request) => self.watch(request.room_id)?,
            ClientMessage::UnwatchPresence(request) => {
                if self.watched.remove(&request.room_id) {
                    self.actions.push_back(Action::UnwatchPresence(request.room_id));
                }
            }
            ClientMessage::MarkRead(mark) => {
                self.check_member(mark.room_id)?;
                self.actions
                    .push_back(Action::MarkRead { room_id: mark.room_id, message_no: mark.message_no });
            }
            ClientMessage::History(history) => self.ask(history.request_id, history_request(&history)?),
            ClientMessage::ListMembers(list) => self.ask(list.request_id, members_request(list)?),
            ClientMessage::ListRooms(list) => self.ask(list.request_id, rooms_request(list)?),
            durable @ (ClientMessage::SendMessage(_)
            | ClientMessage::EditMessage(_)
            | ClientMessage::DeleteMessage(_)
            | ClientMessage::AddReaction(_)
            | ClientMessage::RemoveReaction(_)
            | ClientMessage::PinMessage(_)
            | ClientMessage::UnpinMessage(_)
            | ClientMessage::CreateRoom(_)
            | ClientMessage::UpdateRoom(_)
            | ClientMessage::JoinRoom(_)
            | ClientMessage::LeaveRoom(_)
            | ClientMessage::Invite(_)
            | ClientMessage::Kick(_)
            | ClientMessage::Ban(_)
            | ClientMessage::Unban(_)
            | ClientMessage::SetRole(_)) => {
                if let (Some(client_id), Some(op)) = (client_id, operation(durable)?) {
                    self.actions.push_back(Action::Submit { client_id, op });
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, request_id: RequestId, request: Request) {
        self.actions.push_back(Action::Ask { request_id, request });
    }

    fn watch(&mut self, room_id: RoomId) -> Result<(), Failure> {
        self.check_member(room_id)?;
        if !self.watched.contains(&room_id) && self.watched.len() >= limits::PRESENCE_WATCHES_MAX {
            let text = format!("at most {} rooms are watched at a time", limits::PRESENCE_WATCHES_MAX);
            return Err(Failure::field(ErrorCode::Conflict, "room_id", text));
        }
        self.watched.insert(room_id);
        self.actions.push_back(Action::WatchPresence(room_id));
        Ok(())
    }

    fn check_member(&self, room_id: RoomId) -> Result<(), Failure> {
        if self.cursors.contains(room_id) {
            return Ok(());
        }
        let rejection = crate::rules::Rejection::NotMember;
        Err(Failure::field(rejection.code(), "room_id", rejection.to_string()))
    }
}

/// The names under which the client waits for the answer to a frame.
pub(super) const fn names(message: &ClientMessage) -> (Option<ClientId>, Option<RequestId>) {
    match message {
        ClientMessage::SendMessage(m) => (Some(m.client_id), None),
        ClientMessage::EditMessage(m) => (Some(m.client_id), None),
        ClientMessage::DeleteMessage(m) | ClientMessage::PinMessage(m) | ClientMessage::UnpinMessage(m) => {
            (Some(m.client_id), None)
        }
        ClientMessage::AddReaction(m) | ClientMessage::RemoveReaction(m) => (Some(m.client_id), None),
        ClientMessage::CreateRoom(m) => (Some(m.client_id), None),
        ClientMessage::UpdateRoom(m) => (Some(m.client_id), None),
        ClientMessage::JoinRoom(m) | ClientMessage::LeaveRoom(m) => (Some(m.client_id), None),
        ClientMessage::Invite(m) => (Some(m.client_id), None),
        ClientMessage::Kick(m) | ClientMessage::Ban(m) | ClientMessage::Unban(m) => (Some(m.client_id), None),
        ClientMessage::SetRole(m) => (Some(m.client_id), None),
        ClientMessage::History(m) => (None, Some(m.request_id)),
        ClientMessage::ListMembers(m) => (None, Some(m.request_id)),
        ClientMessage::ListRooms(m) => (None, Some(m.request_id)),
        ClientMessage::Hello(_)
        | ClientMessage::MarkRead(_)
        | ClientMessage::Typing(_)
        | ClientMessage::WatchPresence(_)
        | ClientMessage::UnwatchPresence(_)
        | ClientMessage::Ping
        | ClientMessage::Refresh(_) => (None, None),
    }
}

/// The durable operation that a frame asks for, if it asks for one.
fn operation(message: ClientMessage) -> Result<Option<Op>, FieldError> {
    let (room_id, op) = match message {
        ClientMessage::SendMessage(m) => (m.room_id, RoomOp::send(m.content, m.reply_to)?),
        ClientMessage::EditMessage(m) => (m.room_id, RoomOp::edit(m.message_id, m.content)?),
        ClientMessage::DeleteMessage(m) => (m.room_id, RoomOp::Delete { message_id: m.message_id }),
        ClientMessage::AddReaction(m) => (m.room_id, RoomOp::add_reaction(m.message_id, m.emoji)?),
        ClientMessage::RemoveReaction(m) => (m.room_id, RoomOp::remove_reaction(m.message_id, m.emoji)?),
        ClientMessage::PinMessage(m) => (m.room_id, RoomOp::Pin { message_id: m.message_id }),
        ClientMessage::UnpinMessage(m) => (m.room_id, RoomOp::Unpin { message_id: m.message_id }),
        ClientMessage::CreateRoom(m) => return Op::create_room(&m.name, m.kind, &m.topic).map(Some),
        ClientMessage::UpdateRoom(m) => (m.room_id, RoomOp::update(m.name.as_deref(), m.topic.as_deref())?),
        ClientMessage::JoinRoom(m) => (m.room_id, RoomOp::Join),
        ClientMessage::LeaveRoom(m) => (m.room_id, RoomOp::Leave),
        ClientMessage::Invite(m) => (m.room_id, RoomOp::invite(&m.username)?),
        ClientMessage::Kick(m) => (m.room_id, RoomOp::Kick { user_id: m.user_id }),
        ClientMessage::Ban(m) => (m.room_id, RoomOp::Ban { user_id: m.user_id }),
        ClientMessage::Unban(m) => (m.room_id, RoomOp::Unban { user_id: m.user_id }),
        ClientMessage::SetRole(m) => (m.room_id, RoomOp::SetRole { user_id: m.user_id, role: m.role }),
        ClientMessage::Hello(_)
        | ClientMessage::History(_)
        | ClientMessage::ListMembers(_)
        | ClientMessage::ListRooms(_)
        | ClientMessage::MarkRead(_)
        | ClientMessage::Typing(_)
        | ClientMessage::WatchPresence(_)
        | ClientMessage::UnwatchPresence(_)
        | ClientMessage::Ping
        | ClientMessage::Refresh(_) => return Ok(None),
    };
    Ok(Some(Op::in_room(room_id, op)))
}

fn history_request(history: &History) -> Result<Request, FieldError> {
    Ok(Request::History {
        room_id: history.room_id,
        anchor: history.anchor()?,
        pinned: history.pinned,
        limit: validate::page_limit(history.limit)?,
    })
}

fn members_request(list: ListMembers) -> Result<Request, FieldError> {
    let limit = validate::page_limit(list.limit)?;
    Ok(Request::Members { room_id: list.room_id, after: list.after, limit })
}

fn rooms_request(list: ListRooms) -> Result<Request, FieldError> {
    let limit = validate::page_limit(list.limit)?;
    Ok(Request::Rooms { query: list.query.unwrap_or_default(), after: list.after, limit })
}

/// Checks what `hello` says beside its version.
pub(super) fn check_hello(hello: &Hello) -> Result<(), Failure> {
    let long = |field: &str, bytes: usize, most: usize| {
        let text = format!("{field} is {bytes} bytes, at most {most} are allowed");
        (bytes > most).then(|| Failure::field(ErrorCode::TooLarge, field, text))
    };
    let client = &hello.client;
    let failure = long("token", hello.token.len(), limits::TOKEN_BYTES_MAX)
        .or_else(|| long("client.name", client.name.len(), limits::CLIENT_NAME_BYTES_MAX))
        .or_else(|| long("client.version", client.version.len(), limits::CLIENT_NAME_BYTES_MAX));
    failure.map_or(Ok(()), Err)
}
