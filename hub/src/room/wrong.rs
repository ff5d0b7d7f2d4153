//! What the writer gets wrong with a bug in place, where that takes more than a line. Does nothing and
//! is compiled away in every other build.

use super::writer::Answer;
use crate::store::{Append, Committed, CommittedMessage, Op, RoomOp, Store};
use protocol::planted::{self, Bug};
use protocol::{ClientId, MessageId, MessageNo, Seq, UserId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Names that are known again with [`Bug::DedupWindow`].
const WINDOW: usize = 2;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(1) };
    static FIRSTS: RefCell<BTreeMap<(UserId, String), ClientId>> = const { RefCell::new(BTreeMap::new()) };
    static NAMES: RefCell<(BTreeSet<ClientId>, VecDeque<ClientId>)> =
        const { RefCell::new((BTreeSet::new(), VecDeque::new())) };
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// Gives an operation another name than its asker gave it.
pub(super) fn rename(append: &mut Append) {
    let name = append.client_id;
    if planted::has(Bug::RetryNotIdempotent) {
        append.client_id = another(name);
    }
    if planted::has(Bug::DedupByBody) {
        let said = (append.actor, format!("{:?}", append.op));
        append.client_id = FIRSTS.with_borrow_mut(|firsts| *firsts.entry(said).or_insert(name));
    }
    if planted::has(Bug::DedupWindow) {
        let is_forgotten = NAMES.with_borrow_mut(|(all, last)| {
            let is_forgotten = !all.insert(name) && !last.contains(&name);
            last.push_back(name);
            if last.len() > WINDOW {
                last.pop_front();
            }
            is_forgotten
        });
        if is_forgotten {
            append.client_id = another(name);
        }
    }
}

/// A name that no one gave.
fn another(name: ClientId) -> ClientId {
    let count = COUNT.get();
    COUNT.set(count + 1);
    let (first, second) = name.0.as_u64_pair();
    ClientId(Uuid::from_u64_pair(first.rotate_left(7) ^ count, second))
}

/// Answers sends with the numbers that they would get if nobody else said anything; the rest waits.
pub(super) async fn answer(
    store: &dyn Store,
    batch: &[Append],
    answers: Vec<oneshot::Sender<Answer>>,
) -> Vec<oneshot::Sender<Answer>> {
    let mut rest = Vec::new();
    for (append, answer) in batch.iter().zip(answers) {
        let Op::InRoom { room_id, op: RoomOp::Send { .. } } = &append.op else {
            rest.push(answer);
            continue;
        };
        let heads = store.heads(&[*room_id]).await.unwrap_or_default();
        let head = heads.first().map_or(Seq(0), |(_, head)| *head);
        LAST.set(LAST.get() + 1);
        let message = CommittedMessage {
            message_id: MessageId(LAST.get()),
            message_no: MessageNo(LAST.get()),
            created_at: append.at,
        };
        let committed =
            Committed { room_id: *room_id, seq: head.next(), message: Some(message), events: Vec::new() };
        answer.send(Ok(committed)).ok();
        rest.push(oneshot::channel().0);
    }
    rest
}
