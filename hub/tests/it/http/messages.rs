//! Messages: sending, reading, editing, deleting, reacting, pinning.

use super::support::{Account, Hub};
use reqwest::Method;
use serde_json::{Value, json};

const NAME: &str = "6f2c1c1e-4f1f-4d0c-9a58-000000000001";

async fn room() -> (Hub, Account, Account, u64) {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "general", "public").await;
    hub.join(&bob, room_id).await;
    (hub, ada, bob, room_id)
}

fn path(message: &Value) -> String {
    format!("/api/messages/{}", message["message_id"])
}

#[tokio::test]
async fn a_message_comes_back_whole_with_its_seq() {
    let (hub, ada, bob, room_id) = room().await;
    let head = hub.get(&ada, &format!("/api/rooms/{room_id}")).await.json(200)["head_seq"].as_u64().unwrap();
    let line = format!("POST /api/rooms/{room_id}/messages");
    let body = json!({ "content": "hello @bob", "client_id": NAME });
    let message = hub.call(&ada, &line, Some(body)).await.json(201);
    assert_eq!(message["seq"], head + 1);
    assert_eq!(message["message_no"], 1);
    assert_eq!(message["content"], "hello @bob");
    assert_eq!(message["client_id"], NAME);
    assert_eq!(message["user_id"], ada.id);
    assert_eq!(message["mentions"], json!([bob.id]));
    assert_eq!(hub.get(&bob, &path(&message)).await.json(200), message);
    let answer = json!({ "content": "hi", "reply_to": message["message_id"] });
    let answer = hub.call(&bob, &line, Some(answer)).await.json(201);
    assert_eq!(answer["reply_to"]["message_id"], message["message_id"]);
    assert_eq!(answer["reply_to"]["username"], "ada");
}

#[tokio::test]
async fn sending_again_under_the_same_client_id_says_it_once() {
    let (hub, ada, bob, room_id) = room().await;
    let line = format!("POST /api/rooms/{room_id}/messages");
    let body = json!({ "content": "once", "client_id": NAME });
    let first = hub.call(&ada, &line, Some(body.clone())).await.json(201);
    let again = hub.call(&ada, &line, Some(body)).await.json(200);
    assert_eq!(first, again);
    let other = json!({ "content": "something else", "client_id": NAME });
    hub.call(&ada, &line, Some(other.clone())).await.error(409, "client_id_reused", Some("client_id"));
    hub.call(&bob, &line, Some(other)).await.json(201);
    let unnamed = json!({ "content": "twice" });
    for _ in 0..2 {
        hub.call(&ada, &line, Some(unnamed.clone())).await.json(201);
    }
    let page = hub.get(&ada, &format!("/api/rooms/{room_id}/messages")).await.json(200);
    assert_eq!(page["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn an_idempotency_key_names_what_its_body_does_not() {
    let (hub, ada, bob, room_id) = room().await;
    let send = async |who: &Account, key: &str, body: Value| {
        let request = hub.request(Method::POST, &format!("/api/rooms/{room_id}/messages"));
        hub.send(request.bearer_auth(&who.token).header("Idempotency-Key", key).json(&body)).await
    };
    let uuid = uuid::Uuid::from_u128(7);
    for key in [uuid.to_string(), "a proxy's own name for it".to_owned()] {
        let body = json!({ "content": key });
        let first = send(&ada, &key, body.clone()).await.json(201);
        assert_eq!(send(&ada, &key, body.clone()).await.json(200), first);
        send(&bob, &key, body).await.json(201);
        send(&ada, &key, json!({ "content": "else" })).await.error(
            409,
            "client_id_reused",
            Some("client_id"),
        );
    }
    let body = json!({ "content": uuid.to_string() });
    for form in [format!("\"{uuid}\""), uuid.simple().to_string()] {
        assert_eq!(send(&ada, &form, body.clone()).await.json(200)["client_id"], json!(uuid));
    }
    let named = json!({ "content": "named by its body", "client_id": NAME });
    assert_eq!(send(&ada, &uuid.to_string(), named).await.json(201)["client_id"], NAME);
    for _ in 0..2 {
        send(&ada, "", json!({ "content": "without a name" })).await.json(201);
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_named() {
    let (hub, ada, _, room_id) = room().await;
    let line = format!("POST /api/rooms/{room_id}/messages");
    for (body, status, code, field) in [
        (json!({ "content": " \n" }), 400, "invalid_field", "content"),
        (json!({ "content": "a\u{0}b" }), 400, "invalid_field", "content"),
        (json!({ "content": "x".repeat(16 * 1024 + 1) }), 413, "too_large", "content"),
        (json!({}), 400, "invalid_message", "content"),
        (json!({ "content": ["x"] }), 400, "invalid_message", "content"),
        (json!({ "content": "x", "reply_to": "1" }), 400, "invalid_message", "reply_to"),
        (json!({ "content": "x", "reply_to": 9999 }), 404, "not_found", "message_id"),
    ] {
        hub.call(&ada, &line, Some(body)).await.error(status, code, Some(field));
    }
    hub.call(&ada, &line, Some(json!({ "content": "x".repeat(16 * 1024) }))).await.json(201);
}

#[tokio::test]
async fn history_is_read_from_any_end() {
    let (hub, ada, _, room_id) = room().await;
    for n in 1..=9 {
        hub.say(&ada, room_id, &format!("message {n}")).await;
    }
    let cases = [
        ("", vec![1, 2, 3, 4, 5, 6, 7, 8, 9], false, false),
        ("?limit=3", vec![7, 8, 9], true, false),
        ("?before=4&limit=2", vec![2, 3], true, true),
        ("?after=4&limit=2", vec![5, 6], true, true),
        ("?around=5&limit=3", vec![4, 5, 6], true, true),
        ("?after=9", vec![], true, false),
    ];
    for (query, numbers, before, after) in cases {
        let page = hub.get(&ada, &format!("/api/rooms/{room_id}/messages{query}")).await.json(200);
        let found: Vec<u64> =
            page["messages"].as_array().unwrap().iter().map(|m| m["message_no"].as_u64().unwrap()).collect();
        assert_eq!(found, numbers, "{query}");
        assert_eq!((&page["more_before"], &page["more_after"]), (&json!(before), &json!(after)), "{query}");
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("before=-1", "before"),
        ("around=9007199254740992", "around"),
        ("pinned=maybe", "pinned"),
        ("before=1&after=2", "before"),
        ("after=1&around=2", "after"),
    ] {
        let path = format!("/api/rooms/{room_id}/messages?{query}");
        hub.get(&ada, &path).await.error(400, "invalid_field", Some(field));
    }
}

#[tokio::test]
async fn one_edits_ones_own_message_only() {
    let (hub, ada, bob, room_id) = room().await;
    let message = hub.say(&ada, room_id, "helo").await;
    let line = format!("PATCH {}", path(&message));
    let edited = hub.call(&ada, &line, Some(json!({ "content": "hello" }))).await.json(200);
    assert_eq!(edited["content"], "hello");
    assert_eq!(edited["seq"], message["seq"]);
    assert!(edited["latest_seq"].as_u64() > message["latest_seq"].as_u64());
    assert!(edited["edited_at"].is_u64());
    hub.call(&bob, &line, Some(json!({ "content": "x" }))).await.error(403, "forbidden", Some("message_id"));
    hub.call(&ada, &line, Some(json!({ "content": "" }))).await.error(400, "invalid_field", Some("content"));
}

#[tokio::test]
async fn one_deletes_ones_own_message_and_an_admin_anyones() {
    let (hub, ada, bob, room_id) = room().await;
    let (hers, his) = (hub.say(&ada, room_id, "hers").await, hub.say(&bob, room_id, "his").await);
    hub.call(&bob, &format!("DELETE {}", path(&hers)), None).await.error(403, "forbidden", None);
    for message in [&hers, &his] {
        for _ in 0..2 {
            hub.call(&ada, &format!("DELETE {}", path(message)), None).await.json(200);
        }
        let gone = hub.get(&bob, &path(message)).await.json(200);
        assert_eq!(gone["content"], "");
        assert!(gone["deleted_at"].is_u64());
    }
    let line = format!("PATCH {}", path(&hers));
    hub.call(&ada, &line, Some(json!({ "content": "x" }))).await.error(409, "conflict", Some("message_id"));
}

#[tokio::test]
async fn reactions_are_put_on_and_taken_off() {
    let (hub, ada, bob, room_id) = room().await;
    let message = hub.say(&ada, room_id, "hello").await;
    // 👍, percent-encoded.
    let thumb = format!("{}/reactions/%F0%9F%91%8D", path(&message));
    for who in [&ada, &bob, &bob] {
        hub.call(who, &format!("PUT {thumb}"), None).await.json(200);
    }
    let shown = hub.get(&ada, &path(&message)).await.json(200);
    assert_eq!(shown["reactions"], json!([{ "emoji": "👍", "user_ids": [ada.id, bob.id] }]));
    for _ in 0..2 {
        hub.call(&ada, &format!("DELETE {thumb}"), None).await.json(200);
    }
    let shown = hub.get(&ada, &path(&message)).await.json(200);
    assert_eq!(shown["reactions"], json!([{ "emoji": "👍", "user_ids": [bob.id] }]));
    let wrong = format!("PUT {}/reactions/no", path(&message));
    hub.call(&ada, &wrong, None).await.error(400, "invalid_field", Some("emoji"));
    let wrong = format!("PUT {}/reactions/%FF", path(&message));
    hub.call(&ada, &wrong, None).await.error(400, "invalid_field", Some("emoji"));
}

#[tokio::test]
async fn an_admin_pins_messages_and_pinned_ones_are_listed() {
    let (hub, ada, bob, room_id) = room().await;
    let first = hub.say(&bob, room_id, "first").await;
    hub.say(&bob, room_id, "second").await;
    let pin = format!("{}/pin", path(&first));
    hub.call(&bob, &format!("PUT {pin}"), None).await.error(403, "forbidden", None);
    for _ in 0..2 {
        hub.call(&ada, &format!("PUT {pin}"), None).await.json(200);
    }
    let pinned = format!("/api/rooms/{room_id}/messages?pinned=true");
    let page = hub.get(&bob, &pinned).await.json(200);
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
    assert!(page["messages"][0]["pinned_at"].is_u64());
    hub.call(&ada, &format!("DELETE {pin}"), None).await.json(200);
    assert_eq!(hub.get(&bob, &pinned).await.json(200)["messages"], json!([]));
}
