//! Errors as the REST API tells them: `{"error": {"code", "message", "field"?, "retry_after_ms"?}}`.

use crate::auth::{AuthError, LoginError, RefreshError, RegisterError};
use crate::limits::RetryAfter;
use crate::room::SubmitError;
use crate::rules::Rejection;
use crate::store::StoreError;
use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::ErrorCode;
use protocol::validate::FieldError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;
use utoipa::ToSchema;

/// When to ask again a node that cannot answer now.
const UNAVAILABLE_RETRY: RetryAfter = RetryAfter(Duration::from_secs(2));

/// Why a request failed.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: ErrorCode,
    message: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<RetryAfter>,
    /// For 401: how to authenticate (RFC 6750, 3).
    challenge: &'static str,
}

const CHALLENGE: &str = "Bearer realm=\"hubbub\"";
const INVALID_TOKEN: &str = "Bearer realm=\"hubbub\", error=\"invalid_token\"";

/// The body of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// The field at fault: of the body, the query or the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
}

impl ApiError {
    /// An error of a code, under the code's usual status.
    pub(super) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let retry_after = (code == ErrorCode::Unavailable).then_some(UNAVAILABLE_RETRY);
        let (status, message) = (status(code), message.into());
        Self { status, code, message, field: None, retry_after, challenge: CHALLENGE }
    }

    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(super) fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The reader is no member of the room, or there is no such room.
    pub(super) fn not_member() -> Self {
        Rejection::NotMember.into()
    }

    /// The message does not exist, or not for this reader.
    pub(super) fn no_message() -> Self {
        Self::new(ErrorCode::NotFound, "no such message").field("message_id")
    }

    fn unavailable() -> Self {
        Self::new(ErrorCode::Unavailable, "temporarily unavailable, try again")
    }
}

const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidMessage | ErrorCode::UnknownType | ErrorCode::InvalidField => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotMember | ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict | ErrorCode::ClientIdReused => StatusCode::CONFLICT,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code,
                message: self.message.into_owned(),
                field: self.field.map(Cow::into_owned),
                retry_after_ms: self.retry_after.map(RetryAfter::as_millis),
            },
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge));
        }
        if let Some(retry_after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, retry_after.as_secs_up().max(1).into());
        }
        response
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable => Self::unavailable(),
            AuthError::Expired | AuthError::Invalid | AuthError::Revoked | AuthError::Disabled => {
                let refused = Self::new(error.code(), error.to_string());
                Self { challenge: INVALID_TOKEN, ..refused }
            }
        }
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Field(error) => error.into(),
            RegisterError::Taken => Self::new(ErrorCode::Conflict, error.to_string()).field("username"),
            RegisterError::Closed => Self::new(ErrorCode::Forbidden, error.to_string()),
            RegisterError::Unavailable => Self::unavailable(),
        }
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::WrongCredentials => Self::new(ErrorCode::Unauthorized, error.to_string()),
            LoginError::Disabled => Self::new(ErrorCode::Forbidden, error.to_string()),
            LoginError::Unavailable => Self::unavailable(),
        }
    }
}

impl From<RefreshError> for ApiError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid | RefreshError::Reused(_) => {
                Self::new(ErrorCode::Unauthorized, error.to_string()).field("refresh_token")
            }
            RefreshError::Disabled => Self::new(ErrorCode::Forbidden, error.to_string()),
            RefreshError::Unavailable => Self::unavailable(),
        }
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        Self::new(error.code, error.to_string()).field(error.field)
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let error = Self::new(rejection.code(), rejection.to_string());
        Self { field: rejection.field().map(Cow::Borrowed), ..error }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Rejected(rejection) => rejection.into(),
            SubmitError::Unavailable | SubmitError::Overloaded => {
                Self::new(ErrorCode::Unavailable, error.to_string())
            }
            SubmitError::Internal => Self::new(ErrorCode::Internal, error.to_string()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "store did not answer a request");
        match error {
            StoreError::Unavailable(_) | StoreError::Unknown(_) => Self::unavailable(),
            StoreError::Internal(_) => Self::new(ErrorCode::Internal, "internal error"),
        }
    }
}

impl From<RetryAfter> for ApiError {
    fn from(retry_after: RetryAfter) -> Self {
        let error = Self::new(ErrorCode::RateLimited, "too many requests");
        Self { retry_after: Some(retry_after), ..error }
    }
}

/// Answers a method that a known path does not have; `Allow` is set by the router.
pub(super) async fn method_not_allowed(method: Method) -> ApiError {
    ApiError::new(ErrorCode::InvalidMessage, format!("{method} is not allowed here"))
        .status(StatusCode::METHOD_NOT_ALLOWED)
}
