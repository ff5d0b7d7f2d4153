//! What a connection has to write: taken frame by frame, written with one flush, and never waited
//! for while something else could be done.

use crate::limits::bounds::OUT_BYTES_MAX;
use axum::Error;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::Sink;
use futures_util::stream::SplitSink;
use protocol::CloseCode;
use protocol::planted::{self, Bug};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// The writing half of a connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    sink: SplitSink<WebSocket, Message>,
    frames: VecDeque<Message>,
    /// From so many waiting frames on it takes no more.
    frames_max: usize,
    bytes: usize,
    /// Since when something is to be written and the peer has not taken all of it.
    busy_since: Option<Instant>,
}

impl Outgoing {
    pub(super) const fn new(sink: SplitSink<WebSocket, Message>, frames_max: usize) -> Self {
        Self { sink, frames: VecDeque::new(), frames_max, bytes: 0, busy_since: None }
    }

    /// How many frames wait to be written.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether it takes more frames.
    pub(super) fn has_room(&self) -> bool {
        planted::has(Bug::QueueUnbounded) || self.frames.len() < self.frames_max && self.bytes < OUT_BYTES_MAX
    }

    /// Whether something is to be written.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy_since.is_some()
    }

    /// When the peer has not read for so long that the connection ends.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        self.busy_since.map(|since| since + timeout)
    }

    pub(super) fn push_text(&mut self, text: String) {
        self.push(Message::Text(text.into()));
    }

    /// Takes a frame whose payload is shared with other connections.
    pub(super) fn push_shared(&mut self, frame: &Bytes) {
        match Utf8Bytes::try_from(frame.clone()) {
            Ok(text) => self.push(Message::Text(text)),
            Err(error) => tracing::error!(%error, "a frame is not text"),
        }
    }

    pub(super) fn push_close(&mut self, code: CloseCode) {
        let frame = CloseFrame { code: code.code(), reason: Utf8Bytes::from_static(code.reason()) };
        self.push(Message::Close(Some(frame)));
    }

    fn push(&mut self, message: Message) {
        if planted::has(Bug::QueueDrops) && self.frames.len() > 3 {
            return;
        }
        self.bytes += match &message {
            Message::Text(text) => text.len(),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) => 0,
        };
        self.frames.push_back(message);
        if self.busy_since.is_none() {
            self.busy_since = Some(Instant::now());
        }
    }

    /// Writes all that waits and flushes once. To be called again after a frame was pushed.
    pub(super) fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.frames.is_empty() {
                ready!(Pin::new(&mut self.sink).poll_flush(cx))?;
                self.busy_since = None;
                self.frames.shrink_to(0);
                return Poll::Ready(Ok(()));
            }
            ready!(Pin::new(&mut self.sink).poll_ready(cx))?;
            if let Some(message) = self.frames.pop_front() {
                Pin::new(&mut self.sink).start_send(message)?;
            }
            if self.frames.is_empty() {
                self.bytes = 0;
            }
        }
    }
}
