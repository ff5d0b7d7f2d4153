//! Who may do what in a room: the one place where an operation is allowed or refused. Pure; stores
//! call it inside the transaction, on the state under the room's lock.

use crate::store::RoomOp;
use protocol::ErrorCode;
use protocol::limits::{REACTIONS_PER_MESSAGE_MAX, ROOMS_PER_USER_MAX};
use protocol::model::{Role, RoomKind};
use protocol::planted::{self, Bug};

/// What is known, under the room's lock, of everything that an operation names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The room, if it exists.
    pub room: Option<RoomFacts>,
    /// The one who asks.
    pub actor: Standing,
    /// The user whom the operation names, if such a user exists.
    pub target: Option<Standing>,
    /// The message that the operation names, if it is one of this room.
    pub message: Option<MessageFacts>,
    /// Whether another public room has the name that the room would get.
    pub name_taken: bool,
    /// Whether what is asked of a message or of the room's settings is the case already: the same
    /// text, the reaction there or gone, the pin set or not, the same name and topic.
    pub already: bool,
}

/// A room, as far as the rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomFacts {
    /// Who may find and join it.
    pub kind: RoomKind,
    /// How many members it has.
    pub member_count: u64,
}

/// How someone stands to the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Their role, if they are a member.
    pub role: Option<Role>,
    /// Whether they are kept out.
    pub banned: bool,
    /// How many rooms they are in.
    pub rooms: u64,
}

/// A message, as far as the rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageFacts {
    /// Whether the asker wrote it.
    pub is_own: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// How many different emoji are on it, the asked one aside.
    pub other_emoji: usize,
}

/// What an allowed operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It changes the room.
    Change,
    /// What it asks for is the case already: it commits without an event.
    Already,
}

/// Judges an operation in a room.
///
/// A private room that the asker may not see is refused as one that does not exist, whatever the
/// operation.
///
/// # Errors
/// Why it is refused.
pub fn judge(op: &RoomOp, facts: &Facts) -> Result<Verdict, Rejection> {
    let room = facts.room.ok_or(Rejection::NotMember)?;
    if matches!(op, RoomOp::Join) {
        return join(room, facts.actor);
    }
    let role = facts.actor.role.ok_or(Rejection::NotMember)?;
    match op {
        RoomOp::Join => join(room, facts.actor),
        // An answer keeps only facts of the message that it answers, so that one written while
        // that message was being deleted is worth as much as one written just before.
        RoomOp::Send { reply_to, .. } => {
            if reply_to.is_some() {
                message(facts).map(|_| Verdict::Change)
            } else {
                Ok(Verdict::Change)
            }
        }
        RoomOp::Edit { .. } => edit(facts),
        RoomOp::Delete { .. } => delete(role, facts),
        RoomOp::AddReaction { .. } => add_reaction(facts),
        RoomOp::RemoveReaction { .. } => message(facts).map(|_| changes_unless(facts.already)),
        RoomOp::Pin { .. } => {
            at_least(role, Role::Admin)?;
            living_message(facts).map(|_| changes_unless(facts.already))
        }
        RoomOp::Unpin { .. } => {
            at_least(role, Role::Admin)?;
            message(facts).map(|_| changes_unless(facts.already))
        }
        RoomOp::Update { .. } => update(role, room, facts),
        RoomOp::Leave if role == Role::Owner && room.member_count > 1 => Err(Rejection::OwnerLeaves),
        RoomOp::Leave => Ok(Verdict::Change),
        RoomOp::Invite { .. } => invite(role, room, facts),
        RoomOp::Kick { .. } => kick(role, facts),
        RoomOp::Ban { .. } => ban(role, facts),
        RoomOp::Unban { .. } => {
            at_least(role, Role::Admin)?;
            target(facts).map(|target| changes_unless(!target.banned))
        }
        RoomOp::SetRole { role: wanted, .. } => set_role(role, *wanted, facts),
    }
}

/// Judges the making of a room.
///
/// # Errors
/// Why it is refused.
pub const fn judge_create(kind: RoomKind, name_taken: bool, maker: Standing) -> Result<(), Rejection> {
    if name_taken && matches!(kind, RoomKind::Public) {
        return Err(Rejection::NameTaken);
    }
    room_for_one_more(maker)
}

/// The role of one who becomes a member: whoever enters a room that all have left owns it.
#[must_use]
pub const fn role_on_joining(room: RoomFacts) -> Role {
    if room.member_count == 0 { Role::Owner } else { Role::Member }
}

fn join(room: RoomFacts, actor: Standing) -> Result<Verdict, Rejection> {
    if actor.role.is_some() {
        return Ok(Verdict::Already);
    }
    match room.kind {
        RoomKind::Private => return Err(Rejection::NotMember),
        RoomKind::Public if actor.banned => return Err(Rejection::Banned),
        RoomKind::Public => {}
    }
    room_for_one_more(actor)?;
    Ok(Verdict::Change)
}

fn edit(facts: &Facts) -> Result<Verdict, Rejection> {
    if !message(facts)?.is_own {
        return Err(Rejection::NotWriter);
    }
    living_message(facts).map(|_| changes_unless(facts.already))
}

fn delete(role: Role, facts: &Facts) -> Result<Verdict, Rejection> {
    let message = message(facts)?;
    if !message.is_own {
        at_least(role, Role::Admin)?;
    }
    Ok(changes_unless(message.deleted))
}

fn add_reaction(facts: &Facts) -> Result<Verdict, Rejection> {
    let message = living_message(facts)?;
    if facts.already {
        return Ok(Verdict::Already);
    }
    if message.other_emoji >= REACTIONS_PER_MESSAGE_MAX {
        return Err(Rejection::TooManyReactions);
    }
    Ok(Verdict::Change)
}

fn update(role: Role, room: RoomFacts, facts: &Facts) -> Result<Verdict, Rejection> {
    at_least(role, Role::Admin)?;
    if facts.name_taken && room.kind == RoomKind::Public {
        return Err(Rejection::NameTaken);
    }
    Ok(changes_unless(facts.already))
}

fn invite(role: Role, room: RoomFacts, facts: &Facts) -> Result<Verdict, Rejection> {
    match room.kind {
        RoomKind::Public => {}
        RoomKind::Private => at_least(role, Role::Admin)?,
    }
    let target = target(facts)?;
    if target.role.is_some() {
        return Ok(Verdict::Already);
    }
    if target.banned {
        return Err(Rejection::TargetBanned);
    }
    room_for_one_more(target).map(|()| Verdict::Change)
}

fn kick(role: Role, facts: &Facts) -> Result<Verdict, Rejection> {
    at_least(role, Role::Admin)?;
    let current = target(facts)?.role.ok_or(Rejection::UserNotFound)?;
    lesser(current, role).map(|()| Verdict::Change)
}

fn ban(role: Role, facts: &Facts) -> Result<Verdict, Rejection> {
    at_least(role, Role::Admin)?;
    let target = target(facts)?;
    match target.role {
        Some(current) => lesser(current, role).map(|()| Verdict::Change),
        None => Ok(changes_unless(target.banned)),
    }
}

fn set_role(role: Role, wanted: Role, facts: &Facts) -> Result<Verdict, Rejection> {
    at_least(role, Role::Owner)?;
    let current = target(facts)?.role.ok_or(Rejection::UserNotFound)?;
    // The one owner steps down by giving the room away, not by leaving it without one.
    if current == Role::Owner && wanted != Role::Owner {
        return Err(Rejection::OwnerLeaves);
    }
    Ok(changes_unless(current == wanted))
}

fn message(facts: &Facts) -> Result<MessageFacts, Rejection> {
    facts.message.ok_or(Rejection::MessageNotFound)
}

fn living_message(facts: &Facts) -> Result<MessageFacts, Rejection> {
    let message = message(facts)?;
    if message.deleted { Err(Rejection::MessageDeleted) } else { Ok(message) }
}

fn target(facts: &Facts) -> Result<Standing, Rejection> {
    facts.target.ok_or(Rejection::UserNotFound)
}

fn lesser(theirs: Role, role: Role) -> Result<(), Rejection> {
    if theirs < role { Ok(()) } else { Err(Rejection::RoleTooLow) }
}

const fn changes_unless(already: bool) -> Verdict {
    if already { Verdict::Already } else { Verdict::Change }
}

fn at_least(role: Role, needed: Role) -> Result<(), Rejection> {
    if role >= needed || planted::has(Bug::RoleNotAsked) { Ok(()) } else { Err(Rejection::RoleTooLow) }
}

const fn room_for_one_more(standing: Standing) -> Result<(), Rejection> {
    if standing.rooms >= ROOMS_PER_USER_MAX as u64 { Err(Rejection::TooManyRooms) } else { Ok(()) }
}

/// Why an operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The room does not exist, or is private and the actor no member.
    #[error("you are not a member of this room")]
    NotMember,
    /// No such message in this room.
    #[error("no such message in this room")]
    MessageNotFound,
    /// No such user, or no member of the room.
    #[error("no such user")]
    UserNotFound,
    /// The actor's role does not allow it.
    #[error("your role in this room does not allow that")]
    RoleTooLow,
    /// Only a message's writer edits it.
    #[error("only its writer may edit a message")]
    NotWriter,
    /// The actor is banned from the room.
    #[error("you are banned from this room")]
    Banned,
    /// The one to be let in is banned from the room.
    #[error("this user is banned from the room")]
    TargetBanned,
    /// The owner must hand the room on before leaving members behind.
    #[error("hand the room to another owner before you leave it")]
    OwnerLeaves,
    /// The message was deleted.
    #[error("the message was deleted")]
    MessageDeleted,
    /// A public room of this name exists.
    #[error("a public room of this name exists")]
    NameTaken,
    /// The user is in as many rooms as allowed.
    #[error("at most {} rooms a user", protocol::limits::ROOMS_PER_USER_MAX)]
    TooManyRooms,
    /// The message has as many different emoji as allowed.
    #[error("at most {} different reactions on a message", protocol::limits::REACTIONS_PER_MESSAGE_MAX)]
    TooManyReactions,
    /// The client used this name before for something else.
    #[error("client_id was used before for something else")]
    ClientIdReused,
}

impl Rejection {
    /// The code that tells it to the client.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::NotMember => ErrorCode::NotMember,
            Self::MessageNotFound | Self::UserNotFound => ErrorCode::NotFound,
            Self::RoleTooLow | Self::NotWriter | Self::Banned | Self::TargetBanned => ErrorCode::Forbidden,
            Self::OwnerLeaves
            | Self::MessageDeleted
            | Self::NameTaken
            | Self::TooManyRooms
            | Self::TooManyReactions => ErrorCode::Conflict,
            Self::ClientIdReused => ErrorCode::ClientIdReused,
        }
    }

    /// The field at fault, where it is one.
    #[must_use]
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Self::MessageNotFound | Self::MessageDeleted | Self::NotWriter => Some("message_id"),
            Self::UserNotFound | Self::TargetBanned => Some("user"),
            Self::NameTaken => Some("name"),
            Self::TooManyReactions => Some("emoji"),
            Self::ClientIdReused => Some("client_id"),
            Self::NotMember | Self::Banned => Some("room_id"),
            Self::RoleTooLow | Self::OwnerLeaves | Self::TooManyRooms => None,
        }
    }
}

#[cfg(test)]
mod tests;
