//! Every bound of the node that is not the protocol's.

use std::time::Duration;

/// How long authentication waits for the store.
pub const AUTH_STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a password waits for its turn to be hashed.
pub const PASSWORD_WAIT: Duration = Duration::from_secs(5);
/// Most passwords that wait for their turn, for each that is hashed at a time.
pub const PASSWORDS_WAITING_MAX: usize = 32;
/// Longest subject of another issuer, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Longest name of a browser or program that is kept with a login, in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 256;
/// Longest refresh token, in bytes: a UUID, a dot and 32 bytes in base64.
pub const REFRESH_TOKEN_BYTES_MAX: usize = 128;
