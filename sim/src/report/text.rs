//! A run as text: what happened, one line each.

use crate::history::{Entry, History, Name, What};
use std::fmt::Write as _;

/// Entries before what went wrong.
const BEFORE: usize = 60;

/// What went on around a moment: the last entries before it, and every fault.
#[must_use]
pub fn around(history: &History, at: u64) -> String {
    let entries = history.entries();
    let end = entries.partition_point(|entry| entry.at <= at);
    let start = end.saturating_sub(BEFORE);
    let is_fault = |entry: &&Entry| matches!(entry.what, What::FaultBegins(..) | What::FaultEnds(..));
    let faults = entries[..start].iter().filter(is_fault);
    let mut text = String::new();
    for entry in faults {
        line(&mut text, entry);
    }
    if start > 0 {
        text.push_str("   …\n");
    }
    for entry in &entries[start..end] {
        line(&mut text, entry);
    }
    left_out(&mut text, history);
    text
}

/// Everything.
#[must_use]
pub fn all(history: &History) -> String {
    let mut text = String::new();
    for entry in history.entries() {
        line(&mut text, entry);
    }
    left_out(&mut text, history);
    text
}

/// The way of one message, from the one who said it to everyone who got it, with the faults between.
#[must_use]
pub fn trace(history: &History, name: Name) -> Option<String> {
    let is_of = |entry: &&Entry| entry.what.name() == Some(name);
    let first = history.entries().iter().find(is_of)?.at;
    let last = history.entries().iter().rfind(is_of)?.at;
    let mut text = String::new();
    for entry in history.entries().iter().filter(|entry| (first..=last).contains(&entry.at)) {
        let is_fault = matches!(entry.what, What::FaultBegins(..) | What::FaultEnds(..));
        if is_of(&entry) {
            let after = entry.at - first;
            writeln!(text, "{:>7} ms  {entry}", after).ok();
        } else if is_fault {
            writeln!(text, "            {entry}").ok();
        }
    }
    Some(text)
}

fn left_out(text: &mut String, history: &History) {
    let count = history.left_out();
    if count > 0 {
        // Writing to a string does not fail.
        writeln!(text, "   … and {count} entries that were not kept").ok();
    }
}

fn line(text: &mut String, entry: &Entry) {
    // Writing to a string does not fail.
    writeln!(text, "{entry}").ok();
}
