//! What load says: a text that names its sender, its number and its room, with a checksum, so that a
//! leak, a duplicate or a corruption shows in one delivery alone.

use protocol::RoomId;
use std::fmt;

/// A text of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// Who sent it, counted from zero.
    pub client: usize,
    /// Its number among what that client sent in that room.
    pub number: u64,
    /// Where it belongs.
    pub room: RoomId,
}

impl Content {
    /// Reads a text; `None` for one that was never sent like that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '.');
        let (client, number, room, _check) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let content = Self {
            client: client.parse().ok()?,
            number: number.parse().ok()?,
            room: RoomId(room.parse().ok()?),
        };
        (content.text(parts.next()) == text).then_some(content)
    }

    /// The text with so many bytes more, which the checksum is of as well.
    #[must_use]
    pub fn padded(&self, padding: usize) -> String {
        self.text(Some(&"x".repeat(padding)))
    }

    fn text(&self, padding: Option<&str>) -> String {
        let named = format!("{}.{}.{}", self.client, self.number, self.room);
        match padding {
            None => format!("{named}.{:08x}", checksum(named.as_bytes())),
            Some(padding) => {
                format!("{named}.{:08x}.{padding}", checksum(format!("{named}.{padding}").as_bytes()))
            }
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(None))
    }
}

/// FNV-1a of 32 bits (draft-eastlake-fnv).
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written_and_a_changed_one_is_not() {
        let content = Content { client: 12, number: 345, room: RoomId(6) };
        for text in [content.to_string(), content.padded(0), content.padded(9)] {
            assert_eq!(Content::parse(&text), Some(content));
            for at in 0..text.len() {
                let mut changed = text.clone().into_bytes();
                changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
                assert_eq!(Content::parse(&String::from_utf8(changed).unwrap()), None, "{at} of {text}");
            }
            assert_eq!(Content::parse(&format!("{text}.1")), None);
        }
        assert_eq!(Content::parse(""), None);
    }
}
