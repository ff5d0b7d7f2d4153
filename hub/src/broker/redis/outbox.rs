//! Publications that wait for their server. Bounded for each server in number and bytes; when
//! full, the oldest go first: a receiver that sees a later event asks the store for those before
//! it, while one that misses the last waits for the sweep. Does no I/O.

use super::routes::Routes;
use crate::broker::Topic;
use crate::broker::redis_url::Address;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

/// Most publications that wait for one server.
const PUBLICATIONS_MAX: usize = 8_192;
/// Most bytes that wait for one server.
const BYTES_MAX: usize = 16 << 20;

/// Something to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) topic: Topic,
    pub(super) payload: Arc<str>,
    /// How often a server refused it.
    pub(super) refusals: u8,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Publication>,
    bytes: usize,
    is_up: bool,
    wake: Arc<Notify>,
}

impl Queue {
    fn is_over(&self) -> bool {
        self.waiting.len() > PUBLICATIONS_MAX || (self.bytes > BYTES_MAX && self.waiting.len() > 1)
    }

    /// Drops the oldest until the rest fits; returns how many.
    fn trim(&mut self) -> usize {
        let mut dropped = 0;
        while self.is_over() {
            if let Some(oldest) = self.waiting.pop_front() {
                self.bytes -= oldest.payload.len();
                dropped += 1;
            }
        }
        dropped
    }
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    routes: Arc<Routes>,
    /// By server; `None` is for topics whose server is not known.
    queues: BTreeMap<Option<Address>, Queue>,
    /// Taken, and neither confirmed nor taken back.
    in_flight: usize,
}

impl Outbox {
    /// Adds a publication; returns how many old ones it displaced.
    pub(super) fn push(&mut self, publication: Publication) -> usize {
        let queue = self.queues.entry(self.routes.owner(publication.topic).cloned()).or_default();
        queue.bytes += publication.payload.len();
        queue.waiting.push_back(publication);
        queue.wake.notify_one();
        queue.trim()
    }

    /// Takes back, in their order, what may not have gone out; returns how many do not fit.
    pub(super) fn take_back(&mut self, publications: Vec<Publication>) -> usize {
        let mut dropped = 0;
        self.in_flight -= publications.len();
        for publication in publications.into_iter().rev() {
            let queue = self.queues.entry(self.routes.owner(publication.topic).cloned()).or_default();
            queue.bytes += publication.payload.len();
            queue.waiting.push_front(publication);
            queue.wake.notify_one();
            dropped += queue.trim();
        }
        dropped
    }

    /// The next publications for a server, within both limits, but at least one if there is one.
    pub(super) fn take(&mut self, owner: &Address, max: usize, bytes_max: usize) -> Vec<Publication> {
        let Some(queue) = self.queues.get_mut(&Some(owner.clone())) else { return Vec::new() };
        let mut bytes = 0;
        let mut batch = Vec::new();
        while let Some(next) = queue.waiting.front() {
            bytes += next.payload.len();
            if batch.len() == max || (bytes > bytes_max && !batch.is_empty()) {
                break;
            }
            queue.bytes -= next.payload.len();
            batch.extend(queue.waiting.pop_front());
        }
        self.in_flight += batch.len();
        batch
    }

    /// So many of those that were taken are done with.
    pub(super) const fn confirm(&mut self, publications: usize) {
        self.in_flight -= publications;
    }

    /// Topics live elsewhere from now on; what waits moves along. Returns how many do not fit.
    pub(super) fn set_routes(&mut self, routes: Arc<Routes>) -> usize {
        let owners = routes.owners();
        self.routes = routes;
        let mut waiting = Vec::new();
        for queue in self.queues.values_mut() {
            waiting.extend(queue.waiting.drain(..));
            queue.bytes = 0;
        }
        self.queues.retain(|owner, _| owner.as_ref().is_some_and(|owner| owners.contains(owner)));
        for owner in owners {
            self.queues.entry(Some(owner)).or_default();
        }
        waiting.into_iter().map(|publication| self.push(publication)).sum()
    }

    /// Says whether publications to a server go out.
    pub(super) fn set_up(&mut self, owner: &Address, is_up: bool) {
        if let Some(queue) = self.queues.get_mut(&Some(owner.clone())) {
            queue.is_up = is_up;
            queue.wake.notify_one();
        }
    }

    /// What wakes a server's link when there is something to publish.
    pub(super) fn wake(&self, owner: &Address) -> Option<Arc<Notify>> {
        self.queues.get(&Some(owner.clone())).map(|queue| Arc::clone(&queue.wake))
    }

    /// The server of the keys that are placed by this tag, if it is known.
    pub(super) fn owner_of(&self, tag: &str) -> Option<Address> {
        self.routes.owner_of(tag.as_bytes()).cloned()
    }

    /// Whether publications to all servers go out.
    pub(super) fn is_whole(&self) -> bool {
        self.queues.iter().all(|(owner, queue)| owner.is_some() && queue.is_up)
    }

    /// How many wait or are under way.
    pub(super) fn len(&self) -> usize {
        self.in_flight + self.queues.values().map(|queue| queue.waiting.len()).sum::<usize>()
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::RoomId;

    fn server(port: u16) -> Address {
        Address::Tcp("h".into(), port)
    }

    fn publication(room: u64, payload: &str) -> Publication {
        Publication { topic: Topic::Room(RoomId(room)), payload: payload.into(), refusals: 0 }
    }

    fn outbox() -> Outbox {
        let mut outbox = Outbox::default();
        outbox.set_routes(Arc::new(Routes::One(server(1))));
        outbox
    }

    fn payloads(batch: &[Publication]) -> Vec<&str> {
        batch.iter().map(|publication| publication.payload.as_ref()).collect()
    }

    #[test]
    fn publications_leave_in_order_and_in_batches() {
        let mut outbox = outbox();
        for payload in ["a", "b", "ccc", "d"] {
            assert_eq!(outbox.push(publication(1, payload)), 0);
        }
        assert_eq!(payloads(&outbox.take(&server(1), 2, 100)), ["a", "b"]);
        assert_eq!(payloads(&outbox.take(&server(1), 2, 2)), ["ccc"], "the first always fits");
        assert_eq!(payloads(&outbox.take(&server(1), 2, 2)), ["d"]);
        assert!(outbox.take(&server(1), 2, 2).is_empty() && !outbox.is_empty());
        assert_eq!(outbox.len(), 4, "until they are confirmed");
        outbox.confirm(4);
        assert!(outbox.is_empty());
    }

    #[test]
    fn when_full_the_oldest_go_first() {
        let mut outbox = outbox();
        let dropped: usize =
            (0..PUBLICATIONS_MAX + 3).map(|n| outbox.push(publication(1, &n.to_string()))).sum();
        assert_eq!(dropped, 3);
        assert_eq!(payloads(&outbox.take(&server(1), 1, 100)), ["3"]);
        assert_eq!(outbox.push(publication(1, &"x".repeat(BYTES_MAX))), PUBLICATIONS_MAX - 1);
        assert_eq!(outbox.take(&server(1), 10, 1).len(), 1, "what is too large alone still goes");
    }

    #[test]
    fn what_comes_back_stands_before_the_rest() {
        let mut outbox = outbox();
        for payload in ["a", "b", "c"] {
            outbox.push(publication(1, payload));
        }
        let batch = outbox.take(&server(1), 2, 100);
        assert_eq!(outbox.take_back(batch), 0);
        assert_eq!(payloads(&outbox.take(&server(1), 9, 100)), ["a", "b", "c"]);
    }

    #[test]
    fn what_waits_moves_to_the_new_server() {
        let mut outbox = Outbox::default();
        outbox.push(publication(1, "early"));
        assert!(!outbox.is_whole());
        for port in [1, 2] {
            outbox.set_routes(Arc::new(Routes::One(server(port))));
        }
        outbox.set_up(&server(2), true);
        assert!(outbox.is_whole());
        assert!(outbox.take(&server(1), 9, 100).is_empty());
        assert_eq!(payloads(&outbox.take(&server(2), 9, 100)), ["early"]);
    }
}
