//! Registering, signing in and out, and the exchange of refresh tokens.

use super::password::PasswordError;
use super::token::Grant;
use super::{Auth, AuthError, refresh_token, within};
use crate::limits::AUTH_STORE_TIMEOUT;
use crate::store::{AccountKey, CreateUserError, LoginId, NewLogin, NewUser, Rotated, Rotation};
use protocol::model::User;
use protocol::validate::{self, FieldError};
use protocol::{Timestamp, UserId};
use std::time::Duration;

/// Whether anyone may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone may.
    Open,
    /// Nobody may: users come from another issuer, or were there before.
    Closed,
}

/// Someone who signed in, with the tokens to stay so.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The access token.
    pub access_token: String,
    /// The refresh token, good for one exchange.
    pub refresh_token: String,
    /// How long the access token lives.
    pub expires_in: Duration,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why nobody was registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// A field is not allowed.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Someone has the name.
    #[error("username is taken")]
    Taken,
    /// Nobody may register.
    #[error("registration is closed")]
    Closed,
    /// Cannot be told now.
    #[error("temporarily unavailable")]
    Unavailable,
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// No such user, or another password; which of them is not told.
    #[error("wrong username or password")]
    WrongCredentials,
    /// The account is disabled.
    #[error("account is disabled")]
    Disabled,
    /// Cannot be told now.
    #[error("temporarily unavailable")]
    Unavailable,
}

/// Why a refresh token was not exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// It is none, or its login ended.
    #[error("refresh token is not valid")]
    Invalid,
    /// It was exchanged before. Someone else may have it, so its login is ended now: ring for the
    /// user's connections.
    #[error("refresh token was used before; sign in again")]
    Reused(UserId),
    /// The account is disabled.
    #[error("account is disabled")]
    Disabled,
    /// Cannot be told now; the same token may be tried again.
    #[error("temporarily unavailable")]
    Unavailable,
}

impl Auth {
    /// Makes a user with a password and signs them in.
    ///
    /// # Errors
    /// [`RegisterError`]; on `Unavailable` the user may exist already.
    pub async fn register(
        &self,
        username: &str,
        password: String,
        display_name: Option<&str>,
        user_agent: &str,
    ) -> Result<SignedIn, RegisterError> {
        if self.settings.registration == Registration::Closed {
            return Err(RegisterError::Closed);
        }
        let username = validate::username(username)?;
        let display_name = display_name.map(validate::display_name).transpose()?;
        let display_name = display_name.unwrap_or_else(|| username.clone());
        validate::password(&password)?;
        // Spares the hash; the store has the last word.
        if within(self.store.account(AccountKey::Username(&username))).await?.is_some() {
            return Err(RegisterError::Taken);
        }
        let hash = self.passwords.hash(password, self.random.as_ref()).await?;
        let user = NewUser {
            username,
            display_name,
            password_hash: Some(hash),
            external_sub: None,
            at: self.clock.now(),
        };
        let created = tokio::time::timeout(AUTH_STORE_TIMEOUT, self.store.create_user(user)).await;
        let user = match created {
            Ok(Ok(user)) => user,
            Ok(Err(CreateUserError::Taken)) => return Err(RegisterError::Taken),
            Ok(Err(CreateUserError::Store(error))) => {
                tracing::warn!(%error, "store could not make a user");
                return Err(RegisterError::Unavailable);
            }
            Err(_elapsed) => return Err(RegisterError::Unavailable),
        };
        Ok(self.start_login(user, user_agent).await?)
    }

    /// Signs a user in by password.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(
        &self,
        username: &str,
        password: String,
        user_agent: &str,
    ) -> Result<SignedIn, LoginError> {
        let account = match validate::username(username) {
            Ok(username) => within(self.store.account(AccountKey::Username(&username))).await?,
            Err(_) => None,
        };
        let password = if validate::password(&password).is_ok() { password } else { String::new() };
        let phc = account.as_ref().and_then(|account| account.password_hash.clone());
        if !self.passwords.matches(password, phc).await? {
            return Err(LoginError::WrongCredentials);
        }
        let account = account.ok_or(LoginError::WrongCredentials)?;
        if account.disabled {
            return Err(LoginError::Disabled);
        }
        Ok(self.start_login(account.user, user_agent).await?)
    }

    /// Exchanges a refresh token for the next pair of tokens.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub async fn refresh(&self, token: &str) -> Result<SignedIn, RefreshError> {
        let presented = refresh_token::read(token).ok_or(RefreshError::Invalid)?;
        let (refresh_token, next) = refresh_token::issue(presented.login, self.random.as_ref());
        let at = self.clock.now();
        let rotation = Rotation {
            id: presented.login,
            presented: presented.hash,
            next,
            at,
            expires_at: after(at, self.settings.refresh_lifetime),
            grace_from: before(at, self.settings.refresh_grace),
        };
        let user_id = match within(self.store.rotate_login(rotation)).await? {
            Rotated::Done { user_id } => user_id,
            Rotated::Reused { user_id } => {
                tracing::warn!(%user_id, "a refresh token was used again; its login is ended");
                return Err(RefreshError::Reused(user_id));
            }
            Rotated::Unknown => return Err(RefreshError::Invalid),
        };
        let account = within(self.store.account(AccountKey::Id(user_id))).await?;
        let account = account.ok_or(RefreshError::Invalid)?;
        if account.disabled {
            return Err(RefreshError::Disabled);
        }
        Ok(self.signed_in(account.user, presented.login, refresh_token)?)
    }

    /// Ends the login of a refresh token; whose it was, if it was alive. To know a login's name is
    /// enough, so that a token which was exchanged meanwhile ends it too.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`]. A text that is no refresh token is [`AuthError::Invalid`].
    pub async fn logout(&self, token: &str) -> Result<Option<UserId>, AuthError> {
        let presented = refresh_token::read(token).ok_or(AuthError::Invalid)?;
        self.end_login(presented.login).await
    }

    /// Ends a login; whose it was, if it was alive.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`].
    pub async fn end_login(&self, login: LoginId) -> Result<Option<UserId>, AuthError> {
        within(self.store.revoke_login(login, self.clock.now())).await
    }

    async fn start_login(&self, user: User, user_agent: &str) -> Result<SignedIn, AuthError> {
        let login = LoginId(self.random.uuid());
        let (refresh_token, refresh_hash) = refresh_token::issue(login, self.random.as_ref());
        let at = self.clock.now();
        let new = NewLogin {
            id: login,
            user_id: user.id,
            refresh_hash,
            at,
            expires_at: after(at, self.settings.refresh_lifetime),
            user_agent: user_agent.to_owned(),
        };
        within(self.store.create_login(new)).await?;
        self.signed_in(user, login, refresh_token)
    }

    fn signed_in(&self, user: User, login: LoginId, refresh_token: String) -> Result<SignedIn, AuthError> {
        let grant = Grant {
            user_id: user.id,
            name: &user.display_name,
            login,
            jti: self.random.uuid(),
            now: self.clock.now(),
            lifetime: self.settings.access_lifetime,
        };
        let access_token = self.keys.mint(&grant).map_err(|error| {
            tracing::error!(%error, "access token could not be signed");
            AuthError::Unavailable
        })?;
        Ok(SignedIn { user, access_token, refresh_token, expires_in: self.settings.access_lifetime })
    }
}

fn after(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp(at.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}

fn before(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp(at.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}

macro_rules! unavailable_from {
    ($($error:ident from $source:ident),* $(,)?) => {$(
        /// Nothing but unavailability comes this way.
        impl From<$source> for $error {
            fn from(_: $source) -> Self {
                Self::Unavailable
            }
        }
    )*};
}

unavailable_from! {
    RegisterError from AuthError, LoginError from AuthError, RefreshError from AuthError,
    RegisterError from PasswordError, LoginError from PasswordError,
}
