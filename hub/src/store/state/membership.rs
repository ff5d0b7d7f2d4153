//! What operations on a room and its members do.

use super::apply::{Effect, Request};
use super::{Changes, MemberRow, NewEvent, State};
use crate::rules::{self, Rejection};
use protocol::event::{LeaveReason, MemberJoined, MemberLeft, RoleChanged, RoomUpdated};
use protocol::model::{Role, RoomKind};
use protocol::planted::{self, Bug};
use protocol::{MessageNo, Seq, UserId};

impl State {
    pub(super) fn update(
        &mut self,
        request: Request,
        name: Option<&str>,
        topic: Option<&str>,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let room = self.rooms.get_mut(&request.room_id).ok_or(Rejection::NotMember)?;
        if let Some(name) = name {
            if room.kind == RoomKind::Public {
                self.public_names.remove(&room.name);
                self.public_names.insert(name.to_owned(), request.room_id);
            }
            name.clone_into(&mut room.name);
            if !changes.new_rooms.contains(&request.room_id) {
                changes.renamed.insert(request.room_id);
            }
        }
        if let Some(topic) = topic {
            topic.clone_into(&mut room.topic);
        }
        let (name, topic) = (room.name.clone(), room.topic.clone());
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            RoomUpdated { room_id: request.room_id, seq, actor_id: request.actor, name, topic }.into()
        })?;
        Ok(event.into())
    }

    /// Makes a user a member: by their own wish, or invited.
    pub(super) fn let_in(
        &mut self,
        request: Request,
        user_id: UserId,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let user = self.users.get(&user_id).cloned().ok_or(Rejection::UserNotFound)?;
        let room = self.rooms.get(&request.room_id).ok_or(Rejection::NotMember)?;
        let role = rules::role_on_joining(room.facts());
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            MemberJoined {
                room_id: request.room_id,
                seq,
                user_id,
                username: user.username,
                display_name: user.display_name,
                role,
                actor_id: request.actor,
                created_at: request.at,
            }
            .into()
        })?;
        self.add_member(request, user_id, role, changes);
        Ok(event.into())
    }

    pub(super) fn leave(&mut self, request: Request, changes: &mut Changes) -> Result<Effect, Rejection> {
        self.remove_member(request, request.actor, LeaveReason::Left, changes)
    }

    pub(super) fn kick(
        &mut self,
        request: Request,
        user_id: UserId,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        self.remove_member(request, user_id, LeaveReason::Kicked, changes)
    }

    /// Keeps a user out, who need not be a member.
    pub(super) fn ban(
        &mut self,
        request: Request,
        user_id: UserId,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let place = (request.room_id, user_id);
        if !planted::has(Bug::BanKeepsNobodyOut) {
            self.bans.insert(place);
            changes.bans.insert(place);
        }
        if self.members.contains_key(&place) {
            self.remove_member(request, user_id, LeaveReason::Banned, changes)
        } else {
            Ok(Effect::default())
        }
    }

    pub(super) fn unban(&mut self, request: Request, user_id: UserId, changes: &mut Changes) -> Effect {
        let place = (request.room_id, user_id);
        self.bans.remove(&place);
        changes.bans.insert(place);
        Effect::default()
    }

    /// Changes a role; giving `owner` away makes the giver an admin by a second event.
    pub(super) fn set_role(
        &mut self,
        request: Request,
        user_id: UserId,
        role: Role,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let mut effect = self.change_role(request, NewEvent::named(request), user_id, role, changes)?;
        if role == Role::Owner {
            let new = NewEvent::unnamed(request);
            let giver = self.change_role(request, new, request.actor, Role::Admin, changes)?;
            effect.events.extend(giver.events);
        }
        Ok(effect)
    }

    /// The membership that begins with the room's newest event.
    pub(super) fn add_member(
        &mut self,
        request: Request,
        user_id: UserId,
        role: Role,
        changes: &mut Changes,
    ) {
        let place = (request.room_id, user_id);
        let (mut joined_seq, mut last_read_no) = (Seq(0), MessageNo(0));
        if let Some(room) = self.rooms.get_mut(&request.room_id) {
            room.member_count += 1;
            (joined_seq, last_read_no) = (room.head_seq, room.last_message_no);
        }
        self.members.insert(place, MemberRow { role, joined_seq, last_read_no });
        *self.room_counts.entry(user_id).or_default() += 1;
        changes.members.insert(place);
        changes.users.insert(user_id);
    }

    fn remove_member(
        &mut self,
        request: Request,
        user_id: UserId,
        reason: LeaveReason,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let user = self.users.get(&user_id).cloned().ok_or(Rejection::UserNotFound)?;
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            MemberLeft {
                room_id: request.room_id,
                seq,
                user_id,
                username: user.username,
                display_name: user.display_name,
                reason,
                actor_id: request.actor,
                created_at: request.at,
            }
            .into()
        })?;
        let place = (request.room_id, user_id);
        self.members.remove(&place);
        if let Some(room) = self.rooms.get_mut(&request.room_id) {
            room.member_count = room.member_count.saturating_sub(1);
        }
        if let Some(count) = self.room_counts.get_mut(&user_id) {
            *count = count.saturating_sub(1);
        }
        changes.members.insert(place);
        changes.users.insert(user_id);
        Ok(event.into())
    }

    fn change_role(
        &mut self,
        request: Request,
        new: NewEvent,
        user_id: UserId,
        role: Role,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let place = (request.room_id, user_id);
        let member = self.members.get_mut(&place).ok_or(Rejection::UserNotFound)?;
        member.role = role;
        changes.members.insert(place);
        changes.users.insert(user_id);
        let event = self.record(request, new, changes, |seq| {
            RoleChanged { room_id: request.room_id, seq, user_id, role, actor_id: request.actor }.into()
        })?;
        Ok(event.into())
    }
}
