//! Access tokens: whose signature and which times are believed, and whom they name.

use super::support::{Hub, HubBuilder, SECRET, START};
use hub::auth::{AuthSettings, OutsideKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

const RSA: &[u8] = include_bytes!("keys/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("keys/rsa.pub.pem");
const ED: &[u8] = include_bytes!("keys/ed.pem");
const ED_PUBLIC: &[u8] = include_bytes!("keys/ed.pub.pem");
const EC_PUBLIC: &[u8] = include_bytes!("keys/ec.pub.pem");
const NOW: u64 = START / 1000;

fn sign(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, key).unwrap()
}

fn hs256(claims: &Value) -> String {
    sign(Algorithm::HS256, &EncodingKey::from_secret(SECRET), claims)
}

fn rs256(claims: &Value) -> String {
    sign(Algorithm::RS256, &EncodingKey::from_rsa_pem(RSA).unwrap(), claims)
}

fn eddsa(claims: &Value) -> String {
    sign(Algorithm::EdDSA, &EncodingKey::from_ed_pem(ED).unwrap(), claims)
}

/// Claims about a subject, with these instead of or beside the usual ones; null takes one away.
fn claims(sub: &str, other: &Value) -> Value {
    let mut claims = json!({ "sub": sub, "name": "Eve", "iat": NOW, "exp": NOW + 600, "jti": "1" });
    for (name, value) in other.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// The status and the message that a token gets.
async fn me(hub: &Hub, token: &str) -> (u16, String) {
    let reply = hub.call_with(token, "GET /api/me", None).await;
    if reply.status == 200 {
        return (200, reply.json(200)["username"].as_str().unwrap().to_owned());
    }
    let message = reply.json(reply.status.as_u16())["error"]["message"].as_str().unwrap().to_owned();
    if reply.status == 401 {
        assert!(reply.header("www-authenticate").contains("invalid_token"), "{message}");
    }
    (reply.status.as_u16(), message)
}

const EXPIRED: (u16, &str) = (401, "access token expired");
const INVALID: (u16, &str) = (401, "access token is not valid");

#[tokio::test]
async fn times_are_judged_by_the_nodes_clock_with_some_leeway() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let sub = ada.id.to_string();
    let cases = [
        (json!({}), (200, "ada")),
        (json!({ "exp": NOW - 29 }), (200, "ada")),
        (json!({ "exp": NOW - 30 }), EXPIRED),
        (json!({ "exp": NOW as f64 + 0.5 }), (200, "ada")),
        (json!({ "exp": 0 }), EXPIRED),
        (json!({ "exp": -5 }), INVALID),
        (json!({ "exp": 1e15 }), (200, "ada")),
        (json!({ "iat": NOW + 30 }), (200, "ada")),
        (json!({ "iat": NOW + 31 }), INVALID),
        (json!({ "nbf": NOW + 30 }), (200, "ada")),
        (json!({ "nbf": NOW + 31 }), INVALID),
        (json!({ "iat": null, "name": null, "jti": null }), (200, "ada")),
        (json!({ "exp": null }), INVALID),
        (json!({ "exp": "tomorrow" }), INVALID),
        (json!({ "sub": null }), INVALID),
        (json!({ "sub": 1 }), INVALID),
        (json!({ "sub": "" }), INVALID),
        (json!({ "sub": "999999" }), INVALID),
        (json!({ "sub": "-1" }), INVALID),
    ];
    for (other, expected) in cases {
        let (status, message) = me(&hub, &hs256(&claims(&sub, &other))).await;
        assert_eq!((status, message.as_str()), expected, "{other}");
    }
}

#[tokio::test]
async fn no_token_without_a_true_signature_is_believed() {
    let outside = OutsideKey::from_pem(RSA_PUBLIC, None, None).unwrap();
    let hub = HubBuilder { outside: Some(outside), ..HubBuilder::default() }.start().await;
    let ada = hub.register("ada").await;
    let good = claims(&ada.id.to_string(), &json!({}));
    let token = hs256(&good);
    assert_eq!(me(&hub, &token).await.0, 200);
    let [header, body, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other_body = hs256(&claims("1000", &json!({}))).split('.').nth(1).unwrap().to_owned();
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let wrong = [
        format!("{header}.{other_body}.{signature}"),
        format!("{header}.{body}."),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{header}.{body}"),
        "nonsense".to_owned(),
        String::new(),
        "x".repeat(10_000),
        // The public key as an HMAC secret: the classic confusion of algorithms.
        sign(Algorithm::HS256, &EncodingKey::from_secret(RSA_PUBLIC), &good),
        sign(Algorithm::HS384, &EncodingKey::from_secret(SECRET), &good),
        sign(Algorithm::HS256, &EncodingKey::from_secret(b"another secret of the same length.."), &good),
        sign(Algorithm::RS384, &EncodingKey::from_rsa_pem(RSA).unwrap(), &good),
        sign(Algorithm::PS256, &EncodingKey::from_rsa_pem(RSA).unwrap(), &good),
        eddsa(&good),
    ];
    for token in wrong {
        let shown = token.get(..200).unwrap_or(&token).to_owned();
        let reply = hub.call_with(&token, "GET /api/me", None).await;
        reply.error(401, "unauthorized", None);
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{shown}");
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_told_how_to_bring_one() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let bare = |value: &str| hub.request(reqwest::Method::GET, "/api/me").header("authorization", value);
    for value in ["", "Bearer", "Basic YTpi", &format!("Token {}", ada.token)] {
        let reply = hub.send(bare(value)).await;
        reply.error(401, "unauthorized", None);
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"hubbub\"", "{value}");
    }
    hub.send(bare(&format!("bearer {}", ada.token))).await.json(200);
}

#[tokio::test]
async fn a_token_of_a_login_dies_with_it() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let sub = ada.id.to_string();
    let unknown = claims(&sub, &json!({ "sid": "6f2c1c1e-4f1f-4d0c-9a58-000000000000" }));
    assert_eq!(me(&hub, &hs256(&unknown)).await, (401, "login was ended".to_owned()));
    let malformed = claims(&sub, &json!({ "sid": "x" }));
    assert_eq!(me(&hub, &hs256(&malformed)).await, (INVALID.0, INVALID.1.to_owned()));
}

async fn with_key(pem: &[u8], provision: bool) -> Hub {
    let outside = OutsideKey::from_pem(pem, Some("https://id.example"), Some("hubbub")).unwrap();
    let auth = AuthSettings { provision, ..AuthSettings::default() };
    HubBuilder { outside: Some(outside), auth, ..HubBuilder::default() }.start().await
}

#[tokio::test]
async fn another_issuers_user_is_made_on_first_sight_where_that_is_allowed() {
    for (pem, sign) in [(RSA_PUBLIC, rs256 as fn(&Value) -> String), (ED_PUBLIC, eddsa)] {
        let hub = with_key(pem, true).await;
        let issued = json!({ "iss": "https://id.example", "aud": "hubbub", "name": "Grace Hopper" });
        let token = sign(&claims("employee/7", &issued));
        let first = hub.call_with(&token, "GET /api/me", None).await.json(200);
        assert_eq!(first["username"], "grace.hopper");
        assert_eq!(first["display_name"], "Grace Hopper");
        assert_eq!(hub.call_with(&token, "GET /api/me", None).await.json(200), first, "seen before");
        let other = hub.call_with(&sign(&claims("employee/8", &issued)), "GET /api/me", None).await.json(200);
        assert_ne!(other["id"], first["id"]);
        assert!(other["username"].as_str().unwrap().starts_with("grace.hopper-"), "{other}");
        let nameless = json!({ "iss": "https://id.example", "aud": "hubbub", "name": "名" });
        let third =
            hub.call_with(&sign(&claims("employee/9", &nameless)), "GET /api/me", None).await.json(200);
        assert!(third["username"].as_str().unwrap().starts_with("u-"), "{third}");
        assert_eq!(third["display_name"], "名");
    }
}

#[tokio::test]
async fn many_first_sights_at_once_make_one_user() {
    let hub = with_key(ED_PUBLIC, true).await;
    let issued = json!({ "iss": "https://id.example", "aud": "hubbub" });
    let token = eddsa(&claims("employee/7", &issued));
    let calls = (0..16).map(|_| hub.call_with(&token, "GET /api/me", None));
    let ids: std::collections::BTreeSet<u64> = futures_util::future::join_all(calls)
        .await
        .iter()
        .map(|reply| reply.json(200)["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn another_issuers_unknown_user_is_nobody_by_default() {
    let hub = with_key(ED_PUBLIC, false).await;
    let ada = hub.register("ada").await;
    let issued = json!({ "iss": "https://id.example", "aud": "hubbub" });
    for sub in ["employee/7", &ada.id.to_string()] {
        let (status, message) = me(&hub, &eddsa(&claims(sub, &issued))).await;
        assert_eq!((status, message.as_str()), INVALID, "{sub}: its user is never ours of the same number");
    }
}

#[tokio::test]
async fn another_issuers_token_must_be_meant_for_us() {
    let hub = with_key(ED_PUBLIC, true).await;
    for other in [
        json!({}),
        json!({ "iss": "https://id.example" }),
        json!({ "aud": "hubbub" }),
        json!({ "iss": "https://evil.example", "aud": "hubbub" }),
        json!({ "iss": "https://id.example", "aud": "another" }),
    ] {
        let (status, message) = me(&hub, &eddsa(&claims("employee/7", &other))).await;
        assert_eq!((status, message.as_str()), INVALID, "{other}");
    }
    let several = json!({ "iss": "https://id.example", "aud": ["another", "hubbub"] });
    assert_eq!(me(&hub, &eddsa(&claims("employee/7", &several))).await.0, 200);
}

#[tokio::test]
async fn a_product_names_its_own_users_with_our_secret_where_users_are_provisioned() {
    let auth = AuthSettings { provision: true, ..AuthSettings::default() };
    let hub = HubBuilder { auth, ..HubBuilder::default() }.start().await;
    let ada = hub.register("ada").await;
    let token = hs256(&claims(&ada.id.to_string(), &json!({ "name": "Mallory" })));
    let (status, name) = me(&hub, &token).await;
    assert_eq!((status, name.as_str()), (200, "mallory"), "the product's user, not ours of the same number");
    hub.get(&ada, "/api/me").await.json(200);
    let body = json!({ "username": "mallory", "password": "correct horse" });
    hub.post("/api/login", body).await.error(401, "unauthorized", None);
}

#[test]
fn only_rsa_and_ed25519_keys_are_taken() {
    assert_eq!(OutsideKey::from_pem(RSA_PUBLIC, None, None).unwrap().algorithm(), "RS256");
    assert_eq!(OutsideKey::from_pem(ED_PUBLIC, None, None).unwrap().algorithm(), "EdDSA");
    for pem in [EC_PUBLIC, b"nonsense", b""] {
        OutsideKey::from_pem(pem, None, None).unwrap_err();
    }
}
