//! Rooms: making, finding, naming.

use super::contract;
use crate::store::world::{World, content, decode};
use hub::rules::Rejection;
use hub::store::{Op, RoomOp, RoomPage};
use protocol::event::RoomEvent;
use protocol::limits::ROOMS_PER_USER_MAX;
use protocol::model::{Role, RoomKind};
use protocol::{MessageId, MessageNo, RoomId, Seq};

contract! {
    the_maker_owns_the_room
    a_private_room_looks_like_none
    a_stranger_may_only_join_a_public_room
    names_of_public_rooms_are_unique
    admins_change_name_and_topic
    rooms_may_hand_their_names_around
    the_list_shows_public_rooms_and_ones_own
    rooms_that_share_a_name_come_on_one_page
    a_user_is_in_so_many_rooms_at_most
    rooms_of_a_user_come_in_order_of_their_id
}

async fn the_maker_owns_the_room(w: World) {
    let ann = w.user("ann").await;
    let create = Op::CreateRoom { name: "tea".into(), kind: RoomKind::Private, topic: "green".into() };
    let made = w.apply(w.append(ann, create)).await.unwrap();
    let RoomEvent::RoomCreated(event) = decode(&made.events[0]) else { panic!("no room") };
    assert_eq!((event.user_id, event.name.as_str(), event.topic.as_str()), (ann, "tea", "green"));
    let room = w.room(ann, made.room_id).await;
    assert_eq!((room.role, room.kind, room.member_count), (Role::Owner, RoomKind::Private, 1));
    assert_eq!((made.seq, room.head_seq, room.joined_seq), (Seq(1), Seq(1), Seq(1)));
    assert_eq!((room.last_message_no, room.created_at), (MessageNo(0), event.created_at));
}

fn every_op() -> Vec<RoomOp> {
    let message_id = MessageId(1);
    let user_id = protocol::UserId(1);
    vec![
        content("x"),
        RoomOp::Send { content: "x".into(), reply_to: Some(message_id) },
        RoomOp::Edit { message_id, content: "y".into() },
        RoomOp::Delete { message_id },
        RoomOp::AddReaction { message_id, emoji: "👍".into() },
        RoomOp::RemoveReaction { message_id, emoji: "👍".into() },
        RoomOp::Pin { message_id },
        RoomOp::Unpin { message_id },
        RoomOp::Update { name: Some("other".into()), topic: None },
        RoomOp::Leave,
        RoomOp::Invite { username: "ann".into() },
        RoomOp::Kick { user_id },
        RoomOp::Ban { user_id },
        RoomOp::Unban { user_id },
        RoomOp::SetRole { user_id, role: Role::Owner },
    ]
}

async fn a_private_room_looks_like_none(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.private_room(ann, &["cyd"]).await;
    w.say(ann, room, "x").await;
    w.ok(ann, room, RoomOp::Ban { user_id: cyd }).await;
    for op in every_op().into_iter().chain([RoomOp::Join]) {
        for stranger in [bob, cyd] {
            assert_eq!(w.refused(stranger, room, op.clone()).await, Rejection::NotMember);
            assert_eq!(w.refused(stranger, RoomId(999), op.clone()).await, Rejection::NotMember);
        }
    }
    assert_eq!(w.head(room).await, Seq(4));
}

async fn a_stranger_may_only_join_a_public_room(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    w.say(ann, room, "x").await;
    for op in every_op() {
        assert_eq!(w.refused(bob, room, op).await, Rejection::NotMember);
    }
    w.ok(bob, room, RoomOp::Join).await;
    w.unchanged(bob, room, RoomOp::Join).await;
    assert_eq!(w.room(ann, room).await.member_count, 2);
}

async fn names_of_public_rooms_are_unique(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let tea = w.create(ann, "tea", RoomKind::Public).await.unwrap().room_id;
    assert_eq!(w.create(bob, "tea", RoomKind::Public).await, Err(Rejection::NameTaken));
    let private = w.create(bob, "tea", RoomKind::Private).await.unwrap().room_id;
    assert!(w.create(ann, "tea", RoomKind::Private).await.is_ok());
    let name = |name: &str| RoomOp::Update { name: Some(name.into()), topic: None };
    let other = w.create(bob, "other", RoomKind::Public).await.unwrap().room_id;
    assert_eq!(w.refused(bob, other, name("tea")).await, Rejection::NameTaken);
    w.ok(bob, private, name("other")).await;
    w.ok(ann, tea, name("coffee")).await;
    w.ok(bob, other, name("tea")).await;
}

async fn admins_change_name_and_topic(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let topic = |topic: &str| RoomOp::Update { name: None, topic: Some(topic.into()) };
    assert_eq!(w.refused(bob, room, topic("mine")).await, Rejection::RoleTooLow);
    w.set_role(ann, room, bob, Role::Admin).await;
    let changed = w.ok(bob, room, topic("ours")).await;
    let seen = w.room(ann, room).await;
    let RoomEvent::RoomUpdated(event) = decode(&changed.events[0]) else { panic!("no update") };
    assert_eq!((event.name.as_str(), event.topic.as_str()), (seen.name.as_str(), "ours"));
    assert_eq!(seen.topic, "ours");
    w.unchanged(bob, room, topic("ours")).await;
    w.ok(bob, room, RoomOp::Update { name: Some("new".into()), topic: None }).await;
    w.unchanged(bob, room, RoomOp::Update { name: Some("new".into()), topic: Some("ours".into()) }).await;
    assert_eq!((w.room(ann, room).await.name, w.room(ann, room).await.topic), ("new".into(), "ours".into()));
}

async fn rooms_may_hand_their_names_around(w: World) {
    let ann = w.user("ann").await;
    let one = w.create(ann, "one", RoomKind::Public).await.unwrap().room_id;
    let two = w.create(ann, "two", RoomKind::Public).await.unwrap().room_id;
    let name = |room, name: &str| {
        w.append(ann, Op::in_room(room, RoomOp::Update { name: Some(name.into()), topic: None }))
    };
    let three = Op::CreateRoom { name: "three".into(), kind: RoomKind::Public, topic: String::new() };
    let batch = vec![name(one, "three"), name(two, "one"), name(one, "two"), w.append(ann, three)];
    let outcomes = w.store.append(batch).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let names: Vec<_> = w.store.rooms_of(ann).await.unwrap().into_iter().map(|room| room.name).collect();
    assert_eq!(names, ["two", "one", "three"]);
}

fn names(page: &RoomPage) -> Vec<&str> {
    page.rooms.iter().map(|room| room.name.as_str()).collect()
}

async fn the_list_shows_public_rooms_and_ones_own(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    for (owner, name, kind) in [
        (ann, "ann-private", RoomKind::Private),
        (ann, "ann-public", RoomKind::Public),
        (bob, "bob-private", RoomKind::Private),
        (bob, "bob-public", RoomKind::Public),
        (bob, "čaj_100%", RoomKind::Public),
    ] {
        w.create(owner, name, kind).await.unwrap();
    }
    let all = w.store.list_rooms(ann, "", None, 10).await.unwrap();
    assert_eq!((names(&all), all.more), (vec!["ann-private", "ann-public", "bob-public", "čaj_100%"], false));
    let own: Vec<_> = all.rooms.iter().map(|room| (room.is_member, room.member_count)).collect();
    assert_eq!(own, [(true, 1), (true, 1), (false, 1), (false, 1)]);
    let page = w.store.list_rooms(ann, "", None, 2).await.unwrap();
    assert_eq!((names(&page), page.more), (vec!["ann-private", "ann-public"], true));
    let page = w.store.list_rooms(ann, "", Some("ann-public"), 2).await.unwrap();
    assert_eq!((names(&page), page.more), (vec!["bob-public", "čaj_100%"], false));
    let page = w.store.list_rooms(ann, "PUBLIC", None, 1).await.unwrap();
    assert_eq!((names(&page), page.more), (vec!["ann-public"], true));
    // What means something in SQL patterns means itself here; letters fold in every script.
    for (query, found) in [("%", vec!["čaj_100%"]), ("_1", vec!["čaj_100%"]), ("ČAJ", vec!["čaj_100%"])] {
        assert_eq!(names(&w.store.list_rooms(ann, query, None, 9).await.unwrap()), found, "{query}");
    }
    assert_eq!(w.store.list_rooms(ann, "nothing", None, 9).await.unwrap().rooms, []);
}

async fn rooms_that_share_a_name_come_on_one_page(w: World) {
    let ann = w.user("ann").await;
    for (name, kind) in [
        ("a", RoomKind::Public),
        ("same", RoomKind::Private),
        ("same", RoomKind::Public),
        ("same", RoomKind::Private),
        ("z", RoomKind::Public),
    ] {
        w.create(ann, name, kind).await.unwrap();
    }
    let page = w.store.list_rooms(ann, "", None, 2).await.unwrap();
    assert_eq!((names(&page), page.more), (vec!["a", "same", "same", "same"], true));
    let ids: Vec<_> = page.rooms.iter().map(|room| room.id.0).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let page = w.store.list_rooms(ann, "", Some("same"), 2).await.unwrap();
    assert_eq!((names(&page), page.more), (vec!["z"], false));
}

async fn a_user_is_in_so_many_rooms_at_most(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let bobs = w.public_room(&[bob]).await;
    let create = |n| Op::CreateRoom { name: format!("r{n}"), kind: RoomKind::Private, topic: String::new() };
    let mut made = Vec::new();
    for start in (0..ROOMS_PER_USER_MAX).step_by(250) {
        let batch = (start..start + 250).map(|n| w.append(ann, create(n))).collect();
        made.extend(w.store.append(batch).await.unwrap());
    }
    assert!(made.iter().all(Result::is_ok));
    let invite = RoomOp::Invite { username: "ann".into() };
    assert_eq!(w.refused(ann, bobs, RoomOp::Join).await, Rejection::TooManyRooms);
    assert_eq!(w.refused(bob, bobs, invite.clone()).await, Rejection::TooManyRooms);
    assert_eq!(w.create(ann, "more", RoomKind::Private).await, Err(Rejection::TooManyRooms));
    w.ok(ann, made[0].as_ref().unwrap().room_id, RoomOp::Leave).await;
    w.ok(bob, bobs, invite).await;
    assert_eq!(w.store.rooms_of(ann).await.unwrap().len(), ROOMS_PER_USER_MAX);
}

async fn rooms_of_a_user_come_in_order_of_their_id(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let (one, two) = (w.public_room(&[bob]).await, w.public_room(&[ann]).await);
    let three = w.public_room(&[bob]).await;
    w.ok(ann, one, RoomOp::Join).await;
    let ids: Vec<_> = w.store.rooms_of(ann).await.unwrap().into_iter().map(|room| room.id).collect();
    assert_eq!(ids, [one, two]);
    assert!(w.store.room(ann, three).await.unwrap().is_none());
}
