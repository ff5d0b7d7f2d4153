//! A node's connections to the store's host: so many at most, made when they are needed, given back when
//! they are whole.

use super::wire::{self, Said, Step};
use hub::broker::redis::connector::{Connector, Stream};
use hub::broker::redis_url::Address;
use hub::limits::bounds::{POSTGRES_ACQUIRE_TIMEOUT, POSTGRES_TRUSTED_IDLE};
use parking_lot::Mutex;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// How long to wait after a connection could not be made.
const DIAL_PAUSE: Duration = Duration::from_millis(100);

type Idle = Mutex<Vec<(Box<dyn Stream>, Instant)>>;

/// Connections.
pub(super) struct Pool {
    connector: Arc<dyn Connector>,
    address: Address,
    places: Arc<Semaphore>,
    size: u32,
    idle: Arc<Idle>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
    }
}

/// A connection in use. It is closed with this, unless it is given back.
pub(super) struct Held {
    pub(super) stream: Box<dyn Stream>,
    idle: Arc<Idle>,
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// Gives it back, whole.
    pub(super) fn give_back(self) {
        self.idle.lock().push((self.stream, Instant::now()));
    }
}

impl Pool {
    pub(super) fn new(connector: Arc<dyn Connector>, address: Address, size: u32) -> Self {
        let places = Arc::new(Semaphore::new(size as usize));
        Self { connector, address, places, size, idle: Arc::default() }
    }

    /// A connection, which one waits for so long at most.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn acquire(&self) -> Result<Held, String> {
        let acquired = timeout(POSTGRES_ACQUIRE_TIMEOUT, async {
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| "closed".to_owned())?;
            let stream = self.stream().await;
            Ok(Held { stream, idle: Arc::clone(&self.idle), _place: place })
        });
        acquired.await.unwrap_or_else(|_| Err("no connection in time".to_owned()))
    }

    async fn stream(&self) -> Box<dyn Stream> {
        loop {
            let idle = self.idle.lock().pop();
            let Some((mut stream, since)) = idle else { break };
            if since.elapsed() <= POSTGRES_TRUSTED_IDLE || ping(&mut stream).await.is_ok() {
                return stream;
            }
        }
        loop {
            if let Ok(mut stream) = self.connector.connect(&self.address).await
                && ping(&mut stream).await.is_ok()
            {
                return stream;
            }
            sleep(DIAL_PAUSE).await;
        }
    }

    /// Waits for what is under way, and takes no more.
    pub(super) async fn close(&self) {
        // Only a pool that is closed already gives none.
        let all = self.places.acquire_many(self.size).await.ok();
        self.places.close();
        self.idle.lock().clear();
        drop(all);
    }
}

/// Asks whether the host is there.
async fn ping(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    wire::ask(stream, Step::Ping, 0).await?;
    match wire::said(stream).await? {
        Said::Done => Ok(()),
        Said::Failed => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}
