//! Holds the last events of an active room, each encoded once and shared by all connections.
//! Bounded in events and bytes, and all rings together by the node's budget. Pure.

use crate::store::Event;
use crate::sync::atomic::{AtomicUsize, Ordering};
use bytes::Bytes;
use protocol::Seq;
use protocol::planted::{self, Bug};
use std::collections::VecDeque;
use std::sync::Arc;

/// An event as connections send it.
#[derive(Clone, Debug)]
pub struct RingEvent {
    /// What it is.
    pub event: Event,
    /// Its text as the payload of a frame: a clone shares it.
    pub frame: Bytes,
}

struct SharedText(Arc<str>);

impl AsRef<[u8]> for SharedText {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<Event> for RingEvent {
    fn from(event: Event) -> Self {
        let frame = Bytes::from_owner(SharedText(Arc::clone(&event.json)));
        Self { event, frame }
    }
}

impl RingEvent {
    /// What it counts against the bounds, in bytes.
    fn cost(&self) -> usize {
        self.frame.len() + size_of::<Self>()
    }
}

/// The bytes that all rings of a node may hold together.
#[derive(Debug)]
pub struct RingBudget {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl RingBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), bytes_max }
    }

    /// The bytes that all rings hold now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn is_exceeded(&self) -> bool {
        self.bytes() > self.bytes_max
    }
}

/// What a connection finds after its cursor.
#[derive(Debug)]
pub enum RingRead {
    /// The next events.
    Events {
        /// Ascending; none when the cursor is at the head.
        events: Vec<RingEvent>,
        /// Whether nothing comes after them.
        is_all: bool,
    },
    /// The ring begins after the cursor: read the store.
    Behind,
}

/// The last events of one room, without a hole.
#[derive(Debug)]
pub struct Ring {
    events: VecDeque<RingEvent>,
    /// The newest event that the ring has seen, kept or not.
    head: Seq,
    bytes: usize,
    events_max: usize,
    bytes_max: usize,
    budget: Arc<RingBudget>,
}

impl Ring {
    /// An empty ring of a room whose newest event is `head`.
    #[must_use]
    pub const fn new(head: Seq, events_max: usize, bytes_max: usize, budget: Arc<RingBudget>) -> Self {
        Self { events: VecDeque::new(), head, bytes: 0, events_max, bytes_max, budget }
    }

    /// The newest event that the ring has seen.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// What all rings share.
    #[must_use]
    pub fn budget(&self) -> &RingBudget {
        &self.budget
    }

    /// Begins anew after `head`.
    pub fn restart(&mut self, head: Seq) {
        self.clear();
        self.head = head;
    }

    /// Takes the next event. What is over the bounds goes, oldest first; a connection that still
    /// needs it reads the store. An event that takes text away empties the ring before it, so
    /// that nobody is sent that text any more.
    pub fn push(&mut self, event: Event) {
        debug_assert!(
            event.seq == self.head.next() || planted::has(Bug::PushUnordered),
            "the feed gives events without a hole: {} after {}",
            event.seq,
            self.head
        );
        if event.scrubs {
            self.clear();
        }
        self.head = event.seq;
        let event = RingEvent::from(event);
        self.bytes += event.cost();
        self.budget.bytes.fetch_add(event.cost(), Ordering::Relaxed);
        self.events.push_back(event);
        while self.is_over_bounds() && self.pop() {}
    }

    fn is_over_bounds(&self) -> bool {
        let is_over =
            self.events.len() > self.events_max || self.bytes > self.bytes_max || self.budget.is_exceeded();
        is_over && !planted::has(Bug::RingsUnbounded)
    }

    /// Gives up the older half, when all rings together hold too much.
    pub fn trim_if_over_budget(&mut self) {
        if self.budget.is_exceeded() {
            for _ in 0..self.events.len().div_ceil(2) {
                self.pop();
            }
        }
    }

    /// The events after a cursor, at most `events_max` of them and at most `bytes_max` bytes (but
    /// one at least).
    #[must_use]
    pub fn read(&self, after: Seq, events_max: usize, bytes_max: usize) -> RingRead {
        if after >= self.head {
            return RingRead::Events { events: Vec::new(), is_all: true };
        }
        let Some(first) = self.events.front() else { return RingRead::Behind };
        if after.next() < first.event.seq {
            return RingRead::Behind;
        }
        let skip = usize::try_from(after.next().0 - first.event.seq.0).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let events: Vec<_> = self
            .events
            .range(skip..)
            .take(events_max)
            .take_while(|event| {
                let is_first = bytes == 0;
                bytes += event.frame.len();
                is_first || bytes <= bytes_max
            })
            .cloned()
            .collect();
        let is_all = events.last().is_some_and(|last: &RingEvent| last.event.seq == self.head);
        RingRead::Events { events, is_all }
    }

    fn pop(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else { return false };
        self.bytes -= event.cost();
        self.budget.bytes.fetch_sub(event.cost(), Ordering::Relaxed);
        true
    }

    fn clear(&mut self) {
        while self.pop() {}
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::RoomId;

    fn event(seq: u64, text: &str) -> Event {
        Event { room_id: RoomId(1), seq: Seq(seq), membership: None, scrubs: false, json: text.into() }
    }

    fn ring(events_max: usize, bytes_max: usize, budget: usize) -> Ring {
        Ring::new(Seq(10), events_max, bytes_max, Arc::new(RingBudget::new(budget)))
    }

    fn read(ring: &Ring, after: u64, events_max: usize, bytes_max: usize) -> Option<Vec<u64>> {
        match ring.read(Seq(after), events_max, bytes_max) {
            RingRead::Events { events, .. } => Some(events.iter().map(|event| event.event.seq.0).collect()),
            RingRead::Behind => None,
        }
    }

    #[test]
    fn gives_what_is_after_the_cursor() {
        let mut ring = ring(100, usize::MAX, usize::MAX);
        for seq in 11..=15 {
            ring.push(event(seq, "x"));
        }
        assert_eq!(read(&ring, 10, 100, 100), Some(vec![11, 12, 13, 14, 15]));
        assert_eq!(read(&ring, 13, 100, 100), Some(vec![14, 15]));
        assert_eq!(read(&ring, 15, 100, 100), Some(vec![]));
        assert_eq!(read(&ring, 99, 100, 100), Some(vec![]), "a cursor from the future waits");
        assert_eq!(read(&ring, 9, 100, 100), None);
        assert_eq!(read(&ring, 10, 2, 100), Some(vec![11, 12]));
    }

    #[test]
    fn a_read_is_bounded_in_bytes_but_gives_one_event_at_least() {
        let mut ring = ring(100, usize::MAX, usize::MAX);
        for seq in 11..=14 {
            ring.push(event(seq, "1234567890"));
        }
        assert_eq!(read(&ring, 10, 100, 25), Some(vec![11, 12]));
        assert_eq!(read(&ring, 10, 100, 1), Some(vec![11]));
    }

    #[test]
    fn an_empty_ring_sends_those_behind_to_the_store() {
        let ring = ring(100, usize::MAX, usize::MAX);
        assert_eq!(read(&ring, 10, 100, 100), Some(vec![]));
        assert_eq!(read(&ring, 9, 100, 100), None);
    }

    #[test]
    fn is_bounded_in_events() {
        let mut ring = ring(3, usize::MAX, usize::MAX);
        for seq in 11..=20 {
            ring.push(event(seq, "x"));
        }
        assert_eq!(read(&ring, 17, 100, 100), Some(vec![18, 19, 20]));
        assert_eq!(read(&ring, 16, 100, 100), None);
    }

    #[test]
    fn is_bounded_in_bytes_and_by_the_budget_and_gives_it_back() {
        let one = RingEvent::from(event(1, "x")).cost();
        assert!(one > size_of::<RingEvent>(), "its text counts, and what holds it");
        let budget = Arc::new(RingBudget::new(one * 3));
        let mut first = Ring::new(Seq(10), 100, one * 2, Arc::clone(&budget));
        let mut second = Ring::new(Seq(10), 100, one * 100, Arc::clone(&budget));
        for seq in 11..=20 {
            first.push(event(seq, "x"));
            second.push(event(seq, "x"));
        }
        assert_eq!(first.bytes, one * 2);
        assert_eq!(second.bytes, one, "the ring that grows pays");
        assert_eq!(budget.bytes(), one * 3);
        drop((first, second));
        assert_eq!(budget.bytes(), 0);
    }

    #[test]
    fn an_event_that_takes_text_away_empties_what_is_before_it() {
        let mut ring = ring(100, usize::MAX, usize::MAX);
        ring.push(event(11, "secret"));
        ring.push(Event { scrubs: true, ..event(12, "deleted") });
        assert_eq!(read(&ring, 10, 100, 100), None);
        assert_eq!(read(&ring, 11, 100, 100), Some(vec![12]));
    }
}
