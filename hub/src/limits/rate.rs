//! Rate limiting: how often someone may do something. Never waits; says when to try again. Driven by
//! the runtime's clock, so that tests and the simulation control it.

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter as Governor};
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How many in how long: all of them at once, or spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    per: Duration,
}

impl Rate {
    /// So many in such a time; `None` where it makes no sense: none at all, or more than one each
    /// nanosecond.
    #[must_use]
    pub fn new(count: u32, per: Duration) -> Option<Self> {
        let count = NonZeroU32::new(count)?;
        (per / count.get() > Duration::ZERO).then_some(Self { count, per })
    }

    fn quota(self) -> Quota {
        let one = self.per / self.count.get();
        Quota::with_period(one).expect("Rate::new admits no empty period").allow_burst(self.count)
    }

    /// A rate for many at once.
    fn times(self, factor: u32) -> Self {
        let count = self.count.saturating_mul(NonZeroU32::new(factor).unwrap_or(NonZeroU32::MIN));
        Self::new(count.get(), self.per).unwrap_or(self)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, crate::config::duration::Text(self.per))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (count, per) = text.split_once('/')?;
            Self::new(count.trim().parse().ok()?, crate::config::duration::parse(per).ok()?)
        };
        parse().ok_or_else(|| "expected a count and a time, such as 30/1m, or off".to_owned())
    }
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("too many requests; try again in {} ms", .0.as_millis())]
pub struct RetryAfter(pub Duration);

impl RetryAfter {
    /// In whole milliseconds, at least one.
    #[must_use]
    pub fn as_millis(self) -> u32 {
        u32::try_from(self.0.as_millis()).unwrap_or(u32::MAX).max(1)
    }

    /// In whole seconds, rounded up, for the `Retry-After` header.
    #[must_use]
    pub fn as_secs_up(self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
    }
}

/// The runtime's clock, since the limiter was made.
#[derive(Clone, Debug)]
struct RuntimeClock {
    start: Instant,
}

impl RuntimeClock {
    fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for RuntimeClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.start.elapsed().into()
    }
}

type Direct = Governor<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Nanos>>;
type Keyed<K> = Governor<K, DashMapStateStore<K>, RuntimeClock, NoOpMiddleware<Nanos>>;

/// Limits one thing, such as a connection. Small.
pub struct Limiter(Option<Direct>);

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limiter").field(&self.0.is_some()).finish()
    }
}

impl Limiter {
    /// Limits to a rate; not at all without one.
    #[must_use]
    pub fn new(rate: Option<Rate>) -> Self {
        Self(rate.map(|rate| Direct::direct_with_clock(rate.quota(), RuntimeClock::new())))
    }

    /// Takes one.
    ///
    /// # Errors
    /// When there is none left: when to try again.
    pub fn try_take(&self) -> Result<(), RetryAfter> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|not_until| retry_after(limiter.clock(), &not_until))
    }
}

/// How many takes lie between two rounds of forgetting.
const HOUSEKEEPING_EVERY: u32 = 1024;
/// How many keys' worth all keys share while there are more active ones than are kept apart.
const SHARED_FACTOR: u32 = 256;

/// Limits each key, such as a user or an address, by itself.
///
/// Keeps about `keys_max` keys: idle ones are forgotten, and while more than that are active, all
/// share one bucket of 256 keys' worth.
pub struct RateLimiter<K: Hash + Eq + Clone>(Option<Buckets<K>>);

struct Buckets<K: Hash + Eq + Clone> {
    keyed: Keyed<K>,
    shared: Direct,
    keys_max: usize,
    takes: AtomicU32,
    full: AtomicBool,
}

impl<K: Hash + Eq + Clone> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// Limits each key to a rate; not at all without one.
    #[must_use]
    pub fn new(rate: Option<Rate>, keys_max: usize) -> Self {
        Self(rate.map(|rate| Buckets {
            keyed: Keyed::dashmap_with_clock(rate.quota(), RuntimeClock::new()),
            shared: Direct::direct_with_clock(rate.times(SHARED_FACTOR).quota(), RuntimeClock::new()),
            keys_max,
            takes: AtomicU32::new(0),
            full: AtomicBool::new(false),
        }))
    }

    /// Takes one of this key's.
    ///
    /// # Errors
    /// When there is none left: when to try again.
    pub fn try_take(&self, key: &K) -> Result<(), RetryAfter> {
        let Some(buckets) = &self.0 else { return Ok(()) };
        if buckets.takes.fetch_add(1, Ordering::Relaxed).is_multiple_of(HOUSEKEEPING_EVERY) {
            buckets.forget_idle();
        }
        if buckets.full.load(Ordering::Relaxed) {
            return buckets.shared.check().map_err(|no| retry_after(buckets.shared.clock(), &no));
        }
        buckets.keyed.check_key(key).map_err(|no| retry_after(buckets.keyed.clock(), &no))
    }

    /// How many keys are kept, idle ones included.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.0.as_ref().map_or(0, |buckets| buckets.keyed.len())
    }
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn forget_idle(&self) {
        if self.keyed.len() > self.keys_max / 2 {
            self.keyed.retain_recent();
            self.keyed.shrink_to_fit();
        }
        self.full.store(self.keyed.len() > self.keys_max, Ordering::Relaxed);
    }
}

fn retry_after(clock: &RuntimeClock, not_until: &governor::NotUntil<Nanos>) -> RetryAfter {
    RetryAfter(not_until.wait_time_from(clock.now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Option<Rate> {
        Some(text.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_taken_at_once_and_then_refills_with_the_runtimes_time() {
        let limiter = Limiter::new(rate("3/3s"));
        for _ in 0..3 {
            limiter.try_take().unwrap();
        }
        let RetryAfter(wait) = limiter.try_take().unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        tokio::time::advance(wait - Duration::from_millis(1)).await;
        assert!(limiter.try_take().is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        limiter.try_take().unwrap();
        assert!(limiter.try_take().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn keys_do_not_share() {
        let limiter = RateLimiter::new(rate("1/1m"), 100);
        limiter.try_take(&1).unwrap();
        assert!(limiter.try_take(&1).is_err());
        limiter.try_take(&2).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn idle_keys_are_forgotten() {
        let limiter = RateLimiter::new(rate("1/1s"), 1000);
        for key in 0..900 {
            limiter.try_take(&key).unwrap();
        }
        assert_eq!(limiter.keys(), 900);
        tokio::time::advance(Duration::from_secs(5)).await;
        for _ in 0..HOUSEKEEPING_EVERY {
            limiter.try_take(&1).ok();
        }
        assert!(limiter.keys() < 10, "{}", limiter.keys());
    }

    #[tokio::test(start_paused = true)]
    async fn more_active_keys_than_are_kept_share_a_bucket_and_come_apart_again() {
        let limiter = RateLimiter::new(rate("1/1m"), 100);
        let taken = (0..100_000).filter(|key| limiter.try_take(key).is_ok()).count();
        let most = HOUSEKEEPING_EVERY + SHARED_FACTOR;
        assert_eq!(taken, most as usize);
        assert!(limiter.keys() <= HOUSEKEEPING_EVERY as usize + 1);
        tokio::time::advance(Duration::from_secs(120)).await;
        for key in 0..HOUSEKEEPING_EVERY {
            limiter.try_take(&(key % 10)).ok();
        }
        assert!(limiter.keys() <= 10, "{}", limiter.keys());
        limiter.try_take(&1_000_000).unwrap();
        assert!(limiter.try_take(&1_000_000).is_err());
    }

    #[test]
    fn without_a_rate_nothing_is_limited() {
        let limiter = RateLimiter::new(None, 1);
        assert!((0..10_000).all(|_| limiter.try_take(&1).is_ok()));
        assert!((0..10_000).all(|_| Limiter::new(None).try_take().is_ok()));
    }

    #[test]
    fn rates_are_read_and_written_alike() {
        for text in ["30/1m", "1/1s", "100/1h", "5/250ms"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "30", "0/1m", "30/0s", "-1/1m", "a/1m", "30/1x", "4294967295/1ms"] {
            assert!(text.parse::<Rate>().is_err() || text == "4294967295/1ms", "{text}");
        }
        assert!("4294967295/1s".parse::<Rate>().is_err(), "more than one each nanosecond");
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(RetryAfter(Duration::from_millis(1)).as_secs_up(), 1);
        assert_eq!(RetryAfter(Duration::from_secs(2)).as_secs_up(), 2);
        assert_eq!(RetryAfter(Duration::from_nanos(1)).as_millis(), 1);
    }
}
