//! The locks and atomics of what connections share. With the feature `races` they are those of a
//! scheduler that orders every step, so that tests can try many orders.

#[cfg(not(feature = "races"))]
pub(crate) use parking_lot::{Mutex, RwLock};
#[cfg(feature = "races")]
pub(crate) use shuttle::sync::atomic;
#[cfg(feature = "races")]
pub(crate) use shuttle_parking_lot::{Mutex, RwLock};
#[cfg(not(feature = "races"))]
pub(crate) use std::sync::atomic;

use tokio_util::task::TaskTracker;

/// Runs a task beside all others.
#[cfg(not(feature = "races"))]
pub(crate) fn spawn(tasks: &TaskTracker, task: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(task);
}

/// Runs a task beside all others, each step when the scheduler likes.
#[cfg(feature = "races")]
pub(crate) fn spawn(tasks: &TaskTracker, task: impl Future<Output = ()> + Send + 'static) {
    shuttle::future::spawn(tasks.track_future(task));
}
