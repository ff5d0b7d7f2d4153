//! Every bound of the node that is not the protocol's.

pub mod bounds;
mod rate;

pub use bounds::{
    AUTH_STORE_TIMEOUT, BODY_BYTES_MAX, PASSWORD_WAIT, PASSWORDS_WAITING_MAX, RATE_KEYS_MAX, READY_TIMEOUT,
    REFRESH_TOKEN_BYTES_MAX, REQUEST_TIMEOUT, SUBJECT_BYTES_MAX,
};
pub use rate::{Limiter, Rate, RateLimiter, RetryAfter};

use protocol::UserId;
use std::net::IpAddr;

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
