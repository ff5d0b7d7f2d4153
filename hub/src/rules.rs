//! Who may do what in a room: the one place where an operation is allowed or refused. Pure; stores
//! call it inside the transaction, on the state under the room's lock.

use protocol::ErrorCode;

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
