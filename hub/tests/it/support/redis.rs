//! Real Redis servers, each in a folder of its own on a free port, killed when dropped.

use super::eventually;
use cluster::free_port;
use fakes::redis::FakeRedis;
use hub::broker::redis::RedisBroker;
use hub::broker::redis::connector::NetConnector;
use hub::broker::redis_url::RedisUrl;
use hub::clock::{Clock, SystemClock};
use hub::random::SystemRandom;
use protocol::NodeId;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub struct RedisServer {
    pub port: u16,
    pub dir: TempDir,
    settings: Vec<String>,
    password: Option<String>,
    child: Option<Child>,
}

fn run(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn start(mut command: Command) -> Child {
    let what = command.get_program().to_string_lossy().into_owned();
    command.spawn().unwrap_or_else(|error| {
        panic!("{what} cannot be run ({error}): apt-get install redis-server, for these tests run real ones")
    })
}

impl RedisServer {
    /// A server with further settings, such as `requirepass secret`.
    pub async fn start(settings: &[&str]) -> Self {
        let mut server = Self::new(settings);
        server.spawn();
        server.answers().await;
        server
    }

    fn new(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let password =
            settings.iter().find_map(|setting| setting.strip_prefix("requirepass ")).map(str::to_owned);
        let settings = settings.iter().map(ToString::to_string).collect();
        Self { port: free_port(), dir, settings, password, child: None }
    }

    /// A sentinel of a master, which it calls `chat`.
    pub async fn sentinel(master: u16) -> Self {
        let mut server = Self::new(&[]);
        server.settings = vec![
            format!("sentinel monitor chat 127.0.0.1 {master} 1"),
            "sentinel down-after-milliseconds chat 1000".to_owned(),
            "sentinel failover-timeout chat 5000".to_owned(),
        ];
        server.spawn_as(&["--sentinel"]);
        server.answers().await;
        server
    }

    fn spawn(&mut self) {
        self.spawn_as(&["--save", "", "--appendonly", "no"]);
    }

    fn spawn_as(&mut self, args: &[&str]) {
        let path = self.dir.path().join("redis.conf");
        let mut text = format!("port {}\nbind 127.0.0.1\ndir {}\n", self.port, self.dir.path().display());
        for setting in &self.settings {
            text.push_str(setting);
            text.push('\n');
        }
        if !path.exists() {
            std::fs::write(&path, text).unwrap();
        }
        let mut command = run("redis-server", &[path.to_str().unwrap()]);
        command.args(args);
        self.child = Some(start(command));
    }

    /// Waits until the server answers.
    pub async fn answers(&self) {
        eventually("redis answers", async || self.try_cli(&["ping"]) == "PONG").await;
    }

    /// Runs a command; an error is given as text.
    pub fn try_cli(&self, args: &[&str]) -> String {
        self.cli_in(args).output().map_or_else(
            |error| panic!("redis-cli cannot be run ({error}): apt-get install redis-server"),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    }

    /// Runs a command that must be accepted.
    pub fn cli(&self, args: &[&str]) -> String {
        let reply = self.try_cli(args);
        assert!(!reply.starts_with("ERR") && !reply.is_empty(), "{args:?}: {reply:?}");
        reply
    }

    /// A command that may go on, with its output in a file.
    pub fn cli_into(&self, args: &[&str], output: &Path) -> Running {
        let mut command = self.cli_in(args);
        command.stdout(std::fs::File::create(output).unwrap());
        Running(start(command))
    }

    fn cli_in(&self, args: &[&str]) -> Command {
        let mut command = run("redis-cli", &["-p", &self.port.to_string()]);
        if let Some(password) = &self.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        command.args(args).stdout(Stdio::piped());
        command
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        assert!(run("kill", &["-s", signal, &pid]).status().unwrap().success());
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again on the same port.
    pub async fn revive(&mut self) {
        self.spawn();
        self.answers().await;
    }

    pub fn url(&self) -> String {
        let password = self.password.as_ref().map_or(String::new(), |password| format!(":{password}@"));
        format!("redis://{password}127.0.0.1:{}", self.port)
    }

    /// How many connections subscribe to a channel.
    pub fn subscribers(&self, channel: &str) -> usize {
        self.cli(&["pubsub", "numsub", channel]).lines().next_back().unwrap().parse().unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// The simulation's Redis on a real port, gone when dropped.
pub struct FakeServer {
    port: u16,
    _tasks: JoinSet<()>,
}

impl FakeServer {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let redis = Arc::new(FakeRedis::new(|| SystemClock.now().0));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let redis = Arc::clone(&redis);
                connections.spawn(async move { redis.serve(stream).await });
            }
        });
        Self { port, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// A process that ends when it is dropped.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A node's broker, not started.
pub fn redis_broker(url: &str, node: &str) -> RedisBroker {
    let url = RedisUrl::parse(url).unwrap();
    let connector = NetConnector::new(url.tls.as_ref()).unwrap();
    let node = NodeId(node.into());
    RedisBroker::new(url, Arc::new(connector), Arc::new(SystemRandom), &node, CancellationToken::new())
}

/// A Redis Cluster: three masters, each with a replica.
pub async fn cluster_of_six() -> Vec<RedisServer> {
    let mut servers = Vec::new();
    for _ in 0..6 {
        let bus = format!("cluster-port {}", free_port());
        let settings = [
            "cluster-enabled yes",
            "cluster-config-file nodes.conf",
            "cluster-node-timeout 1500",
            "cluster-replica-validity-factor 0",
            &bus,
        ];
        servers.push(RedisServer::start(&settings).await);
    }
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    let mut create = vec!["--cluster", "create"];
    create.extend(hosts.iter().map(String::as_str));
    create.extend(["--cluster-replicas", "1", "--cluster-yes"]);
    let told = servers[0].cli(&create);
    assert!(told.contains("All 16384 slots covered"), "{told}");
    for server in &servers {
        eventually("the cluster stands", async || {
            server.cli(&["cluster", "info"]).contains("cluster_state:ok")
                && server.cli(&["cluster", "nodes"]).matches("slave").count() == 3
        })
        .await;
    }
    servers
}

/// Where it is.
pub fn cluster_url(servers: &[RedisServer]) -> String {
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    format!("redis+cluster://{}", hosts.join(","))
}
