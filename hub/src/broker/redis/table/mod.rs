//! Which topics the node wants, which it has, and on which server. Does no I/O: the links tell it
//! what happened and ask it what to do next.

use super::routes::Routes;
use crate::broker::Topic;
use crate::broker::redis_url::Address;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

/// How it stands with the link to a server, or with the search for servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The first attempt, or the first after a loss, is under way: worth waiting for.
    #[default]
    Hopeful,
    Up,
    /// An attempt failed: nobody waits any more.
    Down,
}

#[derive(Debug, Default)]
struct Link {
    phase: Phase,
    /// Topics that may need a command.
    dirty: BTreeSet<Topic>,
    wake: Arc<Notify>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Subscribe,
    Unsubscribe,
}

#[derive(Debug, Default)]
struct Entry {
    is_wanted: bool,
    /// The server that confirmed the subscription.
    on: Option<Address>,
    /// The command that is under way.
    in_flight: Option<(Address, Command)>,
    /// Whether something may have been missed, so that a confirmation is followed by `Resync`.
    is_owed: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

/// Commands for one server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) subscribe: Vec<Topic>,
    pub(super) unsubscribe: Vec<Topic>,
}

impl Batch {
    pub(super) const fn is_empty(&self) -> bool {
        self.subscribe.is_empty() && self.unsubscribe.is_empty()
    }
}

/// What a server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Subscribed,
    Unsubscribed,
    Refused,
}

/// The node's wishes and what became of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<Topic, Entry>,
    routes: Arc<Routes>,
    links: BTreeMap<Address, Link>,
    /// The search for servers, while the routes are unknown.
    search: Phase,
    owed: usize,
}

impl Table {
    /// Wants a topic. Gives what to wait for, or `None` when it is there or not worth waiting.
    pub(super) fn want(&mut self, topic: Topic) -> Option<oneshot::Receiver<()>> {
        let owner = self.routes.owner(topic);
        let entry = self.entries.entry(topic).or_default();
        entry.is_wanted = true;
        if owner.is_some() && entry.on.as_ref() == owner && entry.in_flight.is_none() {
            return None;
        }
        let phase =
            owner.map_or(self.search, |owner| self.links.get(owner).map_or(Phase::Down, |link| link.phase));
        let receiver = if phase == Phase::Down {
            owe(entry, &mut self.owed);
            None
        } else {
            let (sender, receiver) = oneshot::channel();
            entry.waiting.push(sender);
            Some(receiver)
        };
        self.mark(topic);
        receiver
    }

    /// One who waited for a topic gave up.
    pub(super) fn give_up(&mut self, topic: Topic) {
        if let Some(entry) = self.entries.get_mut(&topic).filter(|entry| entry.on.is_none()) {
            owe(entry, &mut self.owed);
        }
    }

    /// Wants a topic no more.
    pub(super) fn unwant(&mut self, topic: Topic) {
        let Some(entry) = self.entries.get_mut(&topic) else { return };
        entry.is_wanted = false;
        entry.waiting.clear();
        self.settle_debt(topic);
        self.review(topic);
    }

    /// The next commands for a server: at most `max`.
    pub(super) fn take(&mut self, owner: &Address, max: usize) -> Batch {
        let mut batch = Batch::default();
        let Some(link) = self.links.get_mut(owner) else { return batch };
        for _ in 0..max {
            let Some(topic) = link.dirty.pop_first() else { break };
            let Some(entry) = self.entries.get_mut(&topic).filter(|entry| entry.in_flight.is_none()) else {
                continue;
            };
            let is_here = entry.on.as_ref() == Some(owner);
            let (command, topics, is_needed) = if entry.is_wanted {
                let is_needed = !is_here && self.routes.owner(topic) == Some(owner);
                (Command::Subscribe, &mut batch.subscribe, is_needed)
            } else {
                (Command::Unsubscribe, &mut batch.unsubscribe, is_here)
            };
            if is_needed {
                entry.in_flight = Some((owner.clone(), command));
                topics.push(topic);
            }
        }
        batch
    }

    /// A server answered a command. Returns whether the last debt is settled: time for `Resync`.
    pub(super) fn answer(&mut self, owner: &Address, topic: Topic, answer: Answer) -> bool {
        let is_asked = |entry: &&mut Entry| entry.in_flight.as_ref().is_some_and(|(at, _)| at == owner);
        let Some(entry) = self.entries.get_mut(&topic).filter(is_asked) else { return false };
        entry.in_flight = None;
        let mut is_settled = false;
        match answer {
            Answer::Subscribed => {
                entry.on = Some(owner.clone());
                if entry.is_wanted && self.routes.owner(topic) == Some(owner) {
                    release(entry);
                    is_settled = self.settle_debt(topic);
                }
            }
            Answer::Unsubscribed => entry.on = None,
            Answer::Refused => {
                // The link tries again after a pause; nobody is kept waiting for that.
                if entry.is_wanted {
                    owe(entry, &mut self.owed);
                    release(entry);
                    return false;
                }
            }
        }
        self.review(topic);
        is_settled
    }

    /// The server refused these a while ago: they may be tried again.
    pub(super) fn retry(&mut self, topics: &[Topic]) {
        for topic in topics {
            self.review(*topic);
        }
    }

    /// A server says that a subscription ended. Returns whether it did so by itself, as it does
    /// when the topic's slot moves to another.
    pub(super) fn ended(&mut self, owner: &Address, topic: Topic) -> bool {
        let Some(entry) = self.entries.get_mut(&topic) else { return false };
        let is_asked = entry
            .in_flight
            .as_ref()
            .is_some_and(|(at, command)| at == owner && *command == Command::Unsubscribe);
        if is_asked || entry.on.as_ref() != Some(owner) {
            return false;
        }
        self.lose(topic);
        self.review(topic);
        true
    }

    /// The link to a server is up, with no subscription yet.
    pub(super) fn link_up(&mut self, owner: &Address) {
        self.set_phase(owner, Phase::Up);
    }

    /// The link to a server is lost, and with it all subscriptions there.
    fn link_lost(&mut self, owner: &Address) {
        self.set_phase(owner, Phase::Hopeful);
        self.forget(|at| at == owner);
    }

    /// An attempt to reach a server failed.
    fn link_failed(&mut self, owner: &Address) {
        self.set_phase(owner, Phase::Down);
        let routes = Arc::clone(&self.routes);
        self.release_all(|topic| routes.owner(topic) == Some(owner));
    }

    /// The link to a server was lost, or an attempt to reach it failed. Returns whether it was up.
    pub(super) fn link_ended(&mut self, owner: &Address) -> bool {
        let was_up = self.links.get(owner).is_some_and(|link| link.phase == Phase::Up);
        if was_up {
            self.link_lost(owner);
        } else {
            self.link_failed(owner);
        }
        was_up
    }

    /// The search for servers failed.
    pub(super) fn search_failed(&mut self) {
        self.search = Phase::Down;
        let routes = Arc::clone(&self.routes);
        self.release_all(|topic| routes.owner(topic).is_none());
    }

    /// Topics live elsewhere from now on.
    pub(super) fn set_routes(&mut self, routes: Arc<Routes>) {
        let owners = routes.owners();
        self.links.retain(|owner, _| owners.contains(owner));
        for owner in &owners {
            self.links.entry(owner.clone()).or_default();
        }
        self.search = if routes.are_whole() { Phase::Up } else { Phase::Hopeful };
        self.routes = Arc::clone(&routes);
        self.forget(|at| !owners.contains(at));
        let moved: Vec<_> = self
            .entries
            .iter()
            .filter(|(topic, entry)| entry.on.is_some() && entry.on.as_ref() != routes.owner(**topic))
            .map(|(topic, _)| *topic)
            .collect();
        for topic in moved {
            // A server that lost a slot ends the subscriptions in it by itself.
            self.lose(topic);
        }
        let topics: Vec<_> = self.entries.keys().copied().collect();
        for topic in topics {
            self.review(topic);
        }
    }

    /// What wakes a server's link when there are commands for it.
    pub(super) fn wake(&self, owner: &Address) -> Option<Arc<Notify>> {
        self.links.get(owner).map(|link| Arc::clone(&link.wake))
    }

    /// How many topics are wanted.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether all links are up and nothing can be missed now.
    pub(super) fn is_whole(&self) -> bool {
        self.owed == 0 && self.routes.are_whole() && self.links.values().all(|link| link.phase == Phase::Up)
    }

    fn set_phase(&mut self, owner: &Address, phase: Phase) {
        if let Some(link) = self.links.get_mut(owner) {
            link.phase = phase;
            link.wake.notify_one();
        }
    }

    /// Forgets what servers confirmed or were asked.
    fn forget(&mut self, gone: impl Fn(&Address) -> bool) {
        let lost: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.on.as_ref().is_some_and(&gone) || is_asked(entry, &gone))
            .map(|(topic, _)| *topic)
            .collect();
        for topic in lost {
            let Some(entry) = self.entries.get_mut(&topic) else { continue };
            if is_asked(entry, &gone) {
                entry.in_flight = None;
            }
            if entry.on.as_ref().is_some_and(&gone) {
                self.lose(topic);
            }
            self.review(topic);
        }
    }

    fn lose(&mut self, topic: Topic) {
        if let Some(entry) = self.entries.get_mut(&topic) {
            let had = entry.on.take().is_some();
            if had && entry.is_wanted {
                owe(entry, &mut self.owed);
            }
        }
    }

    fn release_all(&mut self, hopeless: impl Fn(Topic) -> bool) {
        for (topic, entry) in &mut self.entries {
            if entry.is_wanted && entry.on.is_none() && hopeless(*topic) {
                owe(entry, &mut self.owed);
                release(entry);
            }
        }
    }

    /// Returns whether there was a debt and none is left.
    fn settle_debt(&mut self, topic: Topic) -> bool {
        let Some(entry) = self.entries.get_mut(&topic).filter(|entry| entry.is_owed) else { return false };
        entry.is_owed = false;
        self.owed -= 1;
        self.owed == 0
    }

    /// Marks a topic for a command if it needs one, or lets go of it.
    fn review(&mut self, topic: Topic) {
        let Some(entry) = self.entries.get(&topic) else { return };
        if entry.in_flight.is_some() {
            return;
        }
        match (entry.is_wanted, &entry.on) {
            (false, None) => {
                self.entries.remove(&topic);
            }
            (true, Some(at)) if self.routes.owner(topic) == Some(at) => {}
            (true, Some(_)) => {
                self.lose(topic);
                self.mark(topic);
            }
            (false, Some(at)) => {
                let at = at.clone();
                self.mark_at(&at, topic);
            }
            (true, None) => self.mark(topic),
        }
    }

    fn mark(&mut self, topic: Topic) {
        if let Some(owner) = self.routes.owner(topic).cloned() {
            self.mark_at(&owner, topic);
        }
    }

    fn mark_at(&mut self, owner: &Address, topic: Topic) {
        if let Some(link) = self.links.get_mut(owner) {
            link.dirty.insert(topic);
            link.wake.notify_one();
        }
    }
}

fn is_asked(entry: &Entry, whom: impl Fn(&Address) -> bool) -> bool {
    entry.in_flight.as_ref().is_some_and(|(at, _)| whom(at))
}

fn owe(entry: &mut Entry, owed: &mut usize) {
    if !entry.is_owed {
        entry.is_owed = true;
        *owed += 1;
    }
}

fn release(entry: &mut Entry) {
    for waiting in entry.waiting.drain(..) {
        // One who gave up does not hear it.
        waiting.send(()).ok();
    }
}

#[cfg(test)]
mod tests;
