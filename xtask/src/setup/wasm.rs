//! Finds a compiler for the browser's client, in this order: a wasm target that rustup has
//! installed, Debian's compiler with the standard library's source, a target that rustup fetches.

use super::{apt, parse_release, rust_release, sysroot};
use crate::cmd::Cmd;
use crate::host;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Of the package `lld`.
const DEBIAN_LINKER: &str = "wasm-ld";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// What compiles the client.
pub(crate) enum Toolchain {
    /// The pinned toolchain, which has the target.
    Rustup,
    /// Debian's, which builds the standard library from its source.
    Debian {
        /// The linker, which Debian's packages lack.
        linker: PathBuf,
    },
}

/// Finds a compiler, installing what it needs.
pub(crate) fn toolchain() -> Result<Toolchain> {
    if has_rustup_target()? {
        return Ok(Toolchain::Rustup);
    }
    let mut debian_error = None;
    if apt::is_here() {
        match debian() {
            Ok(toolchain) => return Ok(toolchain),
            Err(error) => debian_error = Some(error),
        }
    }
    let added = Cmd::new("rustup").args(["target", "add", TARGET]).quiet("rustup-target");
    match (added, debian_error) {
        (Ok(()), _) => Ok(Toolchain::Rustup),
        (Err(rustup), None) => Err(rustup),
        (Err(rustup), Some(debian)) => bail!("{debian:#}\nand the other way failed too: {rustup:#}"),
    }
}

fn has_rustup_target() -> Result<bool> {
    Ok(sysroot()?.join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

fn debian() -> Result<Toolchain> {
    let needed = parse_release(&format!("rustc {}", env!("CARGO_PKG_RUST_VERSION")))
        .context("the workspace names no Rust version")?;
    if !debian_is_enough(needed) {
        apt::install(&DEBIAN_PACKAGES)?;
    }
    if !debian_is_enough(needed) {
        bail!("Debian's compiler is older than Rust {}.{} or lacks its source", needed.0, needed.1);
    }
    Ok(Toolchain::Debian { linker: linker()? })
}

/// The linker that comes with rustup's toolchains; where Rust itself is Debian's, that of its `lld`.
fn linker() -> Result<PathBuf> {
    let triple = Cmd::new("rustc").args(["--print", "host-tuple"]).read()?;
    let own = sysroot()?.join("lib/rustlib").join(triple).join("bin/rust-lld");
    if own.is_file() {
        return Ok(own);
    }
    if host::which(DEBIAN_LINKER).is_none() {
        apt::install(&["lld"])?;
    }
    host::which(DEBIAN_LINKER)
        .with_context(|| format!("neither {} nor {DEBIAN_LINKER} is there", own.display()))
}

/// Whether Debian's compiler is there, new enough, with the standard library's source.
fn debian_is_enough(needed: (u32, u32)) -> bool {
    let rustc = Path::new(DEBIAN_RUSTC);
    let source = || {
        let sysroot = Cmd::new(rustc).args(["--print", "sysroot"]).read().ok()?;
        Some(Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock").is_file())
    };
    Path::new(DEBIAN_CARGO).is_file()
        && rust_release(rustc).is_some_and(|release| release >= needed)
        && source().unwrap_or(false)
}

impl Toolchain {
    /// `cargo build` for the browser with this toolchain.
    pub(crate) fn cargo_build(&self) -> Cmd {
        let build = ["build", "--locked", "--target", TARGET];
        match self {
            Self::Rustup => Cmd::cargo(&build),
            Self::Debian { linker } => Cmd::new(DEBIAN_CARGO)
                .args(build)
                .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"])
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker),
        }
    }

    /// The compiler's version: with another one, everything is built anew.
    pub(crate) fn version(&self) -> Result<String> {
        let rustc = match self {
            Self::Rustup => "rustc",
            Self::Debian { .. } => DEBIAN_RUSTC,
        };
        Cmd::new(rustc).arg("--version").read()
    }
}
