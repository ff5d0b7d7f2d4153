//! Talking, resuming, membership.

use crate::support::{Ended, TestNode};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn welcome_tells_the_user_and_the_heads_of_their_rooms() {
    let node = TestNode::start().await;
    let mira = node.user("mira").await;
    let mut client = node.join(&mira).await;
    assert_eq!(client.welcome["user"]["username"], "mira");
    assert_eq!(client.welcome["rooms"], json!([]));
    let room = client.create_room("delivery").await;
    client.say(room, "one").await;
    let again = node.join(&mira).await;
    assert_eq!(again.welcome["rooms"][0]["name"], "delivery");
    assert_eq!(again.welcome["rooms"][0]["role"], "owner");
    assert_eq!(again.welcome["rooms"][0]["last_message_no"], 1);
    assert_eq!(again.welcome["rooms"][0]["unread_count"], 0, "one's own message is not unread");
}

#[tokio::test]
async fn a_message_is_acked_and_reaches_every_member_once() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let (mut a, mut b) = (node.join(&mira).await, node.join(&jun).await);
    let room = a.create_room("delivery").await;
    b.join_room(room).await;
    a.expect("member_joined").await;
    let client_id = Uuid::new_v4().to_string();
    let ack = a
        .request(
            json!({ "type": "send_message", "client_id": client_id, "room_id": room, "content": "hello" }),
        )
        .await;
    let got = b.expect("new_message").await;
    for field in ["seq", "message_no", "message_id", "created_at", "client_id", "room_id"] {
        assert_eq!(got[field], ack[field], "{field}");
    }
    assert_eq!(got["content"], "hello");
    assert_eq!(got["username"], "mira");
    assert!(b.drain().await.is_empty(), "nothing comes twice");
}

#[tokio::test]
async fn a_retry_returns_the_first_result_and_is_delivered_once() {
    let node = TestNode::start().await;
    let mira = node.user("mira").await;
    let mut client = node.join(&mira).await;
    let room = client.create_room("delivery").await;
    let send = json!({
        "type": "send_message", "client_id": Uuid::new_v4().to_string(), "room_id": room, "content": "once",
    });
    client.send(send.clone()).await;
    let mut other = node.join(&mira).await;
    let (first, second) = (client.expect("ack").await, other.request(send.clone()).await);
    assert_eq!(first, second);
    let other_body = json!({ "content": "twice", "client_id": send["client_id"], "room_id": room, "type": "send_message" });
    assert_eq!(client.request(other_body).await["code"], "client_id_reused");
    let history = page(&mut client, json!({ "room_id": room })).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
}

async fn page(client: &mut crate::support::Client, mut query: Value) -> Value {
    query["type"] = json!("history");
    query["request_id"] = json!(7);
    client.send(query).await;
    client.expect("history_page").await["page"].clone()
}

#[tokio::test]
async fn a_client_resumes_after_its_cursor_on_a_new_connection() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let (mut a, mut b) = (node.join(&mira).await, node.join(&jun).await);
    let room = a.create_room("delivery").await;
    b.join_room(room).await;
    a.say(room, "seen").await;
    let seen = b.expect("new_message").await["seq"].as_u64().unwrap();
    let epoch = b.welcome["epoch"].clone();
    drop(b);
    for n in 0..5 {
        a.say(room, &format!("missed {n}")).await;
    }
    let mut b = node.connect().await;
    b.hello(&TestNode::token(&jun, 600), json!({ "cursors": { room.to_string(): seen }, "epoch": epoch }))
        .await;
    for n in 0..5 {
        let event = b.next().await.unwrap();
        assert_eq!(
            (&event["content"], event["seq"].as_u64()),
            (&json!(format!("missed {n}")), Some(seen + 1 + n))
        );
    }
    assert!(b.drain().await.is_empty());
}

#[tokio::test]
async fn cursors_that_cannot_be_resumed_are_reset_to_the_head() {
    let node = TestNode::start().await;
    let mira = node.user("mira").await;
    let mut a = node.join(&mira).await;
    let room = a.create_room("delivery").await;
    a.say(room, "one").await;
    let epoch = a.welcome["epoch"].clone();
    let mut b = node.connect().await;
    b.hello(&TestNode::token(&mira, 600), json!({ "cursors": { room.to_string(): 99 }, "epoch": epoch }))
        .await;
    assert_eq!(b.next().await.unwrap(), json!({ "type": "reset", "room_id": room, "head_seq": 2 }));
    a.say(room, "two").await;
    assert_eq!(b.next().await.unwrap()["content"], "two");

    let mut c = node.connect().await;
    c.hello(&TestNode::token(&mira, 600), json!({ "cursors": { room.to_string(): 1 }, "epoch": 77 })).await;
    assert!(c.drain().await.is_empty(), "cursors of another epoch mean nothing");
}

#[tokio::test]
async fn one_who_is_removed_gets_the_removing_event_as_the_last() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let (mut a, mut b) = (node.join(&mira).await, node.join(&jun).await);
    let room = a.create_room("delivery").await;
    b.join_room(room).await;
    let kick = json!({ "type": "kick", "room_id": room, "user_id": jun.id });
    assert_eq!(a.request(kick).await["type"], "ack");
    a.say(room, "secret").await;
    let last = b.expect("member_left").await;
    assert_eq!((&last["user_id"], &last["reason"]), (&json!(jun.id), &json!("kicked")));
    assert_eq!(b.next().await.unwrap(), json!({ "type": "room_removed", "room_id": room }));
    assert!(b.drain().await.is_empty());
    assert_eq!(b.say(room, "still here?").await["code"], "not_member");

    b.join_room(room).await;
    a.say(room, "welcome back").await;
    assert_eq!(b.expect("new_message").await["content"], "welcome back");
}

#[tokio::test]
async fn an_invitation_opens_the_room_on_every_device_of_the_invited() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let mut a = node.join(&mira).await;
    let (mut phone, mut laptop) = (node.join(&jun).await, node.join(&jun).await);
    let room = a.create_room("delivery").await;
    assert_eq!(
        a.request(json!({ "type": "invite", "room_id": room, "username": "jun" })).await["type"],
        "ack"
    );
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.expect("room_added").await["room"]["id"], room);
    }
    a.say(room, "hello").await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.expect("new_message").await["content"], "hello");
    }
}

#[tokio::test]
async fn a_read_marker_moves_on_every_device_and_never_back() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let (mut a, mut phone) = (node.join(&mira).await, node.join(&jun).await);
    let room = a.create_room("delivery").await;
    phone.join_room(room).await;
    for n in 0..3 {
        a.say(room, &n.to_string()).await;
    }
    let mut laptop = node.join(&jun).await;
    assert_eq!(laptop.welcome["rooms"][0]["unread_count"], 3);
    phone.send(json!({ "type": "mark_read", "room_id": room, "message_no": 2 })).await;
    for device in [&mut phone, &mut laptop] {
        let marker = device.expect("read_marker").await;
        assert_eq!((&marker["last_read_no"], &marker["unread_count"]), (&json!(2), &json!(1)));
    }
    phone.send(json!({ "type": "mark_read", "room_id": room, "message_no": 1 })).await;
    assert_eq!(phone.expect("read_marker").await["last_read_no"], 2, "answered, and not back");
    phone.send(json!({ "type": "mark_read", "room_id": room, "message_no": 99 })).await;
    assert_eq!(phone.expect("read_marker").await["last_read_no"], 3, "not past the head");
}

#[tokio::test]
async fn typing_is_shown_to_the_others_only() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let (mut a, mut b) = (node.join(&mira).await, node.join(&jun).await);
    let room = a.create_room("delivery").await;
    b.join_room(room).await;
    b.drain().await;
    a.send(json!({ "type": "typing", "room_id": room })).await;
    let typing = b.expect("typing").await;
    assert_eq!((&typing["user_id"], &typing["display_name"]), (&json!(mira.id), &json!("MIRA")));
    assert!(a.drain().await.iter().all(|frame| frame["type"] != "typing"));
}

#[tokio::test]
async fn a_new_token_keeps_the_connection_and_an_old_one_ends_it() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let mut client = node.connect().await;
    client.hello(&TestNode::token(&mira, 1), json!({})).await;
    client.send(json!({ "type": "refresh", "token": TestNode::token(&mira, 600) })).await;
    let refreshed = client.expect("refreshed").await;
    assert!(refreshed["token_expires_at"].as_u64() > client.welcome["token_expires_at"].as_u64());

    let mut late = node.connect().await;
    late.hello(&TestNode::token(&mira, 1), json!({})).await;
    assert_eq!(late.ended().await, Ended::Closed(4001));
    assert!(client.drain().await.is_empty(), "the refreshed one lives on");

    client.send(json!({ "type": "refresh", "token": TestNode::token(&jun, 600) })).await;
    assert_eq!(client.ended().await, Ended::Closed(4500), "a connection does not change its user");
}

#[tokio::test]
async fn a_node_that_stops_closes_its_connections_so_that_they_come_back() {
    let node = TestNode::start().await;
    let mira = node.user("mira").await;
    let mut client = node.join(&mira).await;
    let stopping = node.stop();
    let (ended, ()) = tokio::join!(client.ended(), stopping);
    assert_eq!(ended, Ended::Closed(4000));
}
