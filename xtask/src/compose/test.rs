//! Runs docker-compose.yml for real: it refuses without secrets, three hubs come up healthy, Nginx sends
//! to each of them, two browsers on different hubs talk while one hub dies, and ten hubs are one command.

use super::engine::Engine;
use super::{docker, secrets};
use crate::cli::ComposeTestArgs;
use crate::cmd::Cmd;
use crate::host;
use crate::report::{self, Outcome};
use anyhow::{Context, Result, bail, ensure};
use cluster::{draw_secret, free_ports, get};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

/// Hubs that docker-compose.yml names, and how many more are asked for afterwards.
const HUBS: usize = 3;
const HUBS_SCALED: usize = 10;
/// Ports that the hubs may take: some more than hubs, for one that starts again takes the next.
const HUB_PORTS: u16 = 16;
/// Where a block of free ports is looked for.
const PORTS_FROM: u16 = 18_001;
/// How long building and starting may take; inside, everything is compiled.
const UP_DEADLINE: Duration = Duration::from_secs(60 * 60);
/// How long hubs may take until all serve.
const HEALTHY_DEADLINE: Duration = Duration::from_secs(120);
const BROWSER_DEADLINE: Duration = Duration::from_secs(10 * 60);
const ASK_DEADLINE: Duration = Duration::from_secs(5);
/// What a hub says that has all it needs.
const PARTS: [&str; 2] = ["\"store\":\"ok\"", "\"broker\":\"ok\""];
/// Requests while a hub dies: some before, and on until its absence has been noticed for a while.
const ASKED: u32 = 120;
const ASK_PAUSE: Duration = Duration::from_millis(50);
const POLL: Duration = Duration::from_millis(250);

/// Runs the test; ends and removes what it started.
pub(super) fn run(engine: &Engine, args: &ComposeTestArgs) -> Result<Outcome> {
    refuses_without_secrets(engine)?;
    let stack = Stack::new(engine, args)?;
    stack.compose().args(["up", "-d", "--build"]).within(UP_DEADLINE).quiet("compose-up")?;
    report::line("  docker-compose.yml is up");
    let user = docker(&["image", "inspect", "--format", "{{.Config.User}}", &stack.image]).read()?;
    ensure!(user == "10001:10001", "the image runs as {user:?}");
    stack.all_serve(HUBS)?;
    let metrics = get(stack.port, "/metrics", ASK_DEADLINE)?;
    ensure!(metrics == Err(404), "Nginx lets the outside read /metrics: {metrics:?}");
    stack.outlives_a_hub()?;
    stack.all_serve(HUBS)?;
    stack.browsers()?;
    stack.all_serve(HUBS)?;
    let scale = format!("hub={HUBS_SCALED}");
    stack.compose().args(["up", "-d", "--no-build", "--scale", &scale]).quiet("compose-scale")?;
    stack.all_serve(HUBS_SCALED)?;
    Ok(Outcome::Told(format!("{HUBS} hubs, two browsers, one hub killed, {HUBS_SCALED} hubs")))
}

/// Without secrets the file is refused, and the refusal says which is missing and what to do.
fn refuses_without_secrets(engine: &Engine) -> Result<()> {
    for missing in secrets::NAMES {
        let mut config = engine.compose().args(["config", "-q"]);
        for name in secrets::NAMES {
            config = config.env(name, if name == missing { "" } else { "given" });
        }
        match config.read() {
            Ok(_) => bail!("docker-compose.yml is taken without {missing}"),
            Err(error) => {
                let text = format!("{error:#}");
                let wanted = format!("{missing} is not set, run `cargo xtask compose env`");
                ensure!(text.contains(&wanted), "what is said without {missing} does not help: {text}");
            }
        }
    }
    Ok(())
}

/// A cluster of docker-compose.yml under a name, on ports and with secrets of its own.
struct Stack<'a> {
    engine: &'a Engine,
    project: String,
    image: String,
    port: u16,
    hub_ports: (u16, u16),
    secrets: Vec<(&'static str, String)>,
    target: &'static str,
    keep: bool,
}

/// A hub's container.
#[derive(Debug)]
struct Hub {
    id: String,
    status: String,
}

impl<'a> Stack<'a> {
    fn new(engine: &'a Engine, args: &ComposeTestArgs) -> Result<Self> {
        let project = format!("hubbub-test-{}", std::process::id());
        let drawn = secrets::NAMES.into_iter().map(|name| Ok((name, draw_secret()?)));
        Ok(Self {
            engine,
            image: format!("{project}:local"),
            project,
            port: free_ports(&[0])?[0],
            hub_ports: block_of_ports()?,
            secrets: drawn.collect::<Result<_>>()?,
            target: if args.inside { "runtime" } else { "prebuilt" },
            keep: args.keep,
        })
    }

    fn compose(&self) -> Cmd {
        let (first, last) = self.hub_ports;
        let compose = self.engine.compose().args(["-p", &self.project]);
        let compose = self.secrets.iter().fold(compose, |compose, (name, value)| compose.env(name, value));
        compose
            .env("HUB_IMAGE", &self.image)
            .env("HUB_BUILD_TARGET", self.target)
            .env("HUB_PORTS", format!("{first}-{last}"))
            .env("HTTP_PORT", self.port.to_string())
    }

    fn hubs(&self) -> Result<Vec<Hub>> {
        let project = format!("label=com.docker.compose.project={}", self.project);
        let service = "label=com.docker.compose.service=hub";
        let filters = ["--filter", &project, "--filter", service];
        let listed = docker(&["ps", "-a", "--format", "{{.ID}} {{.Status}}"]).args(filters).read()?;
        let hubs = listed.lines().filter_map(|line| line.split_once(' '));
        Ok(hubs.map(|(id, status)| Hub { id: id.to_owned(), status: status.to_owned() }).collect())
    }

    /// Waits until so many hubs are healthy, each on a port of its own, and Nginx sends to each.
    fn all_serve(&self, count: usize) -> Result<()> {
        let mut hubs = Vec::new();
        until(&format!("{count} healthy hubs"), || {
            hubs = self.hubs()?;
            let healthy = hubs.iter().filter(|hub| hub.status.contains("(healthy)")).count();
            Ok(if healthy == count && hubs.len() == count { Ok(()) } else { Err(format!("{hubs:?}")) })
        })?;
        let mut ids = BTreeSet::new();
        for hub in &hubs {
            let published = docker(&["port", &hub.id, "8080/tcp"]).read()?;
            let port = published.lines().find_map(|line| line.strip_prefix("127.0.0.1:")?.parse().ok());
            let port: u16 = port.with_context(|| format!("hub {} has no port: {published:?}", hub.id))?;
            let (first, last) = self.hub_ports;
            ensure!((first..=last).contains(&port), "hub {} is on port {port}", hub.id);
            let ready = get(port, "/ready", ASK_DEADLINE)?;
            let has_parts = |ready: &String| PARTS.iter().all(|part| ready.contains(part));
            ensure!(ready.as_ref().is_ok_and(has_parts), "hub {} is not well: {ready:?}", hub.id);
            let id = server_id(port)?;
            ensure!(id == hub.id, "port {port} is that of hub {}, and {id} answers", hub.id);
            ids.insert(id);
        }
        ensure!(ids.len() == count, "{count} hubs have the names {ids:?}");
        let mut seen = BTreeSet::new();
        until("Nginx sends to each hub", || {
            seen.insert(server_id(self.port)?);
            Ok(if seen == ids { Ok(()) } else { Err(format!("{seen:?} of {ids:?}")) })
        })?;
        // Each has its turn: those that are asked one after another have equally little to do.
        let turns = (0..count).map(|_| server_id(self.port)).collect::<Result<BTreeSet<_>>>()?;
        ensure!(turns.len() > 1, "Nginx sent {count} requests to {turns:?}");
        report::line(&format!("  {count} hubs are healthy, and Nginx sends to each"));
        Ok(())
    }

    /// A hub is killed under requests, none of which fails, and comes back.
    fn outlives_a_hub(&self) -> Result<()> {
        let hubs = self.hubs()?;
        let hub = &hubs.first().context("there is no hub")?.id;
        let killed_at = ASKED / 8;
        for n in 0..ASKED {
            if n == killed_at {
                docker(&["kill", hub]).read()?;
            }
            server_id(self.port)
                .with_context(|| format!("request {n}, the hub being killed at {killed_at}"))?;
            thread::sleep(ASK_PAUSE);
        }
        docker(&["start", hub]).read()?;
        report::line(&format!("  a hub was killed among {ASKED} requests, and each was answered"));
        Ok(())
    }

    /// Two people at browsers, on different hubs, one of which is killed.
    fn browsers(&self) -> Result<()> {
        Cmd::npm("npx", &["--no-install", "playwright", "test", "--project", "compose"])
            .env("HUBBUB_FRONT_PORT", self.port.to_string())
            .within(BROWSER_DEADLINE)
            .show()
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if self.keep {
            report::line(&format!("  {} stays, on port {}", self.project, self.port));
            return;
        }
        let logs = self.compose().args(["logs", "--no-color"]).quiet("compose-logs");
        let down = self.compose().args(["down", "--volumes", "--remove-orphans"]).quiet("compose-down");
        let removed = docker(&["image", "rm", &self.image]).quiet("compose-image");
        for error in [logs, down, removed].into_iter().filter_map(Result::err) {
            report::line(&format!("{error:#}"));
        }
    }
}

/// The first block of ports that are all free.
fn block_of_ports() -> Result<(u16, u16)> {
    for first in (PORTS_FROM..PORTS_FROM + 40 * HUB_PORTS).step_by(HUB_PORTS.into()) {
        let wishes: Vec<u16> = (first..first + HUB_PORTS).collect();
        if free_ports(&wishes)? == wishes {
            return Ok((first, first + HUB_PORTS - 1));
        }
    }
    bail!("there are no {HUB_PORTS} free ports in a row from {PORTS_FROM} on")
}

/// Who answers on a port of this machine.
fn server_id(port: u16) -> Result<String> {
    let answer =
        get(port, "/health", ASK_DEADLINE).with_context(|| format!("port {port} does not answer"))?;
    let Ok(body) = answer else { bail!("port {port} is not well: {answer:?}") };
    let id = body.split_once("\"server_id\":\"").and_then(|(_, rest)| rest.split_once('"'));
    id.map(|(id, _)| id.to_owned()).with_context(|| format!("port {port} has no name: {body}"))
}

/// Asks until it holds; a failure to ask counts as not yet.
fn until(what: &str, mut holds: impl FnMut() -> Result<Result<(), String>>) -> Result<()> {
    let start = host::now();
    loop {
        let last = match holds() {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(last)) => last,
            Err(error) => format!("{error:#}"),
        };
        if start.elapsed() > HEALTHY_DEADLINE {
            bail!("waited {} s for this: {what}; at last there were {last}", HEALTHY_DEADLINE.as_secs());
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use crate::host;
    use std::fs;

    fn read(path: &str) -> String {
        fs::read_to_string(host::root().join(path)).unwrap()
    }

    #[test]
    fn the_image_gets_every_folder_of_the_workspace() {
        let manifest = read("Cargo.toml");
        let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
        let ignored = read(".dockerignore");
        for member in members.split('"').skip(1).step_by(2) {
            let folder = member.split('/').next().unwrap();
            assert!(ignored.lines().any(|line| line == format!("!{folder}")), "{folder}");
        }
        assert!(ignored.lines().any(|line| line == "!target/image"));
        assert!(read("Dockerfile").contains(&format!("ARG HUB={}\n", super::super::PREBUILT)));
    }

    #[test]
    fn the_image_is_built_by_the_pinned_compiler() {
        let pinned = read("rust-toolchain.toml");
        let pinned = pinned.split('"').nth(1).unwrap();
        let dockerfile = read("Dockerfile");
        assert!(dockerfile.contains(&format!("FROM rust:{pinned}-")), "{pinned}");
        assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={pinned} ")), "{pinned}");
    }

    #[test]
    fn every_base_of_the_quick_image_has_a_stand_in_of_that_version() {
        let files = read("docker-compose.yml") + &read("Dockerfile");
        for image in super::super::stand_ins::ALL {
            let named =
                |before: &str| files.lines().any(|line| line.trim().strip_prefix(before) == Some(image.name));
            assert!(
                named("image: ") || files.contains(&format!("FROM {} AS base\n", image.name)),
                "{}",
                image.name
            );
        }
    }
}
