//! A cluster's real processes on this machine: Postgres, Redis, hubs and Nginx, in one folder and on
//! ports of their own. Starts, ends, kills, halts and asks them; knows nothing of what they serve.

mod components;
mod files;
mod host;
mod http;
mod layout;
mod ports;
mod postgres;
mod process;
mod programs;

pub use components::{Component, Status};
pub use files::{draw_secret, last_lines};
pub use host::which;
pub use http::get;
pub use layout::{Layout, Spec};
pub use ports::{any as free_port, free as free_ports};
pub use programs::{Missing, missing, output};

use anyhow::{Context, Result, bail};
use process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long the database may take to get the hub's schema.
const MIGRATE_DEADLINE: Duration = Duration::from_secs(5 * 60);
/// How long a component may take until it serves.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a component may take to leave in order; a hub has its connections to say goodbye to.
const STOP_DEADLINE: Duration = Duration::from_secs(40);
/// How long a killed process may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);
/// How often what is waited for is looked at.
const POLL: Duration = Duration::from_millis(25);

/// A cluster: what it is made of, and a hand on each part.
#[derive(Clone, Debug)]
pub struct Cluster {
    layout: Layout,
}

impl Cluster {
    /// Lays a cluster out in its folder: ports, secrets, settings. Data that is there stays.
    ///
    /// # Errors
    /// When something of the folder's cannot be written, or the cluster in it is running.
    pub fn lay_out(spec: Spec) -> Result<Self> {
        if let Some(cluster) = Self::open(&spec.dir)?
            && cluster.running().next().is_some()
        {
            bail!("a cluster is running in {}; end it first", spec.dir.display());
        }
        Ok(Self { layout: Layout::make(spec)? })
    }

    /// The cluster of a folder, if there is one.
    ///
    /// # Errors
    /// When what describes it cannot be read.
    pub fn open(dir: &Path) -> Result<Option<Self>> {
        Ok(Layout::read(dir)?.map(|layout| Self { layout }))
    }

    /// Where everything is.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All components, in the order in which they start.
    pub fn components(&self) -> impl Iterator<Item = Component> + use<> {
        let hubs = (1..=self.layout.nodes()).map(Component::Hub);
        [Component::Postgres, Component::Redis].into_iter().chain(hubs).chain([Component::Nginx])
    }

    /// Starts everything that does not run: servers, the schema, hubs, Nginx, each once what it needs
    /// serves. `told` hears of each that serves.
    ///
    /// # Errors
    /// With the end of its log, when a component does not start.
    pub fn up(&self, mut told: impl FnMut(Component)) -> Result<()> {
        for component in [Component::Postgres, Component::Redis] {
            self.start(component)?;
            told(component);
        }
        self.migrate()?;
        let hubs: Vec<_> = (1..=self.layout.nodes()).map(Component::Hub).collect();
        for hub in &hubs {
            self.launch(*hub)?;
        }
        for component in hubs {
            self.wait_until_serving(component, START_DEADLINE)?;
            told(component);
        }
        self.start(Component::Nginx)?;
        told(Component::Nginx);
        Ok(())
    }

    /// Ends all that runs, and nothing else: Nginx first, so that hubs have nobody left to wait for.
    ///
    /// # Errors
    /// When a process does not end.
    pub fn down(&self) -> Result<()> {
        self.stop(Component::Nginx)?;
        let hubs: Vec<_> =
            self.running().filter(|component| matches!(component, Component::Hub(_))).collect();
        for hub in &hubs {
            // One that is halted could not leave in order.
            self.proceed(*hub)?;
            self.signal(*hub, Signal::TERM)?;
        }
        for hub in hubs {
            // Not told again: a second signal tells a hub to leave at once.
            self.end(hub)?;
        }
        self.stop(Component::Redis)?;
        self.stop(Component::Postgres)
    }

    /// Deletes the folder of a cluster that has ended, with all data.
    ///
    /// # Errors
    /// When it runs, or something cannot be deleted.
    pub fn delete(self) -> Result<()> {
        let dir = self.layout.dir();
        if self.running().next().is_some() {
            bail!("a cluster is running in {}; end it first", dir.display());
        }
        postgres::delete(&self.layout)?;
        fs::remove_dir_all(dir).with_context(|| format!("failed to delete {}", dir.display()))
    }

    /// Brings the database to the hub's schema.
    ///
    /// # Errors
    /// When the hub says why not.
    pub fn migrate(&self) -> Result<()> {
        let mut command = self.hub_command(1)?;
        command.arg("migrate");
        let output = output(command, MIGRATE_DEADLINE)?;
        if !output.status.success() {
            bail!("hub migrate failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Starts a component unless it runs, and waits until it serves.
    ///
    /// # Errors
    /// With the end of its log, when it does not.
    pub fn start(&self, component: Component) -> Result<()> {
        self.launch(component)?;
        self.wait_until_serving(component, START_DEADLINE)
    }

    /// Starts a component unless it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&self, component: Component) -> Result<()> {
        if self.pid(component).is_some() {
            return Ok(());
        }
        let command = match component {
            Component::Postgres => postgres::server(&self.layout)?,
            Component::Redis => self.redis_server(),
            Component::Hub(number) => self.hub_command(number)?,
            Component::Nginx => self.nginx(),
        };
        process::start(command, &self.layout.log(component), &self.layout.pid_file(component))
            .with_context(|| format!("failed to start {component}"))
    }

    /// Waits until a component serves.
    ///
    /// # Errors
    /// With the end of its log, when it ends or takes too long.
    pub fn wait_until_serving(&self, component: Component, within: Duration) -> Result<()> {
        let until = host::now() + within;
        while !self.is_serving(component) {
            let has_ended = self.pid(component).is_none();
            if has_ended || host::now() > until {
                let why = if has_ended { "ended" } else { "does not serve in time" };
                let log = self.layout.log(component);
                bail!("{component} {why}; {} ends in:\n{}", log.display(), files::last_lines(&log, 20));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Whether a component answers as one that can be used.
    #[must_use]
    pub fn is_serving(&self, component: Component) -> bool {
        match component {
            Component::Postgres => postgres::is_ready(&self.layout),
            Component::Redis => self.redis(&["ping"]).is_ok_and(|answer| answer == "PONG"),
            Component::Hub(number) => {
                get(self.layout.hub_port(number), "/ready", Duration::from_secs(3)).is_ok_and(|ok| ok.is_ok())
            }
            Component::Nginx => {
                get(self.layout.port(), "/health", Duration::from_secs(3)).is_ok_and(|ok| ok.is_ok())
            }
        }
    }

    /// How a component stands.
    #[must_use]
    pub fn status(&self, component: Component) -> Status {
        match self.pid(component) {
            None => Status::Down,
            Some(pid) if process::is_halted(pid) => Status::Halted(pid),
            Some(pid) if self.is_serving(component) => Status::Serving(pid),
            Some(pid) => Status::Running(pid),
        }
    }

    /// The components that run, in the order in which they start.
    pub fn running(&self) -> impl Iterator<Item = Component> {
        self.components().filter(|component| self.pid(*component).is_some())
    }

    /// The process of a component, if this cluster started it and it still runs.
    #[must_use]
    pub fn pid(&self, component: Component) -> Option<u32> {
        process::running(&self.layout.pid_file(component))
    }

    /// Ends a component in order (a hub drains, Postgres ends its sessions), or by force when that
    /// takes too long. Nothing happens to one that does not run.
    ///
    /// # Errors
    /// When it is still there after that.
    pub fn stop(&self, component: Component) -> Result<()> {
        let signal = if component == Component::Postgres { Signal::INT } else { Signal::TERM };
        self.proceed(component)?;
        self.signal(component, signal)?;
        self.end(component)
    }

    /// Waits until one that was told to has ended, or ends it by force when that takes too long.
    fn end(&self, component: Component) -> Result<()> {
        if self.wait_until_ended(component, STOP_DEADLINE) {
            return Ok(());
        }
        self.kill(component)
    }

    /// Kills a component with no chance to react: `kill -9`, and of Postgres an immediate shutdown,
    /// which is as hard on its data and leaves no processes behind.
    ///
    /// # Errors
    /// When it is still there after that.
    pub fn kill(&self, component: Component) -> Result<()> {
        let signal = if component == Component::Postgres { Signal::QUIT } else { Signal::KILL };
        self.signal(component, signal)?;
        if self.wait_until_ended(component, KILL_DEADLINE) {
            return Ok(());
        }
        bail!("{component} does not end")
    }

    /// Asks a component to end in order (SIGTERM) and does not wait.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn terminate(&self, component: Component) -> Result<()> {
        self.signal(component, Signal::TERM)
    }

    /// Waits until a component has ended; whether it has.
    #[must_use]
    pub fn wait_until_ended(&self, component: Component, within: Duration) -> bool {
        let until = host::now() + within;
        while self.pid(component).is_some() {
            if host::now() > until {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }

    /// Halts a component where it stands (SIGSTOP).
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn halt(&self, component: Component) -> Result<()> {
        self.signal(component, Signal::STOP)
    }

    /// Lets a halted component go on (SIGCONT).
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn proceed(&self, component: Component) -> Result<()> {
        self.signal(component, Signal::CONT)
    }

    /// Has Nginx read its settings again, with new workers (SIGHUP).
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn reload_nginx(&self) -> Result<()> {
        self.signal(Component::Nginx, Signal::HUP)
    }

    /// Runs a command of Redis; its answer as text.
    ///
    /// # Errors
    /// When Redis does not answer, or with an error.
    pub fn redis(&self, args: &[&str]) -> Result<String> {
        let port = self.layout.redis_port().to_string();
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port, "-e"]).args(args);
        programs::read(command)
    }

    /// Runs a statement of SQL in the hubs' database; rows as text.
    ///
    /// # Errors
    /// When Postgres does not answer, or with an error.
    pub fn sql(&self, statement: &str) -> Result<String> {
        postgres::sql(&self.layout, statement)
    }

    fn signal(&self, component: Component, signal: Signal) -> Result<()> {
        process::signal(&self.layout.pid_file(component), signal)
            .with_context(|| format!("failed to signal {component}"))
    }

    fn hub_command(&self, number: usize) -> Result<Command> {
        let layout = &self.layout;
        let name = Component::Hub(number).to_string();
        let mut command = Command::new(layout.hub());
        command
            .env("LISTEN", format!("127.0.0.1:{}", layout.hub_port(number)))
            .env("SERVER_ID", &name)
            .env("HUB_DATA", layout.dir().join(&name))
            .env("DATABASE_URL", layout.database_url()?)
            .env("REDIS_URL", format!("redis://127.0.0.1:{}", layout.redis_port()))
            .env("JWT_SECRET", layout.secret("jwt")?)
            .env("TRUSTED_PROXIES", "127.0.0.1")
            .envs(layout.hub_env())
            .current_dir(layout.dir());
        Ok(command)
    }

    fn redis_server(&self) -> Command {
        let mut command = Command::new("redis-server");
        // Nothing is kept: it carries what the store has.
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--port", &self.layout.redis_port().to_string(), "--dir"]);
        command.arg(self.layout.dir().join("redis"));
        command
    }

    fn nginx(&self) -> Command {
        let folder = self.layout.nginx();
        let user = if host::is_root() { "user root root; " } else { "" };
        let mut command = Command::new(programs::nginx().unwrap_or_else(|| PathBuf::from("nginx")));
        command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
        command.args(["-e", "stderr", "-g", &format!("{user}daemon off; pid nginx.pid;")]);
        command
    }
}
