//! Someone who talks by requests instead of a connection, as scripts do. Each message is posted until
//! there is an answer, always under the same name.

use crate::member::at;
use crate::rest::{Login, Rest, SignedIn};
use loadgen::content::Content;
use loadgen::driver::Tokens;
use loadgen::history::{ClientHistory, Record, What};
use protocol::client::TokenError;
use protocol::{ClientId, RoomId, UserId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// The pause between two messages.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause after a request that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long a token is used: less than it is valid.
const TOKEN_USE: Duration = Duration::from_secs(12);
/// How long a message is tried.
const PATIENCE: Duration = Duration::from_secs(60);

/// A talker by requests.
#[derive(Debug)]
pub(crate) struct Poster {
    rest: Rest,
    login: Login,
    user_id: UserId,
    /// Its place among the clients of the history.
    client: usize,
    rooms: Vec<RoomId>,
    rng: StdRng,
    began: Instant,
    token: Option<(String, Instant)>,
    posted: Posted,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    pub(crate) history: ClientHistory,
    /// Requests to send a message.
    pub(crate) requests: usize,
    /// Why some of them failed.
    pub(crate) failures: Vec<String>,
}

impl Poster {
    pub(crate) fn new(
        rest: &Rest,
        signed_in: SignedIn,
        rooms: Vec<RoomId>,
        client: usize,
        (seed, began): (u64, Instant),
    ) -> Self {
        Self {
            rest: rest.clone(),
            user_id: signed_in.user.id,
            login: Login::new(rest.clone(), signed_in),
            client,
            rooms,
            rng: StdRng::seed_from_u64(seed),
            began,
            token: None,
            posted: Posted::default(),
        }
    }

    /// Talks until told to stop, while `talks` says so; in each room in turn.
    pub(crate) async fn run(mut self, mut talks: watch::Receiver<bool>, stop: CancellationToken) -> Posted {
        let mut said = BTreeMap::<RoomId, u64>::new();
        for room in self.rooms.clone().into_iter().cycle() {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(_) = talks.wait_for(|talks| *talks) => {}
            }
            let number = said.entry(room).or_default();
            *number += 1;
            self.say(Content { client: self.client, number: *number, room }).await;
            sleep(PAUSE).await;
        }
        // A member of no room: it is given nothing, and lacks nothing.
        self.posted.history.user_id = self.user_id;
        self.posted
    }

    async fn say(&mut self, content: Content) {
        let (room, content) = (content.room, content.to_string());
        let client_id = ClientId(uuid::Uuid::from_u64_pair(self.rng.random(), self.rng.random()));
        self.keep(What::Sent { room, client_id, content: content.clone() });
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let Some(token) = self.token().await else {
                sleep(RETRY_PAUSE).await;
                continue;
            };
            self.posted.requests += 1;
            match self.rest.post(&token, room, client_id, &content).await {
                Ok(message) => {
                    let (seq, message_no) = (message.seq, message.message_no);
                    return self.keep(What::Acked { room, client_id, seq, message_no });
                }
                Err(error) => {
                    let after = self.began.elapsed().as_secs_f64();
                    self.posted.failures.push(format!("after {after:.1} s: {error:#}"));
                }
            }
            sleep(RETRY_PAUSE).await;
        }
        self.keep(What::Failed { client_id, reason: "no answer in time".to_owned() });
    }

    /// A token that is valid for a while; none when there is none now.
    async fn token(&mut self) -> Option<String> {
        if let Some((token, since)) = &self.token
            && since.elapsed() < TOKEN_USE
        {
            return Some(token.clone());
        }
        match self.login.next().await {
            Ok(token) => {
                self.token = Some((token.access_token.clone(), Instant::now()));
                Some(token.access_token)
            }
            Err(TokenError::Transient) => {
                self.posted.failures.push("no token".to_owned());
                None
            }
            Err(TokenError::Ended) => {
                self.posted.failures.push("its login was ended".to_owned());
                None
            }
        }
    }

    fn keep(&mut self, what: What) {
        self.posted.history.records.push(Record { at: at(self.began), what });
    }
}
