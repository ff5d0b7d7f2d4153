//! The client's randomness: jitter and `client_id`s, drawn from the seed that the driver gives.

use crate::ids::ClientId;
use std::time::Duration;

/// xoshiro256++ (Blackman and Vigna, 2019): small, and good enough for names that must be unique and
/// need not be secret. The seed carries the uniqueness: it has to be 32 bytes of real entropy.
#[derive(Clone, Debug)]
pub(super) struct Rng([u64; 4]);

impl Rng {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        }
        // The one state from which the generator never moves.
        if state == [0; 4] {
            state[0] = 0x9E37_79B9_7F4A_7C15;
        }
        let mut rng = Self(state);
        // A seed of few set bits, as tests use, takes some steps to spread.
        for _ in 0..16 {
            rng.next();
        }
        rng
    }

    pub(super) fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Evenly from nothing up to `most`.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_millis(self.next() % super::time::millis(most).saturating_add(1).max(1))
    }

    /// A version 4 UUID.
    pub(super) fn client_id(&mut self) -> ClientId {
        let (high, low) = (self.next(), self.next());
        ClientId(
            uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
                .into_uuid(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut rng = Rng([1, 2, 3, 4]);
        let first: Vec<u64> = (0..6).map(|_| rng.next()).collect();
        let published = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
        ];
        assert_eq!(first, published);
    }
}
