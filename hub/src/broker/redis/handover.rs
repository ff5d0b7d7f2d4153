//! Hands over to the node what came in. Bounded in publications and bytes; when full, what comes
//! next is dropped, counted and made good by `Resync`.

use super::status::Counters;
use crate::broker::{BrokerEvent, BrokerSink, Topic};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most publications that wait for the node.
const PUBLICATIONS_MAX: usize = 16_384;
/// Most bytes that wait for the node.
const BYTES_MAX: usize = 32 << 20;
/// Least time between two `Resync`: each costs a query over all active rooms.
const RESYNC_PAUSE: Duration = Duration::from_millis(200);

/// A publication.
pub(super) type Item = (Topic, Arc<str>);

/// The end where the links put in.
#[derive(Debug)]
pub(super) struct Handover {
    queue: mpsc::Sender<Item>,
    bytes: AtomicUsize,
    doubt: Notify,
    counters: Arc<Counters>,
}

impl Handover {
    /// A hand-over and its other end.
    pub(super) fn new(counters: Arc<Counters>) -> (Arc<Self>, mpsc::Receiver<Item>) {
        let (queue, out) = mpsc::channel(PUBLICATIONS_MAX);
        (Arc::new(Self { queue, bytes: AtomicUsize::new(0), doubt: Notify::new(), counters }), out)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Puts in a publication, or drops it. Does not wait.
    pub(super) fn publication(&self, topic: Topic, payload: Arc<str>) {
        let length = payload.len();
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        // What is too large alone passes when nothing else waits.
        let fits = before == 0 || before.saturating_add(length) <= BYTES_MAX;
        if !fits || self.queue.try_send((topic, payload)).is_err() {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            self.counters.handover_dropped.add(1);
            self.doubt();
        }
    }

    /// Something may have been lost: the node gets a `Resync`.
    pub(super) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Hands over until `stop`.
    pub(super) async fn run(
        self: Arc<Self>,
        mut queue: mpsc::Receiver<Item>,
        sink: Arc<dyn BrokerSink>,
        stop: CancellationToken,
    ) {
        let mut in_doubt = false;
        let mut resync_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.doubt.notified(), if !in_doubt => in_doubt = true,
                () = tokio::time::sleep_until(resync_at), if in_doubt => {
                    in_doubt = false;
                    resync_at = Instant::now() + RESYNC_PAUSE;
                    sink.handle_broker_event(BrokerEvent::Resync);
                }
                item = queue.recv() => {
                    let Some((topic, payload)) = item else { return };
                    self.bytes.fetch_sub(payload.len(), Ordering::Relaxed);
                    sink.handle_broker_event(BrokerEvent::Publication { topic, payload });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use protocol::RoomId;
    use tokio_util::task::TaskTracker;

    #[derive(Default)]
    struct Taken(Mutex<(usize, usize)>);

    impl BrokerSink for Taken {
        fn handle_broker_event(&self, event: BrokerEvent) {
            let mut taken = self.0.lock();
            match event {
                BrokerEvent::Publication { .. } => taken.0 += 1,
                BrokerEvent::Resync => taken.1 += 1,
            }
        }
    }

    async fn overfill(payload: &str, times: usize) -> ((usize, usize), u64) {
        let counters = Arc::new(Counters::default());
        let (handover, queue) = Handover::new(Arc::clone(&counters));
        for _ in 0..times {
            handover.publication(Topic::Room(RoomId(1)), payload.into());
        }
        let (taken, stop) = (Arc::new(Taken::default()), CancellationToken::new());
        let tasks = TaskTracker::new();
        tasks.spawn(Arc::clone(&handover).run(queue, Arc::clone(&taken) as _, stop.clone()));
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        assert_eq!(handover.bytes.load(Ordering::Relaxed), 0);
        let taken = *taken.0.lock();
        (taken, counters.handover_dropped.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_hand_over_drops_and_asks_for_one_resync() {
        let (taken, dropped) = overfill("x", PUBLICATIONS_MAX + 7).await;
        assert_eq!((taken, dropped), ((PUBLICATIONS_MAX, 1), 7));
        let (taken, dropped) = overfill(&"x".repeat(BYTES_MAX / 2), 3).await;
        assert_eq!((taken, dropped), ((2, 1), 1));
        let (taken, dropped) = overfill(&"x".repeat(BYTES_MAX + 1), 1).await;
        assert_eq!((taken, dropped), ((1, 0), 0));
    }
}
