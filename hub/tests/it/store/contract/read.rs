//! Read markers and unread counts.

use super::contract;
use crate::store::world::{World, content};
use hub::store::{Op, RoomOp};
use protocol::{MessageNo, RoomId, UserId};

contract! {
    one_joins_with_everything_read
    own_and_deleted_messages_are_not_unread
    a_read_marker_moves_forward_only_and_not_past_the_head
    a_read_marker_moves_the_users_version
    mentions_count_until_read_or_deleted
    counts_stay_right_far_behind_the_head
    one_who_is_no_member_has_no_marker
}

async fn one_joins_with_everything_read(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    w.say(ann, room, "before @bob").await;
    let joined = w.ok(bob, room, RoomOp::Join).await;
    let seen = w.room(bob, room).await;
    assert_eq!((seen.last_read_no, seen.joined_seq), (MessageNo(1), joined.seq));
    assert_eq!(w.unread(bob, room).await, (0, 0));
    w.say(ann, room, "after @bob").await;
    assert_eq!(w.unread(bob, room).await, (1, 1));
    // Leaving forgets the marker.
    w.ok(bob, room, RoomOp::Leave).await;
    w.ok(bob, room, RoomOp::Join).await;
    assert_eq!(w.unread(bob, room).await, (0, 0));
}

async fn own_and_deleted_messages_are_not_unread(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let mine = w.say(bob, room, "mine").await;
    let theirs = w.say(ann, room, "theirs").await;
    w.say(ann, room, "more").await;
    w.say(bob, room, "mine too").await;
    assert_eq!((w.unread(bob, room).await, w.unread(ann, room).await), ((2, 0), (2, 0)));
    w.ok(ann, room, RoomOp::Delete { message_id: theirs }).await;
    w.ok(bob, room, RoomOp::Delete { message_id: mine }).await;
    assert_eq!((w.unread(bob, room).await, w.unread(ann, room).await), ((1, 0), (1, 0)));
}

async fn a_read_marker_moves_forward_only_and_not_past_the_head(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    for n in 0..5 {
        w.say(ann, room, &format!("{n}")).await;
    }
    for (to, read, unread, moves) in [(2, 2, 3, true), (1, 2, 3, false), (2, 2, 3, false), (99, 5, 0, true)] {
        let marked = w.store.mark_read(bob, room, MessageNo(to)).await.unwrap().unwrap();
        assert_eq!((marked.marker.last_read_no, marked.moved), (MessageNo(read), moves), "to {to}");
        assert_eq!((marked.marker.unread_count, marked.marker.last_message_no), (unread, MessageNo(5)));
        assert_eq!(w.room(bob, room).await.last_read_no, MessageNo(read));
    }
}

async fn a_read_marker_moves_the_users_version(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    w.say(ann, room, "x").await;
    let before = w.version(bob).await;
    let marked = w.store.mark_read(bob, room, MessageNo(1)).await.unwrap().unwrap();
    assert_eq!((marked.version, w.version(bob).await), (before + 1, before + 1));
    let again = w.store.mark_read(bob, room, MessageNo(1)).await.unwrap().unwrap();
    assert_eq!((again.version, w.version(bob).await), (before + 1, before + 1));
}

async fn mentions_count_until_read_or_deleted(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let one = w.say(ann, room, "@bob one").await;
    w.say(ann, room, "two, @bob").await;
    w.say(bob, room, "@bob myself").await;
    assert_eq!(w.unread(bob, room).await, (2, 2));
    w.ok(ann, room, RoomOp::Delete { message_id: one }).await;
    assert_eq!(w.unread(bob, room).await, (1, 1));
    let marked = w.store.mark_read(bob, room, MessageNo(2)).await.unwrap().unwrap();
    assert_eq!((marked.marker.unread_count, marked.marker.mention_count), (0, 0));
}

async fn counts_stay_right_far_behind_the_head(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let mut last = None;
    for _ in 0..8 {
        let batch = (0..200).map(|n| w.append([ann, bob][n % 2], Op::in_room(room, content("@bob @ann"))));
        last = w.store.append(batch.collect()).await.unwrap().pop();
    }
    assert_eq!(last.unwrap().unwrap().message.unwrap().message_no, MessageNo(1_600));
    assert_eq!(w.unread(bob, room).await, (800, 800));
    w.store.mark_read(bob, room, MessageNo(1_500)).await.unwrap();
    assert_eq!(w.unread(bob, room).await, (50, 50));
}

async fn one_who_is_no_member_has_no_marker(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    for (user, room) in [(bob, room), (UserId(999), room), (ann, RoomId(999))] {
        assert_eq!(w.store.mark_read(user, room, MessageNo(1)).await.unwrap(), None);
    }
}
