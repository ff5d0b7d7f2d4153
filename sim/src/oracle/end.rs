//! What must be so when all faults have ended and time has passed: everyone has everything.

use super::log::Log;
use super::page::Page;
use futures_util::FutureExt;
use hub::store::Store;
use protocol::UserId;
use protocol::model::Room;

/// Why a client is not yet as it is to be; `None` if it is.
pub fn lacks(store: &dyn Store, log: &Log, page: &Page, user: UserId) -> Option<String> {
    if !page.is_online() {
        return Some(format!("is {:?}", page.connection));
    }
    if let Some(message) = page.waiting().next() {
        return Some(format!("still has {} in its outbox: {:?}", message.client_id, message.delivery));
    }
    if page.unanswered() > 0 {
        return Some(format!("still waits for {} pages", page.unanswered()));
    }
    let rooms = now(store.rooms_of(user));
    if !rooms.iter().map(|room| room.id).eq(page.rooms.keys().copied()) {
        let shown: Vec<_> = page.rooms.keys().map(|id| id.0).collect();
        let are: Vec<_> = rooms.iter().map(|room| room.id.0).collect();
        return Some(format!("shows rooms {shown:?}, is in {are:?}"));
    }
    for room in rooms {
        let shown = &page.rooms[&room.id];
        if shown.seq != room.head_seq {
            return Some(format!("has room {} up to event {} of {}", room.id, shown.seq, room.head_seq));
        }
        if let Some(difference) = differs(log, shown.room.as_ref(), &room) {
            return Some(difference);
        }
    }
    None
}

fn differs(log: &Log, shown: Option<&Room>, room: &Room) -> Option<String> {
    let Some(mut shown) = shown.cloned() else { return Some(format!("was not told of room {}", room.id)) };
    if log.changes_text(room.id) {
        // Whom an old message mentioned, which is changed later, only the node knows.
        shown.mention_count = room.mention_count;
    }
    (shown != *room).then(|| format!("shows {shown:?} where the store has {room:?}"))
}

/// What the truth answers, which waits for nothing.
pub fn now<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    answer.now_or_never().and_then(Result::ok).expect("the truth answers at once")
}
