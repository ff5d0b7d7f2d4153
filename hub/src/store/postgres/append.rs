//! A batch: one transaction that locks the rooms it names, loads what else it names, applies it, and
//! writes down what changed, in a number of statements that does not depend on the batch's length.
//!
//! Locks are taken in one order by all: rooms by id, then users by id, then the rows below them. An
//! operation's name is looked up after its room is locked, so that two nodes that are sent the same
//! operation cannot both find it new; what no lock guards (names of rooms, the making of a room) a
//! unique index does, and whoever loses there tries the batch again and finds the winner's row.

use super::error::{Trouble, at_commit, before_commit};
use super::{PostgresStore, READ_COMMITTED, flush, load};
use crate::limits::bounds::{
    POSTGRES_COMMIT_DEADLINE, POSTGRES_RETRY_PAUSE, POSTGRES_TRIES_MAX, POSTGRES_WORK_DEADLINE,
};
use crate::store::state::{Changes, Needs, State};
use crate::store::{Append, BATCH_MAX, Outcome, StoreError};
use protocol::{MessageId, RoomId};
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Why one try came to nothing.
enum Failed {
    /// Nothing happened.
    Work(Trouble),
    /// Something may have happened.
    Commit(StoreError),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Work(trouble)
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Work(error.into())
    }
}

impl PostgresStore {
    pub(super) async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        if batch.len() > BATCH_MAX {
            return Err(StoreError::batch_too_large(batch.len()));
        }
        let deadline = Instant::now() + POSTGRES_WORK_DEADLINE;
        let mut tries = 1;
        loop {
            match self.try_append(batch, deadline).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::Commit(error)) => return Err(error),
                Err(Failed::Work(trouble))
                    if tries < POSTGRES_TRIES_MAX && trouble.is_worth_another_try() =>
                {
                    tracing::debug!(?trouble, tries, "a batch is tried again");
                    sleep(retry_pause(batch, tries)).await;
                    tries += 1;
                }
                Err(Failed::Work(trouble)) => return Err(before_commit(trouble)),
            }
        }
    }

    async fn try_append(&self, batch: &[Append], deadline: Instant) -> Result<Vec<Outcome>, Failed> {
        let too_long = || Trouble::Store(StoreError::Unavailable("batch took too long".into()));
        let mut db = timeout_at(deadline, self.writers.take()).await.map_err(|_| too_long())??;
        let Ok(worked) = timeout_at(deadline, self.work(&mut db, batch)).await else {
            // It may hang in the middle of an answer.
            db.close_on_drop();
            return Err(too_long().into());
        };
        let (tx, state, outcomes) = worked?;
        match timeout_at(deadline + POSTGRES_COMMIT_DEADLINE, tx.commit()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Failed::Commit(at_commit(&error))),
            Err(_) => {
                db.close_on_drop();
                return Err(Failed::Commit(StoreError::Unknown("commit took too long".into())));
            }
        }
        self.spare_ids.put_back(state);
        Ok(outcomes)
    }

    /// All but the commit.
    async fn work<'db>(
        &self,
        db: &'db mut PgConnection,
        batch: &[Append],
    ) -> Result<(sqlx::Transaction<'db, sqlx::Postgres>, State, Vec<Outcome>), Failed> {
        let mut needs = Needs::of(batch);
        let mut tx = db.begin_with(READ_COMMITTED).await?;
        let mut state = load::load(&mut tx, batch, &mut needs).await?;
        self.take_ids(&mut tx, &mut state, &needs).await?;
        let mut changes = Changes::default();
        let outcomes = batch.iter().map(|append| state.apply(append, &mut changes)).collect();
        flush::flush(&mut tx, &state, &changes).await?;
        Ok((tx, state, outcomes))
    }

    /// As many ids as the batch may need.
    async fn take_ids(
        &self,
        db: &mut PgConnection,
        state: &mut State,
        needs: &Needs,
    ) -> Result<(), sqlx::Error> {
        let (rooms, messages) = self.spare_ids.take(needs.makes_rooms, needs.sends);
        (state.spare_room_ids, state.spare_message_ids) = (rooms.into(), messages.into());
        if let Some(missing) = missing(needs.makes_rooms, state.spare_room_ids.len()) {
            let sql = "select nextval('room_ids') from generate_series(1, $1)";
            let ids = sqlx::query_scalar::<_, i64>(sql).bind(missing).fetch_all(&mut *db).await?;
            state.spare_room_ids.extend(ids.into_iter().map(RoomId::from_i64));
        }
        if missing(needs.sends, state.spare_message_ids.len()).is_some() {
            // More than is needed now, so that most batches need not ask.
            let sql = "select nextval('message_ids') from generate_series(1, $1)";
            let query = sqlx::query_scalar::<_, i64>(sql).bind(i64::try_from(BATCH_MAX).unwrap_or(i64::MAX));
            let ids = query.fetch_all(&mut *db).await?;
            state.spare_message_ids.extend(ids.into_iter().map(MessageId::from_i64));
        }
        Ok(())
    }
}

fn missing(needed: usize, there: usize) -> Option<i64> {
    let missing = needed.checked_sub(there).filter(|missing| *missing > 0)?;
    i64::try_from(missing).ok()
}

/// How long to wait before a batch is tried again, of which so many tries failed: longer from try to try, and
/// different for those who lost to each other, by the name of the first operation, which is random.
#[must_use]
pub fn retry_pause(batch: &[Append], tries: u32) -> Duration {
    let seed = batch.first().map_or(0, |append| append.client_id.0.as_u128());
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).wrapping_add(u128::from(tries));
    let percent = u32::try_from((mixed >> 64) % 150).unwrap_or(0) + 25;
    POSTGRES_RETRY_PAUSE * 2_u32.pow(tries - 1) * percent / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Op, RoomOp};
    use protocol::{ClientId, Timestamp, UserId};

    #[test]
    fn pauses_grow_differ_and_stay_far_below_the_deadline() {
        let batch = |name: u128| {
            let client_id = ClientId(uuid::Uuid::from_u128(name << 64));
            let op = Op::in_room(RoomId(1), RoomOp::Join);
            vec![Append { actor: UserId(1), client_id, at: Timestamp(1), op }]
        };
        assert_ne!(retry_pause(&batch(1), 1), retry_pause(&batch(2), 1));
        for name in 1..100 {
            let all: Duration = (1..POSTGRES_TRIES_MAX).map(|tries| retry_pause(&batch(name), tries)).sum();
            assert!(all < POSTGRES_WORK_DEADLINE / 10 && retry_pause(&batch(name), 1) > Duration::ZERO);
        }
    }
}
