//! Pages of messages.

use super::contract;
use crate::store::world::World;
use hub::store::RoomOp;
use protocol::model::{Anchor, MessagePage};
use protocol::{MessageId, MessageNo, RoomId, UserId};

contract! {
    pages_start_where_their_anchor_says
    pages_of_pinned_messages_hold_nothing_else
    a_page_tells_up_to_which_event_it_holds
    an_empty_room_has_an_empty_page
    only_members_read_messages
}

fn shape(page: &MessagePage) -> (Vec<u64>, bool, bool) {
    let numbers = page.messages.iter().map(|message| message.message_no.0).collect();
    (numbers, page.more_before, page.more_after)
}

async fn ten_messages(w: &World) -> (UserId, RoomId, Vec<MessageId>) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let mut ids = Vec::new();
    for n in 1..=10 {
        ids.push(w.say(ann, room, &format!("{n}")).await);
    }
    (ann, room, ids)
}

async fn pages_start_where_their_anchor_says(w: World) {
    let (ann, room, _) = ten_messages(&w).await;
    let no = MessageNo;
    for (anchor, limit, numbers, more_before, more_after) in [
        (Anchor::Latest, 3, vec![8, 9, 10], true, false),
        (Anchor::Latest, 10, (1..=10).collect(), false, false),
        (Anchor::Before(no(8)), 3, vec![5, 6, 7], true, true),
        (Anchor::Before(no(3)), 5, vec![1, 2], false, true),
        (Anchor::Before(no(11)), 2, vec![9, 10], true, false),
        (Anchor::Before(no(99)), 2, vec![9, 10], true, false),
        (Anchor::Before(no(1)), 3, vec![], false, true),
        (Anchor::After(no(8)), 3, vec![9, 10], true, false),
        (Anchor::After(no(0)), 2, vec![1, 2], false, true),
        (Anchor::After(no(2)), 2, vec![3, 4], true, true),
        (Anchor::After(no(10)), 2, vec![], true, false),
        (Anchor::Around(no(5)), 4, vec![3, 4, 5, 6], true, true),
        (Anchor::Around(no(5)), 5, vec![3, 4, 5, 6, 7], true, true),
        (Anchor::Around(no(5)), 1, vec![5], true, true),
        (Anchor::Around(no(1)), 4, vec![1, 2], false, true),
        (Anchor::Around(no(10)), 4, vec![8, 9, 10], true, false),
        (Anchor::Around(no(99)), 4, vec![9, 10], true, false),
    ] {
        let page = w.page(ann, room, anchor, limit).await;
        assert_eq!(shape(&page), (numbers, more_before, more_after), "{limit} of {anchor:?}");
    }
}

async fn pages_of_pinned_messages_hold_nothing_else(w: World) {
    let (ann, room, ids) = ten_messages(&w).await;
    for n in [2, 5, 9] {
        w.ok(ann, room, RoomOp::Pin { message_id: ids[n - 1] }).await;
    }
    for (anchor, limit, numbers, more_before, more_after) in [
        (Anchor::Latest, 2, vec![5, 9], true, false),
        (Anchor::Before(MessageNo(9)), 5, vec![2, 5], false, true),
        (Anchor::After(MessageNo(2)), 1, vec![5], true, true),
        (Anchor::Around(MessageNo(5)), 2, vec![2, 5], false, true),
    ] {
        let page = w.store.history(ann, room, anchor, true, limit).await.unwrap().unwrap();
        assert_eq!(shape(&page), (numbers, more_before, more_after), "{limit} of {anchor:?}");
    }
    w.ok(ann, room, RoomOp::Delete { message_id: ids[4] }).await;
    let page = w.store.history(ann, room, Anchor::Latest, true, 5).await.unwrap().unwrap();
    assert_eq!(shape(&page).0, [2, 9], "a deleted message is no longer pinned");
}

async fn a_page_tells_up_to_which_event_it_holds(w: World) {
    let (ann, room, ids) = ten_messages(&w).await;
    let edited = w.ok(ann, room, RoomOp::Edit { message_id: ids[0], content: "new".into() }).await;
    let page = w.page(ann, room, Anchor::After(MessageNo(0)), 1).await;
    assert_eq!((page.as_of_seq, page.messages[0].content.as_str()), (edited.seq, "new"));
    assert_eq!(page.messages[0].latest_seq, edited.seq);
}

async fn an_empty_room_has_an_empty_page(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    for anchor in [Anchor::Latest, Anchor::After(MessageNo(0)), Anchor::Around(MessageNo(1))] {
        let page = w.page(ann, room, anchor, 5).await;
        assert_eq!(shape(&page), (vec![], false, false));
    }
}

async fn only_members_read_messages(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let id = w.say(ann, room, "x").await;
    assert!(w.store.message(bob, id).await.unwrap().is_some());
    w.ok(bob, room, RoomOp::Leave).await;
    assert_eq!(w.store.message(bob, id).await.unwrap(), None);
    assert_eq!(w.store.message(ann, MessageId(999)).await.unwrap(), None);
    assert_eq!(w.store.history(bob, room, Anchor::Latest, false, 5).await.unwrap(), None);
    assert_eq!(w.store.history(ann, RoomId(999), Anchor::Latest, false, 5).await.unwrap(), None);
    assert_eq!(w.store.room(bob, room).await.unwrap(), None);
    assert_eq!(w.store.members(bob, room, None, 5).await.unwrap(), None);
}
