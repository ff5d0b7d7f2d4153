//! Who is of which version, and what that means for what one is told.

use super::judge::Judge;
use crate::history::{Lane, What};
use crate::marks::{Mark, sometimes};
use crate::plan::Host;
use fakes::version::{LATER, Version};
use protocol::{NodeId, RoomEvent, RoomId, Seq};

impl Judge {
    /// A node starts.
    pub fn note_hub(&mut self, number: u32, version: Version) {
        let host = Host::Hub(number);
        self.versions_of_hubs.insert(NodeId(host.to_string()), version);
        self.tell_version(Lane::Host(host), version);
    }

    pub(super) fn tell_version(&mut self, lane: Lane, version: Version) {
        if version == Version::Earlier {
            self.tell(lane, What::Told("starts, of the earlier version".to_owned()));
        }
    }

    /// A client of the earlier version was told nothing of events of a type that it does not know.
    pub(super) fn pass(&mut self, index: u32, room_id: RoomId, up_to: Seq) {
        if self.client(index).version == Version::Earlier {
            self.look(room_id);
            self.clients[index as usize].page.pass(&self.log, room_id, up_to);
        }
    }

    /// A client got an event over a node: perhaps one that the node does not know.
    pub(super) fn note_later(&self, node: &NodeId, event: &RoomEvent) {
        let is_earlier = self.versions_of_hubs.get(node) == Some(&Version::Earlier);
        if is_earlier && event.kind() == LATER {
            sometimes(Mark::OverEarlier);
        }
    }
}
