//! The same random script on memory and on SQLite gives the same outcomes, logs, pages and counts.

use super::factory::{Sqlite, StoreFactory};
use super::script::{Step, USERNAMES, script};
use hub::store::memory::MemoryStore;
use hub::store::{NewUser, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use protocol::model::Anchor;
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};

const CASES: u32 = 150;

#[test]
fn the_same_script_means_the_same_on_memory_and_on_sqlite() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&script(), |steps| {
        runtime.block_on(run(&steps));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

async fn run(steps: &[Step]) {
    let factory = Sqlite::default();
    let (memory, sqlite) = (MemoryStore::new(Epoch(7)), factory.make().await);
    for name in USERNAMES {
        let new = NewUser {
            username: name.into(),
            display_name: format!("{name} \"\u{1f600}\""),
            password_hash: None,
            external_sub: None,
            at: Timestamp(1),
        };
        let made = memory.create_user(new.clone()).await.unwrap();
        assert_eq!(made, sqlite.create_user(new).await.unwrap());
    }
    for step in steps {
        match step {
            Step::Append(batch) => {
                let expected = memory.append(batch.clone()).await.unwrap();
                assert_eq!(expected, sqlite.append(batch.clone()).await.unwrap(), "{batch:#?}");
            }
            Step::MarkRead(user, room, no) => {
                let expected = memory.mark_read(*user, *room, *no).await.unwrap();
                assert_eq!(expected, sqlite.mark_read(*user, *room, *no).await.unwrap());
            }
        }
    }
    compare(&memory, &*sqlite).await;
    sqlite.close().await;
}

/// Everything that can be read is equal.
async fn compare(memory: &MemoryStore, sqlite: &dyn Store) {
    let rooms: Vec<RoomId> = (1..=8).map(RoomId).collect();
    let users: Vec<UserId> = (1..=6).map(UserId).collect();
    assert_eq!(memory.heads(&rooms).await.unwrap(), sqlite.heads(&rooms).await.unwrap());
    assert_eq!(memory.user_versions(&users).await.unwrap(), sqlite.user_versions(&users).await.unwrap());
    for room in &rooms {
        let expected = memory.events(*room, Seq(0), 10_000).await.unwrap();
        assert_eq!(expected, sqlite.events(*room, Seq(0), 10_000).await.unwrap());
        let expected = memory.events(*room, Seq(3), 4).await.unwrap();
        assert_eq!(expected, sqlite.events(*room, Seq(3), 4).await.unwrap());
    }
    for user in users {
        assert_eq!(memory.rooms_of(user).await.unwrap(), sqlite.rooms_of(user).await.unwrap());
        for query in ["", "O", "ä"] {
            for after in [None, Some("one")] {
                let expected = memory.list_rooms(user, query, after, 2).await.unwrap();
                assert_eq!(expected, sqlite.list_rooms(user, query, after, 2).await.unwrap());
            }
        }
        for message in (1..=30).map(MessageId) {
            let expected = memory.message(user, message).await.unwrap();
            assert_eq!(expected, sqlite.message(user, message).await.unwrap());
        }
        for room in &rooms {
            compare_room(memory, sqlite, user, *room).await;
        }
    }
}

async fn compare_room(memory: &MemoryStore, sqlite: &dyn Store, user: UserId, room: RoomId) {
    assert_eq!(memory.room(user, room).await.unwrap(), sqlite.room(user, room).await.unwrap());
    for after in [None, Some("bob")] {
        let expected = memory.members(user, room, after, 2).await.unwrap();
        assert_eq!(expected, sqlite.members(user, room, after, 2).await.unwrap());
    }
    let no = MessageNo(4);
    for anchor in [Anchor::Latest, Anchor::Before(no), Anchor::After(no), Anchor::Around(no)] {
        for (pinned, limit) in [(false, 5), (false, 2), (true, 3)] {
            let expected = memory.history(user, room, anchor, pinned, limit).await.unwrap();
            assert_eq!(expected, sqlite.history(user, room, anchor, pinned, limit).await.unwrap());
        }
    }
}

#[test]
fn scripts_reach_what_they_are_to_compare() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let kinds = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let rejections = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let run = |steps: Vec<Step>| {
        runtime.block_on(async {
            let memory = MemoryStore::new(Epoch(7));
            for name in USERNAMES {
                let (username, display_name) = (name.to_owned(), name.to_owned());
                let new = NewUser {
                    username,
                    display_name,
                    password_hash: None,
                    external_sub: None,
                    at: Timestamp(1),
                };
                memory.create_user(new).await.unwrap();
            }
            for step in steps {
                let Step::Append(batch) = step else { continue };
                for outcome in memory.append(batch).await.unwrap() {
                    match outcome {
                        Ok(committed) => kinds
                            .borrow_mut()
                            .extend(committed.events.iter().map(|e| super::world::decode(e).kind())),
                        Err(rejection) => {
                            rejections.borrow_mut().insert(format!("{rejection:?}"));
                        }
                    }
                }
            }
        });
        Ok(())
    };
    TestRunner::new(config).run(&script(), run).unwrap();
    let (kinds, rejections) = (kinds.into_inner(), rejections.into_inner());
    assert_eq!(kinds.len(), protocol::RoomEvent::KINDS.len(), "{kinds:?}");
    // All but the two that need hundreds of rooms or dozens of emoji.
    assert_eq!(rejections.len(), 11, "{rejections:?}");
}
