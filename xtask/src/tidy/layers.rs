//! Dependencies point one way. Owns the table of who may use what; reads `use` and every path.

use super::tokens::{self, PathUse};
use super::{Tree, Violation};

/// A layer of the hub: a module and what it may use besides itself, other crates aside.
struct Layer {
    module: &'static str,
    may_use: &'static [&'static str],
    /// No I/O, no clock, no runtime.
    pure: bool,
}

const fn layer(module: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { module, may_use, pure: false }
}

const fn pure(module: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { module, may_use, pure: true }
}

/// The hub's layers. A module belongs to the longest entry that it begins with.
const LAYERS: &[Layer] = &[
    layer("main", &["config", "embedded", "server", "telemetry"]),
    layer("embedded", &["http"]),
    layer("server", &["*"]),
    layer("config", &["auth", "broker", "limits", "random"]),
    pure("config::duration", &[]),
    layer("telemetry", &["config"]),
    layer(
        "http",
        &["auth", "broker", "clock", "limits", "metrics", "random", "room", "rules", "session", "store"],
    ),
    layer("ws", &["auth", "broker", "clock", "limits", "random", "room", "rules", "session", "store"]),
    layer("auth", &["clock", "limits", "random", "rules", "store"]),
    layer("room", &["broker", "clock", "limits", "metrics", "presence", "random", "rules", "store", "sync"]),
    pure("room::feed", &["limits::bounds", "store"]),
    pure("room::ring", &["store", "sync"]),
    pure("session", &["limits::bounds", "rules", "store"]),
    layer("store", &["limits::bounds", "metrics", "rules"]),
    pure("store::login", &["store"]),
    pure("store::page", &["store"]),
    pure("store::state", &["rules", "store"]),
    layer("presence", &["broker", "limits::bounds"]),
    pure("presence::table", &["limits::bounds", "presence"]),
    layer("broker", &["random"]),
    pure("broker::redis_url", &[]),
    pure("broker::redis::echo", &[]),
    pure("broker::redis::routes", &["broker"]),
    layer("metrics", &["broker"]),
    layer("clock", &[]),
    layer("random", &[]),
    layer("sync", &[]),
    layer("limits", &["config::duration"]),
    pure("limits::bounds", &[]),
    pure("rules", &["store"]),
];

/// Modules with a trait: a child that implements it is an adapter, whose name only `server` knows.
const TRAITS: &[(&str, &str)] = &[("store", "Store"), ("broker", "Broker"), ("presence", "Presence")];

/// What pure code never names.
const IMPURE: &[&str] = &[
    "async_std",
    "axum",
    "getrandom",
    "hyper",
    "redis",
    "reqwest",
    "sqlx",
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "tokio",
    "tokio_tungstenite",
    "tower",
];

/// What a crate never names: its folder, the paths, and why.
const CRATES: &[(&str, &[&str], &str)] = &[
    ("protocol/src/", IMPURE, "protocol is pure"),
    (
        "protocol/src/",
        &["wasm_bindgen", "js_sys", "web_sys", "gloo_net", "hub"],
        "protocol knows no browser and no hub",
    ),
    ("client-wasm/src/", &["tokio", "axum", "sqlx", "redis", "hub"], "the browser's client knows no server"),
];

/// Checks every layer.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (folder, forbidden, reason) in CRATES {
        for (path, text) in tree.below(folder, ".rs").filter(|(path, _)| !is_test_file(path)) {
            each_path(path, text, &[], &mut found, |used| {
                forbids(used, forbidden).map(|name| format!("names {name}: {reason}"))
            });
        }
    }
    for (path, text) in tree.below("hub/src/", ".rs").filter(|(path, _)| !is_test_file(path)) {
        hub_file(tree, path, text, &mut found);
    }
    found
}

fn hub_file(tree: &Tree, path: &str, text: &str, found: &mut Vec<Violation>) {
    let module = module_of(path);
    let Some(own) = module.first() else { return };
    let name = module.join("::");
    let Some(layer) = layer_of(&name) else {
        let text = format!("module {own} has no place in the table of layers (xtask/src/tidy/layers.rs)");
        found.push(Violation::new(path, 1, text));
        return;
    };
    each_path(path, text, &module, found, |used| {
        if layer.pure
            && let Some(name) = forbids(used, IMPURE)
        {
            return Some(format!("names {name}: {} is pure", layer.module));
        }
        if used[0] == "sqlx" && own != "store" {
            return Some("names sqlx: SQL lives in store/ alone".to_owned());
        }
        if forbids(used, &["std::env"]).is_some() && own != "config" {
            return Some("names std::env: the environment is read in config alone".to_owned());
        }
        let target = target_module(tree, used)?;
        if layer.pure
            && let Some(name) = TRAITS.iter().find(|(module, name)| used[1..] == [*module, *name])
        {
            return Some(format!("names the trait {}: {} is pure", name.1, layer.module));
        }
        refuses(layer, is_foreign_adapter(tree, &name, &target), &target)
    });
}

/// Why a module may not use another one.
fn refuses(layer: &Layer, foreign_adapter: bool, target: &str) -> Option<String> {
    if layer.may_use == ["*"] {
        return None;
    }
    if foreign_adapter {
        return Some(format!("names {target}: only server names adapters"));
    }
    // An adapter belongs to its trait's layer and may use it.
    if begins(target, layer.module) || layer.may_use.iter().any(|allowed| begins(target, allowed)) {
        return None;
    }
    Some(format!("{} uses {target}: it may use {}", layer.module, layer.may_use.join(", ")))
}

/// Whether `target` is an adapter of which `own` is no part.
fn is_foreign_adapter(tree: &Tree, own: &str, target: &str) -> bool {
    TRAITS.iter().any(|(parent, name)| {
        let Some(rest) = target.strip_prefix(parent).and_then(|rest| rest.strip_prefix("::")) else {
            return false;
        };
        let child = rest.split("::").next().unwrap_or(rest);
        let (file, folder) = (format!("hub/src/{parent}/{child}.rs"), format!("hub/src/{parent}/{child}/"));
        let implements = |(path, text): (&str, &str)| {
            (path == file || path.starts_with(&folder)) && text.contains(&format!("impl {name} for "))
        };
        !begins(own, &format!("{parent}::{child}")) && tree.iter().any(implements)
    })
}

/// The module of the hub that a path leads into, if it does.
fn target_module(tree: &Tree, used: &[String]) -> Option<String> {
    if used[0] != "crate" && used[0] != "hub" {
        return None;
    }
    (2..=used.len()).rev().map(|length| used[1..length].join("::")).find(|module| {
        let file = module.replace("::", "/");
        [format!("hub/src/{file}.rs"), format!("hub/src/{file}/mod.rs")]
            .iter()
            .any(|path| tree.get(path).is_some())
    })
}

fn layer_of(module: &str) -> Option<&'static Layer> {
    LAYERS.iter().filter(|layer| begins(module, layer.module)).max_by_key(|layer| layer.module.len())
}

/// Whether a module is `prefix` or lies in it.
fn begins(module: &str, prefix: &str) -> bool {
    module.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The first of `names` that a path is or lies in.
fn forbids<'a>(used: &[String], names: &[&'a str]) -> Option<&'a str> {
    let used = used.join("::");
    names.iter().find(|name| begins(&used, name)).copied()
}

/// A file's module below `src`; of `lib.rs` none, of `main.rs` `main`.
fn module_of(path: &str) -> Vec<String> {
    let below = path.split_once("src/").map_or(path, |(_, below)| below);
    let name = below.trim_end_matches(".rs").trim_end_matches("/mod");
    if name == "lib" { Vec::new() } else { name.split('/').map(str::to_owned).collect() }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn each_path(
    path: &str,
    text: &str,
    module: &[String],
    found: &mut Vec<Violation>,
    judge: impl Fn(&[String]) -> Option<String>,
) {
    match tokens::paths(text, module) {
        Ok(uses) => {
            let broken = |used: &PathUse| Some(Violation::new(path, used.line, judge(&used.path)?));
            found.extend(uses.iter().filter_map(broken));
        }
        Err(error) => found.push(Violation::new(path, 1, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in one file of a hub that has these modules.
    fn found(path: &str, text: &str) -> Vec<String> {
        let mut files = vec![
            ("hub/src/lib.rs", ""),
            ("hub/src/auth/mod.rs", ""),
            ("hub/src/config.rs", ""),
            ("hub/src/http/mod.rs", ""),
            ("hub/src/room/mod.rs", ""),
            ("hub/src/server.rs", ""),
            ("hub/src/session.rs", ""),
            ("hub/src/store/mod.rs", ""),
            ("hub/src/store/op.rs", ""),
            ("hub/src/store/memory.rs", "impl Store for MemoryStore {}"),
            ("hub/src/store/sqlite/mod.rs", "impl Store for SqliteStore {}"),
            ("hub/src/store/sqlite/read.rs", ""),
            ("hub/src/broker/mod.rs", ""),
            ("hub/src/broker/local.rs", "impl Broker for LocalBroker {}"),
        ];
        files.retain(|(other, _)| *other != path);
        files.push((path, text));
        check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn planted_violations_are_found() {
        for (path, text, expected) in [
            ("protocol/src/lib.rs", "use tokio::time::sleep;", "names tokio: protocol is pure"),
            (
                "protocol/src/client/mod.rs",
                "fn f() { std::time::Instant::now(); }",
                "names std::time::Instant",
            ),
            ("protocol/src/lib.rs", "use wasm_bindgen::prelude::*;", "knows no browser"),
            ("client-wasm/src/lib.rs", "use hub::store::Store;", "knows no server"),
            ("hub/src/session.rs", "use crate::room::Rooms;", "session uses room"),
            ("hub/src/session.rs", "use crate::store::{Op, Store};", "names the trait Store"),
            (
                "hub/src/session.rs",
                "use std::time::{self, Instant}; fn f() { Instant::now() }",
                "session is pure",
            ),
            ("hub/src/session/mod.rs", "async fn f() { tokio::task::yield_now().await }", "session is pure"),
            (
                "hub/src/room/feed.rs",
                "use super::writer::Writer; use crate::room::RoomHub;",
                "room::feed uses room",
            ),
            ("hub/src/room/feed.rs", "use axum::body::Bytes;", "room::feed is pure"),
            ("hub/src/http/rooms.rs", "use crate::server::Deps;", "http uses server"),
            ("hub/src/http/rooms.rs", "use sqlx::query;", "SQL lives in store/ alone"),
            ("hub/src/http/rooms.rs", "use crate::store::sqlite::SqliteStore;", "only server names adapters"),
            (
                "hub/src/http/rooms.rs",
                "use crate::store; type S = store::memory::MemoryStore;",
                "only server names adapters",
            ),
            (
                "hub/src/room/writer.rs",
                "use crate::broker::local::LocalBroker;",
                "only server names adapters",
            ),
            ("hub/src/store/memory.rs", "use super::sqlite::SqliteStore;", "only server names adapters"),
            (
                "hub/src/store/mod.rs",
                "pub use sqlite::SqliteStore; mod sqlite;",
                "only server names adapters",
            ),
            ("hub/src/auth/mod.rs", "fn f() { std::env::var(\"X\"); }", "read in config alone"),
            ("hub/src/main.rs", "use hub::room::Rooms;", "main uses room"),
            ("hub/src/newcomer.rs", "", "no place in the table"),
            ("hub/src/http/rooms.rs", "fn f( {", "is not Rust"),
        ] {
            let found = found(path, text);
            assert!(
                found.iter().any(|one| one.starts_with(path) && one.contains(expected)),
                "{path} {text}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_allowed_is_not_found() {
        for (path, text) in [
            ("protocol/src/lib.rs", "use std::time::Duration; #[cfg(test)] mod tests { use tokio::test; }"),
            (
                "hub/src/session.rs",
                "use protocol::RoomId; use std::time::Instant; use crate::store::op::Append;",
            ),
            (
                "hub/src/http/rooms.rs",
                "use crate::{auth::Auth, session, store::op::Append}; use super::error;",
            ),
            (
                "hub/src/server.rs",
                "use crate::{store::sqlite::SqliteStore, broker::local::LocalBroker, http};",
            ),
            ("hub/src/server/build.rs", "use crate::store::memory::MemoryStore;"),
            (
                "hub/src/store/sqlite/mod.rs",
                "use super::op::Append; use sqlx::query; mod read; use read::page;",
            ),
            ("hub/src/store/sqlite/read.rs", "use super::open; use crate::store::Store; use crate::rules;"),
            ("hub/src/config.rs", "fn f() { std::env::var(\"X\"); }"),
            ("hub/src/room/tests.rs", "use crate::store::memory::MemoryStore;"),
            ("hub/src/main.rs", "use hub::{config::Config, server};"),
        ] {
            assert_eq!(found(path, text), Vec::<String>::new(), "{path} {text}");
        }
    }
}
