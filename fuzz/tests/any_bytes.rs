//! The fuzzers' stand-in: seeds, broken and joined at random, on any toolchain and for a moment only.
//! `PROPTEST_CASES` makes it longer.

use fuzz::Target;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// What makes JSON interesting.
const TOKENS: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "9007199254740992",
    "7.5",
    "\\u0000",
    "\\ud800",
    "\\",
    "\u{0}",
    "\u{feff}",
    "\u{1f600}",
    "\"type\":",
    "\"room_id\":7",
    "\"seq\":1",
    "\"new_message\"",
    "\"typing\"",
    " ",
];

#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Insert(Index, &'static str),
    Remove(Index, usize),
    Cut(Index),
    Join(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        (at(), prop::sample::select(TOKENS)).prop_map(|(at, token)| Mutation::Insert(at, token)),
        (at(), 1_usize..20).prop_map(|(at, len)| Mutation::Remove(at, len)),
        at().prop_map(Mutation::Cut),
        (at(), at()).prop_map(|(at, other)| Mutation::Join(at, other)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation, seeds: &[Vec<u8>]) {
    let place = |at: &Index, len: usize| at.index(len + 1);
    match mutation {
        Mutation::Flip(at, byte) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        Mutation::Flip(_, byte) => bytes.push(*byte),
        Mutation::Insert(at, token) => {
            let at = place(at, bytes.len());
            bytes.splice(at..at, token.bytes());
        }
        Mutation::Remove(at, len) => {
            let at = place(at, bytes.len());
            let end = (at + len).min(bytes.len());
            bytes.drain(at..end);
        }
        Mutation::Cut(at) => bytes.truncate(place(at, bytes.len())),
        Mutation::Join(at, other) => {
            let other = other.get(seeds);
            let (at, from) = (place(at, bytes.len()), place(at, other.len()));
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

/// Mostly text again: what is not is refused by the WebSocket layer, which others test.
fn as_text(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).into_owned().into_bytes()
}

fn try_all(target: Target) {
    let seeds = fuzz::seeds(target).expect("the golden frames are there");
    assert!(seeds.len() > 40, "{} seeds", seeds.len());
    seeds.iter().for_each(|seed| target.run(seed));
    let cases = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = ProptestConfig { cases: cases.cases.max(4_000), ..cases };
    proptest!(cases, |(seed in any::<Index>(), mutations in vec(mutation(), 1..6))| {
        let mut bytes = seed.get(&seeds).clone();
        mutations.iter().for_each(|mutation| mutate(&mut bytes, mutation, &seeds));
        target.run(&bytes);
        target.run(&as_text(&bytes));
    });
}

#[test]
fn frames() {
    try_all(Target::Frame);
}

#[test]
fn publications() {
    try_all(Target::Publication);
}
