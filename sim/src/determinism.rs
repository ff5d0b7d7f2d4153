//! Whether runs follow from their plans alone: each twice in this process, after other runs, and once in a
//! process of its own.

use crate::worker::{self, Work, Workers};
use std::collections::BTreeMap;

/// Compares runs of so many seeds; whether all were the same.
pub(crate) fn check(from: u64, seeds: u64) -> anyhow::Result<bool> {
    let seeds: Vec<u64> = (from..from + seeds).collect();
    let mut first = BTreeMap::new();
    let workers = Workers::start(&Work::new(seeds.clone(), None), 2)?;
    while let Some(verdict) = workers.next() {
        anyhow::ensure!(!verdict.is_missing(), "seed {}: {:?}", verdict.seed, verdict.wrong);
        first.insert(verdict.seed, verdict.fingerprint);
    }
    let mut same = true;
    // Backwards, so that what ran before in the process is another.
    for seed in seeds.iter().rev() {
        for _ in 0..2 {
            let fingerprint = worker::verdict(*seed, None).fingerprint;
            if first.get(seed) != Some(&fingerprint) {
                println!("seed {seed} differs: {:x?}, then {fingerprint:x?}", first.get(seed));
                same = false;
            }
        }
    }
    let all = seeds.len();
    if same {
        println!(
            "{all} plans, each three times in two processes: the same events and the same bytes on the wire"
        );
    }
    Ok(same)
}
