//! What a run prints: its plan, its faults as they pass, and the table.

use crate::args::{Args, Size};
use crate::crowd::Crowd;
use crate::judge::Ending;
use crate::plan::Step;
use anyhow::{Context, Result};
use loadgen::history::{ClientHistory, FaultSpan, History, RoomLog};
use loadgen::latency::{self, Span};
use loadgen::oracle::Verdict;
use serde_json::json;
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

/// Keeps a history for whoever looks for the cause.
pub(crate) fn keep(dir: &Path, history: &History) -> Result<()> {
    let path = dir.join("history.jsonl");
    let file = File::create(&path).with_context(|| format!("failed to write {}", path.display()))?;
    let mut out = BufWriter::new(file);
    write(&mut out, history)?;
    out.flush()?;
    println!("  the history is in {}", path.display());
    Ok(())
}

/// All of a history: a line for each fault, each client and each of its records, each room and each of its
/// messages.
fn write(out: &mut impl Write, history: &History) -> Result<()> {
    let History { clients, log, faults } = history;
    for fault in faults {
        writeln!(out, "{}", json!({ "fault": fault }))?;
    }
    for (number, ClientHistory { user_id, rooms, stays, records }) in clients.iter().enumerate() {
        let line = json!({ "client": number, "user_id": user_id, "rooms": rooms, "stays": stays });
        writeln!(out, "{line}")?;
        for record in records {
            writeln!(out, "{}", json!({ "client": number, "record": record }))?;
        }
    }
    for (room, RoomLog { head, messages }) in log {
        writeln!(out, "{}", json!({ "room": room, "head": head }))?;
        for logged in messages {
            writeln!(out, "{}", json!({ "room": room, "logged": logged }))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen::history::{At, Logged, Record, Said, What};
    use protocol::{MessageNo, RoomId, Seq, UserId};

    #[test]
    fn all_of_a_history_is_kept() {
        let said =
            Said { message_no: MessageNo(3), client_id: None, user_id: UserId(7), content: "x".into() };
        let history = History {
            clients: vec![ClientHistory {
                user_id: UserId(7),
                rooms: vec![RoomId(1)],
                stays: true,
                records: vec![Record { at: At(5), what: What::Offline }],
            }],
            log: [(RoomId(1), RoomLog { head: Seq(4), messages: vec![Logged { seq: Seq(4), said }] })].into(),
            faults: vec![FaultSpan { name: "f".into(), from: At(1), until: At(2) }],
        };
        let mut out = Vec::new();
        write(&mut out, &history).unwrap();
        let lines = [
            r#"{"fault":{"from":1,"name":"f","until":2}}"#,
            r#"{"client":0,"rooms":[1],"stays":true,"user_id":7}"#,
            r#"{"client":0,"record":{"at":5,"what":"offline"}}"#,
            r#"{"head":4,"room":1}"#,
            r#"{"logged":{"client_id":null,"content":"x","message_no":3,"seq":4,"user_id":7},"room":1}"#,
        ];
        assert_eq!(String::from_utf8(out).unwrap().lines().collect::<Vec<_>>(), lines);
    }
}
