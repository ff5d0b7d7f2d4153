//! Idempotency: an operation under a name that was used before.

use super::contract;
use crate::store::world::{World, content};
use hub::rules::Rejection;
use hub::store::{Append, Committed, Op, RoomOp};
use protocol::model::{Role, RoomKind};
use protocol::{MessageId, RoomId};

contract! {
    a_retried_send_returns_the_first_result
    a_retry_in_the_same_batch_returns_the_first_result
    every_operation_with_an_event_is_retried_without_effect
    a_retry_is_answered_after_the_asker_left_or_was_kicked
    a_retry_is_answered_after_the_message_was_edited_or_deleted
    a_text_that_is_gone_never_differs
    a_name_used_for_something_else_is_refused
    a_name_is_the_askers_and_the_rooms
    a_retried_making_of_a_room_returns_the_first_room
    an_operation_that_was_refused_is_judged_afresh
}

fn same(again: &Committed, first: &Committed) {
    let expected = Committed { events: vec![], ..first.clone() };
    assert_eq!(*again, expected);
}

async fn a_retried_send_returns_the_first_result(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let send = w.append(ann, Op::in_room(room, content("once")));
    let first = w.apply(send.clone()).await.unwrap();
    w.say(ann, room, "more").await;
    let later = Append { at: w.now(), ..send };
    same(&w.apply(later).await.unwrap(), &first);
    assert_eq!(w.log(room).await.len(), 3);
}

async fn a_retry_in_the_same_batch_returns_the_first_result(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let send = w.append(ann, Op::in_room(room, content("once")));
    let other = w.append(ann, Op::in_room(room, content("other")));
    let differs = Append { op: Op::in_room(room, content("twice")), ..send.clone() };
    let outcomes = w.store.append(vec![send.clone(), other, differs, send]).await.unwrap();
    same(outcomes[3].as_ref().unwrap(), outcomes[0].as_ref().unwrap());
    assert_eq!(outcomes[2], Err(Rejection::ClientIdReused));
    assert_eq!(w.log(room).await.len(), 3);
}

async fn every_operation_with_an_event_is_retried_without_effect(w: World) {
    let [ann, bob, cyd, dan] = w.users(["ann", "bob", "cyd", "dan"]).await;
    let room = w.public_room(&[ann, bob, cyd]).await;
    let message_id = w.say(ann, room, "one").await;
    let emoji = || "👍".to_owned();
    for (actor, op) in [
        (ann, RoomOp::Edit { message_id, content: "two".into() }),
        (ann, RoomOp::AddReaction { message_id, emoji: emoji() }),
        (ann, RoomOp::RemoveReaction { message_id, emoji: emoji() }),
        (ann, RoomOp::Pin { message_id }),
        (ann, RoomOp::Unpin { message_id }),
        (ann, RoomOp::Delete { message_id }),
        (ann, RoomOp::Update { name: Some("other".into()), topic: None }),
        (bob, RoomOp::Leave),
        (bob, RoomOp::Join),
        (ann, RoomOp::Invite { username: "dan".into() }),
        (ann, RoomOp::Kick { user_id: dan }),
        (ann, RoomOp::Ban { user_id: cyd }),
        (ann, RoomOp::SetRole { user_id: bob, role: Role::Admin }),
        (ann, RoomOp::SetRole { user_id: bob, role: Role::Owner }),
    ] {
        let append = w.append(actor, Op::in_room(room, op.clone()));
        let first = w.apply(append.clone()).await.unwrap();
        assert!(!first.events.is_empty(), "{op:?}");
        assert_eq!(first.seq, first.events[0].seq, "{op:?}");
        let head = w.head(room).await;
        same(&w.apply(append).await.unwrap(), &first);
        assert_eq!(w.head(room).await, head, "{op:?}");
    }
}

async fn a_retry_is_answered_after_the_asker_left_or_was_kicked(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.private_room(ann, &["bob"]).await;
    let send = w.append(bob, Op::in_room(room, content("bye")));
    let first = w.apply(send.clone()).await.unwrap();
    let leave = w.append(bob, Op::in_room(room, RoomOp::Leave));
    let left = w.apply(leave.clone()).await.unwrap();
    same(&w.apply(send.clone()).await.unwrap(), &first);
    same(&w.apply(leave.clone()).await.unwrap(), &left);
    w.ok(ann, room, RoomOp::Invite { username: "bob".into() }).await;
    w.ok(ann, room, RoomOp::Kick { user_id: bob }).await;
    same(&w.apply(send.clone()).await.unwrap(), &first);
    let other = Append { op: Op::in_room(room, content("other")), ..send };
    assert_eq!(w.apply(other).await, Err(Rejection::ClientIdReused));
    assert_eq!(w.refused(bob, room, content("more")).await, Rejection::NotMember);
}

async fn a_retry_is_answered_after_the_message_was_edited_or_deleted(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let send = w.append(ann, Op::in_room(room, content("one")));
    let first = w.apply(send.clone()).await.unwrap();
    let message_id = first.message.unwrap().message_id;
    let edit = RoomOp::Edit { message_id, content: "two".into() };
    let edit = w.append(ann, Op::in_room(room, edit));
    let edited = w.apply(edit.clone()).await.unwrap();
    same(&w.apply(send.clone()).await.unwrap(), &first);
    w.ok(ann, room, RoomOp::Delete { message_id }).await;
    same(&w.apply(send).await.unwrap(), &first);
    same(&w.apply(edit).await.unwrap(), &edited);
    assert_eq!(w.message(ann, message_id).await.content, "");
}

async fn a_text_that_is_gone_never_differs(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let send = w.append(ann, Op::in_room(room, content("one")));
    let sent = w.apply(send.clone()).await.unwrap();
    let message_id = sent.message.unwrap().message_id;
    let edit = |content: &str| Op::in_room(room, RoomOp::Edit { message_id, content: content.into() });
    let named = w.append(ann, edit("two"));
    let edited = w.apply(named.clone()).await.unwrap();
    // In the batch that deletes the message as well as after it.
    let delete = w.append(ann, Op::in_room(room, RoomOp::Delete { message_id }));
    let other_send = Append { op: Op::in_room(room, content("eins")), ..send };
    let other_edit = Append { op: edit("zwei"), ..named };
    let batch = vec![other_edit.clone(), delete, other_edit.clone(), other_send.clone()];
    let outcomes = w.store.append(batch).await.unwrap();
    assert_eq!(outcomes[0], Err(Rejection::ClientIdReused));
    same(outcomes[2].as_ref().unwrap(), &edited);
    same(outcomes[3].as_ref().unwrap(), &sent);
    same(&w.apply(other_edit).await.unwrap(), &edited);
    same(&w.apply(other_send).await.unwrap(), &sent);
}

async fn a_name_used_for_something_else_is_refused(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let one = w.say(ann, room, "one").await;
    let send = w.append(ann, Op::in_room(room, content("text")));
    w.apply(send.clone()).await.unwrap();
    let edit = RoomOp::Edit { message_id: one, content: "uno".into() };
    let edit = w.append(ann, Op::in_room(room, edit));
    w.apply(edit.clone()).await.unwrap();
    let head = w.head(room).await;
    for (name, op) in [
        (&send, content("other text")),
        (&send, RoomOp::Send { content: "text".into(), reply_to: Some(one) }),
        (&send, RoomOp::Delete { message_id: one }),
        (&edit, RoomOp::Edit { message_id: one, content: "eins".into() }),
        (&edit, RoomOp::Edit { message_id: MessageId(2), content: "uno".into() }),
        (&edit, content("uno")),
    ] {
        let append = Append { op: Op::in_room(room, op.clone()), ..name.clone() };
        assert_eq!(w.apply(append).await, Err(Rejection::ClientIdReused), "{op:?}");
    }
    assert_eq!(w.head(room).await, head);
}

async fn a_name_is_the_askers_and_the_rooms(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let (room, other) = (w.public_room(&[ann, bob]).await, w.public_room(&[ann]).await);
    let send = w.append(ann, Op::in_room(room, content("ann's")));
    let bobs = Append { actor: bob, op: Op::in_room(room, content("bob's")), ..send.clone() };
    let elsewhere = Append { op: Op::in_room(other, content("elsewhere")), ..send.clone() };
    let outcomes = w.store.append(vec![send, bobs, elsewhere]).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|c| c.events.len() == 1)));
}

async fn a_retried_making_of_a_room_returns_the_first_room(w: World) {
    let ann = w.user("ann").await;
    let create = |name: &str, topic: &str| Op::CreateRoom {
        name: name.into(),
        kind: RoomKind::Public,
        topic: topic.into(),
    };
    let append = w.append(ann, create("tea", "green"));
    let first = w.apply(append.clone()).await.unwrap();
    same(&w.apply(append.clone()).await.unwrap(), &first);
    w.ok(ann, first.room_id, RoomOp::Update { name: Some("coffee".into()), topic: None }).await;
    w.ok(ann, first.room_id, RoomOp::Leave).await;
    same(&w.apply(append.clone()).await.unwrap(), &first);
    let other = Append { op: create("tea", "black"), ..append };
    assert_eq!(w.apply(other).await, Err(Rejection::ClientIdReused));
    assert!(w.store.heads(&[RoomId(first.room_id.0 + 1)]).await.unwrap().is_empty());
}

async fn an_operation_that_was_refused_is_judged_afresh(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    let send = w.append(bob, Op::in_room(room, content("let me in")));
    assert_eq!(w.apply(send.clone()).await, Err(Rejection::NotMember));
    w.ok(bob, room, RoomOp::Join).await;
    assert_eq!(w.apply(send).await.unwrap().events.len(), 1);
}
