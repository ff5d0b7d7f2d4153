//! Takes durable operations, commits them in micro-batches (all that queued while the last commit
//! was in flight), and tells the rooms of this node and the broker what is new. What it answers
//! is durable.

use crate::limits::bounds::{COMMIT_DEADLINE, SUBMIT_DEADLINE, WRITER_QUEUE_MAX};
use crate::room::{Rooms, wrong};
use crate::rules::Rejection;
use crate::store::{Append, BATCH_MAX, Committed, Store, StoreError};
use protocol::planted::{self, Bug};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Why an operation was not committed, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Refused for good.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The store did not take it, or its answer was lost: ask again under the same `client_id`.
    #[error("the message store is unavailable, try again")]
    Unavailable,
    /// The writer's queue is full: ask again later.
    #[error("the hub is overloaded, try again")]
    Overloaded,
    /// A defect; it is in the log.
    #[error("internal error")]
    Internal,
}

/// The answer to an operation.
pub type Answer = Result<Committed, SubmitError>;

/// A submitted operation's answer, once it is there.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Answer>);

impl Pending {
    /// Waits for the answer; the writer's deadlines bound the wait.
    pub async fn answer(self) -> Answer {
        self.0.await.unwrap_or(Err(SubmitError::Unavailable))
    }
}

struct Job {
    append: Append,
    answer: oneshot::Sender<Answer>,
}

/// A place in the writer's queue.
#[derive(Debug)]
pub struct Permit(mpsc::OwnedPermit<Job>);

impl Permit {
    /// Submits an operation. Operations are committed in the order of submission.
    #[must_use]
    pub fn submit(self, mut append: Append) -> Pending {
        wrong::rename(&mut append);
        let (answer, pending) = oneshot::channel();
        self.0.send(Job { append, answer });
        Pending(pending)
    }
}

/// A handle on the writer.
#[derive(Clone, Debug)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// A writer and the future that does its work until `stop`, or until every handle is gone;
    /// what was submitted before that is still committed.
    pub fn new(
        store: Arc<dyn Store>,
        rooms: Arc<Rooms>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, queue) = mpsc::channel(WRITER_QUEUE_MAX);
        (Self { jobs }, run(store, rooms, queue, stop))
    }

    /// How many operations wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// A place in the queue, if there is one now.
    #[must_use]
    pub fn try_reserve(&self) -> Option<Permit> {
        self.jobs.clone().try_reserve_owned().ok().map(Permit)
    }

    /// Waits for a place in the queue, for [`SUBMIT_DEADLINE`] at most.
    ///
    /// # Errors
    /// [`SubmitError::Overloaded`] after the deadline, [`SubmitError::Unavailable`] when the
    /// writer has stopped.
    pub async fn reserve(&self) -> Result<Permit, SubmitError> {
        match tokio::time::timeout(SUBMIT_DEADLINE, self.jobs.clone().reserve_owned()).await {
            Ok(Ok(permit)) => Ok(Permit(permit)),
            Ok(Err(_)) => Err(SubmitError::Unavailable),
            Err(_) => Err(SubmitError::Overloaded),
        }
    }

    /// Submits an operation and waits for its answer.
    ///
    /// # Errors
    /// [`SubmitError`]; only [`SubmitError::Rejected`] means that nothing was committed.
    pub async fn submit(&self, append: Append) -> Answer {
        self.reserve().await?.submit(append).answer().await
    }
}

async fn run(
    store: Arc<dyn Store>,
    rooms: Arc<Rooms>,
    mut queue: mpsc::Receiver<Job>,
    stop: CancellationToken,
) {
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    loop {
        let taken = tokio::select! {
            biased;
            () = stop.cancelled(), if !queue.is_closed() => {
                // Takes no more; what is in the queue is still committed.
                queue.close();
                continue;
            }
            taken = queue.recv_many(&mut jobs, BATCH_MAX) => taken,
        };
        if taken == 0 {
            return;
        }
        commit(store.as_ref(), &rooms, &mut jobs).await;
    }
}

async fn commit(store: &dyn Store, rooms: &Arc<Rooms>, jobs: &mut Vec<Job>) {
    let (batch, answers): (Vec<_>, Vec<_>) = jobs.drain(..).map(|job| (job.append, job.answer)).unzip();
    let metrics = rooms.metrics();
    metrics.batch.observe(batch.len() as f64);
    let answers = if planted::has(Bug::AckBeforeCommit) {
        wrong::answer(store, &batch, answers).await
    } else {
        answers
    };
    if planted::has(Bug::PublishBeforeCommit) {
        wrong::publish(store, rooms, &batch).await;
    }
    let answers =
        if planted::has(Bug::OperationAckedEarly) { wrong::acknowledge(&batch, answers) } else { answers };
    let result = tokio::time::timeout(COMMIT_DEADLINE, store.append(batch)).await;
    let result = result.unwrap_or_else(|_| Err(StoreError::Unknown("commit took too long".into())));
    let outcomes = match result {
        Ok(outcomes) if planted::has(Bug::SeqPerNode) => wrong::renumber(&rooms.node, outcomes),
        Ok(outcomes) => outcomes,
        Err(error) => {
            metrics.operations_failed.inc_by(answers.len() as u64);
            return refuse(answers, &error);
        }
    };
    for outcome in &outcomes {
        let counter = match outcome {
            Ok(Committed { message: Some(_), .. }) => &metrics.messages_acked,
            Ok(Committed { message: None, .. }) => &metrics.operations_acked,
            Err(_) => &metrics.operations_rejected,
        };
        counter.inc();
    }
    debug_assert_eq!(outcomes.len(), answers.len(), "an outcome for each operation");
    let events = outcomes.iter().flatten().flat_map(|committed| &committed.events).cloned().collect();
    rooms.handle_committed(events);
    for (outcome, answer) in outcomes.into_iter().zip(answers) {
        // The asker may be gone; the operation is committed all the same.
        answer.send(outcome.map_err(SubmitError::from)).ok();
    }
}

fn refuse(answers: Vec<oneshot::Sender<Answer>>, error: &StoreError) {
    tracing::error!(%error, operations = answers.len(), "failed to commit a batch");
    let refusal = match error {
        _ if planted::has(Bug::FailureRefused) => SubmitError::Rejected(Rejection::NotMember),
        StoreError::Unavailable(_) | StoreError::Unknown(_) => SubmitError::Unavailable,
        StoreError::Internal(_) => SubmitError::Internal,
    };
    for answer in answers {
        answer.send(Err(refusal)).ok();
    }
}
