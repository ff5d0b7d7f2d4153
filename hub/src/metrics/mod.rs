//! What a node counts and measures, and how Prometheus reads it. Owned by the node and not by the
//! process, so that the nodes of one process count apart.

mod timings;

pub use timings::Timings;

use crate::broker::BrokerStatus;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::{AtomicU64, Ordering};

/// The media type of what [`Metrics::encode`] gives (OpenMetrics 1.0).
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Operations in a batch: powers of two up to the most there may be.
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Why connections ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    code: u16,
}

/// What a node's parts count as they work.
#[derive(Debug)]
pub struct Metrics {
    /// Open connections.
    pub connections: Gauge,
    connections_closed: Family<Closed, Counter>,
    queue_frames_most: Gauge,
    rings_bytes_most: Gauge,
    /// Messages that were committed and acked.
    pub messages_acked: Counter,
    /// Other operations that were committed and acked.
    pub operations_acked: Counter,
    /// Operations that the rules refused.
    pub operations_rejected: Counter,
    /// Operations whose commit failed, or whose outcome is unknown.
    pub operations_failed: Counter,
    /// Operations in one commit.
    pub batch: Histogram,
    /// Events that were handed to connections, each time counted.
    pub events_delivered: Counter,
    /// Reads of the store for a gap in a room.
    pub backfills: Counter,
    /// Those of them that failed.
    pub backfills_failed: Counter,
    /// Times that the broker could not vouch for what it carried.
    pub resyncs: Counter,
    /// Comparisons of all heads with the store.
    pub sweeps: Counter,
    /// Those of them that failed.
    pub sweeps_failed: Counter,
    /// Rooms that such a comparison found behind.
    pub sweep_gaps: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connections: Gauge::default(),
            connections_closed: Family::default(),
            queue_frames_most: Gauge::default(),
            rings_bytes_most: Gauge::default(),
            messages_acked: Counter::default(),
            operations_acked: Counter::default(),
            operations_rejected: Counter::default(),
            operations_failed: Counter::default(),
            batch: Histogram::new(BATCH_BUCKETS),
            events_delivered: Counter::default(),
            backfills: Counter::default(),
            backfills_failed: Counter::default(),
            resyncs: Counter::default(),
            sweeps: Counter::default(),
            sweeps_failed: Counter::default(),
            sweep_gaps: Counter::default(),
        }
    }
}

fn note_most(most: &Gauge, value: usize) {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    // Mostly it is no news, which costs a read of what all threads share.
    if value > most.get() {
        most.inner().fetch_max(value, Ordering::Relaxed);
    }
}

/// How a node stands at the moment of asking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Whether it is leaving.
    pub is_draining: bool,
    /// Rooms with connections here.
    pub rooms_active: usize,
    /// What the rings hold, in bytes.
    pub ring_bytes: usize,
    /// Operations that wait for the writer.
    pub writer_queue: usize,
    /// Its broker.
    pub broker: BrokerStatus,
}

impl Metrics {
    /// Counts a connection that the node closed with this code.
    pub fn count_closed(&self, code: u16) {
        self.connections_closed.get_or_create(&Closed { code }).inc();
    }

    /// Notes how many frames wait to be written to a connection that is given more.
    pub fn note_queue(&self, frames: usize) {
        note_most(&self.queue_frames_most, frames);
    }

    /// Notes how many bytes the rings hold after they took something.
    pub fn note_rings(&self, bytes: usize) {
        note_most(&self.rings_bytes_most, bytes);
    }

    /// The most bytes that the rings ever held together after they took something.
    #[must_use]
    pub fn rings_bytes_most(&self) -> u64 {
        u64::try_from(self.rings_bytes_most.get()).unwrap_or(0)
    }

    /// The most frames that ever waited for one connection when it was given more.
    #[must_use]
    pub fn queue_frames_most(&self) -> u64 {
        u64::try_from(self.queue_frames_most.get()).unwrap_or(0)
    }

    /// All of it as text.
    #[must_use]
    pub fn encode(&self, now: &Now, store: Option<&Timings>) -> String {
        let mut registry = Registry::with_prefix("hub");
        self.register(&mut registry);
        now.register(&mut registry);
        register_broker(&now.broker, registry.sub_registry_with_prefix("broker"));
        if let Some(timings) = store {
            timings.register(registry.sub_registry_with_prefix("store"));
        }
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes all that is written");
        text
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("connections", "Open WebSockets", self.connections.clone());
        registry.register(
            "connections_closed",
            "WebSockets that the hub closed, by close code",
            self.connections_closed.clone(),
        );
        registry.register(
            "queue_frames_most",
            "Most frames that ever waited for one connection when it was given more",
            self.queue_frames_most.clone(),
        );
        registry.register_with_unit(
            "rings_most",
            "The most that the rings of all rooms ever held",
            Unit::Bytes,
            self.rings_bytes_most.clone(),
        );
        registry.register_with_unit(
            "writer_batch",
            "Operations in one commit",
            Unit::Other("operations".into()),
            self.batch.clone(),
        );
        let counters = [
            ("messages_acked", "Messages that were committed and acked", &self.messages_acked),
            ("operations_acked", "Other operations that were committed and acked", &self.operations_acked),
            ("operations_rejected", "Operations that the rules refused", &self.operations_rejected),
            ("operations_failed", "Operations whose commit failed or is unknown", &self.operations_failed),
            ("events_delivered", "Events handed to connections, each time counted", &self.events_delivered),
            ("backfills", "Reads of the store for a gap in a room", &self.backfills),
            ("backfills_failed", "Reads for a gap that failed", &self.backfills_failed),
            ("resyncs", "Times that the broker could not vouch for what it carried", &self.resyncs),
            ("sweeps", "Comparisons of all active rooms' heads with the store", &self.sweeps),
            ("sweeps_failed", "Comparisons that failed", &self.sweeps_failed),
            ("sweep_gaps", "Rooms that a comparison found behind the store", &self.sweep_gaps),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }
}

impl Now {
    fn register(&self, registry: &mut Registry) {
        let draining = usize::from(self.is_draining);
        registry.register("draining", "1 while the hub is leaving", gauge(draining));
        registry.register("rooms_active", "Rooms with connections here", gauge(self.rooms_active));
        let help = "What the rings of all rooms hold";
        registry.register_with_unit("rings", help, Unit::Bytes, gauge(self.ring_bytes));
        registry.register("writer_queue", "Operations that wait for the writer", gauge(self.writer_queue));
    }
}

fn register_broker(status: &BrokerStatus, registry: &mut Registry) {
    let up = usize::from(status.degraded_for.is_none());
    registry.register("up", "0 while publications between hubs may be getting lost", gauge(up));
    let degraded = Gauge::<f64, AtomicU64>::default();
    degraded.set(status.degraded_for.unwrap_or_default().as_secs_f64());
    let help = "For how long they may have been getting lost";
    registry.register_with_unit("degraded", help, Unit::Seconds, degraded);
    registry.register("topics", "Topics that are subscribed to", gauge(status.topics));
    let help = "Publications that wait to go out, or to be confirmed";
    registry.register("publications_waiting", help, gauge(status.publications_waiting));
    let help = "Publications that came in and wait for the hub";
    registry.register("handover_waiting", help, gauge(status.handover_waiting));
    let counters = [
        ("reconnects", "Connections to the broker that were lost and made again", status.reconnects),
        ("published", "Publications that went out", status.published),
        ("received", "Publications that came in", status.received),
        ("publications_dropped", "Publications given up before they went out", status.publications_dropped),
        ("handover_dropped", "Publications that came in and were dropped", status.handover_dropped),
    ];
    for (name, help, value) in counters {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
}

fn gauge(value: usize) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_counted_is_told_under_its_name() {
        let metrics = Metrics::default();
        metrics.messages_acked.inc_by(3);
        metrics.batch.observe(3.0);
        metrics.count_closed(4002);
        for frames in [3, 7, 2] {
            metrics.note_queue(frames);
        }
        assert_eq!(metrics.queue_frames_most(), 7);
        let timings = Timings::default();
        timings.observe("append", Duration::from_millis(7), false);
        timings.observe("append", Duration::from_millis(7), true);
        let degraded_for = Some(Duration::from_millis(1500));
        let broker = BrokerStatus { degraded_for, reconnects: 2, ..BrokerStatus::default() };
        let now = Now { is_draining: true, ring_bytes: 12, broker, ..Now::default() };
        let text = metrics.encode(&now, Some(&timings));
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "# TYPE hub_messages_acked counter",
            "hub_messages_acked_total 3",
            "hub_writer_batch_operations_count 1",
            "hub_connections_closed_total{code=\"4002\"} 1",
            "hub_queue_frames_most 7",
            "hub_draining 1",
            "hub_rings_bytes 12",
            "hub_broker_up 0",
            "hub_broker_degraded_seconds 1.5",
            "hub_broker_reconnects_total 2",
            "hub_store_call_seconds_bucket{le=\"0.01\",call=\"append\"} 2",
            "hub_store_calls_failed_total{call=\"append\"} 1",
            "# EOF",
        ] {
            assert!(lines.contains(&line), "{line} in\n{text}");
        }
        assert!(metrics.encode(&Now::default(), None).contains("\nhub_broker_up 1\n"));
    }
}
