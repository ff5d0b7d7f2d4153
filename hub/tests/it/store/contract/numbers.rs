//! Numbers, batches and the log.

use super::contract;
use crate::store::world::{World, content, decode};
use hub::rules::Rejection;
use hub::store::{BATCH_MAX, Op, RoomOp, StoreError};
use protocol::event::RoomEvent;
use protocol::model::RoomKind;
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq};

contract! {
    messages_are_numbered_densely_beside_other_events
    a_batch_is_applied_in_its_order_each_on_what_the_one_before_left
    a_refused_operation_has_no_effect_and_holds_up_no_other
    a_batch_of_many_rooms_numbers_each_by_itself
    a_batch_beyond_the_limit_is_refused_whole
    the_log_is_read_from_any_position_in_any_length
    events_are_stored_as_they_were_given_out
    heads_leave_out_rooms_that_do_not_exist
    the_epoch_stays
}

async fn messages_are_numbered_densely_beside_other_events(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    let one = w.send(ann, room, "one").await;
    w.ok(bob, room, RoomOp::Join).await;
    let two = w.send(bob, room, "two").await;
    assert_eq!((one.seq, one.message.unwrap().message_no), (Seq(2), MessageNo(1)));
    assert_eq!((two.seq, two.message.unwrap().message_no), (Seq(4), MessageNo(2)));
    let seqs: Vec<u64> = w.log(room).await.iter().map(|event| event.seq.0).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    assert_eq!(w.room(ann, room).await.last_message_no, MessageNo(2));
}

async fn a_batch_is_applied_in_its_order_each_on_what_the_one_before_left(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    let next = MessageId(1);
    let batch = [
        (bob, content("too early")),
        (bob, RoomOp::Join),
        (bob, content("hello")),
        (ann, RoomOp::Send { content: "hi @bob".into(), reply_to: Some(next) }),
        (bob, RoomOp::Edit { message_id: next, content: "hello!".into() }),
        (ann, RoomOp::Delete { message_id: next }),
        (bob, RoomOp::Edit { message_id: next, content: "again".into() }),
        (ann, RoomOp::Kick { user_id: bob }),
        (bob, content("too late")),
    ];
    let batch = batch.map(|(actor, op)| w.append(actor, Op::in_room(room, op)));
    let outcomes = w.store.append(batch.to_vec()).await.unwrap();
    let seqs: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().map(|c| c.seq.0).map_err(|r| *r)).collect();
    let expected = [
        Err(Rejection::NotMember),
        Ok(2),
        Ok(3),
        Ok(4),
        Ok(5),
        Ok(6),
        Err(Rejection::MessageDeleted),
        Ok(7),
        Err(Rejection::NotMember),
    ];
    assert_eq!(seqs, expected);
    assert_eq!(w.message(ann, next).await.content, "");
    let told = w.log(room).await.iter().any(|event| event.json.contains("hello"));
    assert!(!told, "a message deleted in the batch that sent it leaves no text");
}

async fn a_refused_operation_has_no_effect_and_holds_up_no_other(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    let stranger = protocol::UserId(999);
    let create = || Op::CreateRoom { name: "new".into(), kind: RoomKind::Public, topic: String::new() };
    let batch = vec![
        w.append(stranger, Op::in_room(room, RoomOp::Join)),
        w.append(stranger, create()),
        w.append(bob, Op::in_room(room, content("no"))),
        w.append(ann, Op::in_room(RoomId(999), content("no"))),
        w.append(ann, Op::in_room(room, content("yes"))),
    ];
    let outcomes = w.store.append(batch).await.unwrap();
    let refused: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().err().copied()).collect();
    let (nobody, no) = (Some(Rejection::UserNotFound), Some(Rejection::NotMember));
    assert_eq!(refused, [nobody, nobody, no, no, None]);
    assert_eq!(w.log(room).await.len(), 2);
    assert!(w.store.heads(&[RoomId(2)]).await.unwrap().is_empty());
}

async fn a_batch_of_many_rooms_numbers_each_by_itself(w: World) {
    let ann = w.user("ann").await;
    let rooms = [w.public_room(&[ann]).await, w.public_room(&[ann]).await, w.public_room(&[ann]).await];
    let batch = (0..BATCH_MAX).map(|n| w.append(ann, Op::in_room(rooms[n % 3], content("x")))).collect();
    let outcomes = w.store.append(batch).await.unwrap();
    for (n, outcome) in outcomes.iter().enumerate() {
        let (committed, no) = (outcome.as_ref().unwrap(), n as u64 / 3 + 1);
        let message = committed.message.unwrap();
        assert_eq!(
            (committed.room_id, committed.seq, message.message_no),
            (rooms[n % 3], Seq(no + 1), MessageNo(no))
        );
        assert_eq!(message.message_id, MessageId(n as u64 + 1));
    }
    let heads = w.store.heads(&rooms).await.unwrap();
    assert_eq!(heads, [(rooms[0], Seq(87)), (rooms[1], Seq(86)), (rooms[2], Seq(86))]);
}

async fn a_batch_beyond_the_limit_is_refused_whole(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let batch = (0..=BATCH_MAX).map(|_| w.append(ann, Op::in_room(room, content("x")))).collect();
    assert!(matches!(w.store.append(batch).await, Err(StoreError::Internal(_))));
    assert_eq!(w.head(room).await, Seq(1));
    assert!(w.store.append(Vec::new()).await.unwrap().is_empty());
}

async fn the_log_is_read_from_any_position_in_any_length(w: World) {
    let ann = w.user("ann").await;
    let (room, other) = (w.public_room(&[ann]).await, w.public_room(&[ann]).await);
    for n in 0..5 {
        w.say(ann, room, &format!("{n}")).await;
        w.say(ann, other, "noise").await;
    }
    let all = w.log(room).await;
    assert_eq!(all.len(), 6);
    for after in 0..8 {
        for limit in 1..7_u32 {
            let some = w.store.events(room, Seq(after), limit).await.unwrap();
            let expected = all.iter().skip(after as usize).take(limit as usize);
            assert!(some.iter().eq(expected), "{limit} after {after}");
        }
    }
    assert!(w.store.events(RoomId(999), Seq(0), 10).await.unwrap().is_empty());
}

async fn events_are_stored_as_they_were_given_out(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    let mut given = w.log(room).await;
    let text = "\"quoted\" \\ \u{7} </b> é 😀 \u{2028} \u{1f468}\u{200d}\u{1f469}";
    for (actor, op) in [(bob, RoomOp::Join), (bob, content(text)), (bob, RoomOp::Leave)] {
        given.extend(w.ok(actor, room, op).await.events);
    }
    assert_eq!(w.log(room).await, given);
    let RoomEvent::NewMessage(new) = decode(&given[2]) else { panic!("no message") };
    assert_eq!(new.content, text);
    assert_eq!(w.message(ann, new.message_id).await.content, text);
}

async fn heads_leave_out_rooms_that_do_not_exist(w: World) {
    let ann = w.user("ann").await;
    let (one, two) = (w.public_room(&[ann]).await, w.public_room(&[ann]).await);
    w.say(ann, two, "x").await;
    let heads = w.store.heads(&[two, RoomId(999), one]).await.unwrap();
    assert_eq!(heads, [(one, Seq(1)), (two, Seq(2))]);
    assert!(w.store.heads(&[]).await.unwrap().is_empty());
}

async fn the_epoch_stays(w: World) {
    assert_eq!(w.store.epoch().await.unwrap(), Epoch(7));
    w.user("ann").await;
    assert_eq!(w.store.epoch().await.unwrap(), Epoch(7));
    w.store.check().await.unwrap();
}
