//! One WebSocket connection of a client, as something to poll: it opens, writes what waits and reads,
//! and a connection that hangs keeps nothing else waiting.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Sink, Stream as _};
use protocol::client::ConnId;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Most frames that wait to be written. The client bounds what it has in flight far below it, so a
/// connection that reaches it hangs, and is given up.
const FRAMES_MAX: usize = 1_024;
/// Read buffer, in bytes: there may be tens of thousands of connections.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// The code of a connection that ended without a close frame (RFC 6455, 7.1.5).
pub(crate) const ABNORMAL: u16 = 1006;

/// What a connection tells its client.
#[derive(Debug)]
pub enum SocketEvent {
    /// The transport is open.
    Opened,
    /// A text frame.
    Frame(String),
    /// It ended, or could not be opened; the close code.
    Closed(u16),
}

/// A byte stream to a node.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Opens byte streams to nodes: real ones, or those of a simulated network.
pub trait Dial: Send + Sync + 'static {
    /// Connects to `address`, a host and a port.
    fn dial(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;

    /// The `Cookie` header of the handshake, by which a proxy may choose the node; none by default.
    fn cookie(&self) -> Option<HeaderValue> {
        None
    }
}

/// Opens TCP connections.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        async move {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }
        .boxed()
    }
}

type WebSocket = WebSocketStream<Box<dyn Stream>>;
type Opening = BoxFuture<'static, Result<WebSocket, Error>>;

enum State {
    Opening(Opening),
    Open(Box<WebSocket>),
    Ended,
}

/// One connection.
pub struct Socket {
    id: ConnId,
    state: State,
    waiting: VecDeque<Message>,
    needs_flush: bool,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Socket {
    /// A connection to `address`, a host and a port.
    #[must_use]
    pub fn open(id: ConnId, dial: &dyn Dial, address: String) -> Self {
        let stream = dial.dial(address.clone());
        let state = State::Opening(connect(stream, address, dial.cookie()).boxed());
        Self { id, state, waiting: VecDeque::new(), needs_flush: false }
    }

    /// The client's name for it.
    #[must_use]
    pub const fn id(&self) -> ConnId {
        self.id
    }

    /// Sends a text frame; a connection that is gone drops it, one that hangs is given up.
    pub fn send(&mut self, text: String) {
        if self.waiting.len() < FRAMES_MAX {
            self.waiting.push_back(Message::text(text));
        } else {
            self.state = State::Ended;
        }
    }

    /// Says goodbye without waiting for anything.
    pub fn close(mut self, code: u16, reason: &'static str) {
        self.waiting.push_back(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
        std::future::poll_fn(|cx| {
            if let State::Open(socket) = &mut self.state {
                write(socket, &mut self.waiting, &mut self.needs_flush, cx).ok();
            }
            Poll::Ready(())
        })
        .now_or_never();
    }

    /// The next that happens. Nothing after [`SocketEvent::Closed`].
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<SocketEvent> {
        match &mut self.state {
            State::Opening(opening) => match opening.poll_unpin(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(socket)) => {
                    self.state = State::Open(Box::new(socket));
                    Poll::Ready(SocketEvent::Opened)
                }
                Poll::Ready(Err(_)) => self.end(ABNORMAL),
            },
            State::Open(socket) => {
                if write(socket, &mut self.waiting, &mut self.needs_flush, cx).is_err() {
                    return self.end(ABNORMAL);
                }
                self.poll_read(cx)
            }
            State::Ended => self.end(ABNORMAL),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<SocketEvent> {
        let State::Open(socket) = &mut self.state else { return Poll::Pending };
        loop {
            return match Pin::new(&mut *socket).poll_next(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(Message::Text(text)))) => {
                    Poll::Ready(SocketEvent::Frame(text.as_str().to_owned()))
                }
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    self.end(frame.map_or(ABNORMAL, |frame| frame.code.into()))
                }
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(Some(Err(_)) | None) => self.end(ABNORMAL),
            };
        }
    }

    fn end(&mut self, code: u16) -> Poll<SocketEvent> {
        self.state = State::Ended;
        Poll::Ready(SocketEvent::Closed(code))
    }
}

async fn connect(
    stream: BoxFuture<'static, io::Result<Box<dyn Stream>>>,
    address: String,
    cookie: Option<HeaderValue>,
) -> Result<WebSocket, Error> {
    let stream = stream.await?;
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    let subprotocol = HeaderValue::from_static(protocol::SUBPROTOCOL);
    request.headers_mut().insert("sec-websocket-protocol", subprotocol);
    if let Some(cookie) = cookie {
        request.headers_mut().insert("cookie", cookie);
    }
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

/// Writes as much as the peer takes now.
fn write(
    socket: &mut WebSocket,
    waiting: &mut VecDeque<Message>,
    needs_flush: &mut bool,
    cx: &mut Context<'_>,
) -> Result<(), Error> {
    while !waiting.is_empty() && Pin::new(&mut *socket).poll_ready(cx)?.is_ready() {
        if let Some(message) = waiting.pop_front() {
            Pin::new(&mut *socket).start_send(message)?;
            *needs_flush = true;
        }
    }
    if *needs_flush && Pin::new(&mut *socket).poll_flush(cx)?.is_ready() {
        *needs_flush = false;
    }
    Ok(())
}
