//! What operations on messages do.

use super::apply::{Effect, Request};
use super::{Changes, MessageRow, NewEvent, ReactionRow, State, scrubbed};
use crate::rules::Rejection;
use crate::store::op::{CommittedMessage, Event};
use protocol::event::{
    MessageDeleted, MessageEdited, MessagePinned, MessageUnpinned, NewMessage, ReactionAdded, ReactionRemoved,
};
use protocol::model::ReplyTo;
use protocol::planted::{self, Bug};
use protocol::{MessageId, MessageNo, RoomId, Seq, UserId};
use std::collections::BTreeSet;

impl State {
    pub(super) fn send(
        &mut self,
        request: Request,
        content: &str,
        reply_to: Option<MessageId>,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let writer = self.users.get(&request.actor).cloned().ok_or(Rejection::NotMember)?;
        let room = self.rooms.get_mut(&request.room_id).ok_or(Rejection::NotMember)?;
        room.last_message_no = room.last_message_no.next();
        let message_no = room.last_message_no;
        let message_id = self.take_message_id();
        let mentions = self.mentioned(request, content);
        let reply = reply_to.and_then(|id| self.reply_to(id));
        let event = self.record(request, NewEvent::unnamed(request), changes, |seq| {
            NewMessage {
                room_id: request.room_id,
                seq,
                message_no,
                message_id,
                user_id: request.actor,
                username: writer.username,
                display_name: writer.display_name,
                content: content.to_owned(),
                created_at: request.at,
                client_id: Some(request.client_id),
                reply_to: reply,
                mentions: mentions.clone(),
                deleted: false,
            }
            .into()
        })?;
        self.firsts.insert(request.name(), (request.room_id, event.seq));
        let message = new_message(request, message_no, event.seq, content, reply_to, mentions);
        if !message.mentions.is_empty() {
            changes.mentions.insert(message_id);
        }
        self.messages.insert(message_id, message);
        changes.new_messages.insert(message_id);
        let names = CommittedMessage { message_id, message_no, created_at: request.at };
        Ok(Effect { events: vec![event], message: Some(names) })
    }

    pub(super) fn edit(
        &mut self,
        request: Request,
        message_id: MessageId,
        content: &str,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let message_no = self.message_no(message_id)?;
        let mentions = self.mentioned(request, content);
        let new = NewEvent { edits: Some(message_id), ..NewEvent::named(request) };
        let event = self.record(request, new, changes, |seq| {
            MessageEdited {
                room_id: request.room_id,
                seq,
                message_id,
                message_no,
                user_id: request.actor,
                content: content.to_owned(),
                mentions: mentions.clone(),
                edited_at: request.at,
            }
            .into()
        })?;
        let message = self.touch(message_id, &event, changes)?;
        message.edits.push(event.seq);
        content.clone_into(&mut message.content);
        message.edited_at = Some(request.at);
        if message.mentions != mentions {
            message.mentions = mentions;
            changes.mentions.insert(message_id);
        }
        Ok(event.into())
    }

    pub(super) fn delete(
        &mut self,
        request: Request,
        message_id: MessageId,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let message_no = self.message_no(message_id)?;
        let writer = self.messages.get(&message_id).map_or(request.actor, |message| message.user_id);
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            MessageDeleted {
                room_id: request.room_id,
                seq,
                message_id,
                message_no,
                user_id: writer,
                actor_id: request.actor,
                deleted_at: request.at,
            }
            .into()
        })?;
        let message = self.touch(message_id, &event, changes)?;
        if !planted::has(Bug::PageKeepsDeleted) {
            message.content.clear();
        }
        message.deleted_at = Some(request.at);
        message.pinned_at = None;
        message.mentions.clear();
        message.reactions.clear();
        changes.mentions.insert(message_id);
        let told: Vec<Seq> = std::iter::once(message.seq).chain(message.edits.iter().copied()).collect();
        if !planted::has(Bug::LogKeepsDeleted) {
            self.scrub(request.room_id, &told);
        }
        changes.scrubs.insert(message_id);
        Ok(event.into())
    }

    pub(super) fn add_reaction(
        &mut self,
        request: Request,
        message_id: MessageId,
        emoji: &str,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let message_no = self.message_no(message_id)?;
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            ReactionAdded {
                room_id: request.room_id,
                seq,
                message_id,
                message_no,
                user_id: request.actor,
                emoji: emoji.to_owned(),
            }
            .into()
        })?;
        let message = self.touch(message_id, &event, changes)?;
        let emoji_seq = message.reactions.iter().find(|row| row.emoji == emoji);
        let row = ReactionRow {
            emoji: emoji.to_owned(),
            user_id: request.actor,
            seq: event.seq,
            emoji_seq: emoji_seq.map_or(event.seq, |row| row.emoji_seq),
        };
        message.reactions.push(row);
        message.reactions.sort_by_key(|row| (row.emoji_seq, row.seq));
        changes.reactions.insert((message_id, emoji.to_owned(), request.actor));
        Ok(event.into())
    }

    pub(super) fn remove_reaction(
        &mut self,
        request: Request,
        message_id: MessageId,
        emoji: &str,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let message_no = self.message_no(message_id)?;
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            ReactionRemoved {
                room_id: request.room_id,
                seq,
                message_id,
                message_no,
                user_id: request.actor,
                emoji: emoji.to_owned(),
            }
            .into()
        })?;
        let message = self.touch(message_id, &event, changes)?;
        message.reactions.retain(|row| !(row.emoji == emoji && row.user_id == request.actor));
        changes.reactions.insert((message_id, emoji.to_owned(), request.actor));
        Ok(event.into())
    }

    pub(super) fn pin(
        &mut self,
        request: Request,
        message_id: MessageId,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let message_no = self.message_no(message_id)?;
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            MessagePinned {
                room_id: request.room_id,
                seq,
                message_id,
                message_no,
                actor_id: request.actor,
                pinned_at: request.at,
            }
            .into()
        })?;
        self.touch(message_id, &event, changes)?.pinned_at = Some(request.at);
        Ok(event.into())
    }

    pub(super) fn unpin(
        &mut self,
        request: Request,
        message_id: MessageId,
        changes: &mut Changes,
    ) -> Result<Effect, Rejection> {
        let message_no = self.message_no(message_id)?;
        if planted::has(Bug::PinsForEver) {
            return Ok(Effect::default());
        }
        let event = self.record(request, NewEvent::named(request), changes, |seq| {
            MessageUnpinned { room_id: request.room_id, seq, message_id, message_no, actor_id: request.actor }
                .into()
        })?;
        self.touch(message_id, &event, changes)?.pinned_at = None;
        Ok(event.into())
    }

    /// What an answer to this message tells of it.
    pub(crate) fn reply_to(&self, message_id: MessageId) -> Option<ReplyTo> {
        let message = self.messages.get(&message_id)?;
        let writer = self.users.get(&message.user_id)?;
        Some(ReplyTo {
            message_id,
            message_no: message.message_no,
            user_id: message.user_id,
            username: writer.username.clone(),
            display_name: writer.display_name.clone(),
        })
    }

    /// The members whom a text mentions, the writer aside, in order of their id.
    fn mentioned(&self, request: Request, content: &str) -> Vec<UserId> {
        let names = protocol::validate::mentions(content);
        let users = names.iter().filter_map(|name| self.usernames.get(name).copied());
        let members = users.filter(|user| self.members.contains_key(&(request.room_id, *user)));
        members.filter(|user| *user != request.actor).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn message_no(&self, message_id: MessageId) -> Result<MessageNo, Rejection> {
        self.messages.get(&message_id).map(|m| m.message_no).ok_or(Rejection::MessageNotFound)
    }

    /// The message, marked as changed by an event.
    fn touch(
        &mut self,
        message_id: MessageId,
        event: &Event,
        changes: &mut Changes,
    ) -> Result<&mut MessageRow, Rejection> {
        let message = self.messages.get_mut(&message_id).ok_or(Rejection::MessageNotFound)?;
        message.latest_seq = event.seq;
        if !changes.new_messages.contains(&message_id) {
            changes.messages.insert(message_id);
        }
        Ok(message)
    }

    fn scrub(&mut self, room_id: RoomId, told: &[Seq]) {
        for seq in told {
            if let Some(event) = self.events.get_mut(&(room_id, *seq)) {
                *event = scrubbed(event);
            }
        }
    }
}

fn new_message(
    request: Request,
    message_no: MessageNo,
    seq: Seq,
    content: &str,
    reply_to: Option<MessageId>,
    mentions: Vec<UserId>,
) -> MessageRow {
    MessageRow {
        room_id: request.room_id,
        message_no,
        seq,
        latest_seq: seq,
        user_id: request.actor,
        client_id: request.client_id,
        content: content.to_owned(),
        reply_to,
        mentions,
        reactions: Vec::new(),
        created_at: request.at,
        edited_at: None,
        deleted_at: None,
        pinned_at: None,
        edits: Vec::new(),
    }
}
