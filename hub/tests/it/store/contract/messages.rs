//! Messages: numbers, retries, edits, deletions, reactions and pins.

use super::contract;
use crate::store::world::{World, content, decode};
use hub::rules::Rejection;
use hub::store::{Op, RoomOp};
use protocol::event::RoomEvent;
use protocol::model::{Anchor, Reaction, Role};
use protocol::{MessageId, MessageNo, Seq};

contract! {
    messages_are_numbered_densely_beside_other_events
    a_retry_returns_the_first_result
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

async fn a_retry_returns_the_first_result(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let send = w.append(ann, Op::in_room(room, content("once")));
    let first = w.apply(send.clone()).await.unwrap();
    let again = w.apply(send).await.unwrap();
    assert_eq!((again.seq, again.message, again.events), (first.seq, first.message, vec![]));
    assert_eq!(w.head(room).await, first.seq);
}
