//! Members: letting in, removing, keeping out, roles.

use super::support::Hub;
use serde_json::json;

#[tokio::test]
async fn members_come_page_by_page() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    let room_id = hub.create_room(&ada, "general", "public").await;
    for name in ["dan", "bob", "cyd"] {
        let user = hub.register(name).await;
        hub.join(&user, room_id).await;
    }
    let page = hub.get(&ada, &format!("/api/rooms/{room_id}/members?limit=3")).await.json(200);
    let names: Vec<&str> = page["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["username"].as_str().unwrap())
        .collect();
    assert_eq!((names, &page["more"]), (vec!["ada", "bob", "cyd"], &json!(true)));
    assert_eq!(page["members"][0]["role"], "owner");
    let page = hub.get(&ada, &format!("/api/rooms/{room_id}/members?limit=3&after=cyd")).await.json(200);
    assert_eq!(page["members"][0]["username"], "dan");
    assert_eq!(page["more"], false);
}

#[tokio::test]
async fn one_is_let_into_a_private_room_by_name() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    hub.register("cyd").await;
    let room_id = hub.create_room(&ada, "plans", "private").await;
    let line = format!("POST /api/rooms/{room_id}/members");
    let receipt = hub.call(&ada, &line, Some(json!({ "username": "Bob" }))).await.json(200);
    let again = hub.call(&ada, &line, Some(json!({ "username": "bob" }))).await.json(200);
    assert_eq!(receipt, again, "letting in a member changes nothing");
    hub.get(&bob, &format!("/api/rooms/{room_id}")).await.json(200);
    hub.call(&bob, &line, Some(json!({ "username": "cyd" }))).await.error(403, "forbidden", None);
    hub.call(&ada, &line, Some(json!({ "username": "nobody" }))).await.error(404, "not_found", Some("user"));
    hub.call(&ada, &line, Some(json!({ "username": "" }))).await.error(
        400,
        "invalid_field",
        Some("username"),
    );
}

#[tokio::test]
async fn one_who_is_removed_may_come_back_and_one_who_is_banned_may_not() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "general", "public").await;
    let room = format!("/api/rooms/{room_id}");
    hub.join(&bob, room_id).await;
    hub.call(&bob, &format!("DELETE {room}/members/{}", ada.id), None).await.error(403, "forbidden", None);
    hub.call(&ada, &format!("DELETE {room}/members/{}", bob.id), None).await.json(200);
    hub.get(&bob, &room).await.error(404, "not_member", Some("room_id"));
    hub.join(&bob, room_id).await;
    for _ in 0..2 {
        hub.call(&ada, &format!("PUT {room}/bans/{}", bob.id), None).await.json(200);
    }
    hub.get(&bob, &room).await.error(404, "not_member", Some("room_id"));
    hub.call(&bob, &format!("POST {room}/join"), None).await.error(403, "forbidden", Some("room_id"));
    for _ in 0..2 {
        hub.call(&ada, &format!("DELETE {room}/bans/{}", bob.id), None).await.json(200);
    }
    hub.join(&bob, room_id).await;
}

#[tokio::test]
async fn the_owner_gives_roles_and_may_hand_the_room_on() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "general", "public").await;
    let room = format!("/api/rooms/{room_id}");
    hub.join(&bob, room_id).await;
    let role_of_bob = format!("PUT {room}/members/{}/role", bob.id);
    hub.call(&bob, &role_of_bob, Some(json!({ "role": "admin" }))).await.error(403, "forbidden", None);
    hub.call(&ada, &format!("POST {room}/leave"), None).await.error(409, "conflict", None);
    hub.call(&ada, &role_of_bob, Some(json!({ "role": "admin" }))).await.json(200);
    assert_eq!(hub.get(&bob, &room).await.json(200)["role"], "admin");
    hub.call(&ada, &role_of_bob, Some(json!({ "role": "owner" }))).await.json(200);
    assert_eq!(hub.get(&bob, &room).await.json(200)["role"], "owner");
    assert_eq!(hub.get(&ada, &room).await.json(200)["role"], "admin");
    hub.call(&bob, &role_of_bob, Some(json!({ "role": "king" }))).await.error(
        400,
        "invalid_message",
        Some("role"),
    );
    let nobody = format!("PUT {room}/members/9999/role");
    hub.call(&bob, &nobody, Some(json!({ "role": "admin" }))).await.error(404, "not_found", Some("user"));
}
