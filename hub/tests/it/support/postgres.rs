//! Real Postgres servers. One is shared by all tests of this checkout, whatever process they run in:
//! the first that needs it starts it, and a keeper ends it when nobody has used it for a while. A test
//! that breaks servers has one of its own.

use cluster::free_port;
use hub::store::postgres::PostgresStore;
use protocol::Epoch;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const INSTALL: &str = "these tests run a real Postgres: apt-get install postgresql";
const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/postgres");

/// Ends the server `$1` when nobody has held the lock `users` for ten seconds; `start` keeps others
/// from joining a server that is about to end.
const KEEPER: &str = r#"
cd "$2" || exit 1
idle=0
while kill -0 "$1" 2>/dev/null; do
    sleep 1
    if flock -xn users true; then idle=$((idle + 1)); else idle=0; fi
    if [ "$idle" -ge 10 ]; then
        exec 9>start
        if flock -xn 9 && flock -xn users true; then
            kill -INT "$1"
            while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
            rm -rf server port
            exit 0
        fi
        exec 9>&-
        idle=0
    fi
done
"#;

/// Postgres as an unprivileged user, which it insists on.
fn postgres(program: &str) -> Command {
    let path = bin_dir().join(program);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Debian keeps the server's programs out of the path.
fn bin_dir() -> PathBuf {
    let has_server = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut debian = versions.filter_map(|entry| Some(entry.ok()?.path())).collect::<Vec<_>>();
    debian.sort_by_key(|path| std::cmp::Reverse(version(path)));
    let in_path = Command::new("sh").args(["-c", "dirname \"$(command -v initdb)\""]).output().unwrap();
    let in_path = PathBuf::from(String::from_utf8_lossy(&in_path.stdout).trim());
    let mut dirs = debian.into_iter().map(|path| path.join("bin")).chain([in_path]);
    dirs.find(has_server).unwrap_or_else(|| panic!("initdb and postgres are not found; {INSTALL}"))
}

fn run(mut command: Command) {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{shown}: {error}; {INSTALL}"));
    assert!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes the files of a server in `dir/server`.
fn init(dir: &Path) {
    fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = dir.join("server");
    fs::create_dir_all(&server).unwrap();
    if is_root() {
        let mut chown = Command::new("chown");
        chown.arg("postgres").arg(&server);
        run(chown);
    }
    let mut initdb = postgres("initdb");
    initdb.args(["--auth=trust", "--username=hub", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D"]);
    initdb.arg(server.join("data")).current_dir("/");
    run(initdb);
}

/// Starts the server in `dir/server`, as durable as in earnest.
fn launch(dir: &Path, port: u16) -> Child {
    let server = dir.join("server");
    let mut command = postgres("postgres");
    command.arg("-D").arg(server.join("data")).arg("-k").arg(&server).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=300",
        "fsync=on",
        "log_line_prefix=%d|",
        "log_checkpoints=off",
        "max_wal_size=4GB",
    ] {
        command.args(["-c", setting]);
    }
    let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log).current_dir("/").process_group(0);
    command.spawn().unwrap_or_else(|error| panic!("postgres cannot be run: {error}; {INSTALL}"))
}

fn wait_until_ready(port: u16, dir: &Path) {
    let port = port.to_string();
    for _ in 0..1_200 {
        let mut ready = Command::new(bin_dir().join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &port]);
        if ready.status().unwrap().success() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("postgres does not start:\n{}", fs::read_to_string(dir.join("log")).unwrap_or_default());
}

/// Runs a future on a runtime of its own, whatever the caller runs on.
fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::scope(|scope| scope.spawn(|| runtime().block_on(future)).join().unwrap())
}

async fn execute(port: u16, sql: String) {
    let mut db = PgConnection::connect(&url(port, "postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut db).await.unwrap_or_else(|error| {
        panic!("{sql}: {error}");
    });
    db.close().await.unwrap();
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://hub@127.0.0.1:{port}/{database}")
}

/// The server that all share, joined by this process until it ends.
struct Shared {
    port: u16,
    dir: PathBuf,
    template: String,
    _using: File,
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(Shared::join)
}

impl Shared {
    fn join() -> Self {
        let mut checkout = DefaultHasher::new();
        (env!("CARGO_TARGET_TMPDIR"), rustix::process::geteuid().as_raw()).hash(&mut checkout);
        let dir = std::env::temp_dir().join(format!("hub-test-postgres-{:016x}", checkout.finish()));
        fs::create_dir_all(&dir).unwrap();
        let lock = |name: &str| File::options().create(true).append(true).open(dir.join(name)).unwrap();
        let starting = lock("start");
        starting.lock().unwrap();
        let running = fs::read_to_string(dir.join("port")).ok().and_then(|port| port.parse().ok());
        let running = running.filter(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok());
        let port = running.unwrap_or_else(|| Self::start(&dir));
        let using = lock("users");
        using.lock_shared().unwrap();
        let template = block_on(Self::template(port));
        Self { port, dir, template, _using: using }
    }

    #[expect(clippy::zombie_processes, reason = "server and keeper outlive this process")]
    fn start(dir: &Path) -> u16 {
        fs::remove_dir_all(dir.join("server")).ok();
        fs::remove_file(dir.join("log")).ok();
        init(dir);
        let port = free_port();
        let server = launch(dir, port);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper", &server.id().to_string()]).arg(dir);
        keeper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        keeper.spawn().unwrap();
        wait_until_ready(port, dir);
        fs::write(dir.join("port"), port.to_string()).unwrap();
        port
    }

    /// A database with this build's schema, to copy.
    async fn template(port: u16) -> String {
        let mut schema = DefaultHasher::new();
        let mut files =
            fs::read_dir(MIGRATIONS).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
        files.sort();
        for file in files {
            (&file, fs::read(&file).unwrap()).hash(&mut schema);
        }
        let name = format!("template_{:016x}", schema.finish());
        let mut db = PgConnection::connect(&url(port, "postgres")).await.unwrap();
        let sql = "select exists (select from pg_database where datname = $1)";
        let is_there: bool = sqlx::query_scalar(sql).bind(&name).fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        if !is_there {
            execute(port, "drop database if exists making with (force)".into()).await;
            execute(port, "create database making".into()).await;
            PostgresStore::migrate(&url(port, "making")).await.unwrap();
            execute(port, format!("alter database making rename to {name}")).await;
        }
        name
    }
}

/// A database of one test on the shared server, dropped with it.
pub struct Database {
    pub name: String,
    pub url: String,
}

impl Database {
    /// With this build's schema.
    pub async fn new() -> Self {
        Self::copy_of(&shared().template.clone()).await
    }

    /// With nothing in it.
    pub async fn empty() -> Self {
        Self::copy_of("template0").await
    }

    async fn copy_of(template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        execute(shared().port, format!("drop database if exists {name} with (force)")).await;
        execute(shared().port, format!("create database {name} template {template}")).await;
        Self { url: url(shared().port, &name), name }
    }

    pub async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.url, 8, Epoch(7)).await.unwrap()
    }

    /// A connection beside the store's.
    pub async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// What the server logged of this database, an entry each.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(shared().dir.join("log")).unwrap();
        let mut entries: Vec<String> = Vec::new();
        for line in log.lines() {
            match entries.last_mut() {
                Some(entry) if line.starts_with('\t') => {
                    entry.push('\n');
                    entry.push_str(line);
                }
                _ => entries.push(line.to_owned()),
            }
        }
        let prefix = format!("{}|", self.name);
        entries.iter().filter_map(|entry| entry.strip_prefix(&prefix)).map(str::to_owned).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("drop database if exists {} with (force)", self.name);
        let port = shared().port;
        // Where the server went away the database went with it.
        std::thread::spawn(move || block_on(execute(port, sql))).join().ok();
    }
}

/// A server of one test's own, ended when dropped.
pub struct Server {
    dir: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// A server with a migrated database.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path());
        let port = free_port();
        let child = launch(dir.path(), port);
        let server = Self { dir, port, child };
        wait_until_ready(port, server.dir.path());
        PostgresStore::migrate(&server.url()).await.unwrap();
        server
    }

    pub fn url(&self) -> String {
        url(self.port, "postgres")
    }

    /// Stops it at once, as `pg_ctl stop -m immediate` does: what is not on disk is gone.
    pub fn stop_immediately(&mut self) {
        self.signal(rustix::process::Signal::QUIT);
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child = launch(self.dir.path(), self.port);
        wait_until_ready(self.port, self.dir.path());
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        // It may have ended by itself.
        rustix::process::kill_process(pid, signal).ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_immediately();
    }
}
