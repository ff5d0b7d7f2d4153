//! Drives one `protocol::client` over real sockets: does what it asks, hands it what happens, and
//! gives its events to an observer. Holds no logic of its own.

use crate::socket::{ABNORMAL, Dial, Socket, SocketEvent};
use futures_util::future::BoxFuture;
use protocol::client::{Client, Config, ConnId, Now, Output, Persist, Persisted, Token, TokenError};
use protocol::view::ClientEvent;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// Most commands that wait for a client; a full queue makes the asker wait.
const COMMANDS_MAX: usize = 256;

/// Gives a client its next access token.
pub trait Tokens: Send + Sync + 'static {
    /// A token that is valid now.
    fn next(&self) -> BoxFuture<'static, Result<Token, TokenError>>;
}

/// Takes what a client tells, in order. Called on the client's task: must not block.
pub trait Observer: Send + 'static {
    /// Takes an event.
    fn handle_event(&mut self, event: ClientEvent);

    /// Takes what is to be kept beyond a crash of the client.
    fn handle_persist(&mut self, persist: Persist) {
        drop(persist);
    }

    /// The client opens a connection, beside so many that are still there.
    fn handle_opening(&mut self, beside: usize) {
        let _ = beside;
    }

    /// A connection is open: the client says where it stands, and resumes from there.
    fn handle_opened(&mut self) {}

    /// The client closes a connection by itself, for this reason.
    fn handle_closing(&mut self, code: u16, reason: &'static str) {
        let _ = (code, reason);
    }

    /// A connection ended, or could not be opened; the close code.
    fn handle_closed(&mut self, code: u16) {
        let _ = code;
    }
}

/// What is done with a client on its own task.
type Act = Box<dyn FnOnce(&mut Client, Now) + Send>;

/// What a client can be asked for.
enum Command {
    /// Do this with the client core.
    Act(Act),
    /// Do not read from the network until then.
    StopReading(Instant),
    /// Lose every connection, as if the network had cut them.
    Cut,
    /// End.
    Close,
}

/// Where and how a client connects.
#[derive(Clone)]
pub struct Options {
    /// Opens connections.
    pub dial: Arc<dyn Dial>,
    /// Hosts and ports; each attempt takes the next one, beginning where the seed says.
    pub addresses: Arc<[String]>,
    /// The client's behaviour.
    pub config: Config,
    /// Gives tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Entropy for the names of sends.
    pub seed: [u8; 32],
    /// What the client had before.
    pub restored: Persisted,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// A handle on a running client.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
}

impl Handle {
    /// Does something with the client core and gives what came of it; `None` when the client ended.
    /// Waits while many other things are asked for.
    pub async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Client, Now) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let act: Act = Box::new(move |client, now| {
            // The asker may have stopped waiting.
            answer.send(act(client, now)).ok();
        });
        self.commands.send(Command::Act(act)).await.ok()?;
        answered.await.ok()
    }

    /// Reads nothing from the network until then, as a client that hangs.
    pub async fn stop_reading(&self, until: Instant) {
        self.commands.send(Command::StopReading(until)).await.ok();
    }

    /// Drops every connection without a goodbye, as a network that fails.
    pub async fn cut(&self) {
        self.commands.send(Command::Cut).await.ok();
    }

    /// Ends the client, with a goodbye to the node.
    pub async fn close(&self) {
        self.commands.send(Command::Close).await.ok();
    }
}

/// A client and the future that drives it until it ends.
pub fn client<O: Observer>(options: Options, observer: O) -> (Handle, impl Future<Output = O> + Send) {
    let (commands, queue) = mpsc::channel(COMMANDS_MAX);
    (Handle { commands }, Driver::new(options, observer).run(queue))
}

struct Driver<O> {
    client: Client,
    options: Options,
    observer: O,
    started: Instant,
    attempts: usize,
    sockets: Vec<Socket>,
    refreshing: Option<BoxFuture<'static, Result<Token, TokenError>>>,
    reads_from: Instant,
    is_closing: bool,
}

enum Step {
    Socket(ConnId, SocketEvent),
    Token(Result<Token, TokenError>),
    Command(Option<Command>),
    Timeout,
}

impl<O: Observer> Driver<O> {
    fn new(options: Options, observer: O) -> Self {
        let client = Client::new(options.config.clone(), options.seed, options.restored.clone());
        let (started, attempts) = (Instant::now(), usize::from(options.seed[0]));
        Self {
            client,
            options,
            observer,
            started,
            attempts,
            sockets: Vec::new(),
            refreshing: None,
            reads_from: started,
            is_closing: false,
        }
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Command>) -> O {
        self.client.start(None, self.now());
        loop {
            self.handle_outputs();
            if self.is_closing {
                return self.observer;
            }
            let step = self.step(&mut queue).await;
            let now = self.now();
            match step {
                Step::Socket(conn, event) => self.handle_socket(conn, event, now),
                Step::Token(token) => {
                    self.refreshing = None;
                    self.client.handle_token(token, now);
                }
                Step::Command(command) => self.handle_command(command.unwrap_or(Command::Close), now),
                Step::Timeout => self.client.handle_timeout(now),
            }
        }
    }

    async fn step(&mut self, queue: &mut mpsc::Receiver<Command>) -> Step {
        let timeout = self.client.poll_timeout().map_or(Duration::from_secs(60), |at| at.since(self.now()));
        let reads = self.reads_from <= Instant::now();
        let wake_at = Instant::now() + timeout;
        let wake_at = if reads { wake_at } else { wake_at.min(self.reads_from) };
        let Self { sockets, refreshing, .. } = self;
        tokio::select! {
            biased;
            command = queue.recv() => Step::Command(command),
            step = poll_fn(|cx| poll_network(sockets, refreshing, reads, cx)) => step,
            () = sleep_until(wake_at) => Step::Timeout,
        }
    }

    fn handle_socket(&mut self, conn: ConnId, event: SocketEvent, now: Now) {
        match event {
            SocketEvent::Opened => {
                self.observer.handle_opened();
                self.client.handle_opened(conn, now);
            }
            SocketEvent::Frame(text) => self.client.handle_frame(conn, &text, now),
            SocketEvent::Closed(code) => {
                self.sockets.retain(|socket| socket.id() != conn);
                self.observer.handle_closed(code);
                self.client.handle_closed(conn, code, now);
            }
        }
    }

    fn handle_command(&mut self, command: Command, now: Now) {
        match command {
            Command::Act(act) => act(&mut self.client, now),
            Command::StopReading(until) => self.reads_from = until,
            Command::Cut => {
                for socket in std::mem::take(&mut self.sockets) {
                    self.client.handle_closed(socket.id(), ABNORMAL, now);
                }
            }
            Command::Close => {
                self.client.close(now);
                self.is_closing = true;
            }
        }
    }

    fn handle_outputs(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect { conn } => {
                    self.observer.handle_opening(self.sockets.len());
                    let addresses = &self.options.addresses;
                    let address = addresses[self.attempts % addresses.len()].clone();
                    self.attempts += 1;
                    self.sockets.push(Socket::open(conn, self.options.dial.as_ref(), address));
                }
                Output::Send { conn, text } => {
                    if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.id() == conn) {
                        socket.send(text);
                    }
                }
                Output::Close { conn, code, reason } => {
                    self.observer.handle_closing(code, reason);
                    if let Some(at) = self.sockets.iter().position(|socket| socket.id() == conn) {
                        self.sockets.swap_remove(at).close(code, reason);
                    }
                }
                Output::RefreshToken => self.refreshing = Some(self.options.tokens.next()),
                Output::Persist(persist) => self.observer.handle_persist(persist),
                Output::Event(event) => self.observer.handle_event(event),
            }
        }
    }

    fn now(&self) -> Now {
        Now(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

fn poll_network(
    sockets: &mut [Socket],
    refreshing: &mut Option<BoxFuture<'static, Result<Token, TokenError>>>,
    reads: bool,
    cx: &mut Context<'_>,
) -> Poll<Step> {
    if let Some(refreshing) = refreshing
        && let Poll::Ready(token) = refreshing.as_mut().poll(cx)
    {
        return Poll::Ready(Step::Token(token));
    }
    for socket in sockets.iter_mut().filter(|_| reads) {
        if let Poll::Ready(event) = socket.poll_event(cx) {
            return Poll::Ready(Step::Socket(socket.id(), event));
        }
    }
    Poll::Pending
}
