//! The container engine of this machine and its compose, of either generation.

use crate::cmd::Cmd;
use crate::host;
use anyhow::{Result, bail};

/// An engine that answers.
pub(super) struct Engine {
    version: String,
    compose: Vec<&'static str>,
    compose_version: String,
}

impl Engine {
    /// The engine, if one answers.
    ///
    /// # Errors
    /// When it has no compose.
    pub(super) fn find() -> Result<Option<Self>> {
        if host::which("docker").is_none() {
            return Ok(None);
        }
        // Without a server it prints an error, and in some versions nothing and succeeds.
        let info = Cmd::new("docker").args(["info", "--format", "{{.ServerVersion}}"]).read();
        let Some(version) = info.ok().filter(|version| !version.is_empty()) else { return Ok(None) };
        for compose in [vec!["docker", "compose"], vec!["docker-compose"]] {
            let asked = Cmd::new(compose[0]).args(&compose[1..]).args(["version", "--short"]).read();
            if let Ok(compose_version) = asked {
                return Ok(Some(Self { version, compose, compose_version }));
            }
        }
        bail!("the engine answers, but there is no `docker compose` and no docker-compose: install one");
    }

    /// What it is.
    pub(super) fn told(&self) -> String {
        format!("docker {}, {} {}", self.version, self.compose.join(" "), self.compose_version)
    }

    /// Its compose, for the project's file.
    pub(super) fn compose(&self) -> Cmd {
        Cmd::new(self.compose[0]).args(&self.compose[1..])
    }
}
