//! A run as one page that needs nothing else: a lane for each host and client, faults shaded, each message
//! a line from the one who said it to the store and to everyone who got it.

use crate::history::{Entry, Lane, Name, What};
use crate::oracle::Violation;
use crate::plan::{Harm, Host, Plan};
use crate::run::Report;
use crate::shrink;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Most entries that are drawn: a page that shows more helps nobody.
const DRAWN_MAX: usize = 20_000;
const LANE_HEIGHT: u64 = 34;
const TOP: u64 = 40;
const LEFT: u64 = 90;

struct Page<'a> {
    plan: &'a Plan,
    lanes: BTreeMap<String, u64>,
    /// Pixels for a second.
    scale: f64,
    svg: String,
}

/// Draws a run.
#[must_use]
pub fn page(plan: &Plan, report: &Report) -> String {
    let entries = report.outcome.history.entries();
    let last = entries.last().map_or(1_000, |entry| entry.at);
    // The store first, for every message begins there.
    let machines = plan.hosts().into_iter().rev().filter(|host| !matches!(host, Host::Clients(_)));
    let mut names: Vec<String> = machines.map(|host| host.to_string()).collect();
    names[1..].reverse();
    names.extend((0..plan.topology.clients.len()).map(|client| format!("client{client}")));
    let lanes = (0..).zip(names).map(|(number, name)| (name, TOP + number * LANE_HEIGHT)).collect();
    let seconds = f64::from(u32::try_from(last).unwrap_or(u32::MAX)) / 1000.0;
    let mut page = Page { plan, lanes, scale: (60_000.0 / seconds).clamp(20.0, 400.0), svg: String::new() };
    page.background(last);
    page.faults(last);
    page.messages(entries);
    page.dots(entries);
    if let Some(violation) = report.violation() {
        page.violation(violation);
    }
    page.names();
    let width = page.x(last) + 40;
    let height = TOP + page.lanes.len() as u64 * LANE_HEIGHT + 20;
    let verdict = report.violation().map_or_else(|| "all is well".to_owned(), ToString::to_string);
    let class = if report.violation().is_some() { "bad" } else { "good" };
    let mut log = String::new();
    for entry in entries.iter().take(DRAWN_MAX) {
        let key = entry.what.name().map(|name| name.to_string()).unwrap_or_default();
        write!(log, "<div data-m=\"{key}\">{}</div>", escape(&entry.to_string())).ok();
    }
    include_str!("page.html")
        .replace("{{title}}", &format!("seed {}", plan.seed))
        .replace("{{class}}", class)
        .replace("{{verdict}}", &escape(&verdict))
        .replace("{{size}}", &shrink::size(plan))
        .replace("{{width}}", &width.to_string())
        .replace("{{height}}", &height.to_string())
        .replace("{{svg}}", &page.svg)
        .replace("{{log}}", &log)
        .replace("{{plan}}", &escape(&plan.to_text()))
}

impl Page<'_> {
    fn x(&self, at: u64) -> u64 {
        let seconds = f64::from(u32::try_from(at).unwrap_or(u32::MAX)) / 1000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels")]
        let pixels = (seconds * self.scale) as u64;
        LEFT + pixels
    }

    fn draw(&mut self, shape: &std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        writeln!(self.svg, "{shape}").ok();
    }

    fn lane(&self, lane: Lane) -> Option<u64> {
        self.lanes.get(&lane.to_string()).copied()
    }

    fn background(&mut self, last: u64) {
        let right = self.x(last);
        for y in self.lanes.clone().into_values() {
            self.draw(&format_args!("<line class=lane x1={LEFT} x2={right} y1={y} y2={y} />"));
        }
        let bottom = TOP + self.lanes.len() as u64 * LANE_HEIGHT;
        for second in 0..=last / 1000 {
            let x = self.x(second * 1000);
            self.draw(&format_args!("<line class=second x1={x} x2={x} y1=20 y2={bottom} />"));
            self.draw(&format_args!("<text class=time x={x} y=14>{second} s</text>"));
        }
    }

    /// The lanes' names, which stay where they are when the page is moved sideways.
    fn names(&mut self) {
        self.draw(&format_args!("<g id=names>"));
        for (name, y) in self.lanes.clone() {
            self.draw(&format_args!("<text class=name x=8 y={}>{name}</text>", y + 4));
        }
        self.draw(&format_args!("</g>"));
    }

    /// A line through all lanes where something was wrong.
    fn violation(&mut self, violation: &Violation) {
        let (x, bottom) = (self.x(violation.at), TOP + self.lanes.len() as u64 * LANE_HEIGHT);
        let title = escape(&violation.to_string());
        self.draw(&format_args!(
            "<line class=violation x1={x} x2={x} y1=20 y2={bottom}><title>{title}</title></line>"
        ));
    }

    fn faults(&mut self, last: u64) {
        for fault in &self.plan.faults.clone() {
            let (x, width) =
                (self.x(fault.at), self.x(fault.until.min(last)).saturating_sub(self.x(fault.at)).max(2));
            for name in touched(self.plan, fault.harm) {
                let Some(y) = self.lanes.get(&name).copied() else { continue };
                let title = escape(&format!("{:?}", fault.harm));
                self.draw(&format_args!(
                    "<rect class=fault x={x} y={} width={width} height={}><title>{title}</title></rect>",
                    y - LANE_HEIGHT / 2 + 2,
                    LANE_HEIGHT - 4
                ));
            }
        }
    }

    fn messages(&mut self, entries: &[Entry]) {
        let mut said: BTreeMap<Name, (u64, u64)> = BTreeMap::new();
        let mut stored: BTreeMap<Name, (u64, u64)> = BTreeMap::new();
        let store = self.lanes.get("store").copied().unwrap_or(TOP);
        for entry in entries.iter().take(DRAWN_MAX) {
            let (Some(name), x) = (entry.what.name(), self.x(entry.at)) else { continue };
            let lane = self.lane(entry.lane);
            match (&entry.what, lane) {
                (What::Said { .. }, Some(y)) => {
                    said.insert(name, (x, y));
                }
                (What::Stored { .. }, _) => {
                    if let Some((from, y)) = said.get(&name).copied() {
                        self.draw(&format_args!(
                            "<path class=way data-m=\"{name}\" d=\"M{from} {y} L{x} {store}\" />"
                        ));
                    }
                    stored.insert(name, (x, store));
                }
                (What::Delivered { .. } | What::Acked { .. }, Some(y)) => {
                    let from = stored.get(&name).copied();
                    if let Some((from, start)) = from {
                        self.draw(&format_args!(
                            "<path class=way data-m=\"{name}\" d=\"M{from} {start} L{x} {y}\" />"
                        ));
                    }
                }
                _ => {}
            }
        }
    }

    fn dots(&mut self, entries: &[Entry]) {
        let store = self.lanes.get("store").copied().unwrap_or(TOP);
        for entry in entries.iter().take(DRAWN_MAX) {
            let (class, y) = match (&entry.what, self.lane(entry.lane)) {
                (What::Stored { .. }, _) => ("stored", store),
                (What::Said { .. }, Some(y)) => ("said", y),
                (What::Acked { .. }, Some(y)) => ("acked", y),
                (What::Delivered { .. }, Some(y)) => ("delivered", y),
                (What::Failed { .. }, Some(y)) => ("failed", y),
                (What::Did(_) | What::Told(_) | What::Logged(_), Some(y)) => ("told", y),
                _ => continue,
            };
            let key = entry.what.name().map(|name| name.to_string()).unwrap_or_default();
            let (x, title) = (self.x(entry.at), escape(&entry.to_string()));
            self.draw(&format_args!(
                "<circle class=\"{class}\" data-m=\"{key}\" cx={x} cy={y} r=4><title>{title}</title></circle>"
            ));
        }
    }
}

/// The lanes that a fault touches.
fn touched(plan: &Plan, harm: Harm) -> Vec<String> {
    let lanes = |host: Host| match host {
        Host::Clients(number) => {
            let clients =
                plan.topology.clients.iter().enumerate().filter(move |(_, device)| device.host == number);
            clients.map(|(client, _)| format!("client{client}")).collect()
        }
        Host::Hub(_) | Host::Redis | Host::Store => vec![host.to_string()],
    };
    if let Harm::SlowReader { client } = harm {
        return vec![format!("client{client}")];
    }
    harm.hosts().into_iter().flat_map(lanes).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
