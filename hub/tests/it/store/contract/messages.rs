//! Messages: edits, deletions, answers, mentions and pins.

use super::contract;
use crate::store::world::{World, content, decode};
use hub::rules::Rejection;
use hub::store::RoomOp;
use protocol::event::RoomEvent;
use protocol::model::{Anchor, Role};
use protocol::{MessageId, RoomId};

contract! {
    only_the_writer_edits_and_everyone_reads_the_new_text
    an_edit_to_the_same_text_changes_nothing
    the_writer_and_admins_delete
    deleting_takes_the_text_out_of_the_message_and_out_of_the_log
    a_deleted_message_takes_no_edit_reaction_or_pin
    an_answer_tells_what_it_answers
    an_answer_to_a_deleted_message_is_allowed
    messages_of_other_rooms_are_not_found
    mentions_are_the_members_named_the_writer_aside
    an_edit_changes_who_is_mentioned
    admins_pin_and_unpin
    every_change_moves_latest_seq
}

fn edit(message_id: MessageId, content: &str) -> RoomOp {
    RoomOp::Edit { message_id, content: content.into() }
}

async fn only_the_writer_edits_and_everyone_reads_the_new_text(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let id = w.say(bob, room, "helo").await;
    assert_eq!(w.refused(ann, room, edit(id, "mine")).await, Rejection::NotWriter);
    let committed = w.ok(bob, room, edit(id, "hello")).await;
    let message = w.message(ann, id).await;
    assert_eq!((message.content.as_str(), message.latest_seq), ("hello", committed.seq));
    let RoomEvent::MessageEdited(event) = w.event(room, committed.seq).await else { panic!("no edit") };
    assert_eq!((event.content.as_str(), Some(event.edited_at)), ("hello", message.edited_at));
}

async fn an_edit_to_the_same_text_changes_nothing(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let id = w.say(ann, room, "same").await;
    w.unchanged(ann, room, edit(id, "same")).await;
    assert_eq!(w.message(ann, id).await.edited_at, None);
}

async fn the_writer_and_admins_delete(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.public_room(&[ann, bob, cyd]).await;
    let (one, two) = (w.say(bob, room, "one").await, w.say(bob, room, "two").await);
    let delete = |message_id| RoomOp::Delete { message_id };
    assert_eq!(w.refused(cyd, room, delete(one)).await, Rejection::RoleTooLow);
    w.ok(bob, room, delete(one)).await;
    w.set_role(ann, room, cyd, Role::Admin).await;
    w.ok(cyd, room, delete(two)).await;
    w.unchanged(cyd, room, delete(two)).await;
    w.unchanged(bob, room, delete(two)).await;
    let page = w.page(ann, room, Anchor::Latest, 10).await;
    assert!(page.messages.iter().all(|m| m.content.is_empty() && m.deleted_at.is_some()));
}

async fn deleting_takes_the_text_out_of_the_message_and_out_of_the_log(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let sent = w.send(ann, room, "secret one, @bob").await;
    let id = sent.message.unwrap().message_id;
    let edited = w.ok(ann, room, edit(id, "secret two, @bob")).await;
    let emoji = "👍".to_owned();
    w.ok(bob, room, RoomOp::AddReaction { message_id: id, emoji }).await;
    w.ok(ann, room, RoomOp::Pin { message_id: id }).await;
    let before = w.log(room).await;
    let deleted = w.ok(ann, room, RoomOp::Delete { message_id: id }).await;
    assert!(deleted.events[0].scrubs);

    let message = w.message(bob, id).await;
    assert_eq!((message.content.as_str(), message.latest_seq), ("", deleted.seq));
    assert_eq!((message.mentions, message.reactions, message.pinned_at), (vec![], vec![], None));
    assert!(message.deleted_at.is_some());
    let log = w.log(room).await;
    assert_eq!(log.len(), before.len() + 1);
    assert!(log.iter().all(|event| !event.json.contains("secret")), "{log:#?}");
    let RoomEvent::NewMessage(new) = w.event(room, sent.seq).await else { panic!("no message") };
    assert_eq!((new.content.as_str(), new.deleted, new.mentions.len()), ("", true, 0));
    let RoomEvent::MessageEdited(edit) = w.event(room, edited.seq).await else { panic!("no edit") };
    assert_eq!((edit.content.as_str(), edit.mentions.len()), ("", 0));
    // What is left reads as it did: a log is not rewritten beyond that.
    let untouched = |event: &&hub::store::Event| event.seq != sent.seq && event.seq != edited.seq;
    assert!(before.iter().filter(untouched).eq(log[..before.len()].iter().filter(untouched)));
}

async fn a_deleted_message_takes_no_edit_reaction_or_pin(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let id = w.say(ann, room, "gone").await;
    w.ok(ann, room, RoomOp::Delete { message_id: id }).await;
    let emoji = || "👍".to_owned();
    for op in [
        edit(id, "back"),
        RoomOp::AddReaction { message_id: id, emoji: emoji() },
        RoomOp::Pin { message_id: id },
    ] {
        assert_eq!(w.refused(ann, room, op).await, Rejection::MessageDeleted);
    }
    w.unchanged(ann, room, RoomOp::RemoveReaction { message_id: id, emoji: emoji() }).await;
    w.unchanged(ann, room, RoomOp::Unpin { message_id: id }).await;
}

async fn an_answer_tells_what_it_answers(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let question = w.send(ann, room, "what?").await.message.unwrap();
    let reply_to = Some(question.message_id);
    let answer = w.ok(bob, room, RoomOp::Send { content: "that".into(), reply_to }).await;
    let reply = w.message(ann, answer.message.unwrap().message_id).await.reply_to.unwrap();
    assert_eq!((reply.message_id, reply.message_no), (question.message_id, question.message_no));
    assert_eq!((reply.user_id, reply.username.as_str(), reply.display_name.as_str()), (ann, "ann", "ann!"));
    let RoomEvent::NewMessage(event) = decode(&answer.events[0]) else { panic!("no message") };
    assert_eq!(event.reply_to, Some(reply));
}

async fn an_answer_to_a_deleted_message_is_allowed(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let question = w.say(ann, room, "what?").await;
    w.ok(ann, room, RoomOp::Delete { message_id: question }).await;
    let op = RoomOp::Send { content: "that".into(), reply_to: Some(question) };
    let answer = w.ok(ann, room, op).await.message.unwrap().message_id;
    assert_eq!(w.message(ann, answer).await.reply_to.unwrap().message_id, question);
}

async fn messages_of_other_rooms_are_not_found(w: World) {
    let ann = w.user("ann").await;
    let (room, other) = (w.public_room(&[ann]).await, w.public_room(&[ann]).await);
    let elsewhere = w.say(ann, other, "elsewhere").await;
    for message_id in [elsewhere, MessageId(999)] {
        for op in [
            RoomOp::Send { content: "that".into(), reply_to: Some(message_id) },
            edit(message_id, "that"),
            RoomOp::Delete { message_id },
            RoomOp::AddReaction { message_id, emoji: "👍".into() },
            RoomOp::RemoveReaction { message_id, emoji: "👍".into() },
            RoomOp::Pin { message_id },
            RoomOp::Unpin { message_id },
        ] {
            assert_eq!(w.refused(ann, room, op).await, Rejection::MessageNotFound);
        }
    }
    assert_eq!(w.message(ann, elsewhere).await.content, "elsewhere");
}

async fn mentions_are_the_members_named_the_writer_aside(w: World) {
    let [ann, bob, _dan] = w.users(["ann", "bob", "dan"]).await;
    let cyd = w.user("cyd").await;
    let room = w.public_room(&[ann, bob, cyd]).await;
    let text = "@cyd, @Bob! and @bob, @dan is not here, nor @nobody; I am @ann";
    let sent = w.send(ann, room, text).await;
    let RoomEvent::NewMessage(event) = decode(&sent.events[0]) else { panic!("no message") };
    assert_eq!(event.mentions, [bob, cyd]);
    assert_eq!(w.message(ann, event.message_id).await.mentions, [bob, cyd]);
}

async fn an_edit_changes_who_is_mentioned(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.public_room(&[ann, bob, cyd]).await;
    let id = w.say(ann, room, "@bob").await;
    assert_eq!((w.unread(bob, room).await, w.unread(cyd, room).await), ((1, 1), (1, 0)));
    w.ok(ann, room, edit(id, "@cyd")).await;
    assert_eq!(w.message(ann, id).await.mentions, [cyd]);
    assert_eq!((w.unread(bob, room).await, w.unread(cyd, room).await), ((1, 0), (1, 1)));
}

async fn admins_pin_and_unpin(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let id = w.say(bob, room, "rules").await;
    w.say(bob, room, "chatter").await;
    assert_eq!(w.refused(bob, room, RoomOp::Pin { message_id: id }).await, Rejection::RoleTooLow);
    w.ok(ann, room, RoomOp::Pin { message_id: id }).await;
    w.unchanged(ann, room, RoomOp::Pin { message_id: id }).await;
    assert_eq!(pinned(&w, ann, room).await, [id]);
    assert_eq!(w.refused(bob, room, RoomOp::Unpin { message_id: id }).await, Rejection::RoleTooLow);
    w.ok(ann, room, RoomOp::Unpin { message_id: id }).await;
    w.unchanged(ann, room, RoomOp::Unpin { message_id: id }).await;
    assert!(pinned(&w, ann, room).await.is_empty());
}

async fn pinned(w: &World, reader: protocol::UserId, room: RoomId) -> Vec<MessageId> {
    let page = w.store.history(reader, room, Anchor::Latest, true, 10).await.unwrap().unwrap();
    page.messages.iter().map(|message| message.message_id).collect()
}

async fn every_change_moves_latest_seq(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let sent = w.ok(ann, room, content("one")).await;
    let message_id = sent.message.unwrap().message_id;
    assert_eq!(w.message(ann, message_id).await.latest_seq, sent.seq);
    let emoji = || "👍".to_owned();
    for op in [
        edit(message_id, "two"),
        RoomOp::AddReaction { message_id, emoji: emoji() },
        RoomOp::RemoveReaction { message_id, emoji: emoji() },
        RoomOp::Pin { message_id },
        RoomOp::Unpin { message_id },
        RoomOp::Delete { message_id },
    ] {
        let committed = w.ok(ann, room, op).await;
        let message = w.message(ann, message_id).await;
        assert_eq!((message.seq, message.latest_seq), (sent.seq, committed.seq));
    }
}
