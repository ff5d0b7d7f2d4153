//! A batch: one transaction that loads the rows it names, applies it, and writes down what
//! changed, in a number of statements that hardly depends on the batch's length.

use super::{SqliteStore, commit, flush, load};
use crate::store::state::Changes;
use crate::store::{Append, BATCH_MAX, Outcome, StoreError};

impl SqliteStore {
    pub(super) async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        if batch.len() > BATCH_MAX {
            return Err(StoreError::batch_too_large(batch.len()));
        }
        let mut tx = self.begin_write().await?;
        let mut state = load::load(&mut tx, batch).await?;
        let mut changes = Changes::default();
        let outcomes = batch.iter().map(|append| state.apply(append, &mut changes)).collect();
        flush::flush(&mut tx, &state, &changes).await?;
        commit(tx).await?;
        Ok(outcomes)
    }
}
