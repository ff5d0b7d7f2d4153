//! Many at once.

use super::contract;
use crate::store::world::{World, content, decode};
use hub::store::{Append, Committed, Op, Outcome, RoomOp, Store, StoreError};
use protocol::event::RoomEvent;
use protocol::{ClientId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;
use uuid::Uuid;

contract! {
    thirty_two_writers_leave_dense_numbers_and_a_follower_misses_nothing
    retries_that_race_leave_one_message
    joins_and_leaves_that_race_leave_a_true_count
    reading_goes_on_while_batches_are_written
}

const WRITERS: u64 = 32;
const SENDS: u64 = 12;
const TRIES_MAX: u32 = 10;

fn send(actor: UserId, room: RoomId, name: u64) -> Append {
    Append {
        actor,
        client_id: ClientId(Uuid::from_u128(u128::from(name))),
        at: Timestamp(name),
        op: Op::in_room(room, content(&format!("m{name}"))),
    }
}

/// Appends as a writer does: where a store under load says that nothing happened, it asks again.
async fn append(store: &dyn Store, batch: &[Append]) -> Vec<Outcome> {
    for _ in 0..TRIES_MAX {
        match store.append(batch.to_vec()).await {
            Err(StoreError::Unavailable(_)) => {}
            answer => return answer.unwrap(),
        }
    }
    panic!("the store stays unavailable");
}

/// Sends alone and in small batches, each twice.
async fn write(store: Arc<dyn Store>, actor: UserId, room: RoomId, writer: u64) -> Vec<Committed> {
    let mut committed = Vec::new();
    for n in 0..SENDS / 3 {
        let name = 1_000_000 + writer * SENDS + n * 3;
        let batch: Vec<_> = (name..name + 3).map(|name| send(actor, room, name)).collect();
        let first = append(store.as_ref(), &batch).await;
        let again = append(store.as_ref(), &batch).await;
        for (first, again) in first.into_iter().zip(again) {
            let first = first.unwrap();
            assert_eq!(again.unwrap(), Committed { events: vec![], ..first.clone() });
            committed.push(first);
        }
    }
    committed
}

/// Reads the log behind the writers until it has seen as many messages as they send.
async fn follow(store: Arc<dyn Store>, room: RoomId, messages: u64) -> Vec<(Seq, Option<MessageNo>)> {
    let (mut seen, mut cursor, mut count) = (Vec::new(), Seq(0), 0);
    while count < messages {
        for event in store.events(room, cursor, 7).await.unwrap() {
            let no =
                if let RoomEvent::NewMessage(new) = decode(&event) { Some(new.message_no) } else { None };
            count += u64::from(no.is_some());
            cursor = event.seq;
            seen.push((event.seq, no));
        }
        tokio::task::yield_now().await;
    }
    seen
}

async fn thirty_two_writers_leave_dense_numbers_and_a_follower_misses_nothing(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let messages = WRITERS * SENDS;
    let writers = (0..WRITERS).map(|writer| write(w.store.clone(), ann, room, writer));
    let writers = writers.collect::<JoinSet<_>>().join_all();
    let (seen, committed) = tokio::join!(follow(w.store.clone(), room, messages), writers);
    let committed: Vec<Committed> = committed.into_iter().flatten().collect();

    let dense = |numbers: &BTreeSet<u64>, from: u64| {
        let expected: BTreeSet<u64> = (from..from + messages).collect();
        assert_eq!(*numbers, expected);
    };
    let named: Vec<_> = committed.iter().map(|committed| committed.message.unwrap()).collect();
    dense(&committed.iter().map(|committed| committed.seq.0).collect(), 2);
    dense(&named.iter().map(|message| message.message_no.0).collect(), 1);
    let ids: BTreeSet<_> = named.iter().map(|message| message.message_id).collect();
    assert_eq!(ids.len() as u64, messages);
    // The follower saw each event once, in order, and messages in the order of their numbers.
    let seqs: Vec<u64> = seen.iter().map(|(seq, _)| seq.0).collect();
    assert_eq!(seqs, (1..=messages + 1).collect::<Vec<_>>());
    let numbers: Vec<u64> = seen.iter().filter_map(|(_, no)| Some((*no)?.0)).collect();
    assert_eq!(numbers, (1..=messages).collect::<Vec<_>>());
}

async fn retries_that_race_leave_one_message(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let append = send(ann, room, 1_000_000);
    let tries = (0..16).map(|_| {
        let (store, append) = (w.store.clone(), append.clone());
        async move { store.append(vec![append]).await.unwrap().remove(0).unwrap() }
    });
    let tries: Vec<Committed> = tries.collect::<JoinSet<_>>().join_all().await;
    let results: BTreeSet<_> = tries.iter().map(|c| (c.seq, c.message.unwrap().message_id)).collect();
    assert_eq!(results.len(), 1, "all get the first result");
    assert_eq!(tries.iter().map(|c| c.events.len()).sum::<usize>(), 1, "and one made the event");
    assert_eq!(w.head(room).await, Seq(2));
}

async fn joins_and_leaves_that_race_leave_a_true_count(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let mut users = Vec::new();
    for n in 0..12 {
        users.push(w.user(&format!("user{n}")).await);
    }
    let turns = users.iter().enumerate().map(|(n, user)| {
        let appends: Vec<_> = (0..n)
            .map(|turn| if turn % 2 == 0 { RoomOp::Join } else { RoomOp::Leave })
            .map(|op| w.append(*user, Op::in_room(room, op)))
            .collect();
        let store = w.store.clone();
        async move {
            for append in appends {
                store.append(vec![append]).await.unwrap().remove(0).unwrap();
            }
        }
    });
    turns.collect::<JoinSet<_>>().join_all().await;
    let page = w.store.members(ann, room, None, 100).await.unwrap().unwrap();
    // Those with an odd number of turns are in, and the owner.
    assert_eq!((page.members.len(), w.room(ann, room).await.member_count), (7, 7));
    let seqs: Vec<u64> = w.log(room).await.iter().map(|event| event.seq.0).collect();
    assert_eq!(seqs, (1..=1 + 66).collect::<Vec<_>>());
}

async fn reading_goes_on_while_batches_are_written(w: World) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let (store, batches) = (w.store.clone(), 20);
    let batch = |n: u64| (0..50).map(|m| send(ann, room, 1_000_000 + n * 50 + m)).collect::<Vec<_>>();
    let batches: Vec<_> = (0..batches).map(batch).collect();
    let mut writer = JoinSet::new();
    let handle = writer.spawn(async move {
        for batch in batches {
            store.append(batch).await.unwrap();
        }
    });
    let mut last = Seq(0);
    loop {
        let done = handle.is_finished();
        let page = w.page(ann, room, protocol::model::Anchor::Latest, 3).await;
        // A page is of one moment: its newest message is the room's newest event.
        if let Some(newest) = page.messages.last() {
            assert_eq!((newest.seq, newest.message_no.0 + 1), (page.as_of_seq, page.as_of_seq.0));
            assert_eq!((page.as_of_seq.0 - 1) % 50, 0, "a batch shows whole");
        }
        assert!(page.as_of_seq >= last);
        last = page.as_of_seq;
        if done {
            break;
        }
    }
    writer.join_all().await;
    assert_eq!(last, Seq(1_001));
}
