//! One operation applied: a retry answered, the facts gathered, the rules asked, the effect made.

use super::{Changes, NewEvent, RequestName, RoomRow, State, first};
use crate::rules::{self, Rejection, Verdict};
use crate::store::op::{Append, Committed, CommittedMessage, Event, Op, Outcome, RoomOp};
use protocol::event::{RoomCreated, RoomEvent};
use protocol::model::{Role, RoomKind};
use protocol::planted::{self, Bug};
use protocol::{ClientId, MessageNo, RoomId, Seq, Timestamp, UserId};

/// Who does something where and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) room_id: RoomId,
    pub(super) actor: UserId,
    pub(super) client_id: ClientId,
    pub(super) at: Timestamp,
}

/// What an effect brought about, beside what it changed.
#[derive(Debug, Default)]
pub(super) struct Effect {
    pub(super) events: Vec<Event>,
    pub(super) message: Option<CommittedMessage>,
}

impl From<Event> for Effect {
    fn from(event: Event) -> Self {
        Self { events: vec![event], message: None }
    }
}

impl Append {
    /// The scope in which its name is one.
    pub(crate) const fn name(&self) -> RequestName {
        RequestName { room_id: self.op.room_id(), actor: self.actor, client_id: self.client_id }
    }
}

impl State {
    /// Applies one operation; refused, it changes nothing.
    pub(crate) fn apply(&mut self, append: &Append, changes: &mut Changes) -> Outcome {
        if let Some(event) = self.firsts.get(&append.name()).and_then(|first| self.events.get(first)) {
            return first::repeat(&append.op, event);
        }
        match &append.op {
            Op::CreateRoom { name, kind, topic } => self.create_room(append, name, *kind, topic, changes),
            Op::InRoom { room_id, op } => {
                let request = Request {
                    room_id: *room_id,
                    actor: append.actor,
                    client_id: append.client_id,
                    at: append.at,
                };
                self.apply_in_room(request, op, changes)
            }
        }
    }

    fn apply_in_room(&mut self, request: Request, op: &RoomOp, changes: &mut Changes) -> Outcome {
        let verdict = rules::judge(op, &self.facts(request, op))?;
        let effect = match verdict {
            Verdict::Already => Effect::default(),
            Verdict::Change => self.change(request, op, changes)?,
        };
        let head = self.rooms.get(&request.room_id).map_or(Seq(0), |room| room.head_seq);
        let seq = effect.events.first().map_or(head, |event| event.seq);
        Ok(Committed { room_id: request.room_id, seq, message: effect.message, events: effect.events })
    }

    fn change(&mut self, request: Request, op: &RoomOp, changes: &mut Changes) -> Result<Effect, Rejection> {
        match op {
            RoomOp::Send { content, reply_to } => self.send(request, content, *reply_to, changes),
            RoomOp::Edit { message_id, content } => self.edit(request, *message_id, content, changes),
            RoomOp::Delete { message_id } => self.delete(request, *message_id, changes),
            RoomOp::AddReaction { message_id, emoji } => {
                self.add_reaction(request, *message_id, emoji, changes)
            }
            RoomOp::RemoveReaction { message_id, emoji } => {
                self.remove_reaction(request, *message_id, emoji, changes)
            }
            RoomOp::Pin { message_id } => self.pin(request, *message_id, changes),
            RoomOp::Unpin { message_id } => self.unpin(request, *message_id, changes),
            RoomOp::Update { name, topic } => {
                self.update(request, name.as_deref(), topic.as_deref(), changes)
            }
            RoomOp::Join => self.let_in(request, request.actor, changes),
            RoomOp::Leave => self.leave(request, changes),
            RoomOp::Invite { username } => {
                let target = self.usernames.get(username).copied().ok_or(Rejection::UserNotFound)?;
                self.let_in(request, target, changes)
            }
            RoomOp::Kick { user_id } => self.kick(request, *user_id, changes),
            RoomOp::Ban { user_id } => self.ban(request, *user_id, changes),
            RoomOp::Unban { user_id } => Ok(self.unban(request, *user_id, changes)),
            RoomOp::SetRole { user_id, role } => self.set_role(request, *user_id, *role, changes),
        }
    }

    /// Gives the next `seq` to an event and puts it into the log.
    pub(super) fn record(
        &mut self,
        request: Request,
        new: NewEvent,
        changes: &mut Changes,
        event: impl FnOnce(Seq) -> RoomEvent,
    ) -> Result<Event, Rejection> {
        let room = self.rooms.get_mut(&request.room_id).ok_or(Rejection::NotMember)?;
        room.head_seq = room.head_seq.next();
        if planted::has(Bug::SeqWithHoles) && request.at.0.is_multiple_of(16) {
            room.head_seq = room.head_seq.next();
        }
        if planted::has(Bug::SeqFromClock) {
            room.head_seq = room.head_seq.max(Seq(request.at.0));
        }
        let at = (request.room_id, room.head_seq);
        let event = event(room.head_seq);
        if !changes.new_rooms.contains(&request.room_id) {
            changes.rooms.insert(request.room_id);
        }
        let new = NewEvent { kind: event.kind(), ..new };
        let event = Event::new(&event);
        self.events.insert(at, event.clone());
        changes.events.insert(at, new);
        if new.client_id.is_some() {
            self.firsts.insert(request.name(), at);
        }
        Ok(event)
    }

    fn create_room(
        &mut self,
        append: &Append,
        name: &str,
        kind: RoomKind,
        topic: &str,
        changes: &mut Changes,
    ) -> Outcome {
        let maker = self.users.get(&append.actor).cloned().ok_or(Rejection::UserNotFound)?;
        let room_id = self.spare_room_ids.front().copied().unwrap_or_else(|| self.last_room_id.next());
        let standing = self.standing(room_id, append.actor);
        rules::judge_create(kind, self.public_names.contains_key(name), standing)?;
        self.spare_room_ids.pop_front();
        self.last_room_id = room_id;
        let room = RoomRow {
            name: name.to_owned(),
            kind,
            topic: topic.to_owned(),
            head_seq: Seq(0),
            last_message_no: MessageNo(0),
            member_count: 0,
            created_by: append.actor,
            client_id: append.client_id,
            created_at: append.at,
        };
        self.rooms.insert(room_id, room);
        changes.new_rooms.insert(room_id);
        if kind == RoomKind::Public {
            self.public_names.insert(name.to_owned(), room_id);
        }
        let request = Request { room_id, actor: append.actor, client_id: append.client_id, at: append.at };
        let event = self.record(request, NewEvent::unnamed(request), changes, |seq| {
            RoomCreated {
                room_id,
                seq,
                user_id: append.actor,
                username: maker.username,
                display_name: maker.display_name,
                name: name.to_owned(),
                kind,
                topic: topic.to_owned(),
                created_at: append.at,
                client_id: Some(append.client_id),
            }
            .into()
        })?;
        self.firsts.insert(append.name(), (room_id, event.seq));
        self.add_member(request, append.actor, Role::Owner, changes);
        Ok(Committed { room_id, seq: event.seq, message: None, events: vec![event] })
    }
}

impl Request {
    pub(super) const fn name(self) -> RequestName {
        RequestName { room_id: Some(self.room_id), actor: self.actor, client_id: self.client_id }
    }
}

impl NewEvent {
    /// An event that the asker named.
    pub(super) const fn named(request: Request) -> Self {
        let unnamed = Self::unnamed(request);
        Self { client_id: Some(request.client_id), ..unnamed }
    }

    /// An event whose name stands elsewhere, or that follows from another one.
    pub(super) const fn unnamed(request: Request) -> Self {
        Self { kind: "", actor: request.actor, client_id: None, edits: None, at: request.at }
    }
}
