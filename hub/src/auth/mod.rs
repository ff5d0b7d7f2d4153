//! Who is there: passwords, access tokens, refresh tokens and logins. Knows nothing of HTTP or
//! WebSocket; both ask [`Auth`].

mod account;
mod password;
mod provision;
mod refresh_token;
mod token;

pub use account::{LoginError, RefreshError, RegisterError, Registration, SignedIn};
pub use password::{PasswordParams, Passwords};
pub use token::{KeyError, Keys, OutsideKey};

use crate::clock::Clock;
use crate::limits::AUTH_STORE_TIMEOUT;
use crate::random::Random;
use crate::store::{AccountKey, LoginId, Store, StoreError};
use protocol::model::User;
use protocol::{CloseCode, ErrorCode, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use token::Subject;

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: User,
    /// The login behind the token; none for tokens that another issuer or a product minted.
    pub login: Option<LoginId>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Why a token does not speak for anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It was valid once: refresh it.
    #[error("access token expired")]
    Expired,
    /// It is none of ours, was changed, or names nobody.
    #[error("access token is not valid")]
    Invalid,
    /// The login behind it was ended.
    #[error("login was ended")]
    Revoked,
    /// The account is disabled.
    #[error("account is disabled")]
    Disabled,
    /// The store cannot be asked now.
    #[error("temporarily unavailable")]
    Unavailable,
}

impl AuthError {
    /// The code that tells it to the client.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Expired | Self::Invalid | Self::Revoked => ErrorCode::Unauthorized,
            Self::Disabled => ErrorCode::Forbidden,
            Self::Unavailable => ErrorCode::Unavailable,
        }
    }

    /// How a connection ends that has no valid token.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Expired => CloseCode::TokenExpired,
            Self::Invalid => CloseCode::Unauthorized,
            Self::Revoked => CloseCode::LoginRevoked,
            Self::Disabled => CloseCode::AccountDisabled,
            Self::Unavailable => CloseCode::Unavailable,
        }
    }
}

/// How authentication behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthSettings {
    /// How long an access token lives.
    pub access_lifetime: Duration,
    /// How long a refresh token lives; each exchange starts anew.
    pub refresh_lifetime: Duration,
    /// How long the refresh token before the current one is still taken: the answer to its
    /// exchange may have been lost on the way.
    pub refresh_grace: Duration,
    /// How far the clocks of issuers and nodes may differ.
    pub leeway: Duration,
    /// Whether anyone may register.
    pub registration: Registration,
    /// Whether a user whom another issuer's token names is made on first sight. It also makes the
    /// `sub` of every token without a login the issuer's subject rather than one of our user ids.
    pub provision: bool,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(15 * 60),
            refresh_lifetime: Duration::from_secs(30 * 24 * 3600),
            refresh_grace: Duration::from_secs(60),
            leeway: Duration::from_secs(30),
            registration: Registration::Open,
            provision: false,
        }
    }
}

/// Tells who is there.
#[derive(Debug)]
pub struct Auth {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    keys: Keys,
    passwords: Passwords,
    settings: AuthSettings,
}

impl Auth {
    /// Puts authentication together.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        keys: Keys,
        passwords: Passwords,
        settings: AuthSettings,
    ) -> Self {
        Self { store, clock, random, keys, passwords, settings }
    }

    /// Tells whom an access token speaks for: its signature and times hold, its login is alive and
    /// its account enabled, as of now.
    ///
    /// # Errors
    /// [`AuthError`], which says what to tell the client.
    pub async fn verify(&self, token: &str) -> Result<Identity, AuthError> {
        let claims = self.keys.read(token, self.clock.now(), self.settings.leeway)?;
        let subject = claims.subject(self.settings.provision)?;
        let account = match subject {
            Subject::Own(id) => within(self.store.account(AccountKey::Id(id))).await?,
            Subject::Outside(ref sub) => self.outside_account(sub, claims.name.as_deref()).await?,
        };
        let account = account.ok_or(AuthError::Invalid)?;
        if account.disabled {
            return Err(AuthError::Disabled);
        }
        if let Some(login) = claims.login
            && !within(self.store.login_is_alive(login)).await?
        {
            return Err(AuthError::Revoked);
        }
        Ok(Identity { user: account.user, login: claims.login, expires_at: claims.expires_at })
    }
}

/// Waits for the store, but not for ever.
async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, AuthError> {
    match tokio::time::timeout(AUTH_STORE_TIMEOUT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            tracing::warn!(%error, "authentication could not ask the store");
            Err(AuthError::Unavailable)
        }
        Err(_elapsed) => {
            tracing::warn!("authentication waited too long for the store");
            Err(AuthError::Unavailable)
        }
    }
}
