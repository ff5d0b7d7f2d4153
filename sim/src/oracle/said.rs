//! Who said what: each stored text was said, by its user, in its room, once, and in its order.

use super::{Check, hold};
use crate::history::Name;
use protocol::{ClientId, RoomId, Seq, UserId};
use std::collections::BTreeMap;

/// What was said, and what of it is stored.
#[derive(Debug)]
pub struct Sayings {
    said: BTreeMap<ClientId, Said>,
    /// The user of each client.
    users: Vec<UserId>,
    /// Whether one client's messages of a room may overtake each other.
    unordered: bool,
    /// The number of the newest stored message of each client in each room.
    last: BTreeMap<(RoomId, u32), u32>,
}

#[derive(Debug)]
struct Said {
    name: Name,
    user: UserId,
    room: RoomId,
    /// Several where someone uses one name for different texts.
    texts: Vec<String>,
    stored: bool,
    /// The room's newest event when it was said.
    head: Seq,
    /// Whether its client was told that it is refused for good.
    refused: bool,
}

impl Sayings {
    /// Nothing was said. `users` are those of the clients; with `unordered`, what one client says in a room may
    /// overtake what it said before.
    #[must_use]
    pub const fn new(users: Vec<UserId>, unordered: bool) -> Self {
        Self { said: BTreeMap::new(), users, unordered, last: BTreeMap::new() }
    }

    /// A user said something in a room, whose newest event was `head`.
    pub(super) fn say(
        &mut self,
        client_id: ClientId,
        name: Name,
        user: UserId,
        room: RoomId,
        text: String,
        head: Seq,
    ) {
        let said = self.said.entry(client_id);
        said.or_insert_with(|| Said {
            name,
            user,
            room,
            texts: Vec::new(),
            stored: false,
            head,
            refused: false,
        })
        .texts
        .push(text);
    }

    /// What was said is refused for good. It may yet be stored, and late: no refusal is kept, and a copy of
    /// it may be on its way over an older connection. Gives the room's newest event when it was said.
    pub(super) fn refuse(&mut self, client_id: ClientId) -> Option<Seq> {
        let said = self.said.get_mut(&client_id)?;
        said.refused = true;
        Some(said.head)
    }

    /// Whether what was said is in the store.
    pub(super) fn is_stored(&self, client_id: ClientId) -> bool {
        self.said.get(&client_id).is_some_and(|said| said.stored)
    }

    /// Whether a text was said under a name, as far as anyone said something under it.
    pub(super) fn may_be_text(&self, client_id: ClientId, text: &String) -> bool {
        self.said.get(&client_id).is_none_or(|said| said.texts.contains(text))
    }

    /// A stored message was said, by its user, in this room, once, and after what its client said there
    /// before.
    pub(super) fn check_stored(
        &mut self,
        room_id: RoomId,
        client_id: Option<ClientId>,
        user: UserId,
        content: &str,
        deleted: bool,
    ) -> Result<Option<Name>, (super::Invariant, String)> {
        let said = client_id.and_then(|client_id| self.said.get_mut(&client_id));
        let Some(said) = said else {
            let copied = Name::of(content)
                .filter(|(name, _)| self.said.values().any(|said| said.stored && said.name == *name));
            if let Some((name, _)) = copied {
                return Err((
                    super::Invariant::StoredOnce,
                    format!("room {room_id}: {name} is stored twice"),
                ));
            }
            return Err((
                super::Invariant::NothingInvented,
                format!("room {room_id}: nobody said {content:?}"),
            ));
        };
        let name = said.name;
        hold!(
            said.user == user,
            NothingInvented,
            "room {room_id}: {name} is of user {user}, user {} said it",
            said.user
        );
        hold!(said.room == room_id, RoomsApart, "{name} is in room {room_id}, it was said in {}", said.room);
        hold!(
            deleted || said.texts.iter().any(|text| text == content),
            NothingInvented,
            "room {room_id}: {name} has the text {:?}, which nobody said",
            shorten(content)
        );
        hold!(!said.stored, StoredOnce, "{name} is stored twice, the second time in room {room_id}");
        said.stored = true;
        if said.refused {
            return Ok(Some(name));
        }
        let before = self.last.insert((room_id, name.client), name.number);
        hold!(
            self.unordered || before.is_none_or(|before| before < name.number),
            SenderOrder,
            "room {room_id}: {name} is stored after {}.{}",
            name.client,
            before.unwrap_or_default()
        );
        Ok(Some(name))
    }

    /// A text that replaces another was said by its user, for this room.
    pub(super) fn check_text(&self, room_id: RoomId, user: UserId, content: &str) -> Check {
        let Some((name, meant)) = Name::of(content) else {
            return Err((
                super::Invariant::NothingInvented,
                format!("room {room_id}: nobody said {:?}", shorten(content)),
            ));
        };
        let owner = self.users.get(name.client as usize);
        hold!(owner == Some(&user), NothingInvented, "room {room_id}: {name} is said by user {user}");
        hold!(meant == room_id, RoomsApart, "room {room_id}: {name} was said in room {meant}");
        Ok(())
    }
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}
