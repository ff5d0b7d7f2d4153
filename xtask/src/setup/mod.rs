//! Brings what a fresh machine lacks: Node.js, the page's packages, a browser, a wasm toolchain.
//! What is there already is left alone; what cannot be installed is named with the command to run.

mod apt;
mod wasm;

pub(crate) use wasm::toolchain;

use crate::cmd::Cmd;
use crate::host;
use crate::report::Outcome;
use crate::stamp::Stamp;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The first Node.js that runs the page's tools, and the first of the next line that does.
const NODE_MIN: [(u32, u32); 2] = [(20, 19), (22, 12)];

/// Makes sure that Node.js and npm are there.
pub(crate) fn node() -> Result<Outcome> {
    if let Some(version) = node_version() {
        return Ok(Outcome::Told(version));
    }
    let found = Cmd::new("node").arg("--version").read().unwrap_or_else(|_| "none".to_owned());
    if apt::is_here() {
        apt::install(&["nodejs", "npm"])?;
    }
    match node_version() {
        Some(version) => Ok(Outcome::Told(version)),
        None => bail!(
            "Node.js 20.19, 22.12 or later is needed, with npm (found: {found}); install it and run this again"
        ),
    }
}

fn node_version() -> Option<String> {
    host::which("npm")?;
    let version = Cmd::new("node").arg("--version").read().ok()?;
    node_is_enough(&version).then_some(version)
}

fn node_is_enough(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else { return false };
    let [old, new] = NODE_MIN;
    (major == old.0 && minor >= old.1) || (major, minor) >= new
}

/// Installs the page's packages, exactly as its lock file names them.
pub(crate) fn npm() -> Result<Outcome> {
    let node = Cmd::new("node").arg("--version").read()?;
    let stamp = Stamp::of("npm", &["web/package.json", "web/package-lock.json", "web/.npmrc"], &[node])?;
    if stamp.is_fresh(&[host::root().join("web/node_modules")]) {
        return Ok(Outcome::Fresh);
    }
    Cmd::npm("npm", &["ci", "--no-audit", "--no-fund"]).quiet("npm")?;
    stamp.keep()?;
    Ok(Outcome::Done)
}

/// Makes sure that a Chromium for the browser tests is there.
pub(crate) fn browser() -> Result<Outcome> {
    let chromium = || ["chromium", "chromium-browser"].iter().find_map(|name| host::which(name));
    if chromium().is_none() && apt::is_here() {
        apt::install(&["chromium", "fonts-dejavu-core", "fonts-noto-color-emoji"])?;
    }
    match chromium() {
        Some(path) => Ok(Outcome::Told(path.display().to_string())),
        None => bail!("Chromium is needed for the browser tests; install it and run this again"),
    }
}

/// Makes sure that what the Rust tests start beside the hub is there.
pub(crate) fn servers() -> Result<Outcome> {
    ensure("the tests", "postgres, redis, nginx, openssl", || {
        let openssl = host::which("openssl").is_none().then_some("openssl");
        cluster_packages().into_iter().chain(openssl).collect()
    })
}

/// Makes sure that what a cluster is made of is there.
pub(crate) fn cluster() -> Result<Outcome> {
    ensure("a cluster", "postgres, redis, nginx", cluster_packages)
}

/// Makes sure that what makes stand-ins of images is there.
pub(crate) fn debootstrap() -> Result<Outcome> {
    ensure("stand-ins", "debootstrap", || {
        host::which("debootstrap").is_none().then_some("debootstrap").into_iter().collect()
    })
}

fn cluster_packages() -> Vec<&'static str> {
    ::cluster::missing().iter().map(|missing| missing.package).collect()
}

fn ensure(user: &str, told: &str, missing: impl Fn() -> Vec<&'static str>) -> Result<Outcome> {
    let needed = missing();
    if !needed.is_empty() && apt::is_here() {
        apt::install(&needed)?;
    }
    match missing().as_slice() {
        [] => Ok(Outcome::Told(told.to_owned())),
        packages => bail!("{} are needed for {user}; install them and run this again", packages.join(", ")),
    }
}

/// The folder of the toolchain that compiles the hub.
fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(Cmd::new("rustc").args(["--print", "sysroot"]).read()?))
}

/// A compiler's release, such as `(1, 95)`.
fn rust_release(rustc: &Path) -> Option<(u32, u32)> {
    parse_release(&Cmd::new(rustc).arg("--version").read().ok()?)
}

fn parse_release(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(' ').nth(1)?.split('.').map_while(|part| part.parse::<u32>().ok());
    Some((parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_that_the_page_needs() {
        for (version, enough) in [
            ("v18.20.4", false),
            ("v20.18.1", false),
            ("v20.19.0", true),
            ("v20.20.2", true),
            ("v21.7.0", false),
            ("v22.11.0", false),
            ("v22.12.0", true),
            ("v24.0.0", true),
            ("nonsense", false),
        ] {
            assert_eq!(node_is_enough(version), enough, "{version}");
        }
    }

    #[test]
    fn compiler_releases() {
        assert_eq!(parse_release("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some((1, 96)));
        assert_eq!(parse_release("rustc 1.97.0-nightly (e50 2026-05-19)"), Some((1, 97)));
        assert_eq!(parse_release("rustc"), None);
    }
}
