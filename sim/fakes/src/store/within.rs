//! Streams to a host of the same process, for where no network is simulated.

use super::{SimStore, StoreHost};
use crate::version::Version;
use async_trait::async_trait;
use hub::broker::redis::connector::{Connector, Stream};
use hub::broker::redis_url::Address;
use hub::store::StoreError;
use std::io;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// Bytes that wait in a stream.
const STREAM_BYTES: usize = 1_024;

#[derive(Debug)]
struct Within {
    host: Arc<StoreHost>,
    tasks: TaskTracker,
}

#[async_trait]
impl Connector for Within {
    async fn connect(&self, _: &Address) -> io::Result<Box<dyn Stream>> {
        let (near, far) = tokio::io::duplex(STREAM_BYTES);
        let host = Arc::clone(&self.host);
        self.tasks.spawn(async move { host.serve(far).await });
        Ok(Box::new(near))
    }
}

impl SimStore {
    /// A node's way to a host of the same process, with so many connections for reads.
    ///
    /// # Errors
    /// As [`SimStore::open`].
    pub async fn within(host: &Arc<StoreHost>, readers: u32) -> Result<Self, StoreError> {
        let connector = Within { host: Arc::clone(host), tasks: TaskTracker::new() };
        Self::open(host, Arc::new(connector), Address::Tcp("store".into(), 0), readers, Version::Later).await
    }
}
