//! What comes in: JSON bodies, query strings and ids in paths, read with errors that name the field.

use super::error::ApiError;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use protocol::{ErrorCode, MessageId, RoomId, UserId};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::str::FromStr;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        OptionalBody::from_request(request, state).await.and_then(|OptionalBody(body)| {
            body.map(Self).ok_or_else(|| ApiError::new(ErrorCode::InvalidMessage, "the body is empty"))
        })
    }
}

/// A JSON body, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionalBody<T>(pub(super) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let most = crate::limits::BODY_BYTES_MAX;
                let message = format!("the body is too large, at most {most} bytes are allowed");
                return ApiError::new(ErrorCode::TooLarge, message);
            }
            ApiError::new(ErrorCode::InvalidMessage, "the body could not be read")
        })?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json {
            return Err(ApiError::new(ErrorCode::InvalidMessage, "expected content-type: application/json")
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        parse(&bytes).map(|body| Self(Some(body)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let field = field_of(&error);
        let message = format!("invalid body: {}", error.inner());
        match field {
            Some(field) if error.inner().is_data() => {
                ApiError::new(ErrorCode::InvalidMessage, message).field(field)
            }
            Some(_) | None => ApiError::new(ErrorCode::InvalidMessage, message),
        }
    })?;
    parser
        .end()
        .map_err(|error| ApiError::new(ErrorCode::InvalidMessage, format!("invalid body: {error}")))?;
    Ok(value)
}

/// The field at fault: where the parser stood, or the one that it missed there.
fn field_of<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> Option<String> {
    let path = error.path().to_string();
    if path != "." {
        return Some(path);
    }
    let text = error.inner().to_string();
    let missing = text.strip_prefix("missing field `").or_else(|| text.strip_prefix("duplicate field `"))?;
    missing.split_once('`').map(|(name, _)| name.to_owned())
}

/// A query string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(params)| Self(params)).map_err(|rejection| {
            let located = located(&rejection);
            let problem = located.map_or_else(|| rejection.body_text(), |error| error.inner().to_string());
            let error = ApiError::new(ErrorCode::InvalidField, format!("invalid query: {problem}"));
            match located.and_then(field_of) {
                Some(field) => error.field(field),
                None => error,
            }
        })
    }
}

type Located = serde_path_to_error::Error<serde::de::value::Error>;

/// The parser's error, below what axum wraps around it.
fn located<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Located> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

macro_rules! path_params {
    ($($(#[$doc:meta])* $name:ident($value:ty) = $param:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) struct $name(pub(super) $value);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
                path_param(parts, state, $param).await.map(Self)
            }
        }
    )*};
}

path_params! {
    /// The room in the path.
    RoomPath(RoomId) = "room_id";
    /// The user in the path.
    UserPath(UserId) = "user_id";
    /// The message in the path.
    MessagePath(MessageId) = "message_id";
    /// The emoji in the path.
    EmojiPath(String) = "emoji";
}

async fn path_param<T, S>(parts: &mut Parts, state: &S, name: &'static str) -> Result<T, ApiError>
where
    T: FromStr<Err: std::fmt::Display>,
    S: Send + Sync,
{
    let invalid = |name: &str, problem: String| {
        ApiError::new(ErrorCode::InvalidField, format!("{name}: {problem}")).field(name.to_owned())
    };
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|rejection| {
        let text = rejection.body_text();
        // The one that is no text may be another than the one that is read.
        let at_fault = text.split('`').nth(1).unwrap_or(name).to_owned();
        invalid(&at_fault, text)
    })?;
    let value = params.iter().find(|(param, _)| *param == name).map_or("", |(_, value)| value);
    value.parse().map_err(|error: T::Err| invalid(name, error.to_string()))
}
