//! Knows again what this node published, so that its own publications are dropped as bytes,
//! before anyone parses them.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// How many publications are remembered; the oldest are forgotten first, and then cost a parse.
const REMEMBERED_MAX: usize = 8_192;

/// The last publications of this node, as keyed hashes of 64 bits. Two that differ and collide
/// would lose a doorbell once in an age, which the sweep repairs.
#[derive(Debug, Default)]
pub(super) struct Echo {
    keys: RandomState,
    order: VecDeque<u64>,
    known: HashSet<u64>,
}

impl Echo {
    /// Remembers a publication.
    pub(super) fn remember(&mut self, payload: &[u8]) {
        let hash = self.keys.hash_one(payload);
        if !self.known.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether this node published it, lately.
    pub(super) fn is_own(&self, payload: &[u8]) -> bool {
        self.known.contains(&self.keys.hash_one(payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_publications_are_known_again_and_the_oldest_are_forgotten() {
        let mut echo = Echo::default();
        echo.remember(b"first");
        assert!(echo.is_own(b"first") && !echo.is_own(b"other"));
        for n in 0..REMEMBERED_MAX {
            echo.remember(n.to_string().as_bytes());
        }
        assert!(!echo.is_own(b"first") && echo.is_own(b"0"));
        assert_eq!((echo.order.len(), echo.known.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
    }
}
