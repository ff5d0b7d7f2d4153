//! The arithmetic of pages: how many rows to read on each side of an anchor, and what they tell
//! about what lies beyond.

use protocol::MessageNo;
use protocol::model::Anchor;

/// A page of messages as two runs of rows: those before `split`, and those from it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) split: MessageNo,
    before: usize,
    after: usize,
}

/// What a window shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) more_before: bool,
    pub(crate) more_after: bool,
}

impl Window {
    /// The window of a page. `around` shows half of the page before the message, and the message
    /// and what follows it in the other half; neither half takes over what the other leaves.
    pub(crate) fn new(anchor: Anchor, limit: u32) -> Self {
        let limit = limit as usize;
        match anchor {
            Anchor::Latest => Self { split: MessageNo(i64::MAX.cast_unsigned()), before: limit, after: 0 },
            Anchor::Before(no) => Self { split: no, before: limit, after: 0 },
            Anchor::After(no) => Self { split: no.next(), before: 0, after: limit },
            Anchor::Around(no) => Self { split: no, before: limit / 2, after: limit - limit / 2 },
        }
    }

    /// How many rows before the split to read: one more than is shown, to know whether there is
    /// more.
    pub(crate) const fn before_rows(self) -> usize {
        self.before + 1
    }

    /// How many rows from the split on to read.
    pub(crate) const fn after_rows(self) -> usize {
        self.after + 1
    }

    /// The page, from the rows before the split, nearest first, and those from it on.
    pub(crate) fn cut<T>(self, mut before: Vec<T>, mut after: Vec<T>) -> Cut<T> {
        let more_before = before.len() > self.before;
        let more_after = after.len() > self.after;
        before.truncate(self.before);
        after.truncate(self.after);
        before.reverse();
        before.append(&mut after);
        Cut { rows: before, more_before, more_after }
    }
}

/// Cuts rows, of which one more than the limit was read, and tells whether there was one more.
pub(crate) fn cut_more<T>(rows: &mut Vec<T>, limit: u32) -> bool {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    more
}
