//! Tells what happens: a line when a step begins, one when it ends, and a table of all at the end.

use crate::host;
use anyhow::Result;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

/// How a step went that did not fail.
pub(crate) enum Outcome {
    /// It did its work.
    Done,
    /// It did its work, and there is something to say about it.
    Told(String),
    /// Nothing had changed since it last did its work.
    Fresh,
    /// It could not or need not run.
    Skipped(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Skipped,
}

struct Row {
    name: String,
    verdict: Verdict,
    took: Duration,
    note: String,
}

/// The steps of this run, in the order in which they ended.
pub(crate) struct Report {
    rows: Mutex<Vec<Row>>,
}

impl Report {
    pub(crate) const fn new() -> Self {
        Self { rows: Mutex::new(Vec::new()) }
    }

    /// Runs a step and tells how it went; the error of one that failed is shown.
    pub(crate) fn step(&self, name: &str, what: &str, work: impl FnOnce() -> Result<Outcome>) {
        line(&format!("{} {what}", paint(Paint::Bold, &format!("▸ {name}:"))));
        let start = host::now();
        let result = work();
        let took = start.elapsed();
        let (verdict, note) = match result {
            Ok(Outcome::Done) => (Verdict::Passed, String::new()),
            Ok(Outcome::Told(note)) => (Verdict::Passed, note),
            Ok(Outcome::Fresh) => (Verdict::Passed, "nothing changed".to_owned()),
            Ok(Outcome::Skipped(reason)) => (Verdict::Skipped, reason),
            Err(error) => {
                line(&format!("{error:#}"));
                let text = error.to_string();
                (Verdict::Failed, text.lines().next().unwrap_or_default().to_owned())
            }
        };
        let row = Row { name: name.to_owned(), verdict, took, note };
        line(&row.text(0));
        self.rows.lock().expect("no step panics while it holds the rows").push(row);
    }

    /// As [`Report::step`], but skipped unless all steps that it needs went well.
    pub(crate) fn step_after(
        &self,
        needed: &[&str],
        name: &str,
        what: &str,
        work: impl FnOnce() -> Result<Outcome>,
    ) {
        match needed.iter().find(|needed| !self.went_well(needed)) {
            None => self.step(name, what, work),
            Some(needed) => self.step(name, what, || Ok(Outcome::Skipped(format!("needs {needed}")))),
        }
    }

    fn went_well(&self, name: &str) -> bool {
        let rows = self.rows.lock().expect("no step panics while it holds the rows");
        rows.iter().any(|row| row.name == name && row.verdict == Verdict::Passed)
    }

    /// Prints all steps and, last, `N passed, N failed`. True if none failed.
    pub(crate) fn close(&self) -> bool {
        let rows = self.rows.lock().expect("no step panics while it holds the rows");
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        // Of a single step everything was said when it ended.
        if rows.len() > 1 {
            line("");
            for row in rows.iter() {
                line(&row.text(width));
            }
        }
        let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        let (passed, failed, skipped) =
            (count(Verdict::Passed), count(Verdict::Failed), count(Verdict::Skipped));
        let skipped_too = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        line(&format!("\n{passed} passed, {failed} failed{skipped_too}"));
        failed == 0
    }
}

impl Row {
    fn text(&self, width: usize) -> String {
        let mark = match self.verdict {
            Verdict::Passed => paint(Paint::Green, "✔"),
            Verdict::Failed => paint(Paint::Red, "✘"),
            Verdict::Skipped => paint(Paint::Yellow, "∙"),
        };
        let word = match self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
        };
        let note = if self.note.is_empty() { String::new() } else { format!("  {}", self.note) };
        format!("{mark} {:width$} {word} {:>6.1} s{note}", self.name, self.took.as_secs_f64())
    }
}

#[derive(Clone, Copy)]
enum Paint {
    Bold,
    Green,
    Red,
    Yellow,
}

fn paint(paint: Paint, text: &str) -> String {
    if !io::stdout().is_terminal() || host::var("NO_COLOR").is_some() {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Bold => 1,
        Paint::Green => 32,
        Paint::Red => 31,
        Paint::Yellow => 33,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Prints one line whole, also while other threads print.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    // A reader that has gone away is no reason to stop building.
    writeln!(out, "{text}").and_then(|()| out.flush()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_failed_step_is_skipped_and_the_run_fails() {
        let report = Report::new();
        report.step("a", "", || Ok(Outcome::Done));
        report.step("b", "", || anyhow::bail!("broken"));
        let mut ran = false;
        let after_b = || {
            ran = true;
            Ok(Outcome::Done)
        };
        report.step_after(&["a", "b"], "c", "", after_b);
        assert!(!ran);
        assert!(!report.close());
    }

    #[test]
    fn a_skipped_step_does_not_satisfy_what_needs_it() {
        let report = Report::new();
        report.step("a", "", || Ok(Outcome::Skipped("absent".to_owned())));
        report.step_after(&["a"], "b", "", || panic!("ran"));
        assert!(report.close());
    }
}
