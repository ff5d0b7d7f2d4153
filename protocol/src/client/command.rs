//! What a front end may ask for.

use super::config::Refused;
use super::{Client, Kick, Now, config, outbox};
use crate::frame::client::{
    ClientMessage, CreateRoom, EditMessage, History, Invite, ListMembers, ListRooms, MemberRequest,
    MessageRequest, ReactionRequest, RoomRequest, SetRole, UpdateRoom,
};
use crate::ids::{ClientId, MessageId, MessageNo, RequestId, RoomId, Timestamp, UserId};
use crate::limits::FRAME_BYTES_MAX;
use crate::model::{Anchor, Role, RoomKind};
use crate::validate;
use crate::view::{Delivery, PendingMessage};

/// A durable operation other than a send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the frame of the same name")]
pub enum Operation {
    /// Changes the text of one's own message.
    EditMessage { room_id: RoomId, message_id: MessageId, content: String },
    /// Deletes a message.
    DeleteMessage { room_id: RoomId, message_id: MessageId },
    /// Puts an emoji on a message.
    AddReaction { room_id: RoomId, message_id: MessageId, emoji: String },
    /// Takes one's emoji off a message.
    RemoveReaction { room_id: RoomId, message_id: MessageId, emoji: String },
    /// Pins a message.
    PinMessage { room_id: RoomId, message_id: MessageId },
    /// Unpins a message.
    UnpinMessage { room_id: RoomId, message_id: MessageId },
    /// Makes a room and owns it.
    CreateRoom { name: String, kind: RoomKind, topic: String },
    /// Changes a room's name or topic; what is absent stays.
    UpdateRoom { room_id: RoomId, name: Option<String>, topic: Option<String> },
    /// Becomes a member of a public room.
    JoinRoom { room_id: RoomId },
    /// Stops being a member.
    LeaveRoom { room_id: RoomId },
    /// Makes someone a member.
    Invite { room_id: RoomId, username: String },
    /// Removes a member.
    Kick { room_id: RoomId, user_id: UserId },
    /// Removes someone and keeps them out.
    Ban { room_id: RoomId, user_id: UserId },
    /// Lifts a ban.
    Unban { room_id: RoomId, user_id: UserId },
    /// Changes a member's role.
    SetRole { room_id: RoomId, user_id: UserId, role: Role },
}

/// A request for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the frame of the same name")]
pub enum Request {
    /// Messages of a room.
    History { room_id: RoomId, anchor: Anchor, limit: Option<u32>, pinned: bool },
    /// Members of a room.
    ListMembers { room_id: RoomId, after: Option<String>, limit: Option<u32> },
    /// Rooms to join.
    ListRooms { query: Option<String>, after: Option<String>, limit: Option<u32> },
}

impl Operation {
    /// The room whose order it keeps, and the frame.
    fn into_frame(self, client_id: ClientId) -> (Option<RoomId>, ClientMessage) {
        let of_message = |room_id, message_id| MessageRequest { client_id, room_id, message_id };
        let of_member = |room_id, user_id| MemberRequest { client_id, room_id, user_id };
        let frame = match self {
            Self::EditMessage { room_id, message_id, content } => {
                ClientMessage::EditMessage(EditMessage { client_id, room_id, message_id, content })
            }
            Self::DeleteMessage { room_id, message_id } => {
                ClientMessage::DeleteMessage(of_message(room_id, message_id))
            }
            Self::AddReaction { room_id, message_id, emoji } => {
                ClientMessage::AddReaction(ReactionRequest { client_id, room_id, message_id, emoji })
            }
            Self::RemoveReaction { room_id, message_id, emoji } => {
                ClientMessage::RemoveReaction(ReactionRequest { client_id, room_id, message_id, emoji })
            }
            Self::PinMessage { room_id, message_id } => {
                ClientMessage::PinMessage(of_message(room_id, message_id))
            }
            Self::UnpinMessage { room_id, message_id } => {
                ClientMessage::UnpinMessage(of_message(room_id, message_id))
            }
            Self::CreateRoom { name, kind, topic } => {
                return (None, ClientMessage::CreateRoom(CreateRoom { client_id, name, kind, topic }));
            }
            Self::UpdateRoom { room_id, name, topic } => {
                ClientMessage::UpdateRoom(UpdateRoom { client_id, room_id, name, topic })
            }
            Self::JoinRoom { room_id } => ClientMessage::JoinRoom(RoomRequest { client_id, room_id }),
            Self::LeaveRoom { room_id } => ClientMessage::LeaveRoom(RoomRequest { client_id, room_id }),
            Self::Invite { room_id, username } => {
                ClientMessage::Invite(Invite { client_id, room_id, username })
            }
            Self::Kick { room_id, user_id } => ClientMessage::Kick(of_member(room_id, user_id)),
            Self::Ban { room_id, user_id } => ClientMessage::Ban(of_member(room_id, user_id)),
            Self::Unban { room_id, user_id } => ClientMessage::Unban(of_member(room_id, user_id)),
            Self::SetRole { room_id, user_id, role } => {
                ClientMessage::SetRole(SetRole { client_id, room_id, user_id, role })
            }
        };
        (frame.room_id(), frame)
    }
}

impl Request {
    fn into_frame(self, request_id: RequestId) -> ClientMessage {
        match self {
            Self::History { room_id, anchor, limit, pinned } => {
                let (mut before, mut after, mut around) = (None, None, None);
                match anchor {
                    Anchor::Latest => {}
                    Anchor::Before(no) => before = Some(no),
                    Anchor::After(no) => after = Some(no),
                    Anchor::Around(no) => around = Some(no),
                }
                ClientMessage::History(History { request_id, room_id, before, after, around, limit, pinned })
            }
            Self::ListMembers { room_id, after, limit } => {
                ClientMessage::ListMembers(ListMembers { request_id, room_id, after, limit })
            }
            Self::ListRooms { query, after, limit } => {
                ClientMessage::ListRooms(ListRooms { request_id, query, after, limit })
            }
        }
    }
}

impl Client {
    /// Puts a message in the outbox; its fate comes as events. `written_at` is the wall clock.
    ///
    /// # Errors
    /// When the text is not allowed, the outbox is full or the client has ended; nothing is kept then.
    pub fn send_message(
        &mut self,
        room_id: RoomId,
        content: String,
        reply_to: Option<MessageId>,
        written_at: Timestamp,
        now: Now,
    ) -> Result<ClientId, Refused> {
        let client_id = self.rng.client_id();
        self.send_message_as(client_id, room_id, content, reply_to, written_at, now)?;
        Ok(client_id)
    }

    /// [`Self::send_message`] under a name that the front end gives, so that it can say it again, to
    /// this client or the next, when it does not know whether it was heard. A name that is in the
    /// outbox is left alone.
    ///
    /// # Errors
    /// As [`Self::send_message`].
    pub fn send_message_as(
        &mut self,
        client_id: ClientId,
        room_id: RoomId,
        content: String,
        reply_to: Option<MessageId>,
        written_at: Timestamp,
        now: Now,
    ) -> Result<(), Refused> {
        self.refuse_if_ended()?;
        validate::content(&content)?;
        if self.outbox.contains(client_id) {
            return Ok(());
        }
        let delivery = Delivery::Queued;
        let message =
            PendingMessage { client_id, room_id, content, reply_to, created_at: written_at, delivery };
        if outbox::frame(&message).len() > FRAME_BYTES_MAX {
            return Err(Refused::frame_too_large());
        }
        self.outbox.send(message, &self.config, &mut self.out)?;
        self.typing.handle_sent(room_id);
        self.pump(now);
        Ok(())
    }

    /// Sends a failed message again, under the same `client_id`, after those that wait.
    pub fn retry(&mut self, client_id: ClientId, now: Now) {
        if !self.has_ended() {
            self.outbox.retry(client_id, &mut self.out);
            self.pump(now);
        }
    }

    /// Takes a queued or failed message out of the outbox. One that is on its way stays.
    pub fn discard(&mut self, client_id: ClientId, now: Now) {
        self.outbox.discard(client_id, &mut self.out);
        self.pump(now);
    }

    /// Starts a durable operation; its end comes as `OperationDone` or `OperationFailed`.
    ///
    /// # Errors
    /// When too many are open, it is too large or the client has ended; nothing happens then.
    pub fn operate(&mut self, operation: Operation, now: Now) -> Result<ClientId, Refused> {
        let client_id = self.rng.client_id();
        self.operate_as(client_id, operation, now)?;
        Ok(client_id)
    }

    /// [`Self::operate`] under a name that the front end gives, as [`Self::send_message_as`].
    ///
    /// # Errors
    /// As [`Self::operate`].
    pub fn operate_as(&mut self, client_id: ClientId, operation: Operation, now: Now) -> Result<(), Refused> {
        self.refuse_if_ended()?;
        if let Operation::EditMessage { content, .. } = &operation {
            validate::content(content)?;
        }
        if self.outbox.contains(client_id) {
            return Ok(());
        }
        let (room_id, frame) = operation.into_frame(client_id);
        let text = checked(&frame)?;
        self.outbox.operate(client_id, room_id, text, &self.config, now)?;
        self.pump(now);
        Ok(())
    }

    /// Asks for a page; the answer comes as an event under the same id.
    ///
    /// # Errors
    /// When too many are open, it is too large or the client has ended; nothing happens then.
    pub fn request(&mut self, request: Request, now: Now) -> Result<RequestId, Refused> {
        self.refuse_if_ended()?;
        let text = checked(&request.into_frame(self.requests.next_id()))?;
        let id = self.requests.add(text, &self.config, now)?;
        self.pump(now);
        Ok(id)
    }

    /// The user has read a room up to a message. Only the newest mark of a room is told to the node,
    /// and not at every call.
    pub fn mark_read(&mut self, room_id: RoomId, message_no: MessageNo, now: Now) {
        if self.has_ended() {
            return;
        }
        if let Some(message_no) = self.rooms.mark_read(room_id, message_no) {
            self.marks.add(room_id, message_no);
            self.pump(now);
        }
    }

    /// The user is writing. Told to the node once in a while; forgotten without a connection.
    pub fn typing(&mut self, room_id: RoomId, now: Now) {
        if self.live.is_some() && self.rooms.room(room_id).is_some() && self.typing.may_say(room_id, now) {
            let frame = ClientMessage::Typing(crate::frame::client::Typing { room_id });
            self.send_frame(&frame, now);
        }
    }

    /// The front end shows who of a room is online: told at once as far as it is known, and on every
    /// change, over reconnects too. At most [`PRESENCE_WATCHES_MAX`] rooms at a time; one more ends
    /// the oldest watch. A room that the user is not in is not watched.
    ///
    /// [`PRESENCE_WATCHES_MAX`]: crate::limits::PRESENCE_WATCHES_MAX
    pub fn watch_presence(&mut self, room_id: RoomId, now: Now) {
        // Before the first welcome nobody knows.
        let is_known = self.rooms.me().is_none() || self.rooms.room(room_id).is_some();
        if !self.has_ended() && is_known {
            self.presence.watch(room_id, &mut self.out);
            self.pump(now);
        }
    }

    /// The front end does not show it any more.
    pub fn unwatch_presence(&mut self, room_id: RoomId, now: Now) {
        self.presence.unwatch(room_id);
        self.pump(now);
    }

    /// Tries to connect now instead of waiting; checks at once whether a connection still lives.
    pub fn kick(&mut self, kick: Kick, now: Now) {
        self.link_kick(kick, now);
    }

    /// Ends the client for good: closes its connections, fails what waits for answers. The outbox
    /// stays kept.
    pub fn close(&mut self, now: Now) {
        self.end(crate::view::EndReason::Closed, now);
    }

    fn refuse_if_ended(&self) -> Result<(), Refused> {
        if self.has_ended() { Err(config::Refused::ended()) } else { Ok(()) }
    }
}

/// The frame as text, if a node would take it.
fn checked(frame: &ClientMessage) -> Result<String, Refused> {
    let text = crate::encode(frame);
    if text.len() > FRAME_BYTES_MAX { Err(Refused::frame_too_large()) } else { Ok(text) }
}
