//! Plans as files, which a person can read and cut.

use crate::plan::{Harm, Plan, Topology, Versions};
use anyhow::{Context, ensure};
use std::path::Path;

impl Plan {
    /// Reads a plan's file.
    ///
    /// # Errors
    /// When it cannot be read, or is no plan.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read the plan {}", path.display()))?;
        let plan: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is no plan", path.display()))?;
        plan.check().with_context(|| format!("{} is no plan", path.display()))?;
        Ok(plan)
    }

    /// Whether all that it names is there: a plan may have been cut by hand.
    fn check(&self) -> anyhow::Result<()> {
        let Topology { hubs, hosts, users, clients, rooms, .. } = &self.topology;
        ensure!(*hubs > 0 && *hosts > 0, "topology: hubs and hosts are at least 1");
        for (at, client) in clients.iter().enumerate() {
            ensure!(client.user < *users, "topology.clients[{at}]: user {} of {users}", client.user);
            ensure!(client.host < *hosts, "topology.clients[{at}]: host {} of {hosts}", client.host);
        }
        for (at, room) in rooms.iter().enumerate() {
            ensure!(!room.members.is_empty(), "topology.rooms[{at}]: nobody is in it");
            let stranger = room.members.iter().find(|member| **member >= *users);
            ensure!(stranger.is_none(), "topology.rooms[{at}]: member {stranger:?} of {users}");
        }
        ensure!(self.knobs.tick > 0, "knobs.tick: 0, at least 1 is needed");
        let (least, most) = self.knobs.latency;
        ensure!(least <= most, "knobs.latency: least {least} is more than most {most}");
        ensure!(
            self.knobs.queue_frames > 0 && self.knobs.pull_events > 0,
            "knobs: a queue of 0 takes nothing"
        );
        for (at, op) in self.ops.iter().enumerate() {
            ensure!(
                (op.client as usize) < clients.len(),
                "ops[{at}]: client {} of {}",
                op.client,
                clients.len()
            );
        }
        for (at, fault) in self.faults.iter().enumerate() {
            ensure!(fault.at <= fault.until, "faults[{at}]: it ends before it begins");
            for host in fault.harm.hosts() {
                ensure!(self.hosts().contains(&host), "faults[{at}]: there is no {host}");
            }
            if let Harm::SlowReader { client } = fault.harm {
                ensure!(
                    (client as usize) < clients.len(),
                    "faults[{at}]: client {client} of {}",
                    clients.len()
                );
            }
        }
        let Versions { hubs: earlier_hubs, clients: earlier_clients, .. } = &self.versions;
        for hub in earlier_hubs {
            ensure!(hub < hubs, "versions.hubs: hub {hub} of {hubs}");
        }
        for client in earlier_clients {
            ensure!(
                (*client as usize) < clients.len(),
                "versions.clients: client {client} of {}",
                clients.len()
            );
        }
        if let Some(lost) = self.lost {
            ensure!(lost.hub < *hubs, "lost: hub {} of {hubs}", lost.hub);
        }
        Ok(())
    }

    /// Writes a plan's file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, self.to_text())
            .with_context(|| format!("failed to write the plan {}", path.display()))
    }

    /// The file's text: one operation and one fault a line, so that a person can read and cut it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let lines = |items: Vec<String>| {
            if items.is_empty() { "[]".to_owned() } else { format!("[\n    {}\n  ]", items.join(",\n    ")) }
        };
        let ops = self.ops.iter().map(|op| json(serde_json::to_string(op))).collect();
        let faults = self.faults.iter().map(|fault| json(serde_json::to_string(fault))).collect();
        let bug = self.bug.as_ref().map(|bug| format!("  \"bug\": {},\n", json(serde_json::to_string(bug))));
        let bug = bug.unwrap_or_default();
        let lost =
            self.lost.as_ref().map(|lost| format!(",\n  \"lost\": {}", json(serde_json::to_string(lost))));
        let versions = if self.versions.is_one() {
            String::new()
        } else {
            format!("  \"versions\": {},\n", json(serde_json::to_string(&self.versions)))
        };
        format!(
            "{{\n  \"story\": {},\n{bug}  \"seed\": {},\n  \"net_seed\": {},\n  \"topology\": {},\n{versions}  \"knobs\": {},\n  \
             \"ops\": {},\n  \"faults\": {}{}\n}}\n",
            json(serde_json::to_string(&self.story)),
            self.seed,
            self.net_seed,
            json(serde_json::to_string(&self.topology)),
            json(serde_json::to_string(&self.knobs)),
            lines(ops),
            lines(faults),
            lost.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;
    use crate::plan::Fault;

    /// Takes away what something else names.
    type Cut = fn(&mut Plan);

    #[test]
    fn what_is_generated_can_be_written_and_read() {
        for seed in 0..300 {
            let plan = generate::plan(seed);
            plan.check().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(serde_json::from_str::<Plan>(&plan.to_text()).unwrap(), plan, "seed {seed}");
        }
    }

    #[test]
    fn a_setting_that_there_is_not_is_told() {
        let text = generate::plan(1).to_text();
        for (before, added) in [("{\"tick\"", "{\"tack\":1,\"tick\""), ("{\"hubs\"", "{\"hobs\":1,\"hubs\"")]
        {
            assert!(text.contains(before), "{before} in {text}");
            let error =
                serde_json::from_str::<Plan>(&text.replacen(before, added, 1)).unwrap_err().to_string();
            let name = added.split('"').nth(1).unwrap();
            assert!(error.starts_with(&format!("unknown field `{name}`")), "{error}");
        }
    }

    #[test]
    fn what_a_plan_names_and_does_not_have_is_told() {
        let cuts: &[(&str, Cut)] = &[
            ("topology: hubs", |plan| plan.topology.hubs = 0),
            ("topology.clients[0]: user 99", |plan| plan.topology.clients[0].user = 99),
            ("topology.rooms[0]: nobody", |plan| plan.topology.rooms[0].members.clear()),
            ("knobs.tick", |plan| plan.knobs.tick = 0),
            ("ops[0]: client 99", |plan| plan.ops[0].client = 99),
            ("faults[0]: there is no hub99", |plan| {
                plan.faults.insert(0, Fault { at: 1, until: 2, harm: Harm::Drain { hub: 99 } });
            }),
            ("faults[0]: it ends before", |plan| {
                plan.faults.insert(0, Fault { at: 2, until: 1, harm: Harm::StoreStall });
            }),
            ("versions.hubs: hub 99", |plan| plan.versions.hubs.push(99)),
            ("versions.clients: client 99", |plan| plan.versions.clients.push(99)),
            ("lost: hub 99", |plan| plan.lost = Some(crate::plan::Lost { at: 1, hub: 99 })),
        ];
        for (expected, cut) in cuts {
            let mut plan = generate::plan(1);
            cut(&mut plan);
            let error = plan.check().unwrap_err().to_string();
            assert!(error.starts_with(*expected), "{error}, not {expected}");
        }
    }
}
