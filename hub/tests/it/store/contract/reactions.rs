//! Reactions.

use super::contract;
use crate::store::world::World;
use hub::rules::Rejection;
use hub::store::{Op, RoomOp};
use protocol::MessageId;
use protocol::limits::REACTIONS_PER_MESSAGE_MAX;
use protocol::model::Reaction;

contract! {
    reactions_are_shown_in_order_of_their_first_putting
    putting_and_taking_off_again_changes_nothing
    one_takes_off_only_ones_own
    a_message_has_so_many_different_emoji_at_most
}

fn add(message_id: MessageId, emoji: &str) -> RoomOp {
    RoomOp::AddReaction { message_id, emoji: emoji.into() }
}

fn remove(message_id: MessageId, emoji: &str) -> RoomOp {
    RoomOp::RemoveReaction { message_id, emoji: emoji.into() }
}

async fn reactions_are_shown_in_order_of_their_first_putting(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.public_room(&[ann, bob, cyd]).await;
    let id = w.say(ann, room, "x").await;
    let reaction = |emoji: &str, user_ids: &[_]| Reaction { emoji: emoji.into(), user_ids: user_ids.into() };
    for (user, op) in [(cyd, add(id, "👍")), (ann, add(id, "❤️")), (bob, add(id, "👍")), (ann, add(id, "👍"))]
    {
        w.ok(user, room, op).await;
    }
    let shown = w.message(ann, id).await.reactions;
    assert_eq!(shown, [reaction("👍", &[cyd, bob, ann]), reaction("❤️", &[ann])]);
    // The emoji keeps its place while anyone's is left, and loses it with the last one.
    w.ok(cyd, room, remove(id, "👍")).await;
    let shown = w.message(ann, id).await.reactions;
    assert_eq!(shown, [reaction("👍", &[bob, ann]), reaction("❤️", &[ann])]);
    w.ok(bob, room, remove(id, "👍")).await;
    w.ok(ann, room, remove(id, "👍")).await;
    w.ok(cyd, room, add(id, "👍")).await;
    let shown = w.message(ann, id).await.reactions;
    assert_eq!(shown, [reaction("❤️", &[ann]), reaction("👍", &[cyd])]);
}

async fn putting_and_taking_off_again_changes_nothing(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let id = w.say(ann, room, "x").await;
    w.unchanged(ann, room, remove(id, "👍")).await;
    w.ok(ann, room, add(id, "👍")).await;
    w.unchanged(ann, room, add(id, "👍")).await;
    w.ok(ann, room, remove(id, "👍")).await;
    w.unchanged(ann, room, remove(id, "👍")).await;
    assert!(w.message(ann, id).await.reactions.is_empty());
}

async fn one_takes_off_only_ones_own(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let id = w.say(ann, room, "x").await;
    w.ok(bob, room, add(id, "👍")).await;
    w.unchanged(ann, room, remove(id, "👍")).await;
    assert_eq!(w.message(ann, id).await.reactions[0].user_ids, [bob]);
}

async fn a_message_has_so_many_different_emoji_at_most(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let id = w.say(ann, room, "x").await;
    let emoji = |n: usize| char::from_u32(0x1f600 + n as u32).unwrap().to_string();
    let fill = (0..REACTIONS_PER_MESSAGE_MAX).map(|n| w.append(ann, Op::in_room(room, add(id, &emoji(n)))));
    let outcomes = w.store.append(fill.collect()).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    let one_more = emoji(REACTIONS_PER_MESSAGE_MAX);
    assert_eq!(w.refused(bob, room, add(id, &one_more)).await, Rejection::TooManyReactions);
    w.ok(bob, room, add(id, &emoji(0))).await;
    w.unchanged(ann, room, add(id, &emoji(0))).await;
    w.ok(ann, room, remove(id, &emoji(1))).await;
    w.ok(bob, room, add(id, &one_more)).await;
}
