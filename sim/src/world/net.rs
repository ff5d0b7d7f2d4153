//! The simulated network as nodes and clients see it: streams that note every byte and cut what is
//! written into odd pieces, if the plan says so.

use crate::entropy;
use crate::rng::Rng;
use async_trait::async_trait;
use fakes::version::{Renames, Version};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hub::broker::redis::connector::{Connector, Stream as RedisStream};
use hub::broker::redis_url::Address;
use loadgen::socket::{Dial, Stream as ClientStream};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// Where nodes listen.
pub(super) const HUB_PORT: u16 = 80;
/// Where Redis listens.
pub(super) const REDIS_PORT: u16 = 6379;
/// Where the store listens.
pub(super) const STORE_PORT: u16 = 5432;

/// Makes streams.
#[derive(Clone, Debug)]
pub(super) struct Net {
    segments: bool,
    seed: u64,
    count: Arc<AtomicU64>,
    version: Version,
}

impl Net {
    /// Streams that are cut into pieces, or not.
    #[must_use]
    pub(super) fn new(segments: bool, seed: u64) -> Self {
        Self { segments, seed, count: Arc::default(), version: Version::default() }
    }

    /// The same for a node or a client of a version.
    #[must_use]
    pub(super) fn of(&self, version: Version) -> Self {
        Self { version, ..self.clone() }
    }

    fn wrap(&self, stream: TcpStream) -> Wire {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let pieces = self.segments.then(|| Rng::new(self.seed ^ number, "segments"));
        Wire { stream, pieces, reads: self.version.reads() }
    }
}

/// A stream.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    pieces: Option<Rng>,
    reads: Renames,
}

impl Wire {
    /// How much of so many bytes goes at a time.
    fn piece(&mut self, bytes: usize) -> usize {
        let Some(rng) = &mut self.pieces else { return bytes };
        if bytes > 1 && rng.chance(70) { 1 + rng.index(bytes.min(200)) } else { bytes }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = self.piece(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let result = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        let read = part.filled().len();
        if result.is_ready() {
            entropy::note_wire(part.filled());
            self.reads.rename(part.filled_mut());
        }
        buffer.advance(read);
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let most = self.piece(bytes.len());
        let result = Pin::new(&mut self.stream).poll_write(cx, &bytes[..most]);
        if let Poll::Ready(Ok(written)) = &result {
            entropy::note_wire(&bytes[..*written]);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A server's listener.
pub(super) struct Listener {
    listener: TcpListener,
    net: Net,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Listener {
    /// Listens on a port of the machine whose code runs.
    ///
    /// # Errors
    /// When the port is taken.
    pub(super) async fn bind(net: Net, port: u16) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(("0.0.0.0", port)).await?, net })
    }
}

impl axum::serve::Listener for Listener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Ok((stream, address)) = self.listener.accept().await {
                return (self.net.wrap(stream), address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Dial for Net {
    fn dial(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn ClientStream>>> {
        let net = self.clone();
        async move {
            let stream = TcpStream::connect((address.as_str(), HUB_PORT)).await?;
            Ok(Box::new(net.wrap(stream)) as Box<dyn ClientStream>)
        }
        .boxed()
    }
}

#[async_trait]
impl Connector for Net {
    async fn connect(&self, address: &Address) -> io::Result<Box<dyn RedisStream>> {
        let Address::Tcp(host, port) = address else { return Err(io::ErrorKind::Unsupported.into()) };
        let stream = TcpStream::connect((host.as_ref(), *port)).await?;
        Ok(Box::new(self.wrap(stream)))
    }
}
