//! Who asks, by the bearer token of the request.

use super::Api;
use super::client_address::client_address;
use super::error::ApiError;
use crate::auth::Identity;
use crate::limits::AddressKey;
use crate::store::{Append, Committed, Op};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use protocol::{ClientId, ErrorCode, UserId};
use std::sync::Arc;

/// The signed-in user of a request, who is within the rate limits.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) Identity);

impl Caller {
    pub(super) const fn id(&self) -> UserId {
        self.0.user.id
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers).ok_or_else(|| {
            ApiError::new(ErrorCode::Unauthorized, "expected authorization: Bearer and an access token")
        })?;
        let identity = api.auth.verify(token).await?;
        api.limits.requests_user.try_take(&identity.user.id)?;
        Ok(Self(identity))
    }
}

/// The token of `Authorization: Bearer` (RFC 6750, 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Where a request comes from and what with.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) address: AddressKey,
    pub(super) user_agent: String,
}

impl FromRequestParts<Arc<Api>> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Self::Rejection> {
        let address = client_address(&parts.extensions, &parts.headers, &api.trusted_proxies);
        let user_agent = parts.headers.get(header::USER_AGENT).map(|name| name.as_bytes());
        let user_agent = String::from_utf8_lossy(user_agent.unwrap_or_default()).into_owned();
        Ok(Self { address: address.into(), user_agent })
    }
}

impl Api {
    /// Commits a caller's operation. Without a name of the caller's it gets one of ours, and asking
    /// again is then another operation.
    pub(super) async fn commit(
        &self,
        caller: &Caller,
        client_id: Option<ClientId>,
        op: Op,
    ) -> Result<Committed, ApiError> {
        self.limits.operations_user.try_take(&caller.id())?;
        let client_id = client_id.unwrap_or_else(|| ClientId(self.random.uuid()));
        let append = Append { actor: caller.id(), client_id, at: self.clock.now(), op };
        Ok(self.writer.submit(append).await?)
    }
}
