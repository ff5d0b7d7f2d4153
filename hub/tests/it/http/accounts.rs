//! Registering, signing in and out, exchanging refresh tokens.

use super::support::{Account, Hub, HubBuilder};
use hub::auth::{AuthSettings, PasswordParams, Registration};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn credentials(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

#[tokio::test]
async fn one_registers_and_is_signed_in() {
    let hub = Hub::start().await;
    let body = json!({ "username": " Ada.L ", "password": "correct horse", "display_name": "Ada Lovelace" });
    let reply = hub.post("/api/register", body).await;
    let session = reply.json(201);
    assert_eq!(session["user"]["username"], "ada.l");
    assert_eq!(session["user"]["display_name"], "Ada Lovelace");
    assert_eq!(session["expires_in"], 900);
    assert_eq!(reply.header("cache-control"), "no-store");
    let me = hub.get(&Account::of(&session), "/api/me").await.json(200);
    assert_eq!(me, session["user"]);
}

#[tokio::test]
async fn one_signs_in_with_name_and_password_only() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let session = hub.post("/api/login", credentials("ADA", "correct horse")).await.json(200);
    assert_eq!(session["user"]["id"], ada.id);
    hub.get(&Account::of(&session), "/api/me").await.json(200);
    for (name, password) in [
        ("ada", "wrong horse"),
        ("nobody", "correct horse"),
        ("ada", ""),
        ("", ""),
        ("a b", "x"),
        ("ada", &"x".repeat(9_000)),
    ] {
        let reply = hub.post("/api/login", credentials(name, password)).await;
        let message = reply.error(401, "unauthorized", None);
        assert_eq!(message, "wrong username or password", "{name:?}: which of them is not told");
        assert!(reply.header("www-authenticate").starts_with("Bearer"));
    }
}

#[tokio::test]
async fn a_login_for_nobody_takes_as_long_as_one_with_a_wrong_password() {
    let passwords = PasswordParams { memory_kib: 16 * 1024, iterations: 2, parallelism: 1 };
    let hub = HubBuilder { passwords, ..HubBuilder::default() }.start().await;
    hub.register("ada").await;
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..5 {
        for (name, fastest) in ["ada", "nobody"].into_iter().zip(&mut fastest) {
            #[expect(clippy::disallowed_methods, reason = "measures real time")]
            let start = Instant::now();
            hub.post("/api/login", credentials(name, "wrong horse")).await.error(401, "unauthorized", None);
            *fastest = start.elapsed().min(*fastest);
        }
    }
    let [known, unknown] = fastest;
    assert!(unknown * 3 > known * 2, "{unknown:?} for nobody, {known:?} for a user");
}

#[tokio::test]
async fn what_is_not_allowed_is_named() {
    let hub = Hub::start().await;
    hub.register("ada").await;
    let long = "x".repeat(300);
    let cases = [
        (json!({ "username": "a", "password": "correct horse" }), 400, "invalid_field", "username"),
        (json!({ "username": "a b", "password": "correct horse" }), 400, "invalid_field", "username"),
        (json!({ "username": "bob", "password": "short" }), 400, "invalid_field", "password"),
        (json!({ "username": "bob", "password": long }), 400, "invalid_field", "password"),
        (
            json!({ "username": "bob", "password": "correct horse", "display_name": " " }),
            400,
            "invalid_field",
            "display_name",
        ),
        (
            json!({ "username": "bob", "password": "correct horse", "display_name": long }),
            413,
            "too_large",
            "display_name",
        ),
        (json!({ "username": "bob" }), 400, "invalid_message", "password"),
        (json!({ "username": 5, "password": "correct horse" }), 400, "invalid_message", "username"),
        (json!({ "username": "ADA", "password": "correct horse" }), 409, "conflict", "username"),
    ];
    for (body, status, code, field) in cases {
        hub.post("/api/register", body).await.error(status, code, Some(field));
    }
}

#[tokio::test]
async fn nobody_registers_where_registration_is_closed() {
    let auth = AuthSettings { registration: Registration::Closed, ..AuthSettings::default() };
    let hub = HubBuilder { auth, ..HubBuilder::default() }.start().await;
    let reply = hub.post("/api/register", credentials("ada", "correct horse")).await;
    assert_eq!(reply.error(403, "forbidden", None), "registration is closed");
}

async fn refresh(hub: &Hub, token: &str) -> super::support::Reply {
    hub.post("/api/refresh", json!({ "refresh_token": token })).await
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_pair() {
    let hub = Hub::start().await;
    let first = hub.register("ada").await;
    hub.clock.advance(Duration::from_secs(16 * 60));
    hub.get(&first, "/api/me").await.error(401, "unauthorized", None);
    let second = Account::of(&refresh(&hub, &first.refresh_token).await.json(200));
    assert_ne!(second.refresh_token, first.refresh_token);
    hub.get(&second, "/api/me").await.json(200);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_within_the_grace() {
    let hub = Hub::start().await;
    let first = hub.register("ada").await;
    let lost = Account::of(&refresh(&hub, &first.refresh_token).await.json(200));
    hub.clock.advance(Duration::from_secs(59));
    let again = Account::of(&refresh(&hub, &first.refresh_token).await.json(200));
    hub.get(&again, "/api/me").await.json(200);
    Account::of(&refresh(&hub, &again.refresh_token).await.json(200));
    assert_ne!(lost.refresh_token, again.refresh_token);
}

#[tokio::test]
async fn a_refresh_token_used_again_later_ends_the_login() {
    let hub = Hub::start().await;
    let first = hub.register("ada").await;
    let second = Account::of(&refresh(&hub, &first.refresh_token).await.json(200));
    hub.clock.advance(Duration::from_secs(61));
    let message = refresh(&hub, &first.refresh_token).await.error(401, "unauthorized", Some("refresh_token"));
    assert!(message.contains("used before"), "{message}");
    refresh(&hub, &second.refresh_token).await.error(401, "unauthorized", Some("refresh_token"));
    let message = hub.get(&second, "/api/me").await.error(401, "unauthorized", None);
    assert_eq!(message, "login was ended");
    hub.post("/api/login", credentials("ada", "correct horse")).await.json(200);
}

#[tokio::test]
async fn a_login_that_is_not_used_for_its_lifetime_ends() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    hub.clock.advance(Duration::from_secs(29 * 86_400));
    let ada = Account::of(&refresh(&hub, &ada.refresh_token).await.json(200));
    hub.clock.advance(Duration::from_secs(30 * 86_400 + 1));
    refresh(&hub, &ada.refresh_token).await.error(401, "unauthorized", Some("refresh_token"));
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let (login, secret) = ada.refresh_token.split_once('.').unwrap();
    let other = hub.register("bob").await;
    let other_login = other.refresh_token.split_once('.').unwrap().0;
    for token in [
        "",
        ".",
        login,
        secret,
        &format!("{login}."),
        &format!("{login}.AAAA"),
        &format!("{other_login}.{secret}"),
        &"x".repeat(10_000),
    ] {
        refresh(&hub, token).await.error(401, "unauthorized", Some("refresh_token"));
    }
}

#[tokio::test]
async fn signing_out_ends_the_login_and_no_other() {
    let hub = Hub::start().await;
    let here = hub.register("ada").await;
    let there = Account::of(&hub.post("/api/login", credentials("ada", "correct horse")).await.json(200));
    let out = hub.post("/api/logout", json!({ "refresh_token": here.refresh_token })).await;
    assert_eq!(out.status, 204);
    hub.get(&here, "/api/me").await.error(401, "unauthorized", None);
    refresh(&hub, &here.refresh_token).await.error(401, "unauthorized", Some("refresh_token"));
    hub.get(&there, "/api/me").await.json(200);
    let again = hub.post("/api/logout", json!({ "refresh_token": here.refresh_token })).await;
    assert_eq!(again.status, 204, "signing out twice is no error");
}

#[tokio::test]
async fn the_access_token_alone_signs_out() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    for _ in 0..2 {
        assert_eq!(hub.call(&ada, "POST /api/logout", None).await.status, 204);
    }
    hub.get(&ada, "/api/me").await.error(401, "unauthorized", None);
}

#[tokio::test]
async fn signing_out_needs_something_to_end() {
    let hub = Hub::start().await;
    let request = hub.request(reqwest::Method::POST, "/api/logout");
    hub.send(request).await.error(401, "unauthorized", None);
    let body = json!({ "refresh_token": "nonsense" });
    hub.post("/api/logout", body).await.error(400, "invalid_field", Some("refresh_token"));
}
