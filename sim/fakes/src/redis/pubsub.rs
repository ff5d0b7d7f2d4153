//! Who is subscribed to what, and what a publication is to each. Pure.

use super::resp::Reply;
use super::server::ConnId;
use std::collections::{BTreeMap, BTreeSet};

/// The three kinds of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// To a channel.
    Channel,
    /// To all channels that match a pattern.
    Pattern,
    /// To a channel of a shard, which is apart from the others.
    Shard,
}

impl Family {
    /// Prefixes what is said of it.
    const fn said(self, what: Said) -> &'static str {
        match (self, what) {
            (Self::Channel, Said::Subscribe) => "subscribe",
            (Self::Channel, Said::Unsubscribe) => "unsubscribe",
            (Self::Pattern, Said::Subscribe) => "psubscribe",
            (Self::Pattern, Said::Unsubscribe) => "punsubscribe",
            (Self::Shard, Said::Subscribe) => "ssubscribe",
            (Self::Shard, Said::Unsubscribe) => "sunsubscribe",
        }
    }
}

#[derive(Clone, Copy)]
enum Said {
    Subscribe,
    Unsubscribe,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct PubSub {
    by_name: BTreeMap<(Family, Vec<u8>), BTreeSet<ConnId>>,
    by_conn: BTreeMap<ConnId, BTreeSet<(Family, Vec<u8>)>>,
}

impl PubSub {
    /// Subscribes; what the connection is told.
    pub(super) fn subscribe(&mut self, id: ConnId, family: Family, name: &[u8]) -> Reply {
        let topic = (family, name.to_vec());
        self.by_conn.entry(id).or_default().insert(topic.clone());
        self.by_name.entry(topic).or_default().insert(id);
        self.told(id, family, Said::Subscribe, Some(name))
    }

    /// Unsubscribes; what the connection is told, whether it was subscribed or not.
    pub(super) fn unsubscribe(&mut self, id: ConnId, family: Family, name: &[u8]) -> Reply {
        let topic = (family, name.to_vec());
        if let Some(topics) = self.by_conn.get_mut(&id) {
            topics.remove(&topic);
            if topics.is_empty() {
                self.by_conn.remove(&id);
            }
        }
        self.forget(&topic, id);
        self.told(id, family, Said::Unsubscribe, Some(name))
    }

    /// Ends all subscriptions of a kind; what the connection is told of each, or of there being none.
    pub(super) fn unsubscribe_all(&mut self, id: ConnId, family: Family) -> Vec<Reply> {
        let topics: Vec<_> = self.by_conn.get(&id).into_iter().flatten().cloned().collect();
        let names = topics.into_iter().filter(|(of, _)| *of == family).map(|(_, name)| name);
        let told: Vec<_> = names.map(|name| self.unsubscribe(id, family, &name)).collect();
        if told.is_empty() { vec![self.told(id, family, Said::Unsubscribe, None)] } else { told }
    }

    /// A connection is gone, with all its subscriptions.
    pub(super) fn leave(&mut self, id: ConnId) {
        for topic in self.by_conn.remove(&id).unwrap_or_default() {
            self.forget(&topic, id);
        }
    }

    fn forget(&mut self, topic: &(Family, Vec<u8>), id: ConnId) {
        if let Some(conns) = self.by_name.get_mut(topic) {
            conns.remove(&id);
            if conns.is_empty() {
                self.by_name.remove(topic);
            }
        }
    }

    /// Whether a connection is subscribed to anything.
    pub(super) fn is_subscriber(&self, id: ConnId) -> bool {
        self.by_conn.contains_key(&id)
    }

    /// How many subscriptions there are.
    pub(super) fn subscriptions(&self) -> usize {
        self.by_conn.values().map(BTreeSet::len).sum()
    }

    /// The names of a kind to which anyone is subscribed.
    pub(super) fn names(&self, family: Family) -> impl Iterator<Item = &Vec<u8>> {
        self.by_name.keys().filter(move |(of, _)| *of == family).map(|(_, name)| name)
    }

    /// How many are subscribed to a name.
    pub(super) fn subscribers(&self, family: Family, name: &[u8]) -> usize {
        self.by_name.get(&(family, name.to_vec())).map_or(0, BTreeSet::len)
    }

    /// Who gets a publication, and as what.
    pub(super) fn receivers(&self, family: Family, channel: &[u8], payload: &[u8]) -> Vec<(ConnId, Reply)> {
        let bulk = |bytes: &[u8]| Reply::Bulk(bytes.to_vec());
        let kind = if family == Family::Shard { "smessage" } else { "message" };
        let mut receivers = Vec::new();
        for id in self.by_name.get(&(family, channel.to_vec())).into_iter().flatten() {
            receivers.push((*id, Reply::Push(vec![Reply::text(kind), bulk(channel), bulk(payload)])));
        }
        if family == Family::Shard {
            return receivers;
        }
        for ((of, pattern), conns) in &self.by_name {
            if *of == Family::Pattern && matches(pattern, channel) {
                let push = [Reply::text("pmessage"), bulk(pattern), bulk(channel), bulk(payload)];
                receivers.extend(conns.iter().map(|id| (*id, Reply::Push(push.to_vec()))));
            }
        }
        receivers
    }

    fn told(&self, id: ConnId, family: Family, what: Said, name: Option<&[u8]>) -> Reply {
        let topics = self.by_conn.get(&id).into_iter().flatten();
        // Channels and patterns are counted together, those of shards apart.
        let count = topics.filter(|(of, _)| (*of == Family::Shard) == (family == Family::Shard)).count();
        let name = name.map_or(Reply::Null, |name| Reply::Bulk(name.to_vec()));
        Reply::Push(vec![Reply::text(family.said(what)), name, Reply::count(count)])
    }
}

/// Whether a text matches a glob pattern, as `stringmatchlen` has it.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        b'*' => (0..=text.len()).any(|at| matches(rest, &text[at..])),
        b'?' => text.split_first().is_some_and(|(_, text)| matches(rest, text)),
        b'[' => {
            let Some((byte, text)) = text.split_first() else { return false };
            let (is_in, rest) = class(rest, *byte);
            is_in && matches(rest, text)
        }
        b'\\' if !rest.is_empty() => text.first() == rest.first() && matches(&rest[1..], &text[1..]),
        byte => text.first() == Some(byte) && matches(rest, &text[1..]),
    }
}

/// Whether a byte is in the class that begins after `[`, and what follows the class.
fn class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (is_negated, mut rest) = match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut is_in = false;
    loop {
        match rest {
            [] => return (is_in != is_negated, rest),
            [b']', after @ ..] => return (is_in != is_negated, after),
            [b'\\', escaped, after @ ..] => {
                is_in |= *escaped == byte;
                rest = after;
            }
            [from, b'-', to, after @ ..] => {
                is_in |= (*from.min(to)..=*from.max(to)).contains(&byte);
                rest = after;
            }
            [one, after @ ..] => {
                is_in |= *one == byte;
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_globs_do() {
        for (pattern, text, expected) in [
            ("room:*", "room:7", true),
            ("room:*", "user:7", false),
            ("*", "", true),
            ("r??m", "room", true),
            ("r??m", "rm", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[z-x]", "y", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a*b*c", "a12b34c", true),
            ("[abc", "c", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
