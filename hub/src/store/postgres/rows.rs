//! Types to columns, as Postgres has them: arrays, so that a statement is the same for any number of
//! rows.

use protocol::{MessageId, RoomId, UserId};

/// An id, as a column has it.
pub(super) trait Id: Copy {
    fn column(self) -> i64;
}

macro_rules! ids {
    ($($id:ident)*) => {
        $(impl Id for $id {
            fn column(self) -> i64 {
                self.as_i64()
            }
        })*
    };
}

ids! { MessageId RoomId UserId }

/// Ids as one argument.
pub(super) fn ids<'a, T: Id + 'a>(ids: impl IntoIterator<Item = &'a T>) -> Vec<i64> {
    ids.into_iter().map(|id| id.column()).collect()
}

/// Pairs as two arguments.
pub(super) fn pairs<A: Id, B: Id>(pairs: impl IntoIterator<Item = (A, B)>) -> (Vec<i64>, Vec<i64>) {
    pairs.into_iter().map(|(a, b)| (a.column(), b.column())).unzip()
}
