//! Two versions of Hubbub beside each other. There is one code, so that what a node or a client of the earlier one
//! does not know is hidden from it: in whatever it reads, one type of events has a name that nobody knows. It passes
//! that on as it is; one of the later version reads what it was.

/// The type of events that only the later version knows.
pub const LATER: &str = "reaction_added";
/// As one of the earlier version reads it.
pub const HIDDEN: &str = "reaction_later";
const KNOWN_TYPE: &[u8] = b"\"type\":\"reaction_added\"";
const HIDDEN_TYPE: &[u8] = b"\"type\":\"reaction_later\"";

/// Of which version a node or a client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// It does not know events of the type [`LATER`].
    Earlier,
    /// It knows all that there is.
    #[default]
    Later,
}

impl Version {
    /// Makes what is there into what it reads.
    #[must_use]
    pub const fn reads(self) -> Renames {
        match self {
            Self::Earlier => Renames::new(KNOWN_TYPE, HIDDEN_TYPE),
            Self::Later => Renames::new(HIDDEN_TYPE, KNOWN_TYPE),
        }
    }

    /// A text as it reads it.
    #[must_use]
    pub fn read(self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.reads().rename(&mut bytes);
        String::from_utf8(bytes).expect("a name takes the place of another as long")
    }
}

/// Puts one name in the place of another as long, in bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct Renames {
    from: &'static [u8],
    to: &'static [u8],
    /// How much of the name has come.
    matched: usize,
}

impl Renames {
    const fn new(from: &'static [u8], to: &'static [u8]) -> Self {
        assert!(from.len() == to.len(), "a name takes the place of another as long");
        Self { from, to, matched: 0 }
    }

    /// Renames in the next bytes. No other type begins as far as where the two names differ.
    pub fn rename(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if *byte == self.from[self.matched] {
                *byte = self.to[self.matched];
                self.matched = (self.matched + 1) % self.from.len();
            } else {
                self.matched = usize::from(*byte == self.from[0]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"type":"reaction_added","emoji":"x"}{"type":"reaction_removed"}{"of":"type","type":"reaction_added"}{"type":"typing"}"#;

    #[test]
    fn what_the_earlier_version_reads_has_a_name_that_is_not_known() {
        let read = Version::Earlier.read(TEXT);
        assert_eq!(read, TEXT.replace(LATER, HIDDEN));
        assert_eq!(Version::Later.read(&read), TEXT);
        assert_eq!(Version::Later.read(TEXT), TEXT);
    }

    #[test]
    fn a_name_may_come_in_pieces() {
        for length in 1..TEXT.len() {
            let mut bytes = TEXT.as_bytes().to_vec();
            let (mut hides, mut shows) = (Version::Earlier.reads(), Version::Later.reads());
            bytes.chunks_mut(length).for_each(|piece| hides.rename(piece));
            assert!(!String::from_utf8_lossy(&bytes).contains(LATER), "in pieces of {length}");
            bytes.chunks_mut(length + 1).for_each(|piece| shows.rename(piece));
            assert_eq!(String::from_utf8_lossy(&bytes), TEXT, "in pieces of {length}");
        }
    }
}
