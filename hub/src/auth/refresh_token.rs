//! Refresh tokens: `{login}.{secret}`, of which the store keeps only a hash.

use crate::limits::REFRESH_TOKEN_BYTES_MAX;
use crate::random::Random;
use crate::store::{LoginId, RefreshHash};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const SECRET_BYTES: usize = 32;

/// A refresh token as a client presents it.
pub(super) struct Presented {
    pub(super) login: LoginId,
    pub(super) hash: RefreshHash,
}

/// Makes the next refresh token of a login: its text, and what the store keeps of it. SHA-256
/// without salt is enough, since the secret is 256 random bits.
pub(super) fn issue(login: LoginId, random: &dyn Random) -> (String, RefreshHash) {
    let mut secret = [0; SECRET_BYTES];
    random.fill(&mut secret);
    (format!("{login}.{}", URL_SAFE_NO_PAD.encode(secret)), Sha256::digest(secret).into())
}

/// Reads a refresh token; `None` for anything else.
pub(super) fn read(text: &str) -> Option<Presented> {
    if text.len() > REFRESH_TOKEN_BYTES_MAX {
        return None;
    }
    let (login, secret) = text.split_once('.')?;
    let login = LoginId(Uuid::try_parse(login).ok()?);
    let secret = URL_SAFE_NO_PAD.decode(secret).ok()?;
    (secret.len() == SECRET_BYTES).then(|| Presented { login, hash: Sha256::digest(&secret).into() })
}
