//! What a run prints: its plan, its faults as they pass, and the table.

use crate::args::{Args, Size};
use crate::crowd::Crowd;
use crate::judge::Ending;
use crate::plan::Step;
use anyhow::{Context, Result};
use loadgen::history::{FaultSpan, History};
use loadgen::latency::{self, Span};
use loadgen::oracle::Verdict;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The plan, before anything happens.
pub(crate) fn plan(args: &Args, size: Size, plan: &[Step]) {
    let planted = args.bug.map_or(String::new(), |bug| format!(", hubs with the bug {}", bug.name()));
    println!(
        "\nchaos, {}, seed {}: {} clients in {} rooms over {} hubs, {} messages/s{planted}",
        args.schedule.name(),
        args.seed,
        size.clients,
        size.rooms,
        size.nodes,
        size.rate
    );
    for (number, step) in plan.iter().enumerate() {
        let silence = step.silence.as_secs_f64();
        let silence = if silence > 0.0 { format!(", then {silence:.0} s of silence") } else { String::new() };
        let talk = step.talk.as_secs_f64();
        println!("  {:2}. after {talk:.1} s: {}{silence}", number + 1, step.fault);
    }
}

/// Who is connected where.
pub(crate) fn spread(crowd: &Crowd) -> String {
    let mut nodes = BTreeMap::<String, usize>::new();
    for member in &crowd.members {
        let node = member.log.lock().node.clone();
        *nodes.entry(node.unwrap_or_else(|| "nowhere".to_owned())).or_default() += 1;
    }
    nodes.iter().map(|(node, clients)| format!("{clients} on {node}")).collect::<Vec<_>>().join(", ")
}

/// A fault that is over.
pub(crate) fn fault(span: &FaultSpan) {
    println!("  {:6.1} s to {:6.1} s: {}", span.from.secs(), span.until.secs(), span.name);
}

/// The table, and what is wrong.
pub(crate) fn verdict(history: &History, ending: &Ending, verdict: &Verdict) {
    let latency = latency::measure(history);
    println!("\n  {}", summary(history, ending, verdict));
    println!(
        "  everyone had everything {:.1} s after the last fault, presence was right {:.1} s later",
        ending.settled_in.as_secs_f64(),
        ending.presence_in.as_secs_f64()
    );
    let gaps = &latency.gaps;
    println!(
        "  {} reconnects; without a connection: p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms",
        gaps.count(),
        gaps.quantile_ms(0.5),
        gaps.quantile_ms(0.99),
        gaps.max_ms()
    );
    if ending.requests > 0 {
        println!("  {} requests meanwhile, {} failed", ending.requests, ending.requests_failed.len());
    }
    println!(
        "\n  {:<42} {:>13} {:>6} {:>9} {:>8} {:>8} {:>8} {:>6}",
        "sent during", "seconds", "sent", "delivered", "p50 ms", "p99 ms", "max ms", "reconn"
    );
    row("the whole run", "", &latency.overall);
    for (fault, span) in history.faults.iter().zip(&latency.faults) {
        row(&fault.name, &format!("{:.1}–{:.1}", fault.from.secs(), fault.until.secs()), span);
    }
    println!();
    for text in &verdict.told {
        println!("  ✘ {text}");
    }
    match verdict.violations {
        0 => println!("  nothing was violated"),
        many => println!("  {many} violations"),
    }
}

/// The counts in one line.
pub(crate) fn summary(history: &History, ending: &Ending, verdict: &Verdict) -> String {
    let counts = verdict.counts;
    let ghosts: usize = ending.presence_wrong.iter().map(|seen| seen.ghosts).sum();
    format!(
        "in {:.0} s sent {}, acked {}, failed {}, delivered {}: lost {}, duplicated {}, reordered {}, foreign {}, \
         ghosts {ghosts}",
        latency::talked(history).as_secs_f64(),
        counts.sent,
        counts.acked,
        counts.failed,
        counts.delivered,
        counts.lost,
        counts.duplicated,
        counts.reordered,
        counts.foreign
    )
}

/// Leaves one line for whoever started the run.
pub(crate) fn leave(dir: &Path, summary: &str) -> Result<()> {
    let path = dir.join("summary");
    std::fs::write(&path, summary).with_context(|| format!("failed to write {}", path.display()))
}

fn row(name: &str, seconds: &str, span: &Span) {
    let delivery = &span.delivery;
    println!(
        "  {name:<42} {seconds:>13} {:>6} {:>9} {:>8.1} {:>8.1} {:>8.1} {:>6}",
        span.sent,
        delivery.count(),
        delivery.quantile_ms(0.5),
        delivery.quantile_ms(0.99),
        delivery.max_ms(),
        span.reconnects
    );
}

/// Keeps a history for whoever looks for the cause: a record a line, with its client.
pub(crate) fn keep(dir: &Path, history: &History) -> Result<()> {
    let path = dir.join("history.jsonl");
    let file = File::create(&path).with_context(|| format!("failed to write {}", path.display()))?;
    let mut out = BufWriter::new(file);
    for (number, client) in history.clients.iter().enumerate() {
        for record in &client.records {
            writeln!(out, "{{\"client\":{number},\"record\":{}}}", serde_json::to_string(record)?)?;
        }
    }
    for (room, log) in &history.log {
        for logged in &log.messages {
            writeln!(out, "{{\"room\":{room},\"logged\":{}}}", serde_json::to_string(logged)?)?;
        }
    }
    out.flush()?;
    println!("  the history is in {}", path.display());
    Ok(())
}
