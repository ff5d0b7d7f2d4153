//! The same random script on memory, on the simulation's store, on SQLite and on Postgres gives the same
//! outcomes, logs, pages and counts.

use super::factory::{Memory, Postgres, Simulated, Sqlite, StoreFactory};
use super::script::{Step, USERNAMES, script};
use super::world::decode;
use hub::store::memory::MemoryStore;
use hub::store::{Account, AccountKey, LoginId, NewLogin, NewUser, Outcome, Rotation, Store};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use protocol::model::Anchor;
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::cell::RefCell;
use std::collections::BTreeSet;
use uuid::Uuid;

const CASES: u32 = 60;

#[test]
fn the_same_script_means_the_same_on_memory_and_on_sqlite() {
    check(CASES, async |steps| {
        let factory = Sqlite::default();
        let sqlite = factory.make().await;
        run(steps, &*Memory.make().await, &*sqlite).await;
        sqlite.close().await;
    });
}

#[test]
fn the_same_script_means_the_same_in_the_simulation_and_on_sqlite() {
    check(CASES, async |steps| {
        let factory = Sqlite::default();
        let sqlite = factory.make().await;
        run(steps, &*Simulated.make().await, &*sqlite).await;
        sqlite.close().await;
    });
}

#[test]
fn the_same_script_means_the_same_in_the_simulation_and_on_postgres() {
    let factory = Postgres::default();
    check(CASES / 4, async |steps| {
        let mut db = factory.database().await.raw().await;
        sqlx::raw_sql(EMPTY).execute(&mut db).await.unwrap();
        let postgres = factory.make().await;
        run(steps, &*Simulated.make().await, &*postgres).await;
        postgres.close().await;
    });
}

/// As after the migrations.
const EMPTY: &str = "truncate users, logins, rooms, members, bans, events, messages, reactions, mentions
        restart identity;
    alter sequence room_ids restart;
    alter sequence message_ids restart;";

fn check(cases: u32, case: impl AsyncFn(&[Step])) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&script(), |steps| {
        runtime.block_on(case(&steps));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

async fn run(steps: &[Step], memory: &dyn Store, store: &dyn Store) {
    make_users(memory).await;
    make_users(store).await;
    let mut logins = 0;
    for (at, step) in (2_000..).map(Timestamp).zip(steps) {
        if matches!(step, Step::Look) {
            compare(memory, store).await;
            continue;
        }
        logins += u64::from(matches!(step, Step::SignIn(_)));
        let expected = told(memory, step, at, logins).await;
        assert_eq!(expected, told(store, step, at, logins).await, "{step:#?}");
    }
    compare(memory, store).await;
}

/// What a store tells of a step; so many people signed in, this one included.
async fn told(store: &dyn Store, step: &Step, at: Timestamp, logins: u64) -> String {
    match step {
        Step::Append(batch) => format!("{:?}", store.append(batch.clone()).await.unwrap()),
        Step::MarkRead(user, room, no) => {
            format!("{:?}", store.mark_read(*user, *room, *no).await.unwrap())
        }
        Step::SignUp(name, subject) => {
            let new = NewUser { external_sub: subject.map(str::to_owned), at, ..new_user(name) };
            // Which id one gets is the store's: some leave out those of names that were taken.
            let made = store.create_user(new).await.map(|user| (user.username, user.display_name));
            format!("{made:?}")
        }
        Step::SignIn(user_id) => {
            let login = NewLogin {
                id: login(logins),
                user_id: *user_id,
                refresh_hash: [0; 32],
                at,
                expires_at: Timestamp(at.0 + 20),
                user_agent: "test".into(),
            };
            format!("{:?}", store.create_login(login).await.unwrap())
        }
        Step::Rotate(number, presented, next, grace) => {
            let rotation = Rotation {
                id: login(*number),
                presented: [*presented; 32],
                next: [*next; 32],
                at,
                expires_at: Timestamp(at.0 + 10),
                grace_from: Timestamp(at.0 - grace),
            };
            format!("{:?}", store.rotate_login(rotation).await.unwrap())
        }
        Step::SignOut(number) => format!("{:?}", store.revoke_login(login(*number), at).await.unwrap()),
        Step::Look => String::new(),
    }
}

fn login(number: u64) -> LoginId {
    LoginId(Uuid::from_u64_pair(7, number))
}

/// Everything that can be read is equal.
async fn compare(memory: &dyn Store, store: &dyn Store) {
    let rooms: Vec<RoomId> = (1..=3).map(RoomId).collect();
    let users = [1, 2, 5].map(UserId);
    for number in 1..=4 {
        let expected = memory.login_is_alive(login(number)).await.unwrap();
        assert_eq!(expected, store.login_is_alive(login(number)).await.unwrap(), "login {number}");
    }
    let keys = [
        AccountKey::Id(UserId(1)),
        AccountKey::Id(UserId(99)),
        AccountKey::Username("fay"),
        AccountKey::Username("nobody"),
        AccountKey::ExternalSub("a|1"),
    ];
    for key in keys {
        let told = async |store: &dyn Store| {
            let found = store.account(key).await.unwrap();
            let told = |it: Account| {
                (it.user.username, it.user.display_name, it.password_hash, it.disabled, it.version)
            };
            found.map(told)
        };
        assert_eq!(told(memory).await, told(store).await, "{key:?}");
    }
    assert_eq!(memory.heads(&rooms).await.unwrap(), store.heads(&rooms).await.unwrap());
    assert_eq!(memory.user_versions(&users).await.unwrap(), store.user_versions(&users).await.unwrap());
    for room in &rooms {
        let expected = memory.events(*room, Seq(0), 10_000).await.unwrap();
        assert_eq!(expected, store.events(*room, Seq(0), 10_000).await.unwrap());
        let expected = memory.events(*room, Seq(3), 4).await.unwrap();
        assert_eq!(expected, store.events(*room, Seq(3), 4).await.unwrap());
    }
    for message in (1..=16).map(MessageId) {
        let expected = memory.message(UserId(2), message).await.unwrap();
        assert_eq!(expected, store.message(UserId(2), message).await.unwrap());
    }
    for user in users {
        assert_eq!(memory.rooms_of(user).await.unwrap(), store.rooms_of(user).await.unwrap());
        for query in ["", "O"] {
            for after in [None, Some("one")] {
                let expected = memory.list_rooms(user, query, after, 2).await.unwrap();
                assert_eq!(expected, store.list_rooms(user, query, after, 2).await.unwrap());
            }
        }
        for room in &rooms {
            compare_room(memory, store, user, *room).await;
        }
    }
}

async fn compare_room(memory: &dyn Store, store: &dyn Store, user: UserId, room: RoomId) {
    assert_eq!(memory.room(user, room).await.unwrap(), store.room(user, room).await.unwrap());
    for after in [None, Some("bob")] {
        let expected = memory.members(user, room, after, 2).await.unwrap();
        assert_eq!(expected, store.members(user, room, after, 2).await.unwrap());
    }
    let no = MessageNo(4);
    for anchor in [Anchor::Latest, Anchor::Before(no), Anchor::After(no), Anchor::Around(no)] {
        for (pinned, limit) in [(false, 3), (true, 2)] {
            let expected = memory.history(user, room, anchor, pinned, limit).await.unwrap();
            assert_eq!(expected, store.history(user, room, anchor, pinned, limit).await.unwrap());
        }
    }
}

#[test]
fn scripts_reach_every_end_of_a_login() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 120, failure_persistence: None, ..Config::default() };
    let ends = RefCell::new(BTreeSet::<String>::new());
    let run = |steps: Vec<Step>| {
        runtime.block_on(async {
            let memory = MemoryStore::new(Epoch(7));
            make_users(&memory).await;
            let mut logins = 0;
            for (at, step) in (2_000..).map(Timestamp).zip(&steps) {
                logins += u64::from(matches!(step, Step::SignIn(_)));
                let told = told(&memory, step, at, logins).await;
                let known: &[&str] = match step {
                    Step::Rotate(..) => &["Done", "Reused", "Unknown"],
                    Step::SignOut(_) => &["Some", "None"],
                    Step::SignUp(..) => &["Ok", "Err(Taken)"],
                    Step::Append(_) | Step::MarkRead(..) | Step::SignIn(_) | Step::Look => &[],
                };
                let end = known.iter().find(|end| told.starts_with(**end));
                ends.borrow_mut().extend(end.map(|end| (*end).to_owned()));
            }
        });
        Ok(())
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, random).run(&script(), run).unwrap();
    assert_eq!(
        ends.into_inner().len(),
        7,
        "a login is rotated, misused, gone; ended or not; a name free or taken"
    );
}

#[test]
fn scripts_reach_what_they_are_to_compare() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 120, failure_persistence: None, ..Config::default() };
    let (kinds, rejections) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new()));
    let count = |steps: Vec<Step>| {
        let outcomes = runtime.block_on(outcomes(steps));
        for outcome in outcomes {
            match outcome {
                Ok(committed) => {
                    kinds.borrow_mut().extend(committed.events.iter().map(|e| decode(e).kind()));
                }
                Err(rejection) => {
                    rejections.borrow_mut().insert(format!("{rejection:?}"));
                }
            }
        }
        Ok(())
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, random).run(&script(), count).unwrap();
    let (kinds, rejections) = (kinds.into_inner(), rejections.into_inner());
    assert_eq!(kinds.len(), protocol::RoomEvent::KINDS.len(), "{kinds:?}");
    // All but the two that need hundreds of rooms or dozens of emoji.
    assert_eq!(rejections.len(), 11, "{rejections:?}");
}

async fn outcomes(steps: Vec<Step>) -> Vec<Outcome> {
    let memory = MemoryStore::new(Epoch(7));
    make_users(&memory).await;
    let mut outcomes = Vec::new();
    for step in steps {
        if let Step::Append(batch) = step {
            outcomes.extend(memory.append(batch).await.unwrap());
        }
    }
    outcomes
}

async fn make_users(store: &dyn Store) {
    for name in USERNAMES {
        store.create_user(new_user(name)).await.unwrap();
    }
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.into(),
        display_name: format!("{name} \"\u{1f600}\""),
        password_hash: None,
        external_sub: None,
        at: Timestamp(1),
    }
}
