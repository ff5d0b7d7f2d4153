//! Times from a history: how long messages took to everyone else, and how long clients were without
//! a connection, over the whole run and during each fault.

use crate::history::{At, ClientHistory, History, What};
use hdrhistogram::Histogram;
use protocol::ClientId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest time that is told apart, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

/// Times, in microseconds.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        let bounds = "the bounds are constant and valid";
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect(bounds))
    }
}

impl Times {
    /// Adds one.
    pub fn add(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time within which this share of them lies, in milliseconds.
    #[must_use]
    pub fn quantile_ms(&self, share: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_quantile(share) as f64 / 1e3 }
    }

    /// How many lie above this one, about.
    #[must_use]
    pub fn count_above(&self, time: Duration) -> u64 {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0
            .iter_recorded()
            .filter(|at| at.value_iterated_to() > micros)
            .map(|at| at.count_at_value())
            .sum()
    }

    /// The longest, in milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.max() as f64 / 1e3 }
    }
}

/// What was seen of the messages that were sent in a span of time.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Messages sent.
    pub sent: usize,
    /// From a send to each other member's delivery.
    pub delivery: Times,
    /// Connections that went live after another one, lost or left.
    pub reconnects: usize,
}

/// A run's times.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// Over the whole run.
    pub overall: Span,
    /// During each fault, in the history's order.
    pub faults: Vec<Span>,
    /// How long clients were without a connection at each reconnect; nothing for one that was opened
    /// before the last one was left.
    pub gaps: Times,
}

/// Reads a history's times.
#[must_use]
pub fn measure(history: &History) -> Latency {
    let mut latency = Latency { faults: vec![Span::default(); history.faults.len()], ..Latency::default() };
    let sent = sends(history);
    for (_, at) in sent.values() {
        latency.each_span(history, *at, |span| span.sent += 1);
    }
    for (at_client, client) in history.clients.iter().enumerate() {
        for record in &client.records {
            let What::Delivered { said: Some(said), .. } = &record.what else { continue };
            let Some((sender, sent_at)) = said.client_id.and_then(|name| sent.get(&name)) else { continue };
            if *sender != at_client {
                let took = record.at.since(*sent_at);
                latency.each_span(history, *sent_at, |span| span.delivery.add(took));
            }
        }
        for (at, gap) in reconnects(client) {
            latency.each_span(history, at, |span| span.reconnects += 1);
            latency.gaps.add(gap);
        }
    }
    latency
}

impl Latency {
    fn each_span(&mut self, history: &History, at: At, mut step: impl FnMut(&mut Span)) {
        step(&mut self.overall);
        for (span, fault) in self.faults.iter_mut().zip(&history.faults) {
            if fault.from <= at && at <= fault.until {
                step(span);
            }
        }
    }
}

/// Each send, by its name: who sent it, and when.
#[must_use]
pub fn sends(history: &History) -> BTreeMap<ClientId, (usize, At)> {
    let mut sends = BTreeMap::new();
    for (at, client) in history.clients.iter().enumerate() {
        for record in &client.records {
            if let What::Sent { client_id, .. } = record.what {
                sends.insert(client_id, (at, record.at));
            }
        }
    }
    sends
}

/// From the first send to the last.
#[must_use]
pub fn talked(history: &History) -> Duration {
    let times = || sends(history).into_values().map(|(_, at)| at);
    let (first, last) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    Duration::from_micros(last.since(first))
}

/// When a client went live again, and how long it had not been, in microseconds.
fn reconnects(client: &ClientHistory) -> Vec<(At, u64)> {
    let (mut found, mut was_online, mut lost_at) = (Vec::new(), false, None);
    for record in &client.records {
        match &record.what {
            What::Online { .. } => {
                if was_online {
                    found.push((record.at, lost_at.map_or(0, |at| record.at.since(at))));
                }
                (was_online, lost_at) = (true, None);
            }
            What::Offline if was_online && lost_at.is_none() => lost_at = Some(record.at),
            What::Offline
            | What::Follows { .. }
            | What::Sent { .. }
            | What::Acked { .. }
            | What::Failed { .. }
            | What::Delivered { .. }
            | What::Reset { .. }
            | What::Ended { .. } => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{FaultSpan, Record, Said};
    use protocol::{MessageNo, RoomId, Seq, UserId};

    fn record(at: u64, what: What) -> Record {
        Record { at: At(at), what }
    }

    fn online(at: u64) -> Record {
        record(at, What::Online { node: "n".into() })
    }

    #[test]
    fn a_move_costs_nothing_and_a_loss_lasts_until_the_next_connection() {
        let records = vec![
            record(1, What::Offline),
            online(5),
            online(10),
            record(20, What::Offline),
            record(25, What::Offline),
            online(50),
        ];
        let client = ClientHistory { records, ..ClientHistory::default() };
        assert_eq!(reconnects(&client), [(At(10), 0), (At(50), 30)]);
    }

    #[test]
    fn times_above_a_bound_are_counted() {
        let mut times = Times::default();
        for millis in [1, 1_900, 2_100, 60_000] {
            times.add(millis * 1_000);
        }
        let above = [0, 2, 50, 100].map(|secs| times.count_above(Duration::from_secs(secs)));
        assert_eq!(above, [4, 2, 1, 0]);
    }

    #[test]
    fn the_talk_lasts_from_the_first_send_to_the_last() {
        let sent = |at, name| {
            let client_id = ClientId(uuid::Uuid::from_u128(name));
            record(at, What::Sent { room: RoomId(1), client_id, content: "x".into() })
        };
        let client = |records| ClientHistory { records, ..ClientHistory::default() };
        let clients = vec![client(vec![sent(5_000_000, 1)]), client(vec![online(1), sent(7_500_000, 2)])];
        assert_eq!(talked(&History { clients, ..History::default() }), Duration::from_millis(2_500));
        assert_eq!(talked(&History::default()), Duration::ZERO);
    }

    #[test]
    fn a_delivery_counts_for_the_fault_in_which_it_was_sent_and_not_for_its_sender() {
        let client_id = ClientId(uuid::Uuid::from_u128(1));
        let room = RoomId(1);
        let said = Said {
            message_no: MessageNo(1),
            client_id: Some(client_id),
            user_id: UserId(1),
            content: "x".into(),
        };
        let delivered = |at| record(at, What::Delivered { room, seq: Seq(1), said: Some(said.clone()) });
        let sent = record(1_000, What::Sent { room, client_id, content: "x".into() });
        let client = |records| ClientHistory { records, ..ClientHistory::default() };
        let fault = |from, until| FaultSpan { name: "f".into(), from: At(from), until: At(until) };
        let history = History {
            clients: vec![client(vec![sent, delivered(1_500)]), client(vec![delivered(4_000)])],
            faults: vec![fault(500, 1_000), fault(3_000, 5_000)],
            ..History::default()
        };
        let latency = measure(&history);
        assert_eq!(latency.overall.delivery.count(), 1);
        assert!((latency.overall.delivery.max_ms() - 3.0).abs() < 0.01);
        assert_eq!((latency.faults[0].sent, latency.faults[0].delivery.count()), (1, 1));
        assert_eq!((latency.faults[1].sent, latency.faults[1].delivery.count()), (0, 0));
    }
}
