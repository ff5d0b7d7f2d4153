//! Stand-ins for the images that the cluster is based on, where none can be pulled: Debian's packages of
//! the same versions, under the upstream names. Made only when asked for; one that is there is kept.

use super::docker;
use crate::cmd::Cmd;
use crate::host;
use crate::report::Outcome;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What tells a stand-in from the image whose name it bears.
const LABEL: &str = "hubbub.stand-in";

/// An image that is made of packages.
pub(super) struct StandIn {
    /// The name that it bears.
    pub(super) name: &'static str,
    /// The step that makes it.
    pub(super) step: &'static str,
    suite: &'static str,
    packages: &'static str,
    /// Run inside when the packages are there.
    finish: &'static str,
    /// A file of its start.
    entrypoint: Option<&'static str>,
    changes: &'static [&'static str],
}

/// Where the program of an image's start lies.
const ENTRYPOINT: &str = "usr/local/bin/docker-entrypoint.sh";

/// All that docker-compose.yml and the Dockerfile's target `prebuilt` are based on.
pub(super) const ALL: [StandIn; 4] = [
    StandIn {
        name: "debian:12-slim",
        step: "debian",
        suite: "bookworm",
        packages: "",
        finish: "true",
        entrypoint: None,
        changes: &["CMD [\"bash\"]"],
    },
    StandIn {
        name: "postgres:17",
        step: "postgres",
        suite: "trixie",
        packages: "postgresql-17",
        finish: "rm -rf /var/lib/postgresql/17 /etc/postgresql/17",
        entrypoint: Some(include_str!("stand_ins/postgres.sh")),
        changes: &[
            "ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "ENV PGDATA=/var/lib/postgresql/data",
            "ENTRYPOINT [\"docker-entrypoint.sh\"]",
            "CMD [\"postgres\"]",
        ],
    },
    StandIn {
        name: "redis:8",
        step: "redis",
        suite: "trixie",
        packages: "redis-server,redis-tools",
        finish: "mkdir -p /data && chown redis:redis /data",
        entrypoint: None,
        changes: &["USER redis", "WORKDIR /data", "CMD [\"redis-server\"]"],
    },
    StandIn {
        name: "nginx:1.30",
        step: "nginx",
        // The first suite whose Nginx asks a resolver for the hubs.
        suite: "forky",
        packages: "nginx,curl",
        finish: "ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log",
        entrypoint: None,
        changes: &["CMD [\"nginx\", \"-g\", \"daemon off;\"]"],
    },
];

impl StandIn {
    /// Makes it, unless an image of its name is there.
    pub(super) fn make(&self) -> Result<Outcome> {
        let format = format!("{{{{index .Config.Labels \"{LABEL}\"}}}}");
        if let Ok(label) = docker(&["image", "inspect", "--format", &format, self.name]).read() {
            let told = if label == "true" { "made before" } else { "the image itself is there" };
            return Ok(Outcome::Told(told.to_owned()));
        }
        let folder = host::state_dir().join("stand-ins").join(self.step);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        self.bootstrap(&folder.join("files"))?;
        let archive = folder.join("files.tar");
        Cmd::new("tar")
            .args(["--numeric-owner", "-cf"])
            .arg(&archive)
            .arg("-C")
            .arg(folder.join("files"))
            .arg(".")
            .quiet(self.step)?;
        let mut import = docker(&["import"]);
        let label = format!("LABEL {LABEL}=true");
        for change in self.changes.iter().copied().chain([label.as_str()]) {
            import = import.args(["--change", change]);
        }
        import.arg(&archive).arg(self.name).quiet(self.step)?;
        fs::remove_dir_all(&folder)?;
        Ok(Outcome::Told(format!("of {}; `docker image rm {}` removes it", self.suite, self.name)))
    }

    fn bootstrap(&self, files: &Path) -> Result<()> {
        let mut debootstrap = Cmd::new("debootstrap").arg("--variant=minbase");
        if !self.packages.is_empty() {
            debootstrap = debootstrap.arg(format!("--include={}", self.packages));
        }
        debootstrap = debootstrap.arg(self.suite).arg(files);
        // A suite that is newer than the program is made as the unstable one.
        let scripts = Path::new("/usr/share/debootstrap/scripts");
        if !scripts.join(self.suite).exists() {
            debootstrap = debootstrap.arg("").arg(scripts.join("sid"));
        }
        debootstrap.quiet(self.step)?;
        if let Some(text) = self.entrypoint {
            let path = files.join(ENTRYPOINT);
            fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        let finish = format!("{} && rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*", self.finish);
        Cmd::new("chroot").arg(files).args(["sh", "-ec", &finish]).quiet(self.step)
    }
}
