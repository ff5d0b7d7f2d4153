//! Where calls wait for the host, and answers for the node, while their numbers go over the network.

use hub::store::Store;
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// An answer, whatever it is.
pub(super) type Answer = Box<dyn Any + Send>;
/// A call under way.
pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
/// A call, to be carried out on the store that holds the truth.
pub(super) type Job = Box<dyn for<'a> FnOnce(&'a dyn Store) -> Answering<'a> + Send>;

/// What nodes and the store's host share. A call whose node is gone stays until its number arrives, for
/// then it takes effect all the same; those whose number never arrives stay as long as the desk, of which a
/// run has one.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    last: u64,
    jobs: BTreeMap<u64, Job>,
    /// Of calls that someone waits for.
    answers: BTreeMap<u64, Option<Answer>>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("jobs", &self.0.lock().jobs.len()).finish_non_exhaustive()
    }
}

/// A call's place at the desk; its answer is thrown away once this is gone.
#[derive(Debug)]
pub(super) struct Place<'a> {
    desk: &'a Desk,
    /// The call's number.
    pub(super) call: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let answer = self.desk.0.lock().answers.remove(&self.call);
        drop(answer);
    }
}

impl Desk {
    /// Puts a call there.
    pub(super) fn put(&self, job: Job) -> Place<'_> {
        let mut inner = self.0.lock();
        inner.last += 1;
        let call = inner.last;
        inner.jobs.insert(call, job);
        inner.answers.insert(call, None);
        Place { desk: self, call }
    }

    /// Takes a call, to carry it out or not; none is taken twice.
    pub(super) fn take(&self, call: u64) -> Option<Job> {
        self.0.lock().jobs.remove(&call)
    }

    /// Leaves an answer; whether anyone waits for it.
    pub(super) fn answer(&self, call: u64, answer: Answer) -> bool {
        let mut inner = self.0.lock();
        let place = inner.answers.get_mut(&call);
        let waits = place.is_some();
        if let Some(place) = place {
            *place = Some(answer);
        }
        waits
    }
}

impl Place<'_> {
    /// The answer, once it is there.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.desk.0.lock().answers.get_mut(&self.call)?.take()
    }
}
