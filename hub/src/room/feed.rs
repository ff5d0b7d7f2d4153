//! Puts a room's events in order: takes publications, heads and store reads in any order, repeats
//! and gaps included, and gives each event once. Pure: no I/O, no clock.

use crate::limits::bounds::{BACKFILL_EVENTS_MAX, BACKFILL_RETRY, HELD_EVENTS_MAX, REORDER_WAIT};
use crate::store::Event;
use protocol::Seq;
use protocol::planted::{self, Bug};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A read that closes a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// Events after this one.
    pub after: Seq,
    /// At most so many.
    pub limit: u32,
}

/// The order of one room's events on one node.
#[derive(Debug)]
pub struct Feed {
    /// The newest event that was given out.
    head: Seq,
    /// The newest event that is known to exist.
    known: Seq,
    held: BTreeMap<Seq, Event>,
    /// When the gap is read from the store, if it is still there.
    read_at: Option<Instant>,
    is_reading: bool,
    failures: u32,
}

impl Feed {
    /// A feed that continues after `head`.
    #[must_use]
    pub const fn new(head: Seq) -> Self {
        Self { head, known: head, held: BTreeMap::new(), read_at: None, is_reading: false, failures: 0 }
    }

    /// The newest event that was given out.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// Takes an event from the writer or the broker; puts what is due into `due`.
    pub fn handle_event(&mut self, event: Event, now: Instant, due: &mut Vec<Event>) {
        if event.seq <= self.head {
            return;
        }
        self.known = self.known.max(event.seq);
        if event.seq == self.head.next() || planted::has(Bug::PushUnordered) {
            self.head = event.seq;
            due.push(event);
            self.release(due);
        } else {
            self.hold(event);
        }
        self.watch_gap(now + REORDER_WAIT);
    }

    /// Takes the room's head as the store has it.
    pub fn handle_head(&mut self, head: Seq, now: Instant) {
        self.known = self.known.max(head);
        self.watch_gap(now + REORDER_WAIT);
    }

    /// Takes the answer to a backfill, ascending; puts what is due into `due`.
    pub fn handle_backfill(&mut self, events: Vec<Event>, now: Instant, due: &mut Vec<Event>) {
        self.is_reading = false;
        let before = self.head;
        for event in events {
            self.known = self.known.max(event.seq);
            if event.seq == self.head.next() {
                self.head = event.seq;
                due.push(event);
            }
        }
        self.release(due);
        if self.head == before {
            // The store does not have yet what the broker told: a replica behind, or a lie.
            self.failures += 1;
            self.watch_gap(now + self.pause());
        } else {
            self.failures = 0;
            self.watch_gap(now);
        }
    }

    /// Takes the failure of a backfill.
    pub fn handle_backfill_failed(&mut self, now: Instant) {
        self.is_reading = false;
        self.failures += 1;
        self.watch_gap(now + self.pause());
    }

    /// When to call [`Self::poll_backfill`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_reading { None } else { self.read_at }
    }

    /// The read that is due now, if any; answer it by [`Self::handle_backfill`] or
    /// [`Self::handle_backfill_failed`]. One is under way at most.
    pub fn poll_backfill(&mut self, now: Instant) -> Option<Backfill> {
        if self.is_reading || self.read_at.is_none_or(|at| at > now) {
            return None;
        }
        self.read_at = None;
        self.is_reading = true;
        Some(Backfill { after: self.head, limit: BACKFILL_EVENTS_MAX })
    }

    fn release(&mut self, due: &mut Vec<Event>) {
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > self.head.next() {
                break;
            }
            let event = entry.remove();
            if event.seq > self.head {
                self.head = event.seq;
                due.push(event);
            }
        }
    }

    fn hold(&mut self, event: Event) {
        self.held.insert(event.seq, event);
        if self.held.len() > HELD_EVENTS_MAX {
            self.held.pop_last();
        }
    }

    /// A gap keeps the deadline that it has, so that a busy room cannot put it off.
    fn watch_gap(&mut self, deadline: Instant) {
        if self.known <= self.head {
            self.read_at = None;
        } else if self.read_at.is_none() {
            self.read_at = Some(deadline);
        }
    }

    fn pause(&self) -> Duration {
        let (first, most) = BACKFILL_RETRY;
        first.saturating_mul(1 << self.failures.saturating_sub(1).min(8)).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::RoomId;

    fn event(seq: u64) -> Event {
        Event { room_id: RoomId(1), seq: Seq(seq), membership: None, scrubs: false, json: "{}".into() }
    }

    fn seqs(due: &[Event]) -> Vec<u64> {
        due.iter().map(|event| event.seq.0).collect()
    }

    #[derive(Clone, Copy)]
    enum Step {
        Arrive(u64),
        Head(u64),
        Wait(u64),
        /// Answers the backfill that must be due, with events up to this one.
        Read(u64),
        Fail,
        /// Nothing is to be read now.
        Idle,
    }
    use Step::*;

    /// Runs a script on a feed at head 10 and returns what it gave out and the reads it asked for.
    fn check(script: &[Step], expect: &[u64], expect_reads: &[u64]) {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start")]
        let mut now = Instant::now();
        let mut feed = Feed::new(Seq(10));
        let (mut due, mut reads, mut pending) = (Vec::new(), Vec::new(), None);
        for step in script {
            match *step {
                Arrive(seq) => feed.handle_event(event(seq), now, &mut due),
                Head(seq) => feed.handle_head(Seq(seq), now),
                Wait(ms) => now += Duration::from_millis(ms),
                Read(to) => {
                    let read: Backfill = pending.take().expect("a read is under way");
                    feed.handle_backfill((read.after.0 + 1..=to).map(event).collect(), now, &mut due);
                }
                Fail => {
                    pending.take().expect("a read is under way");
                    feed.handle_backfill_failed(now);
                }
                Idle => assert_eq!((pending, feed.poll_backfill(now)), (None, None), "a read is too early"),
            }
            if let Some(read) = feed.poll_backfill(now) {
                assert!(pending.is_none(), "one read at a time");
                reads.push(read.after.0);
                pending = Some(read);
            }
        }
        assert_eq!(seqs(&due), expect);
        assert_eq!(reads, expect_reads);
    }

    #[test]
    fn gives_events_in_order_at_once() {
        check(&[Arrive(11), Arrive(12), Arrive(13)], &[11, 12, 13], &[]);
    }

    #[test]
    fn drops_repeats_and_old_events() {
        check(&[Arrive(11), Arrive(11), Arrive(9), Arrive(10), Arrive(12), Arrive(11)], &[11, 12], &[]);
    }

    #[test]
    fn holds_what_came_early_until_the_gap_closes_by_itself() {
        check(&[Arrive(13), Arrive(12), Wait(39), Arrive(11), Wait(1_000)], &[11, 12, 13], &[]);
    }

    #[test]
    fn reads_a_gap_from_the_store_after_the_wait() {
        check(&[Arrive(13), Wait(40), Read(12)], &[11, 12, 13], &[10]);
    }

    #[test]
    fn a_busy_room_cannot_put_the_read_off() {
        check(&[Arrive(12), Wait(20), Arrive(13), Wait(20), Read(13)], &[11, 12, 13], &[10]);
    }

    #[test]
    fn a_head_without_an_event_is_a_gap() {
        check(&[Head(12), Idle, Wait(39), Idle, Wait(1), Read(12)], &[11, 12], &[10]);
    }

    #[test]
    fn a_head_that_is_known_is_no_gap() {
        check(&[Arrive(11), Head(11), Head(5), Wait(1_000)], &[11], &[]);
    }

    #[test]
    fn goes_on_reading_until_the_known_head_is_reached() {
        check(&[Head(14), Wait(40), Read(12), Read(14)], &[11, 12, 13, 14], &[10, 12]);
    }

    #[test]
    fn events_during_a_read_are_given_once() {
        check(
            &[Arrive(13), Wait(40), Arrive(11), Arrive(12), Arrive(14), Read(13)],
            &[11, 12, 13, 14],
            &[10],
        );
    }

    #[test]
    fn a_failed_read_is_tried_again_after_a_pause() {
        check(&[Arrive(12), Wait(40), Fail, Wait(99), Idle, Wait(1), Read(12)], &[11, 12], &[10, 10]);
    }

    #[test]
    fn a_read_that_brings_nothing_waits_before_the_next() {
        check(&[Head(11), Wait(40), Read(10), Wait(99), Idle, Wait(1), Read(11)], &[11], &[10, 10]);
    }

    #[test]
    fn the_pauses_grow_until_something_comes() {
        for nothing in [Fail, Read(10)] {
            check(
                &[
                    Head(12),
                    Wait(40),
                    nothing,
                    Wait(100),
                    nothing,
                    Wait(199),
                    Idle,
                    Wait(1),
                    nothing,
                    Wait(399),
                    Idle,
                    Wait(1),
                    // Something: the next read goes at once, and the pause after it is the first again.
                    Read(11),
                    Fail,
                    Wait(99),
                    Idle,
                    Wait(1),
                    Read(12),
                ],
                &[11, 12],
                &[10, 10, 10, 10, 11, 11],
            );
        }
    }

    #[test]
    fn holds_a_bounded_number_and_still_gives_all() {
        let last = 12 + HELD_EVENTS_MAX as u64 + 10;
        let mut script: Vec<Step> = (12..=last).map(Arrive).collect();
        // What overflowed comes by a second read: the first one closes the gap and releases the rest.
        script.extend([Wait(40), Read(11), Read(last)]);
        check(&script, &(11..=last).collect::<Vec<_>>(), &[10, 11 + HELD_EVENTS_MAX as u64]);
    }
}
