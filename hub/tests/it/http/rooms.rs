//! Rooms: finding, making, changing, joining, leaving, reading.

use super::support::Hub;
use serde_json::json;

#[tokio::test]
async fn a_room_is_made_and_seen_by_its_owner() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let body = json!({ "name": "#General", "kind": "public", "topic": " all of us " });
    let room = hub.call(&ada, "POST /api/rooms", Some(body)).await.json(201);
    assert_eq!(room["name"], "general");
    assert_eq!(room["topic"], "all of us");
    assert_eq!(room["role"], "owner");
    assert_eq!(room["member_count"], 1);
    let id = room["id"].as_u64().unwrap();
    assert_eq!(hub.get(&ada, &format!("/api/rooms/{id}")).await.json(200), room);
    assert_eq!(hub.get(&ada, "/api/me/rooms").await.json(200), json!({ "rooms": [room] }));
}

#[tokio::test]
async fn making_a_room_again_under_the_same_client_id_makes_one() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let body =
        json!({ "name": "plans", "kind": "private", "client_id": "6f2c1c1e-4f1f-4d0c-9a58-000000000001" });
    let first = hub.call(&ada, "POST /api/rooms", Some(body.clone())).await.json(201);
    let again = hub.call(&ada, "POST /api/rooms", Some(body)).await.json(201);
    assert_eq!(first["id"], again["id"]);
    let other = json!({ "name": "plans", "kind": "private" });
    let another = hub.call(&ada, "POST /api/rooms", Some(other)).await.json(201);
    assert_ne!(first["id"], another["id"]);
}

#[tokio::test]
async fn what_is_not_allowed_is_named() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    hub.create_room(&ada, "general", "public").await;
    let long = "x".repeat(300);
    for (body, status, code, field) in [
        (json!({ "name": "", "kind": "public" }), 400, "invalid_field", "name"),
        (json!({ "name": "a b", "kind": "public" }), 400, "invalid_field", "name"),
        (json!({ "name": long, "kind": "public" }), 413, "too_large", "name"),
        (json!({ "name": "x", "kind": "public", "topic": long }), 413, "too_large", "topic"),
        (json!({ "name": "x", "kind": "secret" }), 400, "invalid_message", "kind"),
        (json!({ "name": "x", "kind": "public", "client_id": "7" }), 400, "invalid_message", "client_id"),
        (json!({ "kind": "public" }), 400, "invalid_message", "name"),
        (json!({ "name": "GENERAL", "kind": "public" }), 409, "conflict", "name"),
    ] {
        hub.call(&ada, "POST /api/rooms", Some(body)).await.error(status, code, Some(field));
    }
}

#[tokio::test]
async fn public_rooms_are_found_page_by_page_and_private_ones_by_members_only() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    for name in ["rust-de", "rust-en", "rust-fr", "cooking"] {
        hub.create_room(&ada, name, "public").await;
    }
    hub.create_room(&ada, "rust-secret", "private").await;
    let names = |page: &serde_json::Value| -> Vec<String> {
        let rooms = page["rooms"].as_array().unwrap();
        rooms.iter().map(|room| room["name"].as_str().unwrap().to_owned()).collect()
    };
    let page = hub.get(&bob, "/api/rooms?query=RUST&limit=2").await.json(200);
    assert_eq!((names(&page), &page["more"]), (vec!["rust-de".into(), "rust-en".into()], &json!(true)));
    let page = hub.get(&bob, "/api/rooms?query=rust&limit=2&after=rust-en").await.json(200);
    assert_eq!((names(&page), &page["more"]), (vec!["rust-fr".into()], &json!(false)));
    assert_eq!(page["rooms"][0]["is_member"], false);
    let page = hub.get(&ada, "/api/rooms?query=secret").await.json(200);
    assert_eq!(names(&page), ["rust-secret"]);
    assert_eq!(page["rooms"][0]["is_member"], true);
}

#[tokio::test]
async fn one_joins_a_public_room_and_leaves_it() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "general", "public").await;
    let path = format!("/api/rooms/{room_id}");
    hub.get(&bob, &path).await.error(404, "not_member", Some("room_id"));
    let room = hub.join(&bob, room_id).await;
    assert_eq!(room["role"], "member");
    assert_eq!(room["member_count"], 2);
    assert_eq!(hub.join(&bob, room_id).await["head_seq"], room["head_seq"], "joining twice changes nothing");
    let left = hub.call(&bob, &format!("POST {path}/leave"), None).await.json(200);
    assert_eq!(left["room_id"], room_id);
    assert_eq!(left["seq"], room["head_seq"].as_u64().unwrap() + 1);
    hub.get(&bob, &path).await.error(404, "not_member", Some("room_id"));
}

#[tokio::test]
async fn a_private_room_does_not_exist_for_others() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "plans", "private").await;
    let message_id = hub.say(&ada, room_id, "psst").await["message_id"].as_u64().unwrap();
    let missing = room_id + 1000;
    for line in [
        "GET /api/rooms/{}",
        "POST /api/rooms/{}/join",
        "POST /api/rooms/{}/leave",
        "GET /api/rooms/{}/members",
        "GET /api/rooms/{}/messages",
        "DELETE /api/rooms/{}/members/1",
        "PUT /api/rooms/{}/bans/1",
        "DELETE /api/rooms/{}/bans/1",
    ] {
        let there = hub.call(&bob, &line.replace("{}", &room_id.to_string()), None).await;
        let nowhere = hub.call(&bob, &line.replace("{}", &missing.to_string()), None).await;
        there.error(404, "not_member", Some("room_id"));
        assert_eq!(there.text, nowhere.text, "{line} tells them apart");
    }
    for (line, body) in [
        ("PATCH /api/rooms/{}", json!({ "topic": "x" })),
        ("POST /api/rooms/{}/members", json!({ "username": "bob" })),
        ("PUT /api/rooms/{}/members/1/role", json!({ "role": "admin" })),
        ("POST /api/rooms/{}/messages", json!({ "content": "x" })),
        ("POST /api/rooms/{}/read", json!({ "message_no": 1 })),
    ] {
        let line = line.replace("{}", &room_id.to_string());
        hub.call(&bob, &line, Some(body)).await.error(404, "not_member", Some("room_id"));
    }
    for line in ["GET /api/messages/{}", "DELETE /api/messages/{}", "PUT /api/messages/{}/pin"] {
        let line = line.replace("{}", &message_id.to_string());
        hub.call(&bob, &line, None).await.error(404, "not_found", Some("message_id"));
    }
}

#[tokio::test]
async fn an_admin_changes_the_room() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "general", "public").await;
    hub.join(&bob, room_id).await;
    let line = format!("PATCH /api/rooms/{room_id}");
    let room = hub.call(&ada, &line, Some(json!({ "topic": "news" }))).await.json(200);
    assert_eq!((&room["name"], &room["topic"]), (&json!("general"), &json!("news")));
    let room = hub.call(&ada, &line, Some(json!({ "name": "lounge" }))).await.json(200);
    assert_eq!((&room["name"], &room["topic"]), (&json!("lounge"), &json!("news")));
    hub.call(&bob, &line, Some(json!({ "topic": "mine" }))).await.error(403, "forbidden", None);
    hub.call(&ada, &line, Some(json!({}))).await.error(400, "invalid_field", Some("name"));
}

#[tokio::test]
async fn a_read_marker_moves_forward_only_and_not_past_the_end() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "general", "public").await;
    hub.join(&bob, room_id).await;
    for n in 0..5 {
        hub.say(&ada, room_id, &format!("message {n}")).await;
    }
    let rooms = hub.get(&bob, "/api/me/rooms").await.json(200);
    assert_eq!(rooms["rooms"][0]["unread_count"], 5);
    let line = format!("POST /api/rooms/{room_id}/read");
    for (read, last_read, unread) in [(3, 3, 2), (2, 3, 2), (99, 5, 0)] {
        let marker = hub.call(&bob, &line, Some(json!({ "message_no": read }))).await.json(200);
        assert_eq!(marker["last_read_no"], last_read);
        assert_eq!(marker["unread_count"], unread);
        assert_eq!(marker["last_message_no"], 5);
    }
    hub.call(&bob, &line, Some(json!({ "message_no": -1 }))).await.error(
        400,
        "invalid_message",
        Some("message_no"),
    );
}
