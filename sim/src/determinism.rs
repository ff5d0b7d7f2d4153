//! Whether runs follow from their plans alone: each twice in this process, after other runs, and once in a
//! process of its own; and whether another build, with other optimisations, comes to the same.

use crate::failure::root;
use crate::worker::{self, Work, Workers};
use anyhow::Context;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// What each seed came to: a hash of all that happened, and one of all bytes on the wire.
type Digests = BTreeMap<u64, (u64, u64)>;

/// Compares runs of so many seeds, with each other and with what another build kept; keeps what they came to.
/// Whether all were the same.
pub(crate) fn check(
    from: u64,
    seeds: u64,
    digests: Option<&Path>,
    against: Option<&Path>,
) -> anyhow::Result<bool> {
    let seeds: Vec<u64> = (from..from + seeds).collect();
    let mut first = Digests::new();
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
    if let Some(path) = against {
        same &= compare(&first, path)?;
    }
    if let Some(path) = digests {
        // As one would type it in the project's folder.
        std::fs::write(root().join(path), text(&first))
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(same)
}

/// Whether another build came to the same.
fn compare(own: &Digests, path: &Path) -> anyhow::Result<bool> {
    let kept = std::fs::read_to_string(root().join(path))
        .with_context(|| format!("failed to read {}", path.display()))?;
    let mut same = true;
    for line in text(own).lines().filter(|line| !kept.lines().any(|other| other == *line)) {
        println!("not in {}: seed {line}", path.display());
        same = false;
    }
    if same {
        println!("{} plans: the same as those of {}", own.len(), path.display());
    }
    Ok(same)
}

/// One line a seed: it, what happened, and the bytes on the wire.
fn text(digests: &Digests) -> String {
    let mut text = String::new();
    for (seed, (events, wire)) in digests {
        // Writing to a string does not fail.
        writeln!(text, "{seed} {events:016x} {wire:016x}").ok();
    }
    text
}
