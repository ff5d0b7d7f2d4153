//! Runs README's walk with curl against a real hub, so that what it shows keeps working.

use crate::cmd::Cmd;
use crate::report::{Outcome, Report};
use crate::{e2e, host};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The address that README names.
const ADDRESS: &str = "http://127.0.0.1:8080";
/// What the walk must bring back in the end.
const SAID: &str = "hello from curl";
/// How long the hub may take to listen.
const START: Duration = Duration::from_secs(30);

/// The step that takes README at its word.
pub(crate) fn check(report: &Report) {
    report.step_after(&["hub"], "readme", "the walk with curl, word for word", || {
        if host::which("curl").is_none() {
            return Ok(Outcome::Skipped("curl is not installed".to_owned()));
        }
        let readme = fs::read_to_string(host::root().join("README.md"))?;
        let walk = walk(&readme).context("README.md shows no walk with curl")?;
        let folder = host::state_dir().join("readme");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let (mut hub, log) = start(&folder)?;
        let answer = address(&log).and_then(|address| {
            let script = format!("set -euo pipefail\n{}", walk.replace(ADDRESS, &address));
            Cmd::new("bash").arg("-c").arg(script).read()
        });
        hub.kill()?;
        hub.wait()?;
        let answer = answer?;
        if !answer.lines().last().is_some_and(|last| last.contains(SAID)) {
            bail!("the walk did not read back what it said:\n{answer}");
        }
        Ok(Outcome::Done)
    });
}

/// The first block of shell commands that uses the address.
fn walk(readme: &str) -> Option<&str> {
    readme
        .split("```bash\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .find(|block| block.contains(ADDRESS))
}

fn start(folder: &Path) -> Result<(Child, std::path::PathBuf)> {
    let log = folder.join("hub.log");
    let out = File::create(&log)?;
    let hub = Command::new(e2e::hub_binary())
        .env("LISTEN", "127.0.0.1:0")
        .env("HUB_DATA", folder.join("data"))
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .context("failed to start the hub")?;
    Ok((hub, log))
}

/// Where the hub says that it listens.
fn address(log: &Path) -> Result<String> {
    let start = host::now();
    loop {
        let text = fs::read_to_string(log)?;
        if let Some(address) = listening(&text) {
            return Ok(address.to_owned());
        }
        if start.elapsed() > START {
            bail!("the hub did not say within {} s where it listens:\n{text}", START.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn listening(log: &str) -> Option<&str> {
    let line = log.lines().find(|line| line.contains("listening on "))?;
    let address = &line[line.find("http://")?..];
    Some(address.split([' ', '"', '\u{1b}']).next().unwrap_or(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_and_the_address_are_found() {
        let readme = "```bash\nls\n```\n```bash\nhub=http://127.0.0.1:8080\n```\n";
        assert_eq!(walk(readme), Some("hub=http://127.0.0.1:8080\n"));
        assert_eq!(listening("x\nINFO listening on http://127.0.0.1:41 node=a"), Some("http://127.0.0.1:41"));
        assert_eq!(listening("INFO listening on http://127.0.0.1:41\u{1b}[0m"), Some("http://127.0.0.1:41"));
        assert_eq!(listening("starting"), None);
    }
}
