//! What each client was given against what the store holds: every event once, in order, without a
//! hole, the same for all; and to the end, for those who stayed.

use super::Verdict;
use crate::history::{ClientHistory, History, RoomLog, Said, What};
use protocol::{RoomId, Seq};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn judge(history: &History, verdict: &mut Verdict) {
    let none = RoomLog::default();
    let stored: BTreeMap<RoomId, BTreeMap<Seq, &Said>> = history
        .log
        .iter()
        .map(|(room, log)| (*room, log.messages.iter().map(|logged| (logged.seq, &logged.said)).collect()))
        .collect();
    let nothing = BTreeMap::new();
    for (number, client) in history.clients.iter().enumerate() {
        let given = given(number, client, verdict);
        for room in &client.rooms {
            let Some(given) = given.get(room) else {
                if client.stays {
                    verdict.violation(|| format!("client {number} never followed room {room}"));
                }
                continue;
            };
            let head = history.log.get(room).unwrap_or(&none).head;
            let stored = stored.get(room).unwrap_or(&nothing);
            given.judge(&Case { client: number, room: *room, stays: client.stays, head, stored }, verdict);
        }
        for room in given.keys().filter(|room| !client.rooms.contains(room)) {
            verdict.counts.foreign += 1;
            verdict.violation(|| format!("client {number} follows room {room}, where it is no member"));
        }
    }
}

/// What a client was given of a room.
struct Given<'a> {
    /// Events after this one are due.
    from: Seq,
    events: Vec<(Seq, Option<&'a Said>)>,
}

/// A client's rooms. What it was given of a room that it does not follow counts as foreign at once.
fn given<'a>(number: usize, client: &'a ClientHistory, verdict: &mut Verdict) -> BTreeMap<RoomId, Given<'a>> {
    let mut rooms = BTreeMap::<RoomId, Given<'a>>::new();
    for record in &client.records {
        match &record.what {
            What::Follows { room, head } => {
                rooms.entry(*room).or_insert(Given { from: *head, events: Vec::new() });
            }
            What::Delivered { room, seq, said } => match rooms.get_mut(room) {
                Some(given) => given.events.push((*seq, said.as_ref())),
                None => {
                    verdict.counts.foreign += 1;
                    verdict.violation(|| {
                        format!("client {number} was given {seq} of room {room}, which it does not follow")
                    });
                }
            },
            // No run is long enough for one: it would mean that a cursor was lost.
            What::Reset { room, head } => {
                verdict.violation(|| format!("client {number} was told to skip to {head} in room {room}"));
            }
            What::Sent { .. }
            | What::Acked { .. }
            | What::Failed { .. }
            | What::Online { .. }
            | What::Offline
            | What::Ended { .. } => {}
        }
    }
    rooms
}

struct Case<'a> {
    client: usize,
    room: RoomId,
    stays: bool,
    head: Seq,
    stored: &'a BTreeMap<Seq, &'a Said>,
}

impl Case<'_> {
    /// The stored messages between two events, both left out.
    fn messages_between(&self, after: Seq, before: Seq) -> usize {
        if after.next() >= before { 0 } else { self.stored.range(after.next()..before).count() }
    }
}

impl Given<'_> {
    fn judge(&self, case: &Case<'_>, verdict: &mut Verdict) {
        let (mut last, mut seen) = (self.from, BTreeSet::new());
        let Case { client, room, .. } = *case;
        for (seq, said) in &self.events {
            verdict.counts.delivered += usize::from(said.is_some());
            if !seen.insert(*seq) {
                verdict.counts.duplicated += 1;
                verdict.violation(|| format!("client {client}, room {room}: event {seq} was given again"));
                continue;
            }
            if *seq <= last {
                verdict.counts.reordered += 1;
                verdict.violation(|| format!("client {client}, room {room}: event {seq} came after {last}"));
            } else if *seq != last.next() {
                verdict.counts.lost += case.messages_between(last, *seq);
                verdict.violation(|| format!("client {client}, room {room}: from {last} to {seq}"));
            }
            last = last.max(*seq);
            if case.stored.get(seq).copied() != *said {
                verdict.counts.reordered += 1;
                verdict.violation(|| {
                    let stored = case.stored.get(seq);
                    format!("client {client}, room {room}: event {seq} is {said:?}, stored is {stored:?}")
                });
            }
        }
        if case.stays && last != case.head {
            verdict.counts.lost += case.messages_between(last, case.head.next());
            verdict.violation(|| format!("client {client}, room {room}: has {last} of {}", case.head));
        }
    }
}
