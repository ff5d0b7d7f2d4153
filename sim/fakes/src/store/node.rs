//! A node's way to the store: its errors say what the hub's store in Postgres would say, and it waits no
//! longer than that.

use super::desk::{Answer, Answering, Desk, Place};
use super::host::StoreHost;
use super::pool::{Held, Pool};
use super::wire::{self, Said, Step};
use crate::version::{LATER, Version};
use async_trait::async_trait;
use hub::broker::redis::connector::Connector;
use hub::broker::redis_url::Address;
use hub::limits::bounds::{
    POSTGRES_CALL_DEADLINE, POSTGRES_COMMIT_DEADLINE, POSTGRES_TRIES_MAX, POSTGRES_WORK_DEADLINE,
};
use hub::store::postgres::retry_pause;
use hub::store::{
    Account, AccountKey, Append, CreateUserError, Event, LoginId, MarkedRead, MemberPage, NewLogin, NewUser,
    Outcome, RoomPage, Rotated, Rotation, Store, StoreError,
};
use protocol::model::{Anchor, Message, MessagePage, Room, User};
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::io;
use std::sync::Arc;
use tokio::time::{Instant, sleep, timeout_at};

/// Connections of a node that commits go over; the others are for reads.
const WRITERS: u32 = 2;

/// A node's way to the store.
#[derive(Debug)]
pub struct SimStore {
    desk: Desk,
    epoch: Epoch,
    writers: Pool,
    readers: Pool,
    version: Version,
}

/// Why a call came to nothing.
enum Failed {
    /// Before its last step was asked for, by a connection that was lost: nothing happened.
    Before(String),
    /// Before its last step was asked for, since it waited for too long: nothing happened.
    Waited(String),
    /// The host says that nothing happened.
    Refused,
    /// Afterwards: it may have happened.
    Afterwards(String),
}

impl Failed {
    fn read(self) -> StoreError {
        match self {
            Self::Refused => refused(),
            Self::Before(why) | Self::Waited(why) | Self::Afterwards(why) => StoreError::Unavailable(why),
        }
    }

    fn write(self) -> StoreError {
        match self {
            Self::Before(why) | Self::Waited(why) => StoreError::Unavailable(why),
            Self::Refused => refused(),
            Self::Afterwards(why) => StoreError::Unknown(why),
        }
    }
}

fn refused() -> StoreError {
    StoreError::Unavailable("the store refused".to_owned())
}

fn before(error: &io::Error) -> Failed {
    if error.kind() == io::ErrorKind::TimedOut {
        Failed::Waited(error.to_string())
    } else {
        Failed::Before(format!("connection lost: {error}"))
    }
}

/// Asks for a step, and waits for the answer until a deadline.
async fn take_step(held: &mut Held, step: Step, call: u64, deadline: Instant) -> io::Result<Said> {
    let asked = async {
        wire::ask(&mut held.stream, step, call).await?;
        wire::said(&mut held.stream).await
    };
    timeout_at(deadline, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The last step of a call: its answer, if it has one.
async fn last_step(
    mut held: Held,
    step: Step,
    place: &Place<'_>,
    deadline: Instant,
) -> Result<Answer, Failed> {
    let said = take_step(&mut held, step, place.call, deadline).await;
    let said = said.map_err(|error| Failed::Afterwards(format!("connection lost: {error}")))?;
    held.give_back();
    match said {
        Said::Failed => Err(Failed::Refused),
        Said::Done => place.answer().ok_or_else(|| Failed::Afterwards("there is no answer".to_owned())),
    }
}

fn unpacked<T: 'static>(answer: Answer) -> T {
    *answer.downcast().expect("a call's answer is of the call's type")
}

impl SimStore {
    /// The way of a node of a version to a host at an address, with so many connections for reads.
    ///
    /// # Errors
    /// When the truth does not tell its incarnation.
    pub async fn open(
        host: &StoreHost,
        connector: Arc<dyn Connector>,
        address: Address,
        readers: u32,
        version: Version,
    ) -> Result<Self, StoreError> {
        let epoch = host.epoch().await?;
        let writers = Pool::new(Arc::clone(&connector), address.clone(), WRITERS);
        let readers = Pool::new(connector, address, readers);
        Ok(Self { desk: host.desk(), epoch, writers, readers, version })
    }

    fn meets(&self, event: Event) -> Result<Event, StoreError> {
        if self.version == Version::Later || !event.json.contains(LATER) {
            return Ok(event);
        }
        let json = self.version.read(&event.json);
        Event::from_json(json.into()).map_err(|error| StoreError::Internal(error.to_string()))
    }

    /// The events of an outcome, as this node meets them.
    fn met(&self, outcome: Outcome) -> Result<Outcome, StoreError> {
        let Ok(mut committed) = outcome else { return Ok(outcome) };
        committed.events =
            committed.events.into_iter().map(|event| self.meets(event)).collect::<Result<_, _>>()?;
        Ok(Ok(committed))
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl for<'a> FnOnce(&'a dyn Store) -> Pin<'a, Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let held = self.readers.acquire().await.map_err(StoreError::Unavailable)?;
        let place = self.desk.put(Box::new(|store| boxed(job(store))));
        let deadline = Instant::now() + POSTGRES_CALL_DEADLINE;
        let answer = last_step(held, Step::Read, &place, deadline).await;
        answer.map_err(Failed::read).and_then(unpacked)
    }

    async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        job: impl for<'a> FnOnce(&'a dyn Store) -> Pin<'a, Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        let mut held = self.readers.acquire().await.map_err(StoreError::Unavailable)?;
        let deadline = Instant::now() + POSTGRES_CALL_DEADLINE;
        let begun = take_step(&mut held, Step::Begin, 0, deadline).await;
        // Nothing happened, which a node cannot tell: its deadline is of the whole transaction.
        begun.map_err(|error| {
            let failed = before(&error);
            if let Failed::Waited(why) = failed { StoreError::Unknown(why) } else { failed.write() }
        })?;
        let place = self.desk.put(Box::new(|store| boxed(job(store))));
        let answer = last_step(held, Step::Commit, &place, deadline).await;
        answer.map_err(|failed| failed.write().into()).and_then(unpacked)
    }

    /// Tries again what failed before its commit, for its connection may have been an old one that died.
    async fn append_batch(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        let deadline = Instant::now() + POSTGRES_WORK_DEADLINE;
        let mut tries = 1;
        loop {
            match self.try_append(batch.clone(), deadline).await {
                Ok(answer) => return unpacked(answer),
                Err(Failed::Before(_)) if tries < POSTGRES_TRIES_MAX => {
                    sleep(retry_pause(&batch, tries)).await;
                    tries += 1;
                }
                Err(failed) => return Err(failed.write()),
            }
        }
    }

    async fn try_append(&self, batch: Vec<Append>, deadline: Instant) -> Result<Answer, Failed> {
        let acquired = timeout_at(deadline, self.writers.acquire()).await;
        let mut held =
            acquired.unwrap_or_else(|_| Err("no connection in time".to_owned())).map_err(Failed::Waited)?;
        take_step(&mut held, Step::Begin, 0, deadline).await.map_err(|error| before(&error))?;
        let place =
            self.desk.put(Box::new(|store| boxed::<Result<Vec<Outcome>, StoreError>>(store.append(batch))));
        last_step(held, Step::Commit, &place, deadline + POSTGRES_COMMIT_DEADLINE).await
    }
}

type Pin<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

fn boxed<'a, T: Send + 'static>(answering: Pin<'a, T>) -> Answering<'a> {
    Box::pin(async move { Box::new(answering.await) as Answer })
}

#[async_trait]
impl Store for SimStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.epoch)
    }

    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        self.append_batch(batch).await?.into_iter().map(|outcome| self.met(outcome)).collect()
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        let rooms = rooms.to_vec();
        self.read(move |store| Box::pin(async move { store.heads(&rooms).await })).await
    }

    async fn events(&self, room_id: RoomId, after: Seq, limit: u32) -> Result<Vec<Event>, StoreError> {
        let events = self.read(move |store| store.events(room_id, after, limit)).await?;
        events.into_iter().map(|event| self.meets(event)).collect()
    }

    async fn rooms_of(&self, user_id: UserId) -> Result<Vec<Room>, StoreError> {
        self.read(move |store| store.rooms_of(user_id)).await
    }

    async fn room(&self, reader: UserId, room_id: RoomId) -> Result<Option<Room>, StoreError> {
        self.read(move |store| store.room(reader, room_id)).await
    }

    async fn history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError> {
        self.read(move |store| store.history(reader, room_id, anchor, pinned, limit)).await
    }

    async fn message(&self, reader: UserId, message_id: MessageId) -> Result<Option<Message>, StoreError> {
        self.read(move |store| store.message(reader, message_id)).await
    }

    async fn members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        let after = after.map(str::to_owned);
        self.read(move |store| {
            Box::pin(async move { store.members(reader, room_id, after.as_deref(), limit).await })
        })
        .await
    }

    async fn list_rooms(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RoomPage, StoreError> {
        let (query, after) = (query.to_owned(), after.map(str::to_owned));
        self.read(move |store| {
            Box::pin(async move { store.list_rooms(reader, &query, after.as_deref(), limit).await })
        })
        .await
    }

    async fn mark_read(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<MarkedRead>, StoreError> {
        self.write(move |store| store.mark_read(user_id, room_id, message_no)).await
    }

    async fn create_user(&self, user: NewUser) -> Result<User, CreateUserError> {
        self.write(move |store| store.create_user(user)).await
    }

    async fn account(&self, key: AccountKey<'_>) -> Result<Option<Account>, StoreError> {
        let key = match key {
            AccountKey::Id(id) => Key::Id(id),
            AccountKey::Username(name) => Key::Username(name.to_owned()),
            AccountKey::ExternalSub(sub) => Key::ExternalSub(sub.to_owned()),
        };
        self.read(move |store| Box::pin(async move { store.account(key.borrowed()).await })).await
    }

    async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, u64)>, StoreError> {
        let users = users.to_vec();
        self.read(move |store| Box::pin(async move { store.user_versions(&users).await })).await
    }

    async fn create_login(&self, login: NewLogin) -> Result<(), StoreError> {
        self.write(move |store| store.create_login(login)).await
    }

    async fn rotate_login(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        self.write(move |store| store.rotate_login(rotation)).await
    }

    async fn revoke_login(&self, id: LoginId, at: Timestamp) -> Result<Option<UserId>, StoreError> {
        self.write(move |store| store.revoke_login(id, at)).await
    }

    async fn login_is_alive(&self, id: LoginId) -> Result<bool, StoreError> {
        self.read(move |store| store.login_is_alive(id)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.read(|store| store.check()).await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// An account's key of its own.
enum Key {
    Id(UserId),
    Username(String),
    ExternalSub(String),
}

impl Key {
    fn borrowed(&self) -> AccountKey<'_> {
        match self {
            Self::Id(id) => AccountKey::Id(*id),
            Self::Username(name) => AccountKey::Username(name),
            Self::ExternalSub(sub) => AccountKey::ExternalSub(sub),
        }
    }
}
