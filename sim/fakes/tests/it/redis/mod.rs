//! The fake Redis is honest: what it says to every connection is, byte for byte, what a real one says
//! to the same requests. Only what the real one leaves to chance (the order of sets and keys, ids, the
//! milliseconds that pass) is evened out first.

mod frame;
mod real;
mod script;

use fakes::redis::Core;
use frame::Frame;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use real::{Connection, RedisServer};
use script::{CONNECTIONS, Step};
use std::time::Duration;

/// Time that passes in a lapse: what ends after a millisecond has ended then.
const LAPSE: Duration = Duration::from_millis(4);
const BEGIN: u64 = 1_700_000_000_000;

/// Scripts within which every lie must be found.
const CASES_UNTIL_FOUND: u32 = 400;

/// What is said to one connection in one step, the answer to the closing `PING` excluded.
type Said = Vec<Frame>;

/// Makes a reply wrong.
type Lie = fn(&mut Frame);

struct Fake {
    core: Core,
    ids: Vec<u64>,
    now: u64,
    /// Makes it lie, to see that lies are found.
    lie: Lie,
}

impl Fake {
    fn new(lie: Lie) -> Self {
        let mut core = Core::default();
        let ids = (0..CONNECTIONS).map(|_| core.open()).collect();
        Self { core, ids, now: BEGIN, lie }
    }

    fn step(&mut self, connection: usize, request: &[u8], marker: &str) -> Said {
        self.now += 1;
        let id = self.ids[connection];
        self.core.input(id, request, self.now);
        self.core.input(id, &script::encode(&["PING", marker]), self.now);
        let bytes = self.core.output(id).expect("the script ends no connection");
        let mut said = frame::until(&bytes, marker).expect("the marker is answered");
        said.iter_mut().for_each(self.lie);
        said
    }
}

fn run(steps: &[Step], real: &mut [Connection], lie: Lie) -> Result<(), String> {
    for connection in real.iter_mut() {
        connection.step(&script::encode(&["RESET"]), "clean");
    }
    real[0].step(&script::encode(&["FLUSHALL"]), "clean");
    let mut fake = Fake::new(lie);
    for (n, step) in steps.iter().enumerate() {
        let Step::Ask(connection, words) = step else {
            std::thread::sleep(LAPSE);
            fake.now += u64::try_from(LAPSE.as_millis()).unwrap();
            continue;
        };
        let (request, marker) = (script::encode(words), format!("marker-{n}"));
        let expected = frame::even_out(words, real[*connection].step(&request, &marker));
        let found = frame::even_out(words, fake.step(*connection, &request, &marker));
        if expected != found {
            let told = format!("real {expected:?}\nfake {found:?}");
            return Err(format!("step {n}, connection {connection}, {words:?}:\n{told}"));
        }
    }
    // What was pushed to those who did not ask since.
    for (connection, real) in real.iter_mut().enumerate() {
        let request = script::encode(&["PING"]);
        let expected = frame::even_out(&["PING"], real.step(&request, "last"));
        let found = frame::even_out(&["PING"], fake.step(connection, &request, "last"));
        if expected != found {
            return Err(format!("connection {connection} at last:\nreal {expected:?}\nfake {found:?}"));
        }
    }
    Ok(())
}

fn check(cases: u32, random: Option<TestRng>, lie: Lie) -> Result<(), String> {
    let server = RedisServer::start(&[]);
    let real: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    let real = std::cell::RefCell::new(real);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = match random {
        Some(random) => TestRunner::new_with_rng(config, random),
        None => TestRunner::new(config),
    };
    runner
        .run(&script::script(), |steps| {
            run(&steps, &mut real.borrow_mut(), lie).map_err(proptest::test_runner::TestCaseError::fail)
        })
        .map_err(|failure| failure.to_string())
}

#[test]
fn any_script_is_answered_as_a_real_server_answers_it() {
    check(Config::default().cases, None, |_| {}).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn lies_are_found() {
    let lies: [(&str, Lie); 6] = [
        ("an array instead of a push", |frame| swap_kind(frame, b'>', b'*')),
        ("null as an empty text", |frame| swap_kind(frame, b'_', b'$')),
        ("a set as an array", |frame| swap_kind(frame, b'~', b'*')),
        ("a wrong code", |frame| {
            if frame.kind == b'-' {
                frame.text = frame.text.replace("WRONGTYPE", "ERR");
            }
        }),
        ("a publication that is lost", |frame| {
            if frame.is_message() {
                frame.parts.pop();
            }
        }),
        ("a count that is one too high", |frame| {
            if frame.kind == b':' && frame.text == "2" {
                frame.text = "3".to_owned();
            }
        }),
    ];
    for (what, lie) in lies {
        // The same scripts each time: whether these find it is no matter of luck.
        let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let failure = check(CASES_UNTIL_FOUND, Some(random), lie).expect_err(what);
        assert!(failure.contains("real") && failure.contains("fake"), "{what}: {failure}");
    }
}

fn swap_kind(frame: &mut Frame, from: u8, to: u8) {
    if frame.kind == from {
        frame.kind = to;
    }
    frame.parts.iter_mut().for_each(|part| swap_kind(part, from, to));
}

#[test]
fn scripts_reach_every_command_and_both_versions() {
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let reached = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let note = |steps: Vec<Step>| {
        for step in &steps {
            if let Step::Ask(_, words) = step {
                let takes = if matches!(words[0].as_str(), "CLIENT" | "PUBSUB" | "HELLO") { 2 } else { 1 };
                reached.borrow_mut().insert(words.iter().take(takes).cloned().collect::<Vec<_>>().join(" "));
            }
        }
        Ok(())
    };
    TestRunner::new_with_rng(config, random).run(&script::script(), note).unwrap();
    let reached = reached.into_inner();
    for command in script::COMMANDS {
        assert!(reached.contains(*command), "{command} is never sent: {reached:?}");
    }
}

/// Sends everything, and reads until the server ends the connection.
fn until_closed(server: &RedisServer, bytes: &[u8]) -> (String, String) {
    let expected = server.connect().until_closed(bytes);
    let mut core = Core::default();
    let id = core.open();
    core.input(id, bytes, BEGIN);
    let found = core.output(id).unwrap_or_default();
    assert_eq!(core.output(id), None, "the fake ends the connection as well");
    (String::from_utf8_lossy(&expected).into_owned(), String::from_utf8_lossy(&found).into_owned())
}

#[test]
fn what_is_no_request_ends_the_connection_with_the_same_words() {
    let server = RedisServer::start(&[]);
    for bytes in [
        "*x\r\n",
        "*1\r\n+PING\r\n",
        "*1\r\n$x\r\nPING\r\n",
        "*1\r\n$-1\r\n",
        "set \"a\n",
        "*1\r\n$4\r\nPING\r\n*2147483648\r\n",
        "PING\r\nECHO 'a b'\r\n\r\n*0\r\nQUIT\r\n",
        "QUIT now\r\nPING\r\n",
        "*1\r\n$4\r\nQUIT\r\n",
    ] {
        let (expected, found) = until_closed(&server, bytes.as_bytes());
        assert_eq!(expected, found, "{bytes:?}");
    }
}

#[test]
fn a_server_with_a_password_lets_in_the_same() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let scripts: [&[&[&str]]; 5] = [
        &[&["PING"], &["HELLO", "3"], &["AUTH", "wrong"], &["AUTH", "secret"], &["PING"]],
        &[&["AUTH", "other", "secret"], &["GET", "a"], &["AUTH", "default", "secret"], &["GET", "a"]],
        &[&["HELLO", "3", "AUTH", "default", "wrong"], &["ECHO", "a"], &["RESET"], &["ECHO", "a"]],
        &[&["HELLO", "4"], &["HELLO", "x"], &["HELLO", "3", "COLOUR"], &["NOPE"], &["GET"]],
        &[&["AUTH", "secret"], &["RESET"], &["PING"], &["AUTH", "a", "b", "c"]],
    ];
    for script in scripts {
        let (mut real, mut core) = (server.connect(), Core::default());
        core.set_password(Some("secret"));
        let id = core.open();
        for words in script {
            let request = script::encode(words);
            core.input(id, &request, BEGIN);
            let found = core.output(id).unwrap();
            assert_eq!(real.one(&request), frame::all(&found).unwrap()[0], "{words:?} of {script:?}");
        }
    }
}

#[test]
fn a_subscriber_that_reads_too_little_is_cut_by_both() {
    let server = RedisServer::start(&["--client-output-buffer-limit", "pubsub", "32kb", "32kb", "1"]);
    let (mut slow, mut sender) = (server.connect(), server.connect());
    slow.one(&script::encode(&["SUBSCRIBE", "room:1"]));
    let large = "x".repeat(300_000);
    let publish = script::encode(&["PUBLISH", "room:1", &large]);
    let mut core = Core::default();
    core.set_output_max(Some(32 * 1024));
    let (fake_slow, fake_sender) = (core.open(), core.open());
    core.input(fake_slow, &script::encode(&["SUBSCRIBE", "room:1"]), BEGIN);
    core.output(fake_slow).unwrap();
    core.input(fake_sender, &publish, BEGIN);
    assert_eq!(sender.one(&publish), frame::all(&core.output(fake_sender).unwrap()).unwrap()[0]);
    assert_eq!(slow.until_closed(b""), b"", "the real one drops what waits");
    assert_eq!((core.output(fake_slow), core.counts().cut), (None, 1));
}
