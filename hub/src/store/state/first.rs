//! Retries: whether an operation asks for the same as an earlier one under the same name.
//!
//! What was asked for is read off the event that it became: it differs when that event would have
//! said something else. A field of an update that was left out never differs, nor does a text that
//! was deleted since. An operation that left no event behind (it changed nothing, it lifted a ban,
//! it banned one who is no member) is judged afresh: it asks for a state, so asking again is harmless.

use crate::rules::Rejection;
use crate::store::op::{Committed, CommittedMessage, Event, Op, Outcome, RoomOp};
use protocol::event::{LeaveReason, RoomEvent};

/// What a retry is answered.
pub(super) fn repeat(op: &Op, event: &Event) -> Outcome {
    let Ok(first) = serde_json::from_str::<RoomEvent>(&event.json) else {
        return Err(Rejection::ClientIdReused);
    };
    let same = match op {
        Op::CreateRoom { name, kind, topic } => matches!(&first, RoomEvent::RoomCreated(created)
            if created.name == *name && created.kind == *kind && created.topic == *topic),
        Op::InRoom { op, .. } => asked_the_same(op, &first),
    };
    if !same {
        return Err(Rejection::ClientIdReused);
    }
    let message = if let RoomEvent::NewMessage(new) = &first {
        let (message_id, message_no, created_at) = (new.message_id, new.message_no, new.created_at);
        Some(CommittedMessage { message_id, message_no, created_at })
    } else {
        None
    };
    Ok(Committed { room_id: first.room_id(), seq: first.seq(), message, events: Vec::new() })
}

fn asked_the_same(op: &RoomOp, first: &RoomEvent) -> bool {
    match (op, first) {
        (RoomOp::Send { content, reply_to }, RoomEvent::NewMessage(new)) => {
            *reply_to == new.reply_to.as_ref().map(|reply| reply.message_id)
                && (new.deleted || *content == new.content)
        }
        // No text is empty, so that an empty one was scrubbed.
        (RoomOp::Edit { message_id, content }, RoomEvent::MessageEdited(edited)) => {
            *message_id == edited.message_id && (edited.content.is_empty() || *content == edited.content)
        }
        (RoomOp::Delete { message_id }, RoomEvent::MessageDeleted(deleted)) => {
            *message_id == deleted.message_id
        }
        (RoomOp::AddReaction { message_id, emoji }, RoomEvent::ReactionAdded(added)) => {
            *message_id == added.message_id && *emoji == added.emoji
        }
        (RoomOp::RemoveReaction { message_id, emoji }, RoomEvent::ReactionRemoved(removed)) => {
            *message_id == removed.message_id && *emoji == removed.emoji
        }
        (RoomOp::Pin { message_id }, RoomEvent::MessagePinned(pinned)) => *message_id == pinned.message_id,
        (RoomOp::Unpin { message_id }, RoomEvent::MessageUnpinned(unpinned)) => {
            *message_id == unpinned.message_id
        }
        (RoomOp::Update { name, topic }, RoomEvent::RoomUpdated(updated)) => {
            name.as_ref().is_none_or(|name| *name == updated.name)
                && topic.as_ref().is_none_or(|topic| *topic == updated.topic)
        }
        (RoomOp::Join, RoomEvent::MemberJoined(joined)) => joined.actor_id == joined.user_id,
        (RoomOp::Invite { username }, RoomEvent::MemberJoined(joined)) => {
            joined.actor_id != joined.user_id && *username == joined.username
        }
        (RoomOp::Leave, RoomEvent::MemberLeft(left)) => left.reason == LeaveReason::Left,
        (RoomOp::Kick { user_id }, RoomEvent::MemberLeft(left)) => {
            left.reason == LeaveReason::Kicked && *user_id == left.user_id
        }
        (RoomOp::Ban { user_id }, RoomEvent::MemberLeft(left)) => {
            left.reason == LeaveReason::Banned && *user_id == left.user_id
        }
        (RoomOp::SetRole { user_id, role }, RoomEvent::RoleChanged(changed)) => {
            *user_id == changed.user_id && *role == changed.role
        }
        _ => false,
    }
}
