//! Registering, signing in and out, and who one is.

use super::Api;
use super::body::{Body, OptionalBody};
use super::caller::{Caller, Visitor, bearer};
use super::error::{ApiError, ErrorBody};
use super::openapi::{AnonymousRefusals, Refusals};
use crate::auth::{AuthError, RefreshError, SignedIn};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use protocol::ErrorCode;
use protocol::model::User;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
}

/// A new user.
#[derive(Deserialize, ToSchema)]
struct NewAccount {
    /// 2 to 32 letters, digits, `.`, `_` and `-`; stored in lower case.
    username: String,
    /// 8 to 256 bytes.
    #[schema(format = Password)]
    password: String,
    /// What people read; the username when absent.
    display_name: Option<String>,
}

/// A username and its password.
#[derive(Deserialize, ToSchema)]
struct Credentials {
    /// In any case.
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
struct RefreshRequest {
    /// The last one that was given out.
    refresh_token: String,
}

/// A user and the tokens to act as them.
#[derive(Serialize, ToSchema)]
struct Session {
    user: User,
    /// For `authorization: Bearer` and the WebSocket's `hello`.
    access_token: String,
    /// For one exchange at `/api/refresh`.
    refresh_token: String,
    /// Seconds until the access token ends.
    expires_in: u64,
}

impl From<SignedIn> for Json<Session> {
    fn from(signed_in: SignedIn) -> Self {
        let SignedIn { user, access_token, refresh_token, expires_in } = signed_in;
        Self(Session { user, access_token, refresh_token, expires_in: expires_in.as_secs() })
    }
}

/// Make a user and sign them in.
#[utoipa::path(
    post, path = "/api/register", tag = "accounts", security(()), request_body = NewAccount,
    responses(
        (status = 201, description = "Made and signed in", body = Session),
        (status = 403, description = "Registration is closed", body = ErrorBody),
        (status = 409, description = "The username is taken", body = ErrorBody),
        AnonymousRefusals,
    ),
)]
async fn register(
    State(api): State<Arc<Api>>,
    visitor: Visitor,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<Session>), ApiError> {
    api.limits.register_address.try_take(&visitor.address)?;
    let NewAccount { username, password, display_name } = new;
    let registered =
        api.auth.register(&username, password, display_name.as_deref(), &visitor.user_agent).await?;
    Ok((StatusCode::CREATED, registered.into()))
}

/// Sign in.
#[utoipa::path(
    post, path = "/api/login", tag = "accounts", security(()), request_body = Credentials,
    responses(
        (status = 200, description = "Signed in", body = Session),
        (status = 401, description = "Wrong username or password", body = ErrorBody),
        (status = 403, description = "The account is disabled", body = ErrorBody),
        AnonymousRefusals,
    ),
)]
async fn login(
    State(api): State<Arc<Api>>,
    visitor: Visitor,
    Body(credentials): Body<Credentials>,
) -> Result<Json<Session>, ApiError> {
    let Credentials { username, password } = credentials;
    api.limits.login_address.try_take(&visitor.address)?;
    // Names that nobody can have are not worth a bucket.
    if let Ok(name) = protocol::validate::username(&username) {
        api.limits.login_name.try_take(&name)?;
    }
    Ok(api.auth.login(&username, password, &visitor.user_agent).await?.into())
}

/// Exchange a refresh token for the next pair of tokens.
///
/// Each is good for one exchange. The one before is taken for a minute more, since an answer may get
/// lost; after that its use ends the login.
#[utoipa::path(
    post, path = "/api/refresh", tag = "accounts", security(()), request_body = RefreshRequest,
    responses(
        (status = 200, description = "The next pair of tokens", body = Session),
        (status = 401, description = "Not valid, used before, or the login ended", body = ErrorBody),
        (status = 403, description = "The account is disabled", body = ErrorBody),
        AnonymousRefusals,
    ),
)]
async fn refresh(
    State(api): State<Arc<Api>>,
    visitor: Visitor,
    Body(body): Body<RefreshRequest>,
) -> Result<Json<Session>, ApiError> {
    api.limits.anonymous_address.try_take(&visitor.address)?;
    match api.auth.refresh(&body.refresh_token).await {
        Ok(signed_in) => Ok(signed_in.into()),
        Err(error) => {
            if let RefreshError::Reused(user_id) = error {
                api.rooms.handle_user_changed(user_id);
            }
            Err(error.into())
        }
    }
}

/// Sign out: end the login of a refresh token, or without one that of the access token.
///
/// Its tokens are not taken any more and its connections close. Signing out twice is no error.
#[utoipa::path(
    post, path = "/api/logout", tag = "accounts", security((), ("access_token" = [])),
    request_body = Option<RefreshRequest>,
    responses(
        (status = 204, description = "Signed out"),
        (status = 401, description = "Neither a refresh token nor a valid access token", body = ErrorBody),
        (status = 409, description = "The access token belongs to no login", body = ErrorBody),
        AnonymousRefusals,
    ),
)]
async fn logout(
    State(api): State<Arc<Api>>,
    visitor: Visitor,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<RefreshRequest>,
) -> Result<StatusCode, ApiError> {
    api.limits.anonymous_address.try_take(&visitor.address)?;
    let ended = match body {
        Some(body) => api.auth.logout(&body.refresh_token).await.map_err(|error| match error {
            AuthError::Invalid => {
                ApiError::new(ErrorCode::InvalidField, "refresh_token is none").field("refresh_token")
            }
            AuthError::Unavailable | AuthError::Expired | AuthError::Revoked | AuthError::Disabled => {
                error.into()
            }
        })?,
        None => {
            let token = bearer(&headers).ok_or_else(|| {
                ApiError::new(ErrorCode::Unauthorized, "expected a refresh token or an access token")
            })?;
            match api.auth.verify(token).await {
                Ok(identity) => {
                    let login = identity.login.ok_or_else(|| {
                        ApiError::new(ErrorCode::Conflict, "the access token belongs to no login")
                    })?;
                    api.auth.end_login(login).await?
                }
                Err(AuthError::Revoked) => None,
                Err(error) => return Err(error.into()),
            }
        }
    };
    if let Some(user_id) = ended {
        api.rooms.handle_user_changed(user_id);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The signed-in user.
#[utoipa::path(
    get, path = "/api/me", tag = "accounts",
    responses((status = 200, description = "The user", body = User), Refusals),
)]
async fn me(caller: Caller) -> Json<User> {
    Json(caller.identity.user)
}
