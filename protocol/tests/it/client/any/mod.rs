//! The client against anything: random commands of a front end, answers, losses and nonsense of nodes, in
//! any order. What it promises holds after each step, and once nodes behave it comes to rest with everything.

mod node;
mod steps;
mod watch;

use node::Nodes;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};
use protocol::client::{Client, Config, ConnId, Kick, Now, Output, Persisted, Token, TokenError};
use protocol::{RoomId, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;
use steps::Step;
use watch::Watch;

const CASES: u32 = 1_200;
/// Rounds after which a client that nodes treat well has everything.
const ROUNDS: usize = 400;
/// Most timers that are due one after the other at one moment.
const TIMERS_MAX: usize = 100;

/// How often things happened over all cases: what never happens tests nothing.
type Counts = BTreeMap<&'static str, u64>;

fn config() -> Config {
    Config {
        outbox_messages_max: 6,
        answer_timeout: Duration::from_secs(4),
        persist_interval: Duration::from_millis(400),
        ..Config::new("test", "1")
    }
}

/// A client, the nodes that it speaks to, and who watches what it does.
struct World {
    client: Client,
    now: Now,
    nodes: Nodes,
    watch: Watch,
    starts: u8,
}

impl World {
    fn new() -> Self {
        let client = Client::new(config(), [1; 32], Persisted::default());
        let mut world =
            Self { client, now: Now(1_000_000), nodes: Nodes::default(), watch: Watch::default(), starts: 1 };
        world.client.start(None, world.now);
        world.drain();
        world
    }

    fn take(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Wait(millis) => self.wait(*millis),
            Step::Opened => {
                if let Some(conn) = self.nodes.open() {
                    self.client.handle_opened(ConnId(conn), now);
                }
            }
            Step::Closed(pick, code) => {
                if let Some(conn) = self.nodes.close(*pick) {
                    self.watch.gone(conn);
                    self.client.handle_closed(ConnId(conn), *code, now);
                }
            }
            Step::Node(pick, act) => {
                if let Some((conn, text)) = self.nodes.act(*pick, act) {
                    self.hear(conn, &text);
                }
            }
            Step::Token => self.answer_token(Ok(token())),
            Step::NoToken => self.answer_token(Err(TokenError::Transient)),
            Step::Say(room) => {
                let said = self.client.send_message(RoomId(*room), "hi".into(), None, Timestamp(7), now);
                self.watch.said(said);
            }
            Step::Retry(pick) => {
                if let Some(client_id) = self.watch.pending(*pick) {
                    self.client.retry(client_id, now);
                }
            }
            Step::Discard(pick) => {
                if let Some(client_id) = self.watch.pending(*pick) {
                    self.client.discard(client_id, now);
                }
            }
            Step::Operate(operation) => drop(self.client.operate(operation.clone(), now)),
            Step::Request(request) => drop(self.client.request(request.clone(), now)),
            Step::MarkRead(room, no) => {
                self.client.mark_read(RoomId(*room), protocol::MessageNo(*no), now);
            }
            Step::Typing(room) => self.client.typing(RoomId(*room), now),
            Step::Watch(room) => self.client.watch_presence(RoomId(*room), now),
            Step::Unwatch(room) => self.client.unwatch_presence(RoomId(*room), now),
            Step::Online => self.client.kick(Kick::Online, now),
            Step::Reload => self.reload(),
        }
        self.drain();
        self.settle();
    }

    fn answer_token(&mut self, answer: Result<Token, TokenError>) {
        self.watch.got_token();
        self.client.handle_token(answer, self.now);
    }

    /// A frame comes in over a connection.
    fn hear(&mut self, conn: u32, text: &str) {
        self.watch.hears(conn, text);
        self.client.handle_frame(ConnId(conn), text, self.now);
    }

    /// The page is loaded anew, with what was kept.
    fn reload(&mut self) {
        self.nodes.lose_all();
        self.starts = self.starts.wrapping_add(1);
        self.client = Client::new(config(), [self.starts; 32], self.watch.reload());
        self.client.start(Some(token()), self.now);
    }

    fn wait(&mut self, millis: u64) {
        let end = Now(self.now.0 + millis);
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
    }

    /// Does what is due by now.
    fn settle(&mut self) {
        for _ in 0..TIMERS_MAX {
            if self.client.poll_timeout().is_none_or(|due| due > self.now) {
                self.watch.compare(&self.client.persisted());
                return;
            }
            self.client.handle_timeout(self.now);
            self.drain();
        }
        panic!("a timer does not advance: {:?} at {:?}", self.client.poll_timeout(), self.now);
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            self.watch.output(&output, self.now);
            match output {
                Output::Connect { conn } => self.nodes.dialled(conn.0),
                Output::Send { conn, text } => self.nodes.hear(conn.0, &text),
                Output::Close { conn, .. } => self.nodes.closed(conn.0),
                Output::RefreshToken | Output::Persist(_) | Output::Event(_) => {}
            }
        }
    }

    /// From now on nodes do what they should: everything is delivered, and all that is not refused is sent.
    fn comes_to_rest(&mut self) {
        for _ in 0..ROUNDS {
            if self.watch.has_all(&self.nodes) {
                return;
            }
            self.answer_token(Ok(token()));
            self.drain();
            while let Some(conn) = self.nodes.open() {
                self.client.handle_opened(ConnId(conn), self.now);
                self.drain();
            }
            while let Some((conn, text)) = self.nodes.behave() {
                self.hear(conn, &text);
                self.drain();
            }
            self.wait(500);
        }
        panic!("it does not come to rest: {:?}\n{:?}", self.watch, self.nodes);
    }
}

fn token() -> Token {
    Token { access_token: "token".into(), expires_in: Some(Duration::from_secs(600)) }
}

#[test]
fn whatever_comes_the_client_keeps_its_promises() {
    let counts = RefCell::new(Counts::new());
    let cases = Cases { cases: CASES, failure_persistence: None, ..Cases::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let run = |steps: Vec<Step>| {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        world.comes_to_rest();
        for (what, times) in world.watch.counts() {
            *counts.borrow_mut().entry(what).or_default() += times;
        }
        Ok(())
    };
    TestRunner::new_with_rng(cases, random)
        .run(&steps::steps(), run)
        .unwrap_or_else(|failure| panic!("{failure}"));
    let counts = counts.into_inner();
    for what in watch::HAPPENS {
        assert!(counts.get(what).is_some_and(|times| *times > 20), "{what} hardly ever happens: {counts:?}");
    }
}
