//! What breaks, and how it is mended: each fault at its beginning and at its end.

use super::World;
use super::hub::Skew;
use super::judge::now;
use crate::history::{Lane, What};
use crate::marks::{Mark, sometimes};
use crate::plan::{Fault, Harm, Host};
use futures_util::FutureExt;
use std::time::Duration;
use tokio::time::Instant;

impl World<'_> {
    pub(super) fn begin(&mut self, number: usize, fault: &Fault) {
        let text = format!("{:?}", fault.harm);
        self.judge.lock().tell(Lane::World, What::FaultBegins(number, text));
        match fault.harm {
            Harm::Cut { .. } | Harm::CutOneWay { .. } | Harm::Stall { .. } | Harm::Slow { .. } => {
                self.ledger.begin(number, fault.harm, &self.sim);
            }
            Harm::Crash { host } => self.kill(host, false),
            Harm::PowerCut { host } => self.kill(host, true),
            Harm::SlowReader { client } => {
                let left = Duration::from_millis(fault.until.saturating_sub(now()));
                if let Some(handle) = &self.judge.lock().client(client).handle {
                    handle.stop_reading(Instant::now() + left).now_or_never();
                }
            }
            Harm::Drain { hub } => self.hubs[hub as usize].state.lock().shutdown.cancel(),
            Harm::Clock { hub, step, drift } => {
                if step.abs() > 10_000 {
                    sometimes(Mark::ClockWrong);
                }
                self.hubs[hub as usize].state.lock().skew = Skew { step, drift, since: now() };
            }
            Harm::RedisRestart
            | Harm::RedisStall
            | Harm::RedisKill { .. }
            | Harm::RedisLoss { .. }
            | Harm::RedisOutput { .. }
            | Harm::RedisFailover { .. }
            | Harm::StoreFails { .. }
            | Harm::StoreLosesReplies { .. }
            | Harm::StoreSlow { .. }
            | Harm::StoreStall
            | Harm::StoreExhausted { .. }
            | Harm::StoreRestart => self.servers.begin(fault.harm),
        }
    }

    pub(super) fn end(&mut self, number: usize, fault: &Fault) {
        let text = format!("{:?}", fault.harm);
        self.judge.lock().tell(Lane::World, What::FaultEnds(number, text));
        match fault.harm {
            Harm::Cut { .. } | Harm::CutOneWay { .. } | Harm::Stall { .. } | Harm::Slow { .. } => {
                self.ledger.end(number, &self.sim);
            }
            Harm::Crash { host } | Harm::PowerCut { host } => self.revive(host),
            Harm::SlowReader { .. } => {}
            Harm::Drain { hub } => {
                if !self.down.contains_key(&Host::Hub(hub)) {
                    self.sim.bounce(Host::Hub(hub).to_string());
                }
            }
            Harm::Clock { hub, .. } => self.hubs[hub as usize].state.lock().skew = Skew::default(),
            Harm::RedisRestart
            | Harm::RedisStall
            | Harm::RedisKill { .. }
            | Harm::RedisLoss { .. }
            | Harm::RedisOutput { .. }
            | Harm::RedisFailover { .. }
            | Harm::StoreFails { .. }
            | Harm::StoreLosesReplies { .. }
            | Harm::StoreSlow { .. }
            | Harm::StoreStall
            | Harm::StoreExhausted { .. }
            | Harm::StoreRestart => self.servers.end(fault.harm),
        }
    }

    /// A machine's processes die; without power, nobody is told.
    fn kill(&mut self, host: Host, silently: bool) {
        let times = self.down.entry(host).or_default();
        *times += 1;
        if *times > 1 {
            return;
        }
        if silently {
            self.ledger.isolate(host, &self.sim);
        }
        self.servers.die(host);
        self.sim.crash(host.to_string());
        self.forget(host);
        if silently {
            self.ledger.rejoin(host, &self.sim);
        }
    }

    fn revive(&mut self, host: Host) {
        let times = self.down.entry(host).or_default();
        *times -= 1;
        if *times == 0 {
            self.down.remove(&host);
            match host {
                Host::Redis => sometimes(Mark::RedisCameBack),
                Host::Store => sometimes(Mark::StoreCameBack),
                Host::Hub(_) | Host::Clients(_) => {}
            }
            self.sim.bounce(host.to_string());
        }
    }

    /// The clients of a machine are gone.
    fn forget(&mut self, host: Host) {
        let mut judge = self.judge.lock();
        for (index, device) in self.plan.topology.clients.iter().enumerate() {
            if Host::Clients(device.host) == host {
                let client = &mut judge.clients[index];
                client.handle = None;
                client.page.connection = None;
                client.life += 1;
            }
        }
    }
}
