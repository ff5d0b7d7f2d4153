//! Which server a topic lives on. Pure.

use crate::broker::Topic;
use crate::broker::redis_url::Address;
use std::collections::BTreeSet;

/// How many hash slots a Redis Cluster has (Redis cluster specification, "Key distribution model").
const SLOTS: u16 = 16_384;

/// Where topics live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Routes {
    /// Not known yet.
    #[default]
    Unknown,
    /// All on one server.
    One(Address),
    /// Each on the master of its slot: first slot, last slot, master; in the order of slots.
    Slots(Vec<(u16, u16, Address)>),
}

impl Routes {
    /// A cluster's routes from its ranges in any order.
    pub(super) fn from_slots(mut ranges: Vec<(u16, u16, Address)>) -> Self {
        ranges.sort();
        Self::Slots(ranges)
    }

    /// The server that owns a topic, if one does.
    pub(super) fn owner(&self, topic: Topic) -> Option<&Address> {
        match self {
            Self::One(address) => Some(address),
            Self::Unknown => None,
            Self::Slots(_) => self.owner_of(topic.to_string().as_bytes()),
        }
    }

    /// The server that owns what is placed by these bytes: a channel's name, a key, or its hash tag.
    pub(super) fn owner_of(&self, place: &[u8]) -> Option<&Address> {
        match self {
            Self::Unknown => None,
            Self::One(address) => Some(address),
            Self::Slots(ranges) => {
                let slot = slot(place);
                let after = ranges.partition_point(|(first, ..)| *first <= slot);
                let (_, last, address) = ranges.get(after.checked_sub(1)?)?;
                (slot <= *last).then_some(address)
            }
        }
    }

    /// All servers that own something.
    pub(super) fn owners(&self) -> BTreeSet<Address> {
        match self {
            Self::Unknown => BTreeSet::new(),
            Self::One(address) => BTreeSet::from([address.clone()]),
            Self::Slots(ranges) => ranges.iter().map(|(.., address)| address.clone()).collect(),
        }
    }

    /// Whether every topic has an owner.
    pub(super) fn are_whole(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::One(_) => true,
            Self::Slots(ranges) => {
                let mut next = 0;
                for (first, last, _) in ranges {
                    if *first > next {
                        return false;
                    }
                    next = next.max(last.saturating_add(1));
                }
                next >= SLOTS
            }
        }
    }
}

/// A channel's slot. Names of topics have no braces, so the whole name is hashed.
fn slot(channel: &[u8]) -> u16 {
    crc16(channel) % SLOTS
}

/// CRC-16/XMODEM (Redis cluster specification, appendix A).
fn crc16(bytes: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x1021;
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::RoomId;

    fn at(port: u16) -> Address {
        Address::Tcp("h".into(), port)
    }

    #[test]
    fn a_slot_is_what_the_specification_says() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
    }

    #[test]
    fn a_topic_lives_on_the_master_of_its_slot() {
        let routes = Routes::from_slots(vec![(8_192, 16_383, at(2)), (0, 8_191, at(1))]);
        assert!(routes.are_whole());
        assert_eq!(routes.owners().len(), 2);
        for n in 1..=50 {
            let topic = Topic::Room(RoomId(n));
            let port = if slot(topic.to_string().as_bytes()) < 8_192 { 1 } else { 2 };
            assert_eq!(routes.owner(topic), Some(&at(port)));
        }
    }

    #[test]
    fn a_slot_without_a_master_has_no_owner() {
        let topic = Topic::Room(RoomId(7));
        let slot = slot(topic.to_string().as_bytes());
        let routes = Routes::from_slots(vec![(0, slot - 1, at(1)), (slot + 1, 16_383, at(2))]);
        assert!(!routes.are_whole());
        assert_eq!(routes.owner(topic), None);
    }
}
