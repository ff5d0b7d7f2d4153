//! Every bound of the node that is not the protocol's, with the relations between them asserted.

use protocol::limits::FRAME_BYTES_MAX;
use std::time::Duration;

// The store

/// Most operations of one [`Store::append`].
pub const BATCH_MAX: usize = 256;

// The writer

/// Most operations that wait for the writer. A full queue makes the askers wait: connections stop
/// reading, REST answers `unavailable` after [`SUBMIT_DEADLINE`].
pub const WRITER_QUEUE_MAX: usize = 4_096;
/// How long an asker waits for a place in the queue.
pub const SUBMIT_DEADLINE: Duration = Duration::from_secs(5);
/// How long one commit may take. After it the outcome is unknown and nothing is acknowledged.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(15);

// Feeds

/// How long a gap may close by itself: publications of different nodes overtake each other.
pub const REORDER_WAIT: Duration = Duration::from_millis(40);
/// Most events that wait for an earlier one; beyond it the newest is dropped, for the backfill
/// brings it anyway.
pub const HELD_EVENTS_MAX: usize = 1_024;
/// Most events of one backfill read.
pub const BACKFILL_EVENTS_MAX: u32 = 512;
/// Pause after a failed backfill: doubles up to the second value.
pub const BACKFILL_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long a read of the store for a feed may take.
pub const FEED_READ_DEADLINE: Duration = Duration::from_secs(10);

// Doorbells

/// Most frames of the user's own stream that wait; when one more comes they are dropped and the
/// connection reads the user's rooms again, which tells the same.
pub const USER_FRAMES_MAX: usize = 32;
/// Most ephemeral frames (typing) that wait; the oldest goes first.
pub const EPHEMERAL_FRAMES_MAX: usize = 16;

// Presence

/// Most members over all watched rooms of a node; a watch that brings more is refused. A sweep asks
/// each other node's lease about all of them.
pub const PRESENCE_TRACKED_MAX: usize = 50_000;
/// Most changes of a watched room that are remembered: who is further behind gets the whole.
pub const PRESENCE_CHANGES_MAX: usize = 256;
/// Most changes that are remembered while members or leases are read; what is lost beyond comes by the
/// next sweep.
pub const PRESENCE_PENDING_MAX: usize = 4_096;
/// Most users in one publication of who came and went.
pub const PRESENCE_BATCH_MAX: usize = 1_000;
/// Least time between two writes of a node's lease, and between two frames of one room: what changes
/// meanwhile goes together.
pub const PRESENCE_PAUSE: Duration = Duration::from_millis(200);
/// Pause after leases could not be written.
pub const PRESENCE_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long other nodes have to write their leases anew after a loss, before this one asks.
pub const PRESENCE_RESYNC_PAUSE: Duration = Duration::from_secs(1);
/// How long one call for leases may take.
pub const PRESENCE_DEADLINE: Duration = Duration::from_secs(5);

// Topics

/// How long a topic stays subscribed without a lease: a reload of the page does not pay twice.
pub const LINGER: Duration = Duration::from_secs(1);
/// How long a subscription may take to be confirmed.
pub const SUBSCRIBE_DEADLINE: Duration = Duration::from_secs(5);

// The sweep

/// How often unused rooms and topics are given back.
pub const TIDY_INTERVAL: Duration = Duration::from_millis(500);
/// How often heads and versions are compared without a reason. Each pause is drawn between the
/// two, so that nodes do not ask together.
pub const SWEEP_PAUSE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(6));
/// The same while the broker may be losing publications, so that the store is the only way between
/// nodes.
pub const SWEEP_PAUSE_DEGRADED: (Duration, Duration) =
    (Duration::from_millis(250), Duration::from_millis(500));
/// Most rooms or users of one query.
pub const SWEEP_QUERY_MAX: usize = 500;
/// How long one query may take.
pub const SWEEP_QUERY_DEADLINE: Duration = Duration::from_secs(10);

// Sessions

/// Most frames in a row that cannot be read; one more ends the connection.
pub const BAD_FRAMES_MAX: u32 = 100;

// Connections

/// Read buffer of a connection, in bytes. The library's default of 128 KiB would be most of what
/// an idle connection costs.
pub const READ_BUFFER_BYTES: usize = 1024;
/// Frames up to this size are read, so that those over the protocol's limit are told so; larger
/// ones are not even taken into memory.
pub const FRAME_READ_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// Most pages that lagging connections of this node read from the store at a time.
pub const PAGE_READS_MAX: usize = 32;
/// Most events of one pull.
pub const PULL_EVENTS_MAX: usize = 128;
/// Most bytes of one pull, but for one event.
pub const PULL_BYTES_MAX: usize = 16 * 1024;
/// Most frames read before what they ask for is done and written: one client cannot keep the
/// others of its thread waiting.
pub const IN_FLIGHT_MAX: usize = 64;
/// Most pages read at a time for one connection.
pub const QUESTIONS_MAX: usize = 4;
/// How much longer than a session's a connection's silence may be, whatever is spoken on it.
pub const SILENCE_GRACE: Duration = Duration::from_secs(15);
/// How long the last frames and the close frame may take.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Most events of one page for a lagging connection.
pub const LAG_PAGE_EVENTS_MAX: u32 = 128;
/// Most frames that wait to be written before the connection stops taking more.
pub const OUT_FRAMES_MAX: usize = 256;
/// Most bytes that wait, but for one frame.
pub const OUT_BYTES_MAX: usize = 32 * 1024;
/// How long a question to the store may take.
pub const QUESTION_DEADLINE: Duration = Duration::from_secs(10);
/// How long joining may take: subscribing, reading the rooms, attaching to each.
pub const JOIN_DEADLINE: Duration = Duration::from_secs(20);
/// Most rooms attached to at a time for one connection.
pub const ATTACHING_MAX: usize = 32;
/// Pause before something that failed is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// A rate limit that ends sooner than this slows the connection down; a longer one is told.
pub const RATE_PAUSE_MAX: Duration = Duration::from_secs(2);

// Postgres

/// Fewest connections of a node: appends and reads have some each.
pub const POSTGRES_CONNECTIONS_MIN: u32 = 4;
/// Most connections of a node.
pub const POSTGRES_CONNECTIONS_MAX: u32 = 1_000;
/// How long a call waits for a connection.
pub const POSTGRES_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the opening of a connection may take, whoever still waits for it.
pub const POSTGRES_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that has rested for longer is asked whether it is alive before it is used.
pub const POSTGRES_TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long the server lets a transaction lie without a statement, as a node leaves one that is
/// stopped or cut off.
pub const POSTGRES_IDLE_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a statement waits for a lock.
pub const POSTGRES_LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement may take.
pub const POSTGRES_STATEMENT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a call may take once it has a connection, appends aside.
pub const POSTGRES_CALL_DEADLINE: Duration = Duration::from_secs(10);
/// How long a batch may take until its commit begins, tries and waits for a connection included.
pub const POSTGRES_WORK_DEADLINE: Duration = Duration::from_secs(12);
/// How long the commit may take beyond that.
pub const POSTGRES_COMMIT_DEADLINE: Duration = Duration::from_secs(2);
/// How often a batch is tried that loses to others.
pub const POSTGRES_TRIES_MAX: u32 = 6;
/// The mean pause before the second try; it doubles from try to try.
pub const POSTGRES_RETRY_PAUSE: Duration = Duration::from_millis(4);

// Leaving

/// How long a leaving node of a cluster takes requests at least, each as the last of its connection;
/// for all the time that it has to leave where that is shorter.
/// Longer than the proxy keeps a connection to a node that rests (2 s in `nginx.conf`): when the node
/// stops listening, no request is on its way to it that could not be told from one that was served.
pub const REQUESTS_WIND_DOWN: Duration = Duration::from_secs(3);
/// How long requests under way may take once all connections are gone.
pub const REQUESTS_GRACE: Duration = Duration::from_secs(5);
/// How long the node's own tasks may take to end.
pub const TASKS_GRACE: Duration = Duration::from_secs(20);

// Authentication and requests

/// How long authentication waits for the store.
pub const AUTH_STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a password waits for its turn to be hashed.
pub const PASSWORD_WAIT: Duration = Duration::from_secs(5);
/// Most passwords that wait for their turn, for each that is hashed at a time.
pub const PASSWORDS_WAITING_MAX: usize = 32;
/// Longest subject of another issuer, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Longest refresh token, in bytes: a UUID, a dot and 32 bytes in base64.
pub const REFRESH_TOKEN_BYTES_MAX: usize = 128;
/// How many users, names or addresses a rate limiter tells apart.
pub const RATE_KEYS_MAX: usize = 100_000;
/// Largest body of a request, in bytes: that of the largest frame.
pub const BODY_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// How long a request may take, its body included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the parts of a node have to answer `/ready`.
pub const READY_TIMEOUT: Duration = Duration::from_secs(2);

const _: () = assert!(BACKFILL_RETRY.0.as_millis() < BACKFILL_RETRY.1.as_millis());
const _: () = assert!(SWEEP_PAUSE.0.as_millis() < SWEEP_PAUSE.1.as_millis());
const _: () = assert!(SWEEP_PAUSE_DEGRADED.0.as_millis() < SWEEP_PAUSE_DEGRADED.1.as_millis());
const _: () = assert!(SWEEP_PAUSE_DEGRADED.1.as_millis() < SWEEP_PAUSE.0.as_millis());
const _: () = assert!(FRAME_READ_BYTES_MAX > FRAME_BYTES_MAX);
const _: () =
    assert!(PASSWORD_WAIT.as_millis() + 3 * AUTH_STORE_TIMEOUT.as_millis() < REQUEST_TIMEOUT.as_millis());
// A connection that is let in late is still let in before it counts as silent.
const _: () = assert!(JOIN_DEADLINE.as_millis() < protocol::limits::IDLE_TIMEOUT.as_millis());
const _: () = assert!(RATE_PAUSE_MAX.as_millis() < protocol::limits::PONG_TIMEOUT.as_millis());
const _: () = assert!(PULL_BYTES_MAX <= OUT_BYTES_MAX && PULL_EVENTS_MAX <= OUT_FRAMES_MAX);
const _: () = assert!(BATCH_MAX <= WRITER_QUEUE_MAX);
const _: () = assert!(protocol::limits::PRESENCE_MEMBERS_MAX <= PRESENCE_TRACKED_MAX);
const _: () = assert!(POSTGRES_ACQUIRE_TIMEOUT.as_millis() < POSTGRES_CONNECT_TIMEOUT.as_millis());
// A transaction left lying ends before those who wait for its locks give up.
const _: () = assert!(POSTGRES_IDLE_TRANSACTION_TIMEOUT.as_millis() < POSTGRES_LOCK_TIMEOUT.as_millis());
const _: () = assert!(POSTGRES_LOCK_TIMEOUT.as_millis() < POSTGRES_STATEMENT_TIMEOUT.as_millis());
const _: () = assert!(POSTGRES_STATEMENT_TIMEOUT.as_millis() < POSTGRES_CALL_DEADLINE.as_millis());
const _: () = assert!(
    POSTGRES_WORK_DEADLINE.as_millis() + POSTGRES_COMMIT_DEADLINE.as_millis() < COMMIT_DEADLINE.as_millis()
);
