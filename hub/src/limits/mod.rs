//! Every bound of the node that is not the protocol's.

mod rate;

pub use rate::{Limiter, Rate, RateLimiter, RetryAfter};

use protocol::UserId;
use std::net::IpAddr;
use std::time::Duration;

/// How long authentication waits for the store.
pub const AUTH_STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a password waits for its turn to be hashed.
pub const PASSWORD_WAIT: Duration = Duration::from_secs(5);
/// Most passwords that wait for their turn, for each that is hashed at a time.
pub const PASSWORDS_WAITING_MAX: usize = 32;
/// Longest subject of another issuer, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Longest refresh token, in bytes: a UUID, a dot and 32 bytes in base64.
pub const REFRESH_TOKEN_BYTES_MAX: usize = 128;
/// How many users, names or addresses a rate limiter tells apart.
pub const RATE_KEYS_MAX: usize = 100_000;
/// Largest body of a request, in bytes: that of the largest frame.
pub const BODY_BYTES_MAX: usize = protocol::limits::FRAME_BYTES_MAX;
/// How long a request may take, its body included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the parts of a node have to answer `/ready`.
pub const READY_TIMEOUT: Duration = Duration::from_secs(2);

const _: () =
    assert!(PASSWORD_WAIT.as_millis() + 3 * AUTH_STORE_TIMEOUT.as_millis() < REQUEST_TIMEOUT.as_millis());

/// The rates of a node; what has none is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Logins of one address.
    pub login_address: Option<Rate>,
    /// Logins to one username, right or wrong.
    pub login_name: Option<Rate>,
    /// Registrations of one address.
    pub register_address: Option<Rate>,
    /// REST requests without an access token (refresh, logout) of one address.
    pub anonymous_address: Option<Rate>,
    /// REST requests of one user.
    pub requests_user: Option<Rate>,
    /// Durable operations of one user, by WebSocket and REST together.
    pub operations_user: Option<Rate>,
    /// Frames of one connection.
    pub frames_connection: Option<Rate>,
}

impl Rates {
    /// No limits.
    pub const OFF: Self = Self {
        login_address: None,
        login_name: None,
        register_address: None,
        anonymous_address: None,
        requests_user: None,
        operations_user: None,
        frames_connection: None,
    };
}

/// The rate limiters of a node.
#[derive(Debug)]
pub struct RateLimits {
    /// Logins of one address.
    pub login_address: RateLimiter<AddressKey>,
    /// Logins to one username.
    pub login_name: RateLimiter<String>,
    /// Registrations of one address.
    pub register_address: RateLimiter<AddressKey>,
    /// REST requests without an access token of one address.
    pub anonymous_address: RateLimiter<AddressKey>,
    /// REST requests of one user.
    pub requests_user: RateLimiter<UserId>,
    /// Durable operations of one user, by WebSocket and REST together.
    pub operations_user: RateLimiter<UserId>,
    frames_connection: Option<Rate>,
}

impl RateLimits {
    /// Makes the limiters.
    #[must_use]
    pub fn new(rates: &Rates) -> Self {
        Self {
            login_address: RateLimiter::new(rates.login_address, RATE_KEYS_MAX),
            login_name: RateLimiter::new(rates.login_name, RATE_KEYS_MAX),
            register_address: RateLimiter::new(rates.register_address, RATE_KEYS_MAX),
            anonymous_address: RateLimiter::new(rates.anonymous_address, RATE_KEYS_MAX),
            requests_user: RateLimiter::new(rates.requests_user, RATE_KEYS_MAX),
            operations_user: RateLimiter::new(rates.operations_user, RATE_KEYS_MAX),
            frames_connection: rates.frames_connection,
        }
    }

    /// Limits the frames of a new connection.
    #[must_use]
    pub fn connection(&self) -> Limiter {
        Limiter::new(self.frames_connection)
    }
}

/// An address as rate limits tell it apart: an IPv6 user has a whole /64 (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey(u128);

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits() & !u128::from(u64::MAX)),
        }
    }
}
