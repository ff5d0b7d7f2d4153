//! A cluster from the command line: builds what it needs, starts it in its folder, tells of it, ends it.

use crate::cli::{ClusterArgs, ClusterCommand};
use crate::report::{self, Outcome, Report};
use crate::{host, run, setup};
use ::cluster::{Cluster, Component, Spec, Status, last_lines};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most lines of each log that are shown when none is asked for by name.
const LOG_LINES_SHOWN: usize = 15;

/// Does what the command line says.
pub(crate) fn run(report: &Report, args: &ClusterArgs) -> Result<()> {
    let dir = args.dir.clone().unwrap_or_else(|| host::target_dir().join("cluster"));
    match &args.command {
        ClusterCommand::Up { nodes, port, profile } => {
            report.step("servers", "looking for Postgres, Redis and Nginx", setup::cluster);
            run::build_all(report, profile);
            let spec = Spec {
                dir,
                hub: run::binary(profile),
                nginx_conf: host::root().join("nginx.conf"),
                nodes: *nodes,
                port: *port,
                usual_ports: true,
                hub_env: BTreeMap::new(),
            };
            report.step_after(&["servers", "hub"], "cluster", "starting it", || up(spec));
            if report.close() { Ok(()) } else { bail!("the cluster was not started") }
        }
        ClusterCommand::Down => {
            open(&dir)?.down()?;
            report::line("the cluster has ended; its data stays");
            Ok(())
        }
        ClusterCommand::Status => status(&open(&dir)?),
        ClusterCommand::Logs { name } => logs(&open(&dir)?, name.as_deref()),
    }
}

fn open(dir: &Path) -> Result<Cluster> {
    Cluster::open(dir)?.with_context(|| {
        format!("there is no cluster in {}; `cargo xtask cluster up` makes one", dir.display())
    })
}

fn up(spec: Spec) -> Result<Outcome> {
    let cluster = Cluster::lay_out(spec)?;
    if let Err(error) = cluster.up(|component| report::line(&format!("  {}", told(&cluster, component)))) {
        // Half a cluster helps nobody; what it said is in its logs.
        cluster.down()?;
        return Err(error);
    }
    report::line("  `cargo xtask cluster status`, `logs` and `down` go on from here");
    Ok(Outcome::Told(format!("http://127.0.0.1:{}/ (files in {})", cluster.layout().port(), shown(&cluster))))
}

fn shown(cluster: &Cluster) -> String {
    let dir = cluster.layout().dir();
    dir.strip_prefix(host::root()).map_or_else(|_| dir.to_owned(), PathBuf::from).display().to_string()
}

/// A component with its address.
fn told(cluster: &Cluster, component: Component) -> String {
    let layout = cluster.layout();
    match component {
        Component::Postgres => format!("{component:<9}127.0.0.1:{}", layout.postgres_port()),
        Component::Redis => format!("{component:<9}127.0.0.1:{}", layout.redis_port()),
        Component::Hub(number) => format!("{component:<9}http://127.0.0.1:{}/", layout.hub_port(number)),
        Component::Nginx => format!("{component:<9}http://127.0.0.1:{}/", layout.port()),
    }
}

fn status(cluster: &Cluster) -> Result<()> {
    let mut all_serve = true;
    for component in cluster.components() {
        let status = cluster.status(component);
        all_serve &= matches!(status, Status::Serving(_));
        report::line(&format!("{:<40}{status}", told(cluster, component)));
    }
    if all_serve { Ok(()) } else { bail!("not every part of the cluster serves") }
}

fn logs(cluster: &Cluster, name: Option<&str>) -> Result<()> {
    let named = name.map(|name| name.parse::<Component>().map_err(anyhow::Error::msg)).transpose()?;
    for component in cluster.components().filter(|component| named.is_none_or(|named| named == *component)) {
        let path = cluster.layout().log(component);
        let shown = if named.is_some() { usize::MAX } else { LOG_LINES_SHOWN };
        report::line(&format!("── {component} ({})", path.display()));
        report::line(&last_lines(&path, shown));
    }
    Ok(())
}
