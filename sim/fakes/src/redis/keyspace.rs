//! Keys and their values, with an end that time brings, and the last writes, so that a fail-over can
//! lose some of them. Pure.

use super::resp::Reply;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most writes that a fail-over can lose; older ones have reached every replica.
const UNDO_MAX: usize = 1_024;

/// A database and a key in it.
pub(super) type Key = (u8, Vec<u8>);
/// A string.
pub(super) type Text = Vec<u8>;
/// Members.
pub(super) type Members = BTreeSet<Vec<u8>>;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A string.
    Text(Text),
    /// A set.
    Set(Members),
}

impl Value {
    /// What `TYPE` calls it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Set(_) => "set",
        }
    }
}

/// A type of value.
pub(super) trait Kind: Clone + Default {
    fn of(value: &Value) -> Option<&Self>;
    fn into_value(self) -> Value;
    /// Whether a key with it is as good as none.
    fn is_nothing(&self) -> bool;
}

macro_rules! kind {
    ($kind:ty, $variant:ident, $is_nothing:expr) => {
        impl Kind for $kind {
            fn of(value: &Value) -> Option<&Self> {
                if let Value::$variant(value) = value { Some(value) } else { None }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }

            fn is_nothing(&self) -> bool {
                $is_nothing(self)
            }
        }
    };
}

kind!(Text, Text, |_: &Self| false);
kind!(Members, Set, Self::is_empty);

/// A key's value and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: Value,
    /// Unix time in milliseconds.
    pub(super) expires_at: Option<u64>,
}

/// All keys.
#[derive(Debug, Default)]
pub(super) struct Keyspace {
    entries: BTreeMap<Key, Entry>,
    /// No key ends before this.
    next_end: Option<u64>,
    /// What keys were before the command that runs.
    before: BTreeMap<Key, Option<Entry>>,
    /// The same of the last commands.
    undo: VecDeque<BTreeMap<Key, Option<Entry>>>,
}

impl Keyspace {
    /// Drops the keys whose end has come.
    pub(super) fn expire(&mut self, now: u64) {
        if self.next_end.is_none_or(|end| now <= end) {
            return;
        }
        self.entries.retain(|_, entry| entry.expires_at.is_none_or(|end| now <= end));
        self.next_end = self.entries.values().filter_map(|entry| entry.expires_at).min();
    }

    /// A command is done: its writes may be lost together.
    pub(super) fn settle(&mut self) {
        if self.before.is_empty() {
            return;
        }
        self.undo.push_back(std::mem::take(&mut self.before));
        if self.undo.len() > UNDO_MAX {
            self.undo.pop_front();
        }
    }

    /// Takes the last writes back; how many.
    pub(super) fn lose(&mut self, writes: usize) -> usize {
        let lost = writes.min(self.undo.len());
        for _ in 0..lost {
            for (key, before) in self.undo.pop_back().unwrap_or_default() {
                self.put(key, before);
            }
        }
        self.undo.clear();
        lost
    }

    /// The keys of a database.
    pub(super) fn keys(&self, db: u8) -> impl Iterator<Item = &Vec<u8>> {
        self.entries.range((db, Vec::new())..(db + 1, Vec::new())).map(|((_, key), _)| key)
    }

    /// What a key holds.
    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Puts a value where there was another, or none.
    pub(super) fn set(&mut self, key: Key, entry: Option<Entry>) {
        let before = self.entries.get(&key).cloned();
        self.before.entry(key.clone()).or_insert(before);
        self.put(key, entry);
    }

    fn put(&mut self, key: Key, entry: Option<Entry>) {
        let Some(entry) = entry else {
            self.entries.remove(&key);
            return;
        };
        if let Some(end) = entry.expires_at {
            self.next_end = Some(self.next_end.map_or(end, |next| next.min(end)));
        }
        self.entries.insert(key, entry);
    }

    /// A key's value, which must be of a type.
    pub(super) fn read<K: Kind>(&self, key: &Key) -> Result<Option<&K>, Reply> {
        let Some(entry) = self.entries.get(key) else { return Ok(None) };
        K::of(&entry.value).map(Some).ok_or_else(wrong_type)
    }

    /// Changes a key's value, which must be of a type or absent; its end stays.
    pub(super) fn change<K: Kind, T>(
        &mut self,
        key: &Key,
        how: impl FnOnce(&mut K) -> T,
    ) -> Result<T, Reply> {
        let mut value = self.read::<K>(key)?.cloned().unwrap_or_default();
        let result = how(&mut value);
        let expires_at = self.entries.get(key).and_then(|entry| entry.expires_at);
        let entry = (!value.is_nothing()).then(|| Entry { value: value.into_value(), expires_at });
        if self.entries.get(key) != entry.as_ref() {
            self.set(key.clone(), entry);
        }
        Ok(result)
    }
}

fn wrong_type() -> Reply {
    Reply::Error("WRONGTYPE Operation against a key holding the wrong kind of value".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, expires_at: Option<u64>) -> Entry {
        Entry { value: Value::Text(text.as_bytes().to_vec()), expires_at }
    }

    fn key(name: &str) -> Key {
        (0, name.as_bytes().to_vec())
    }

    #[test]
    fn a_key_ends_after_its_last_millisecond() {
        let mut keys = Keyspace::default();
        keys.set(key("a"), Some(text("x", Some(5))));
        keys.set(key("b"), Some(text("x", Some(9))));
        keys.expire(5);
        assert!(keys.get(&key("a")).is_some());
        keys.expire(6);
        assert!(keys.get(&key("a")).is_none() && keys.get(&key("b")).is_some());
        keys.expire(10);
        assert!(keys.get(&key("b")).is_none());
    }

    #[test]
    fn a_fail_over_loses_the_last_commands_whole() {
        let mut keys = Keyspace::default();
        for n in 0..4 {
            keys.set(key("a"), Some(text(&n.to_string(), None)));
            keys.set(key(&format!("k{n}")), Some(text("x", None)));
            keys.settle();
        }
        assert_eq!(keys.lose(2), 2);
        assert_eq!(keys.get(&key("a")), Some(&text("1", None)));
        assert_eq!(keys.keys(0).count(), 3);
        assert_eq!(keys.lose(2), 0, "the new master has its own replicas");
    }

    #[test]
    fn a_collection_without_members_is_no_key() {
        let mut keys = Keyspace::default();
        keys.change(&key("s"), |set: &mut Members| set.insert(b"m".to_vec())).unwrap();
        assert!(keys.read::<Text>(&key("s")).is_err());
        keys.change(&key("s"), |set: &mut Members| set.remove(b"m".as_slice())).unwrap();
        assert!(keys.get(&key("s")).is_none());
    }
}
