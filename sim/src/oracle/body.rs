//! The text of messages: who says it, which one it is, where it belongs and a check, so that a leak, a
//! repeat or a change shows in one delivery alone.

use crate::history::Name;
use crate::rng::fnv;
use protocol::RoomId;

/// The text of a message, with so many further bytes.
#[must_use]
pub fn write(name: Name, room: RoomId, padding: usize) -> String {
    let head = format!("{name}.{room}");
    let padding = "x".repeat(padding);
    format!("{head}.{:016x}.{padding}", fnv(format!("{head}.{padding}").as_bytes()))
}

/// What a text says about itself; `None` if it was changed or is none of ours.
#[must_use]
pub fn read(text: &str) -> Option<(Name, RoomId)> {
    let mut parts = text.splitn(5, '.');
    let client = parts.next()?.parse().ok()?;
    let number = parts.next()?.parse().ok()?;
    let room = parts.next()?.parse().ok()?;
    let check = parts.next()?;
    let padding = parts.next()?;
    let (name, room) = (Name { client, number }, RoomId(room));
    let expected = format!("{:016x}", fnv(format!("{name}.{room}.{padding}").as_bytes()));
    (check == expected).then_some((name, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_it_is_and_shows_a_change() {
        let name = Name { client: 3, number: 14 };
        let text = write(name, RoomId(2), 5);
        assert_eq!(read(&text), Some((name, RoomId(2))));
        assert_eq!(read(&text.replacen("3.", "4.", 1)), None);
        assert_eq!(read(&format!("{text}x")), None);
        assert_eq!(read("hello"), None);
    }
}
