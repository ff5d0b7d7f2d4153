//! What a rotation does to a login: pure, shared by every store.

use super::user::{NewLogin, RefreshHash, Rotated, Rotation};
use protocol::{Timestamp, UserId};

/// Longest user agent that is kept, in bytes.
const USER_AGENT_BYTES_MAX: usize = 256;

/// A login, as far as rotations change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginRow {
    pub(crate) user_id: UserId,
    pub(crate) refresh_hash: RefreshHash,
    /// The token before the current one, and when it was replaced first.
    pub(crate) previous: Option<(RefreshHash, Timestamp)>,
    pub(crate) used_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) revoked_at: Option<Timestamp>,
}

impl LoginRow {
    pub(crate) fn new(new: &NewLogin) -> Self {
        Self {
            user_id: new.user_id,
            refresh_hash: new.refresh_hash,
            previous: None,
            used_at: new.at,
            expires_at: new.expires_at,
            revoked_at: None,
        }
    }

    /// Whether it has neither been ended nor come to its end.
    pub(crate) fn is_valid(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at > at
    }
}

/// Exchanges the presented token.
///
/// The token before the current one may be exchanged again for as long as the grace lasts, counted
/// from its first exchange: an answer may be lost more than once. The token that was handed out in
/// between never arrived, so it ends.
pub(crate) fn rotate(login: &mut LoginRow, rotation: &Rotation) -> Rotated {
    let user_id = login.user_id;
    if !login.is_valid(rotation.at) {
        return Rotated::Unknown;
    }
    let again = login
        .previous
        .is_some_and(|(hash, replaced_at)| hash == rotation.presented && replaced_at > rotation.grace_from);
    if login.refresh_hash == rotation.presented {
        login.previous = Some((rotation.presented, rotation.at));
    } else if !again {
        login.revoked_at = Some(rotation.at);
        return Rotated::Reused { user_id };
    }
    login.refresh_hash = rotation.next;
    login.used_at = rotation.at;
    login.expires_at = rotation.expires_at;
    Rotated::Done { user_id }
}

/// The user agent as it is kept: cut between characters.
pub(crate) fn cut_user_agent(text: &str) -> &str {
    &text[..text.floor_char_boundary(USER_AGENT_BYTES_MAX)]
}
