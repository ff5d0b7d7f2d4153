//! Seeded numbers that are the same on every machine and in every version: a plan's generator must
//! not change its mind because a library did.

/// A stream of numbers (splitmix64), one for each purpose, so that one does not shift another.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed for one purpose.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let hash = fnv(purpose.as_bytes());
        let mut rng = Self(seed ^ hash.rotate_left(17));
        rng.next_u64();
        rng
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; zero if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next_u64() % end }
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// An index below `len`.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// One of several.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// Whether something happens that does so `percent` of the time.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// A short hash of bytes (FNV-1a), the same everywhere.
#[must_use]
pub fn fnv(bytes: &[u8]) -> u64 {
    fnv_more(0xCBF2_9CE4_8422_2325, bytes)
}

/// Goes on with a hash.
#[must_use]
pub fn fnv_more(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_what_they_always_were_and_differ_by_purpose() {
        let mut first = Rng::new(7, "a");
        let mut other = Rng::new(7, "b");
        assert_eq!(first.clone().next_u64(), first.next_u64());
        assert_ne!(first.next_u64(), other.next_u64());
        assert_eq!(fnv(b"hubbub"), 0x97f4_9a08_9af1_c9dd);
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        let mut rng = Rng::new(1, "bounds");
        assert!((0..1000).all(|_| (3..=5).contains(&rng.between(3, 5))));
        assert!((0..1000).all(|_| rng.below(2) < 2));
        assert_eq!(rng.below(0), 0);
    }
}
