//! Access tokens: JWT (RFC 7519) signed with HS256 by our own secret, or with RS256 or EdDSA by
//! another issuer. Times are judged by the node's clock, not by the library's.

use super::AuthError;
use crate::limits::SUBJECT_BYTES_MAX;
use crate::store::LoginId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use protocol::limits::TOKEN_BYTES_MAX;
use protocol::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Why a public key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PEM public key of RSA or Ed25519")]
pub struct KeyError;

/// The public key of another issuer, and what its tokens have to say.
#[derive(Clone)]
pub struct OutsideKey {
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for OutsideKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutsideKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl OutsideKey {
    /// Reads a public key. The kind of key decides the one algorithm that it verifies: RS256 for
    /// RSA, EdDSA for Ed25519. A token without the issuer or audience that is named here is refused,
    /// and so is one that names an audience where none is expected (RFC 7519, 4.1.3).
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_pem(pem: &[u8], issuer: Option<&str>, audience: Option<&str>) -> Result<Self, KeyError> {
        let (algorithm, key) = match DecodingKey::from_ed_pem(pem) {
            Ok(key) => (Algorithm::EdDSA, key),
            Err(_) => (Algorithm::RS256, DecodingKey::from_rsa_pem(pem).map_err(|_| KeyError)?),
        };
        let mut validation = untimed(algorithm);
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Ok(Self { algorithm, key, validation })
    }

    /// The name of the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        if self.algorithm == Algorithm::EdDSA { "EdDSA" } else { "RS256" }
    }
}

/// The keys that sign and verify access tokens.
#[derive(Clone)]
pub struct Keys {
    signing: EncodingKey,
    verifying: DecodingKey,
    outside: Option<OutsideKey>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("outside", &self.outside).finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys from our own secret and, if there is one, another issuer's public key.
    #[must_use]
    pub fn new(secret: &[u8], outside: Option<OutsideKey>) -> Self {
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            outside,
        }
    }

    /// Signs an access token for one of our logins.
    pub(super) fn mint(&self, grant: &Grant<'_>) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = grant.now.0 / 1000;
        let claims = OwnClaims {
            sub: grant.user_id.to_string(),
            name: grant.name,
            iat,
            exp: iat + grant.lifetime.as_secs(),
            jti: grant.jti,
            sid: grant.login.0,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    /// Verifies a token. The algorithm that the token names selects the key, and each key verifies
    /// one algorithm only, so that no public key is ever taken for a secret.
    pub(super) fn read(&self, token: &str, now: Timestamp, leeway: Duration) -> Result<Claims, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::Invalid);
        }
        let algorithm = decode_header(token).map_err(|_| AuthError::Invalid)?.alg;
        let (outside, key, validation) = match &self.outside {
            Some(outside) if outside.algorithm == algorithm => {
                (true, &outside.key, outside.validation.clone())
            }
            Some(_) | None if algorithm == Algorithm::HS256 => {
                (false, &self.verifying, untimed(Algorithm::HS256))
            }
            Some(_) | None => return Err(AuthError::Invalid),
        };
        let wire = decode::<WireClaims>(token, key, &validation).map_err(|_| AuthError::Invalid)?.claims;
        let now = seconds(now);
        let leeway = leeway.as_secs_f64();
        if wire.iat.is_some_and(|iat| iat > now + leeway) || wire.nbf.is_some_and(|nbf| nbf > now + leeway) {
            return Err(AuthError::Invalid);
        }
        if now >= wire.exp + leeway {
            return Err(AuthError::Expired);
        }
        wire.into_claims(outside)
    }
}

/// What an access token of ours is made of.
#[derive(Debug)]
pub(super) struct Grant<'a> {
    pub(super) user_id: UserId,
    pub(super) name: &'a str,
    pub(super) login: LoginId,
    pub(super) jti: Uuid,
    pub(super) now: Timestamp,
    pub(super) lifetime: Duration,
}

/// What a verified token says.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    sub: String,
    outside: bool,
    pub(super) name: Option<String>,
    pub(super) login: Option<LoginId>,
    pub(super) expires_at: Timestamp,
}

/// Whom a token is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// One of our users.
    Own(UserId),
    /// A user as another issuer, or a product, knows them.
    Outside(String),
}

impl Claims {
    /// Whose name the `sub` is. A token of one of our logins names our user; another issuer's never
    /// does, or its user 7 would be ours. A token that a product minted with our secret names its own
    /// users where such are provisioned, else ours.
    pub(super) fn subject(&self, provision: bool) -> Result<Subject, AuthError> {
        if self.login.is_none() && (self.outside || provision) {
            return Ok(Subject::Outside(self.sub.clone()));
        }
        self.sub.parse().map(Subject::Own).map_err(|_| AuthError::Invalid)
    }
}

#[derive(Serialize)]
struct OwnClaims<'a> {
    sub: String,
    name: &'a str,
    iat: u64,
    exp: u64,
    jti: Uuid,
    sid: Uuid,
}

/// Claims as they come. Times are `NumericDate`, which may have a fraction (RFC 7519, 2).
#[derive(Deserialize)]
struct WireClaims {
    sub: String,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
    name: Option<String>,
    sid: Option<String>,
}

impl WireClaims {
    fn into_claims(self, outside: bool) -> Result<Claims, AuthError> {
        if self.sub.is_empty() || self.sub.len() > SUBJECT_BYTES_MAX || self.sub.contains('\0') {
            return Err(AuthError::Invalid);
        }
        // Other issuers use `sid` for sessions of their own.
        let sid = self.sid.filter(|_| !outside);
        let login = sid.map(|sid| Uuid::try_parse(&sid).map(LoginId)).transpose();
        Ok(Claims {
            sub: self.sub,
            outside,
            name: self.name,
            login: login.map_err(|_| AuthError::Invalid)?,
            expires_at: milliseconds(self.exp),
        })
    }
}

/// Checks the signature and who it is for; the caller checks the times.
fn untimed(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_required_spec_claims(&["exp", "sub"]);
    validation
}

fn seconds(at: Timestamp) -> f64 {
    Duration::from_millis(at.0).as_secs_f64()
}

/// Far futures end at the last time that JavaScript can count.
fn milliseconds(seconds: f64) -> Timestamp {
    let most = protocol::ids::MAX_SAFE_INTEGER;
    let at = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    Timestamp(u64::try_from(at.as_millis()).unwrap_or(most).min(most))
}
