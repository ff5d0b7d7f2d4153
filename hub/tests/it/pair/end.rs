//! What must hold when all faults have ended.

use super::device::Device;
use super::oracle::Log;
use super::world::{World, now};
use hub::store::Store;
use protocol::view::{Connection, Delivery};
use protocol::{ClientId, RoomId};
use std::collections::BTreeSet;

impl World {
    pub(super) fn log_now(&self) -> Log<'_> {
        Log { store: self.store(), epoch: self.epoch, read: &self.read }
    }

    fn room_ids(&self) -> Vec<RoomId> {
        (1..200).map(RoomId).filter(|room_id| !self.log_now().events(*room_id).is_empty()).collect()
    }

    /// Everyone has everything, nothing that was acknowledged is missing, nothing is there twice.
    pub(super) fn check_end(&self) {
        let mut names = BTreeSet::new();
        for room_id in self.room_ids() {
            let log = self.log_now();
            for (at, event) in log.events(room_id).iter().enumerate() {
                assert_eq!(event.seq().0, at as u64 + 1, "room {room_id} has a hole");
            }
            let messages = log.messages(room_id);
            for client_id in messages.iter().filter_map(|message| message.client_id) {
                assert!(names.insert(client_id), "{client_id} was said twice");
            }
            for device in &self.devices {
                let order = messages.iter().filter_map(|message| message.client_id);
                let order = order.filter_map(|id| device.said.iter().rposition(|said| *said == id));
                assert!(order.is_sorted(), "room {room_id}: a sender's messages changed their order");
            }
        }
        for (index, device) in self.devices.iter().enumerate() {
            self.check_device(index, device, &names);
        }
    }

    fn check_device(&self, index: usize, device: &Device, names: &BTreeSet<ClientId>) {
        let online = matches!(device.page.connection, Some(Connection::Online { .. }));
        assert!(online, "device {index} is {:?}", device.page.connection);
        for (client_id, (epoch, ..)) in &device.page.acked {
            assert!(
                *epoch != self.epoch || names.contains(client_id),
                "{client_id} was acknowledged and is lost"
            );
        }
        for message in device.page.pending.values() {
            assert!(
                matches!(message.delivery, Delivery::Failed { .. }),
                "device {index} still has {message:?}"
            );
        }
        let rooms = now(self.store().rooms_of(device.user));
        let known: Vec<RoomId> = device.page.rooms.keys().copied().collect();
        assert_eq!(known, rooms.iter().map(|room| room.id).collect::<Vec<_>>(), "device {index}: rooms");
        for room in rooms {
            let known = &device.page.rooms[&room.id];
            assert_eq!(known.seq, room.head_seq, "device {index}: room {} is not up to date", room.id);
            let mut shown = known.room.clone().expect("there was a welcome");
            if self.log_now().changes_text(room.id) {
                // Whom an old message mentioned, which is changed later, only the node knows.
                shown.mention_count = room.mention_count;
            }
            assert_eq!(shown, room, "device {index}");
        }
    }

    pub(super) fn messages_in_log(&self) -> usize {
        self.room_ids().iter().map(|room_id| self.log_now().messages(*room_id).len()).sum()
    }

    pub(super) fn events_given_out(&self) -> usize {
        self.devices.iter().map(|device| device.page.events).sum()
    }

    pub(super) fn resets(&self) -> usize {
        self.devices.iter().map(|device| device.page.resets).sum()
    }

    pub(super) fn times_offline(&self) -> usize {
        self.devices.iter().map(|device| device.page.times_offline).sum()
    }
}
