//! Builds the browser's client: compiles `client-wasm`, then makes its JavaScript module in
//! `web/src/wasm`.

use crate::cmd::Cmd;
use crate::host;
use crate::report::{Outcome, Report};
use crate::setup;
use crate::stamp::Stamp;
use anyhow::Result;
use std::fs;
use std::path::PathBuf;

const INPUTS: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "protocol/Cargo.toml",
    "protocol/src",
    "client-wasm",
    ".cargo",
    "rust-toolchain.toml",
    "xtask/wasm-bind",
];

/// Builds the client.
pub(crate) fn build(report: &Report) {
    report.step("wasm", "compiling the browser's client (the first time takes about a minute)", build_client);
}

fn build_client() -> Result<Outcome> {
    let toolchain = setup::toolchain()?;
    let version = toolchain.version()?;
    let stamp = Stamp::of("wasm", &INPUTS, std::slice::from_ref(&version))?;
    let module = host::root().join("web/src/wasm");
    if stamp.is_fresh(&[module.join("client.js"), module.join("client_bg.wasm")]) {
        return Ok(Outcome::Fresh);
    }
    let target_dir = host::target_dir().join("wasm");
    toolchain
        .cargo_build()
        .args(["--profile", "wasm-release", "-p", "client-wasm", "--target-dir"])
        .arg(&target_dir)
        .quiet("wasm")?;
    let compiled = target_dir.join("wasm32-unknown-unknown/wasm-release/client_wasm.wasm");
    let tool = build_bindgen()?;
    fs::create_dir_all(&module)?;
    Cmd::new(tool).arg(compiled).arg(&module).quiet("wasm-bind")?;
    stamp.keep()?;
    let bytes = fs::metadata(module.join("client_bg.wasm"))?.len();
    Ok(Outcome::Told(format!("{} KB, by {version}", bytes.div_ceil(1000))))
}

/// Builds wasm-bindgen's tool. A crate of its own, since it takes long to compile.
fn build_bindgen() -> Result<PathBuf> {
    Cmd::cargo(&["build", "--locked", "-p", "xtask-wasm-bind", "--features", "run"])
        .quiet("wasm-bind-build")?;
    Ok(host::target_dir().join("debug/xtask-wasm-bind"))
}
