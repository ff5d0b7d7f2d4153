//! What the writer gets wrong with a bug in place, where that takes more than a line. Does nothing and
//! is compiled away in every other build.

use super::Rooms;
use super::writer::Answer;
use crate::broker::Topic;
use crate::store::{Append, Committed, CommittedMessage, Event, Op, Outcome, RoomOp, Store};
use protocol::planted::{self, Bug};
use protocol::{ClientId, MessageId, MessageNo, NodeId, RoomId, Seq, UserId};
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
    static ASKED: RefCell<BTreeSet<ClientId>> = const { RefCell::new(BTreeSet::new()) };
    static LAST: Cell<u64> = const { Cell::new(0) };
    static HEADS: RefCell<BTreeMap<(NodeId, RoomId), Seq>> = const { RefCell::new(BTreeMap::new()) };
}

/// Gives an operation another name than its asker gave it.
pub(super) fn rename(append: &mut Append) {
    let name = append.client_id;
    if planted::has(Bug::RetryNotIdempotent) && ASKED.with_borrow_mut(|asked| !asked.insert(name)) {
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
        let seq = next(store, *room_id).await;
        let number = count();
        let message = CommittedMessage {
            message_id: MessageId(number),
            message_no: MessageNo(number),
            created_at: append.at,
        };
        let committed = Committed { room_id: *room_id, seq, message: Some(message), events: Vec::new() };
        answer.send(Ok(committed)).ok();
        rest.push(oneshot::channel().0);
    }
    rest
}

/// Acknowledges whatever is not a send, with nothing done yet; the answers that wait for that.
pub(super) fn acknowledge(
    batch: &[Append],
    answers: Vec<oneshot::Sender<Answer>>,
) -> Vec<oneshot::Sender<Answer>> {
    let early = |(append, answer): (&Append, oneshot::Sender<Answer>)| match &append.op {
        Op::InRoom { op: RoomOp::Send { .. }, .. } | Op::CreateRoom { .. } => answer,
        Op::InRoom { room_id, .. } => {
            let done = Committed { room_id: *room_id, seq: Seq(1), message: None, events: Vec::new() };
            answer.send(Ok(done)).ok();
            oneshot::channel().0
        }
    };
    batch.iter().zip(answers).map(early).collect()
}

/// Tells other nodes of sends as if they were committed, with the numbers that they would get if nobody else
/// said anything.
pub(super) async fn publish(store: &dyn Store, rooms: &Rooms, batch: &[Append]) {
    for append in batch {
        let Op::InRoom { room_id, op: RoomOp::Send { content, .. } } = &append.op else { continue };
        let seq = next(store, *room_id).await;
        let number = count();
        let event = serde_json::json!({
            "type": "new_message", "room_id": room_id, "message_id": number, "message_no": number, "seq": seq,
            "latest_seq": seq, "user_id": append.actor, "username": "", "display_name": "",
            "client_id": append.client_id, "content": content, "created_at": append.at,
        });
        rooms.broker.publish(Topic::Room(*room_id), event.to_string().into());
    }
}

/// Gives events the numbers that they would have if this node alone wrote to their rooms, since it first did.
pub(super) fn renumber(node: &NodeId, mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    for committed in outcomes.iter_mut().flatten() {
        for event in &mut committed.events {
            let seq = HEADS.with_borrow_mut(|heads| {
                let head = heads.entry((node.clone(), event.room_id)).or_insert(Seq(event.seq.0 - 1));
                *head = head.next();
                *head
            });
            *event = numbered(event, seq);
        }
        committed.seq = committed.events.first().map_or(committed.seq, |event| event.seq);
    }
    outcomes
}

/// The event under another number.
fn numbered(event: &Event, seq: Seq) -> Event {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&event.json) else { return event.clone() };
    for field in ["seq", "latest_seq"] {
        if let Some(number) = value.get_mut(field) {
            *number = seq.0.into();
        }
    }
    Event { seq, json: value.to_string().into(), ..event.clone() }
}

/// The event that comes next in a room, as far as one can tell.
async fn next(store: &dyn Store, room_id: RoomId) -> Seq {
    let heads = store.heads(&[room_id]).await.unwrap_or_default();
    heads.first().map_or(Seq(0), |(_, head)| *head).next()
}

fn count() -> u64 {
    LAST.set(LAST.get() + 1);
    LAST.get()
}
