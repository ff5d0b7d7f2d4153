//! Accounts and logins as they go in and out of a store.

use super::StoreError;
use protocol::model::User;
use protocol::{Timestamp, UserId};
use std::fmt;
use uuid::Uuid;

/// A new user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Unique, in its stored form.
    pub username: String,
    /// What people read.
    pub display_name: String,
    /// The password's hash in PHC form; none for users of another issuer.
    pub password_hash: Option<String>,
    /// The subject under which another issuer knows the user.
    pub external_sub: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why a user could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// The username, or the subject, belongs to someone already.
    #[error("username is taken")]
    Taken,
    /// The store cannot do it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A user's account, for authentication.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The password's hash in PHC form.
    pub password_hash: Option<String>,
    /// Whether the account is disabled.
    pub disabled: bool,
    /// Grows with whatever changes for this user: memberships, roles, read markers, logins.
    pub version: u64,
}

/// How to find an account.
#[derive(Clone, Copy, Debug)]
pub enum AccountKey<'a> {
    /// By its id.
    Id(UserId),
    /// By its unique name, in its stored form.
    Username(&'a str),
    /// By another issuer's subject.
    ExternalSub(&'a str),
}

/// Names a login: a device where someone signed in. Unguessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginId(pub Uuid);

impl fmt::Display for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// SHA-256 of a refresh token's secret.
pub type RefreshHash = [u8; 32];

/// A new login.
#[derive(Clone, Debug)]
pub struct NewLogin {
    /// Names it.
    pub id: LoginId,
    /// Whose.
    pub user_id: UserId,
    /// The first refresh token's hash.
    pub refresh_hash: RefreshHash,
    /// When.
    pub at: Timestamp,
    /// When the refresh token ends.
    pub expires_at: Timestamp,
    /// The browser or program, as it names itself; cut to 256 bytes.
    pub user_agent: String,
}

/// A refresh token is exchanged for the next one.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The login.
    pub id: LoginId,
    /// The presented token's hash.
    pub presented: RefreshHash,
    /// The next token's hash.
    pub next: RefreshHash,
    /// When.
    pub at: Timestamp,
    /// When the next token ends.
    pub expires_at: Timestamp,
    /// The token before the current one is taken too if it was replaced after this time: the
    /// answer to its exchange may have been lost on the way.
    pub grace_from: Timestamp,
}

/// What became of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The next token is current.
    Done {
        /// Whose login.
        user_id: UserId,
    },
    /// The presented token was replaced before: someone else has it, so the login is ended now.
    Reused {
        /// Whose login.
        user_id: UserId,
    },
    /// No such login, or it ended.
    Unknown,
}
