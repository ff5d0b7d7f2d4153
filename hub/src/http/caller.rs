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
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The signed-in user of a request, who is within the rate limits.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) identity: Identity,
    /// The request's name by its `Idempotency-Key`.
    key: Option<ClientId>,
}

impl Caller {
    pub(super) const fn id(&self) -> UserId {
        self.identity.user.id
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
        Ok(Self { identity, key: idempotency_key(&parts.headers) })
    }
}

/// The name of a request that a client, or a proxy that sends it again itself, gives it (IETF draft
/// `idempotency-key-header`). A UUID, quoted or not, is the `client_id`; any other text stands for one.
fn idempotency_key(headers: &HeaderMap) -> Option<ClientId> {
    let key = headers.get("idempotency-key")?.as_bytes();
    let text = std::str::from_utf8(key).unwrap_or_default().trim_matches('"');
    let hashed = || {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let (half, _) = hash.split_first_chunk().expect("32 bytes are more than 16");
        ClientId(uuid::Builder::from_custom_bytes(*half).into_uuid())
    };
    (!text.is_empty()).then(|| text.parse().unwrap_or_else(|_| hashed()))
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
    /// Commits a caller's operation under the name in its body, else that of its header. Without one
    /// it gets one of ours, and asking again is then another operation.
    pub(super) async fn commit(
        &self,
        caller: &Caller,
        client_id: Option<ClientId>,
        op: Op,
    ) -> Result<Committed, ApiError> {
        self.limits.operations_user.try_take(&caller.id())?;
        let client_id = client_id.or(caller.key).unwrap_or_else(|| ClientId(self.random.uuid()));
        let append = Append { actor: caller.id(), client_id, at: self.clock.now(), op };
        Ok(self.writer.submit(append).await?)
    }
}
