//! Serves the fake on streams: it reads what comes in, and writes what is to be sent as fast as the
//! other side takes it. What waits meanwhile is what the output limit is about.

use super::Core;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::{Notify, watch};

/// Bytes that are read at a time.
const READ_BYTES: usize = 16 * 1024;

/// Tells the Unix time in milliseconds.
type Now = Box<dyn Fn() -> u64 + Send + Sync>;

/// A Redis that serves, for as many connections as come.
pub struct FakeRedis {
    core: Mutex<Core>,
    wakes: Mutex<BTreeMap<u64, Arc<Notify>>>,
    stalled: watch::Sender<bool>,
    now: Now,
}

impl fmt::Debug for FakeRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeRedis").field("core", &self.core.lock()).finish_non_exhaustive()
    }
}

/// A connection that is open; gone with this.
struct Conn<'a> {
    redis: &'a FakeRedis,
    id: u64,
    wake: Arc<Notify>,
}

impl Drop for Conn<'_> {
    fn drop(&mut self) {
        self.redis.wakes.lock().remove(&self.id);
        self.redis.core.lock().close(self.id);
    }
}

impl FakeRedis {
    /// An empty server with a clock: the Unix time in milliseconds.
    #[must_use]
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let (stalled, _) = watch::channel(false);
        Self { core: Mutex::default(), wakes: Mutex::default(), stalled, now: Box::new(now) }
    }

    /// Does something to the server, and tells the connections that it concerns.
    pub fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.core.lock();
        let result = act(&mut core);
        let touched = core.take_touched();
        drop(core);
        let wakes = self.wakes.lock();
        touched.iter().filter_map(|id| wakes.get(id)).for_each(|wake| wake.notify_one());
        result
    }

    /// Answers nothing from now on, or answers again; connections are still taken.
    pub fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// Serves a connection until either side ends it.
    pub async fn serve<S: AsyncRead + AsyncWrite>(&self, stream: S) {
        let (mut reader, mut writer) = split(stream);
        let conn = self.open();
        let reading = async {
            let mut bytes = vec![0; READ_BYTES];
            while let Ok(length @ 1..) = reader.read(&mut bytes).await {
                self.is_running().await;
                let now = (self.now)();
                self.with(|core| core.input(conn.id, &bytes[..length], now));
            }
        };
        let writing = async {
            loop {
                self.is_running().await;
                let Some(bytes) = self.with(|core| core.output(conn.id)) else { return };
                if bytes.is_empty() {
                    conn.wake.notified().await;
                    continue;
                }
                let write = async {
                    writer.write_all(&bytes).await?;
                    writer.flush().await
                };
                // One that takes nothing is cut all the same.
                tokio::select! {
                    biased;
                    () = self.is_cut(&conn) => return,
                    written = write => if written.is_err() { return },
                }
            }
        };
        tokio::select! {
            biased;
            () = writing => {}
            () = reading => {}
        }
    }

    fn open(&self) -> Conn<'_> {
        let (id, wake) = (self.core.lock().open(), Arc::<Notify>::default());
        self.wakes.lock().insert(id, Arc::clone(&wake));
        Conn { redis: self, id, wake }
    }

    async fn is_cut(&self, conn: &Conn<'_>) {
        while !self.core.lock().is_cut(conn.id) {
            conn.wake.notified().await;
        }
    }

    async fn is_running(&self) {
        // The sender lives as long as this.
        self.stalled.subscribe().wait_for(|stalled| !stalled).await.ok();
    }
}
