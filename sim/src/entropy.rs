//! Time and randomness of a run, as programs ask the system for them: on a thread that simulates they
//! come from the plan, on every other from the system. Each run has a fresh thread, so that what a
//! thread keeps (seeds of hash maps, of random numbers) starts anew.
#![expect(unsafe_code, reason = "the functions of the C library are taken over, which no safe code can")]

use crate::rng::fnv_more;
use libc::{c_int, c_long, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};
use std::cell::Cell;
use std::time::Duration;

/// When every simulation begins: 2026-01-01T00:00:00Z.
pub const EPOCH: Duration = Duration::from_secs(1_767_225_600);
/// What clocks that never go back show at the beginning.
const MONOTONIC: Duration = Duration::from_secs(1_000_000);

thread_local! {
    static ELAPSED: Cell<Option<Duration>> = const { Cell::new(None) };
    static STATE: Cell<u64> = const { Cell::new(0) };
    static WIRE: Cell<u64> = const { Cell::new(0) };
}

/// From here on this thread lives in a simulation.
pub fn simulate(seed: u64) {
    STATE.set(seed);
    WIRE.set(0);
    ELAPSED.set(Some(Duration::ZERO));
}

/// The simulation's time goes on.
pub fn set_elapsed(elapsed: Duration) {
    ELAPSED.set(Some(elapsed));
}

/// How long the simulation has been running; nothing outside of one.
#[must_use]
pub fn elapsed() -> Duration {
    ELAPSED.get().unwrap_or_default()
}

/// Whether this thread lives in a simulation.
#[must_use]
pub fn is_simulated() -> bool {
    ELAPSED.get().is_some()
}

/// This thread lives in the real world again.
pub fn leave() {
    ELAPSED.set(None);
}

/// Bytes went over the wire.
pub fn note_wire(bytes: &[u8]) {
    let now = u64::try_from(elapsed().as_micros()).unwrap_or(u64::MAX);
    WIRE.set(fnv_more(fnv_more(WIRE.get(), &now.to_le_bytes()), bytes));
}

/// A hash of all bytes that went over the wire, with their times.
#[must_use]
pub fn wire() -> u64 {
    WIRE.get()
}

fn next() -> u64 {
    let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    STATE.set(state);
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The C library's `getrandom(2)`.
///
/// # Safety
/// `buffer` holds `length` bytes, as for the original.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    if ELAPSED.get().is_none() {
        // SAFETY: the system's own function under its number, with the arguments as they came.
        let read = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return read as ssize_t;
    }
    // SAFETY: the caller gives a buffer of that length.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
    length as ssize_t
}

/// The C library's `getentropy(3)`.
///
/// # Safety
/// As [`getrandom`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getentropy(buffer: *mut c_void, length: size_t) -> c_int {
    // SAFETY: as the caller promises.
    let read = unsafe { getrandom(buffer, length, 0) };
    if usize::try_from(read) == Ok(length) { 0 } else { -1 }
}

/// The C library's `clock_gettime(2)`.
///
/// # Safety
/// `time` may be written, as for the original.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    let Some(elapsed) = ELAPSED.get() else {
        // SAFETY: the system's own function under its number, with the arguments as they came.
        let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
        return result as c_int;
    };
    let base = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => EPOCH,
        _ => MONOTONIC,
    };
    let now = base + elapsed;
    // SAFETY: the caller gives a place to write to.
    unsafe {
        (*time).tv_sec = now.as_secs() as libc::time_t;
        (*time).tv_nsec = c_long::from(now.subsec_nanos());
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the system's clock is what is looked at")]
    fn a_thread_that_simulates_has_time_and_randomness_of_its_own() {
        let draw = || {
            std::thread::spawn(|| {
                simulate(7);
                set_elapsed(Duration::from_secs(5));
                let map = std::collections::HashMap::from([(1, 1), (2, 2), (3, 3), (4, 4)]);
                let order: Vec<i32> = map.into_keys().collect();
                (std::time::SystemTime::now(), order)
            })
            .join()
            .unwrap()
        };
        let (at, order) = draw();
        assert_eq!(at.duration_since(std::time::UNIX_EPOCH).unwrap(), EPOCH + Duration::from_secs(5));
        assert_eq!((at, order), draw());
        assert!(std::time::SystemTime::now() != at);
    }
}
