//! A cluster's folder: what it is made of, on which ports, and where each part keeps its files.

use crate::components::Component;
use crate::{files, ports, postgres};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The line of `nginx.conf` that names the port.
const LISTEN: &str = "listen 8080;";
/// The port that a cluster is reached at, and the hubs' first, where they are free.
const PORTS: (u16, u16) = (8080, 8001);
/// Most hubs of one machine.
const NODES_MAX: usize = 32;

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its folder.
    pub dir: PathBuf,
    /// The hub's program.
    pub hub: PathBuf,
    /// `nginx.conf` of the project.
    pub nginx_conf: PathBuf,
    /// How many hubs.
    pub nodes: usize,
    /// The port that it is reached at; any free one without it.
    pub port: Option<u16>,
    /// Take the usual ports where they are free, as a person would like it; else any.
    pub usual_ports: bool,
    /// Further settings of the hubs.
    pub hub_env: BTreeMap<String, String>,
}

/// A cluster's folder. It is described in the file `cluster.env`, a `NAME=value` a line.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
    hub: PathBuf,
    ports: Ports,
    hub_env: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ports {
    nginx: u16,
    postgres: u16,
    redis: u16,
    hubs: Vec<u16>,
}

impl Layout {
    pub(crate) fn make(spec: Spec) -> Result<Self> {
        ensure!((1..=NODES_MAX).contains(&spec.nodes), "a cluster has from 1 to {NODES_MAX} nodes");
        for folder in ["log", "pid", "redis", "nginx/site.d", "nginx/tmp"] {
            files::make_dir(&spec.dir.join(folder))?;
        }
        let dir = spec.dir.canonicalize()?;
        let hub = spec.hub.canonicalize().with_context(|| format!("no hub at {}", spec.hub.display()))?;
        let layout = Self { ports: Ports::find(&spec)?, dir, hub, hub_env: spec.hub_env };
        files::secret(&layout.secret_file("jwt"))?;
        files::secret(&layout.secret_file("postgres"))?;
        postgres::make(&layout)?;
        layout.write_nginx(&spec.nginx_conf)?;
        files::write(&layout.dir.join("cluster.env"), &layout.description())?;
        Ok(layout)
    }

    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join("cluster.env");
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)?;
        let read = || Self::parse(&dir.canonicalize().ok()?, &text);
        read().map(Some).with_context(|| format!("{} does not describe a cluster", path.display()))
    }

    fn description(&self) -> String {
        let Ports { nginx, postgres, redis, hubs } = &self.ports;
        let hubs = hubs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mut text = format!(
            "HUB={}\nPORT={nginx}\nPOSTGRES_PORT={postgres}\nREDIS_PORT={redis}\nHUB_PORTS={hubs}\n",
            self.hub.display(),
        );
        for (name, value) in &self.hub_env {
            text.push_str(&format!("HUB_ENV_{name}={value}\n"));
        }
        text
    }

    fn parse(dir: &Path, text: &str) -> Option<Self> {
        let values: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let port = |name| values.get(name)?.parse().ok();
        let hubs = values.get("HUB_PORTS")?.split(' ').map(|port| port.parse().ok());
        let hub_env = values.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix("HUB_ENV_")?.to_owned(), (*value).to_owned()))
        });
        Some(Self {
            dir: dir.to_owned(),
            hub: PathBuf::from(values.get("HUB")?),
            ports: Ports {
                nginx: port("PORT")?,
                postgres: port("POSTGRES_PORT")?,
                redis: port("REDIS_PORT")?,
                hubs: hubs.collect::<Option<_>>()?,
            },
            hub_env: hub_env.collect(),
        })
    }

    fn write_nginx(&self, conf: &Path) -> Result<()> {
        let text = fs::read_to_string(conf).with_context(|| format!("failed to read {}", conf.display()))?;
        if text.matches(LISTEN).count() != 1 {
            bail!("{} does not say `{LISTEN}` once", conf.display());
        }
        let text = text.replace(LISTEN, &format!("listen 127.0.0.1:{};", self.port()));
        let folder = self.nginx();
        files::write(&folder.join("nginx.conf"), &text)?;
        let servers = self.ports.hubs.iter();
        let servers = servers.map(|port| format!("server 127.0.0.1:{port} max_fails=0;\n"));
        files::write(&folder.join("hubs.conf"), &servers.collect::<String>())?;
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.iter().map(|kind| format!("{kind}_temp_path tmp/{kind};\n"));
        let paths = temporary.chain(["access_log ../log/nginx-access.log;\n".to_owned()]);
        files::write(&folder.join("site.d/paths.conf"), &paths.collect::<String>())
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The hub's program.
    #[must_use]
    pub fn hub(&self) -> &Path {
        &self.hub
    }

    /// How many hubs there are.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.ports.hubs.len()
    }

    /// The port that the cluster is reached at.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.ports.nginx
    }

    /// The port of a hub, counted from one.
    #[must_use]
    pub fn hub_port(&self, number: usize) -> u16 {
        self.ports.hubs[number - 1]
    }

    /// The port of Redis.
    #[must_use]
    pub const fn redis_port(&self) -> u16 {
        self.ports.redis
    }

    /// The port of Postgres.
    #[must_use]
    pub const fn postgres_port(&self) -> u16 {
        self.ports.postgres
    }

    /// Where the hubs' database is, with its password.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn database_url(&self) -> Result<String> {
        let (name, password) = (postgres::NAME, self.secret("postgres")?);
        Ok(format!("postgres://{name}:{password}@127.0.0.1:{}/postgres", self.postgres_port()))
    }

    /// The file that a component logs into.
    #[must_use]
    pub fn log(&self, component: Component) -> PathBuf {
        self.dir.join(format!("log/{component}.log"))
    }

    pub(crate) fn pid_file(&self, component: Component) -> PathBuf {
        self.dir.join(format!("pid/{component}"))
    }

    pub(crate) fn nginx(&self) -> PathBuf {
        self.dir.join("nginx")
    }

    pub(crate) const fn hub_env(&self) -> &BTreeMap<String, String> {
        &self.hub_env
    }

    pub(crate) fn secret(&self, of: &str) -> Result<String> {
        files::secret(&self.secret_file(of))
    }

    fn secret_file(&self, of: &str) -> PathBuf {
        self.dir.join(format!("secret-{of}"))
    }
}

impl Ports {
    /// The ports that a cluster in this folder had before, as far as they are free.
    fn find(spec: &Spec) -> Result<Self> {
        let before = Layout::read(&spec.dir)?.map(|layout| layout.ports);
        let usual = |port: usize| if spec.usual_ports { u16::try_from(port).unwrap_or(0) } else { 0 };
        let had = |port: fn(&Self) -> u16| before.as_ref().map_or(0, port);
        let nginx = spec.port.unwrap_or_else(|| usual(PORTS.0.into()));
        let mut wishes = vec![nginx, had(|ports| ports.postgres), had(|ports| ports.redis)];
        wishes.extend((0..spec.nodes).map(|at| usual(usize::from(PORTS.1) + at)));
        let mut found = ports::free(&wishes)?;
        if let Some(port) = spec.port
            && port != found[0]
        {
            bail!("port {port} is taken");
        }
        let hubs = found.split_off(3);
        Ok(Self { nginx: found[0], postgres: found[1], redis: found[2], hubs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_as_it_was_written() {
        let layout = Layout {
            dir: PathBuf::from("/somewhere"),
            hub: PathBuf::from("/bin/hub"),
            ports: Ports { nginx: 1, postgres: 2, redis: 3, hubs: vec![4, 5] },
            hub_env: BTreeMap::from([("RUST_LOG".to_owned(), "hub=debug".to_owned())]),
        };
        let read = Layout::parse(&layout.dir, &layout.description()).unwrap();
        assert_eq!((read.hub(), &read.ports, &read.hub_env), (layout.hub(), &layout.ports, &layout.hub_env));
        assert!(Layout::parse(&layout.dir, "HUB=x\nPORT=1\n").is_none());
    }

    #[test]
    fn the_projects_configuration_names_its_port_once() {
        let conf = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nginx.conf");
        assert_eq!(fs::read_to_string(conf).unwrap().matches(LISTEN).count(), 1);
    }
}
