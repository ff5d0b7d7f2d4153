//! The answers under way for a connection. Each has a deadline, and how many there are is bounded by
//! the connection, which reads no further.

use super::Connections;
use super::perform::within;
use crate::limits::bounds::{LAG_PAGE_EVENTS_MAX, QUESTION_DEADLINE, RETRY_PAUSE};
use crate::room::writer::Answer;
use crate::room::{Permit, Present, SubmitError, Subscription, UserStream, Watch, WatchError};
use crate::session::{Failure, Snapshot, Subject};
use crate::store::{Append, Event, LoginId};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::frame::server::ServerMessage;
use protocol::model::Room;
use protocol::planted::{self, Bug};
use protocol::{ClientId, CloseCode, RequestId, RoomId, Seq};
use std::sync::Arc;
use tokio::time::sleep;

/// An answer.
pub(super) enum Done {
    Subject(Result<(Subject, Option<LoginId>), CloseCode>),
    Joined(Result<Box<Joined>, CloseCode>),
    Reloaded(Option<Vec<Room>>, bool),
    Attached(Box<Room>, Option<Subscription>),
    Permit(Box<Append>, Result<Permit, SubmitError>),
    Committed(ClientId, Answer),
    Answered(RequestId, Result<Box<ServerMessage>, Failure>),
    Page(RoomId, Vec<Event>),
    Watching(RoomId, Result<Watch, WatchError>),
    Nothing,
}

/// What a connection has once it joined.
pub(super) struct Joined {
    pub(super) snapshot: Snapshot,
    pub(super) user_stream: UserStream,
    pub(super) present: Present,
    pub(super) subscriptions: Vec<Subscription>,
}

/// The answers under way.
#[derive(Default)]
pub(super) struct InFlight {
    answers: FuturesUnordered<BoxFuture<'static, Done>>,
    pub(super) questions: usize,
    pub(super) waits_for_writer: bool,
    pub(super) is_reloading: bool,
    pub(super) reload_again: bool,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// How many pages are being read.
    pub(super) const fn questions(&self) -> usize {
        self.questions
    }

    /// Whether an operation waits for its turn; those behind it must not overtake it.
    pub(super) const fn waits_for_writer(&self) -> bool {
        self.waits_for_writer
    }

    pub(super) async fn next(&mut self) -> Option<Done> {
        self.answers.next().await
    }

    pub(super) fn push(&mut self, answer: impl Future<Output = Done> + Send + 'static) {
        self.answers.push(Box::pin(answer));
    }

    /// Reads a lagging connection's next page.
    pub(super) fn read_page(&mut self, node: Arc<Connections>, room_id: RoomId, after: Seq) {
        tracing::debug!(room = %room_id, %after, "reads the store for a cursor");
        let after = if planted::has(Bug::LagOffByOne) { after.next() } else { after };
        self.push(async move {
            let Ok(_permit) = node.page_reads.acquire().await else { return Done::Page(room_id, Vec::new()) };
            let events =
                within(QUESTION_DEADLINE, node.store.events(room_id, after, LAG_PAGE_EVENTS_MAX)).await;
            let events = events.unwrap_or_else(|error| {
                tracing::warn!(room = %room_id, %error, "failed to read a page for a lagging connection");
                Vec::new()
            });
            if events.is_empty() {
                sleep(RETRY_PAUSE).await;
            }
            Done::Page(room_id, events)
        });
    }
}
