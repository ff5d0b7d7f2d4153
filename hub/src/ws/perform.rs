//! What a connection's session asks of the rest of the node, and what becomes of the answers.

use super::Connections;
use super::connection::Connection;
use super::in_flight::{Done, Joined};
use crate::limits::RetryAfter;
use crate::limits::bounds::{ATTACHING_MAX, JOIN_DEADLINE, QUESTION_DEADLINE, RATE_PAUSE_MAX, RETRY_PAUSE};
use crate::room::{Permit, SubmitError, Watch, WatchError};
use crate::session::{Action, Failure, Request, Snapshot, Subject};
use crate::store::{Append, Op, StoreError};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use protocol::frame::server::{HistoryPage, MembersPage, RoomsPage, ServerMessage, UserTyping};
use protocol::model::Room;
use protocol::planted::{self, Bug};
use protocol::{ClientId, CloseCode, ErrorCode, RequestId, RoomId, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

impl Connection {
    /// Does what the session asks for, or begins it.
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Authenticate { token } => self.authenticate(token),
            Action::Join => self.join(),
            Action::Reload => self.reload(),
            Action::Attach(room) => self.attach(room),
            Action::Detach(room_id) => {
                self.subscriptions.remove(&room_id);
                self.watches.remove(&room_id);
            }
            Action::WatchPresence(room_id) => self.watch(room_id),
            Action::UnwatchPresence(room_id) => {
                self.watches.remove(&room_id);
            }
            Action::Submit { client_id, op } => self.submit(client_id, op),
            Action::Ask { request_id, request } => self.ask(request_id, request),
            Action::MarkRead { room_id, message_no } => {
                let (node, Some(user_id)) = (Arc::clone(&self.node), self.user_id()) else { return };
                self.in_flight.push(async move {
                    let marked =
                        within(QUESTION_DEADLINE, node.rooms.mark_read(user_id, room_id, message_no));
                    if let Err(error) = marked.await {
                        tracing::warn!(%error, "failed to move a read marker");
                    }
                    Done::Nothing
                });
            }
            Action::Typing(room_id) => {
                if let Some(user) = self.session.user() {
                    let typing =
                        UserTyping { room_id, user_id: user.id, display_name: user.display_name.clone() };
                    self.node.rooms.typing(typing);
                }
            }
            Action::Send(message) => self.out.push_text(protocol::encode(&message)),
            Action::Close(code) => {
                self.ends.get_or_insert(code);
            }
        }
    }

    /// Tells the session an answer.
    pub(super) fn finish(&mut self, done: Done) {
        match done {
            Done::Subject(Ok((subject, login))) => {
                self.login = login;
                self.session.handle_subject(subject, Instant::now().into_std());
            }
            Done::Subject(Err(code)) | Done::Joined(Err(code)) => self.session.handle_refused(code),
            Done::Joined(Ok(joined)) => {
                self.user_stream = Some(joined.user_stream);
                self.present = Some(joined.present);
                self.subscriptions = joined.subscriptions.into_iter().map(|s| (s.room().id(), s)).collect();
                self.session.handle_joined(joined.snapshot, Instant::now().into_std());
            }
            Done::Reloaded(rooms, login_lives) => self.finish_reload(rooms, login_lives),
            Done::Attached(room, Some(subscription)) => {
                self.subscriptions.entry(room.id).or_insert(subscription);
                self.session.handle_attached(*room);
            }
            // The reload finds the room missing again.
            Done::Attached(_, None) => self.bell.ring_reload(),
            Done::Permit(append, Ok(permit)) => {
                self.in_flight.waits_for_writer = false;
                self.send_to_writer(permit, *append);
            }
            Done::Permit(append, Err(error)) => {
                self.in_flight.waits_for_writer = false;
                self.session.handle_failed(append.client_id, submit_failure(error));
            }
            Done::Committed(client_id, Ok(committed)) => self.session.handle_committed(client_id, &committed),
            Done::Committed(client_id, Err(error)) => {
                self.session.handle_failed(client_id, submit_failure(error));
            }
            Done::Answered(request_id, answer) => {
                self.in_flight.questions -= 1;
                self.session.handle_answer(request_id, answer.map(|message| *message));
            }
            Done::Watching(room_id, watch) => self.finish_watch(room_id, watch),
            Done::Page(..) | Done::Nothing => {}
        }
    }

    fn user_id(&self) -> Option<UserId> {
        self.session.user().map(|user| user.id)
    }

    fn authenticate(&mut self, token: String) {
        let node = Arc::clone(&self.node);
        self.in_flight.push(async move {
            let identity = match node.auth.verify(&token).await {
                Ok(identity) => identity,
                Err(error) => return Done::Subject(Err(error.close_code())),
            };
            let left = identity.expires_at.0.saturating_sub(node.clock.now().0);
            let expires = Instant::now() + Duration::from_millis(left);
            let subject =
                Subject { user: identity.user, expires: expires.into_std(), expires_at: identity.expires_at };
            Done::Subject(Ok((subject, identity.login)))
        });
    }

    fn join(&mut self) {
        let (node, bell, Some(user_id)) = (Arc::clone(&self.node), Arc::clone(&self.bell), self.user_id())
        else {
            return;
        };
        let login = self.login.filter(|_| !planted::has(Bug::RevokedLives));
        let join = async move {
            // First the stream, then what it would tell changes of.
            let user_stream = node.rooms.enter_user(user_id, Arc::clone(&bell)).await.map_err(log_join)?;
            // The login too: since its token was looked at it may have been revoked.
            let lives = async {
                if let Some(login) = login { node.store.login_is_alive(login).await } else { Ok(true) }
            };
            let (lives, rooms) = tokio::try_join!(lives, node.store.rooms_of(user_id)).map_err(log_join)?;
            if !lives {
                return Err(CloseCode::LoginRevoked);
            }
            let epoch = node.store.epoch().await.map_err(log_join)?;
            let attach = |room_id| node.rooms.attach(room_id, user_id, Arc::clone(&bell));
            let ids: Vec<_> = rooms.iter().map(|room| room.id).collect();
            let subscriptions = stream::iter(ids)
                .map(attach)
                .buffer_unordered(ATTACHING_MAX)
                .try_collect()
                .await
                .map_err(log_join)?;
            let snapshot = Snapshot { epoch, now: node.clock.now(), rooms };
            let present = node.rooms.be_present(user_id);
            Ok(Box::new(Joined { snapshot, user_stream, present, subscriptions }))
        };
        self.in_flight.push(async move {
            Done::Joined(timeout(JOIN_DEADLINE, join).await.unwrap_or(Err(CloseCode::Unavailable)))
        });
    }

    fn reload(&mut self) {
        if self.in_flight.is_reloading {
            self.in_flight.reload_again = true;
            return;
        }
        let (node, login, Some(user_id)) = (Arc::clone(&self.node), self.login, self.user_id()) else {
            return;
        };
        self.in_flight.is_reloading = true;
        self.in_flight.push(async move {
            let read = async {
                let lives = match login {
                    Some(login) => node.store.login_is_alive(login).await?,
                    None => true,
                };
                Ok((node.store.rooms_of(user_id).await?, lives))
            };
            match within(QUESTION_DEADLINE, read).await {
                Ok((rooms, lives)) => Done::Reloaded(Some(rooms), lives),
                Err(error) => {
                    tracing::warn!(%error, "failed to read a user's rooms again");
                    sleep(RETRY_PAUSE).await;
                    Done::Reloaded(None, true)
                }
            }
        });
    }

    fn finish_reload(&mut self, rooms: Option<Vec<Room>>, login_lives: bool) {
        self.in_flight.is_reloading = false;
        if !login_lives && !planted::has(Bug::RevokedLives) {
            return self.session.handle_refused(CloseCode::LoginRevoked);
        }
        let again = std::mem::take(&mut self.in_flight.reload_again) || rooms.is_none();
        self.session.handle_reloaded(rooms.unwrap_or_default());
        if again {
            self.session.handle_user_changed();
        }
    }

    fn attach(&mut self, room: Box<Room>) {
        let (node, bell, Some(user_id)) = (Arc::clone(&self.node), Arc::clone(&self.bell), self.user_id())
        else {
            return;
        };
        self.in_flight.push(async move {
            match node.rooms.attach(room.id, user_id, bell).await {
                Ok(subscription) => Done::Attached(room, Some(subscription)),
                Err(error) => {
                    tracing::warn!(room = %room.id, %error, "failed to attach to a room");
                    sleep(RETRY_PAUSE).await;
                    Done::Attached(room, None)
                }
            }
        });
    }

    fn watch(&mut self, room_id: RoomId) {
        let (node, bell, Some(user_id)) = (Arc::clone(&self.node), Arc::clone(&self.bell), self.user_id())
        else {
            return;
        };
        self.in_flight.push(async move {
            Done::Watching(room_id, node.rooms.watch_presence(room_id, user_id, bell).await)
        });
    }

    fn finish_watch(&mut self, room_id: RoomId, watch: Result<Watch, WatchError>) {
        match watch {
            Ok(watch) if self.session.watches(room_id) => {
                self.watches.insert(room_id, watch);
                self.presence_due.insert(room_id);
            }
            // It was ended meanwhile.
            Ok(_) => {}
            Err(error) => self.session.handle_watch_failed(room_id, watch_failure(&error)),
        }
    }

    fn submit(&mut self, client_id: ClientId, op: Op) {
        let Some(actor) = self.user_id() else { return };
        let append = Append { actor, client_id, at: self.node.clock.now(), op };
        match self.node.limits.operations_user.try_take(&actor) {
            Ok(()) => match self.node.writer.try_reserve() {
                Some(permit) => self.send_to_writer(permit, append),
                None => self.wait_for_writer(Duration::ZERO, append),
            },
            Err(RetryAfter(wait)) if wait <= RATE_PAUSE_MAX => self.wait_for_writer(wait, append),
            Err(RetryAfter(wait)) => {
                let failure = Failure {
                    retry_after: Some(wait),
                    ..Failure::new(ErrorCode::RateLimited, "too many operations")
                };
                self.session.handle_failed(client_id, failure);
            }
        }
    }

    fn wait_for_writer(&mut self, wait: Duration, append: Append) {
        let writer = self.node.writer.clone();
        self.in_flight.waits_for_writer = true;
        self.in_flight.push(async move {
            sleep(wait).await;
            let permit = writer.reserve().await;
            Done::Permit(Box::new(append), permit)
        });
    }

    fn send_to_writer(&mut self, permit: Permit, append: Append) {
        let client_id = append.client_id;
        let pending = permit.submit(append);
        self.in_flight.push(async move { Done::Committed(client_id, pending.answer().await) });
    }

    fn ask(&mut self, request_id: RequestId, request: Request) {
        let (node, Some(reader)) = (Arc::clone(&self.node), self.user_id()) else { return };
        self.in_flight.questions += 1;
        self.in_flight.push(async move {
            let answer = match within(QUESTION_DEADLINE, answer(&node, reader, request_id, request)).await {
                Ok(Some(message)) => Ok(Box::new(message)),
                Ok(None) => {
                    let rejection = crate::rules::Rejection::NotMember;
                    Err(Failure::field(rejection.code(), "room_id", rejection.to_string()))
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to answer a question");
                    Err(store_failure(&error))
                }
            };
            Done::Answered(request_id, answer)
        });
    }
}

async fn answer(
    node: &Connections,
    reader: UserId,
    request_id: RequestId,
    request: Request,
) -> Result<Option<ServerMessage>, StoreError> {
    Ok(match request {
        Request::History { room_id, anchor, pinned, limit } => {
            let limit = limit + u32::from(planted::has(Bug::PageOffByOne));
            let page = node.store.history(reader, room_id, anchor, pinned, limit).await?;
            page.map(|page| ServerMessage::HistoryPage(HistoryPage { request_id, room_id, page }))
        }
        Request::Members { room_id, after, limit } => {
            let page = node.store.members(reader, room_id, after.as_deref(), limit).await?;
            page.map(|page| {
                let (members, more) = (page.members, page.more);
                ServerMessage::MembersPage(MembersPage { request_id, room_id, members, more })
            })
        }
        Request::Rooms { query, after, limit } => {
            let page = node.store.list_rooms(reader, &query, after.as_deref(), limit).await?;
            Some(ServerMessage::RoomsPage(RoomsPage { request_id, rooms: page.rooms, more: page.more }))
        }
    })
}

pub(super) async fn within<T>(
    deadline: Duration,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(deadline, answer)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("the answer took too long".into())))
}

fn log_join(error: impl std::fmt::Display) -> CloseCode {
    tracing::warn!(%error, "failed to join a connection to its rooms");
    CloseCode::Unavailable
}

fn submit_failure(error: SubmitError) -> Failure {
    match error {
        SubmitError::Rejected(rejection) => Failure {
            field: rejection.field().map(str::to_owned),
            ..Failure::new(rejection.code(), rejection.to_string())
        },
        SubmitError::Unavailable | SubmitError::Overloaded => Failure {
            retry_after: Some(RETRY_PAUSE),
            ..Failure::new(ErrorCode::Unavailable, error.to_string())
        },
        SubmitError::Internal => Failure::new(ErrorCode::Internal, error.to_string()),
    }
}

fn watch_failure(error: &WatchError) -> Failure {
    match error {
        WatchError::NotMember => {
            let rejection = crate::rules::Rejection::NotMember;
            Failure::field(rejection.code(), "room_id", rejection.to_string())
        }
        WatchError::Store(error) => {
            tracing::warn!(%error, "failed to read the members of a watched room");
            store_failure(error)
        }
        WatchError::Full | WatchError::Broker(_) => Failure {
            retry_after: Some(RETRY_PAUSE),
            ..Failure::new(ErrorCode::Unavailable, error.to_string())
        },
    }
}

fn store_failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable(_) | StoreError::Unknown(_) => Failure {
            retry_after: Some(RETRY_PAUSE),
            ..Failure::new(ErrorCode::Unavailable, "the message store is unavailable, try again")
        },
        StoreError::Internal(_) => Failure::new(ErrorCode::Internal, "internal error"),
    }
}
