//! The command line: what there is to run. The work is done elsewhere.

use crate::report::Report;
use crate::{budget, chaos, cluster, compose, e2e, lint, readme, run, sim, test, tidy, unit, wasm, web};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// All of Hubbub's automation. Whatever is missing on this machine is installed on the way.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything and start one hub, with its page, on SQLite
    Run(RunArgs),
    /// Run every check and test, as CI does
    Test,
    /// Judge the code without running it: format, tidy, clippy, licences, page style and types
    Lint,
    /// Check the project's own rules: layers, file heads, documented wire types, …
    Tidy,
    /// Write the page's TypeScript types from protocol
    Codegen {
        /// Change nothing; fail if the committed types differ
        #[arg(long)]
        check: bool,
    },
    /// Build the browser's client into web/src/wasm
    Wasm,
    /// Build the page into web/dist, with the browser's client
    Web,
    /// Run the Rust tests, the doc tests and the page's unit tests
    Unit,
    /// Run the tests that start a hub: README's walk with curl and the browser tests
    E2e {
        /// Only these: page (no hub needed) or live (page and hub)
        #[arg(long, value_parser = ["page", "live"])]
        project: Option<String>,
        /// Further arguments for Playwright, after --
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Measure the built page against its size budgets
    Budget,
    /// Simulate whole clusters with faults and judge what everyone saw: `cargo xtask sim help`;
    /// `cargo xtask sim builds` compares runs of a debug and of a release build
    #[command(disable_help_flag = true, disable_help_subcommand = true)]
    Sim {
        /// What the simulation is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Have native clients talk through a real cluster while its parts die, and judge what they saw
    Chaos(ChaosArgs),
    /// Start and end a cluster on this machine without containers: Postgres, Redis, hubs and Nginx
    Cluster(ClusterArgs),
    /// What docker-compose.yml needs beside it
    Compose(ComposeArgs),
    /// Run docker-compose.yml for real and test it; skipped where there is no container engine
    ComposeTest(ComposeTestArgs),
}

#[derive(Args)]
pub(crate) struct ComposeArgs {
    #[command(subcommand)]
    pub(crate) command: ComposeCommand,
}

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum ComposeCommand {
    /// Draw the secrets into .env, unless they are there
    Env,
    /// Build the hub for the image's target `prebuilt` (HUB_BUILD_TARGET=prebuilt)
    Prebuilt,
}

#[derive(Args)]
pub(crate) struct ComposeTestArgs {
    /// Make the images that cannot be pulled out of Debian's packages, under the upstream names (as root)
    #[arg(long)]
    pub(crate) stand_ins: bool,
    /// Build the hub inside, as the image does by default, rather than outside
    #[arg(long)]
    pub(crate) inside: bool,
    /// Leave the cluster running
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Args)]
pub(crate) struct ChaosArgs {
    /// Fewer clients and shorter faults, as in `test`
    #[arg(long)]
    pub(crate) short: bool,
    /// Only restart one hub after another
    #[arg(long)]
    pub(crate) rolling: bool,
    /// Prove that it finds something: hubs with bugs on purpose must be found out
    #[arg(long, conflicts_with_all = ["short", "rolling", "profile"])]
    pub(crate) planted: bool,
    /// Draws faults and talk
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How to build the hub: dev shares the tests' build
    #[arg(long, default_value = "dev", value_parser = ["dev", "quick", "release"])]
    pub(crate) profile: String,
}

#[derive(Args)]
pub(crate) struct ClusterArgs {
    /// The cluster's folder [default: target/cluster]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: ClusterCommand,
}

#[derive(Subcommand)]
pub(crate) enum ClusterCommand {
    /// Build everything and start the cluster; data of an earlier one is kept
    Up {
        /// How many hubs
        #[arg(long, default_value_t = 3)]
        nodes: usize,
        /// The port that Nginx listens on [default: 8080 if it is free, else any]
        #[arg(long)]
        port: Option<u16>,
        /// How to build the hub, as for `run`
        #[arg(long, default_value = "quick", value_parser = ["dev", "quick", "release"])]
        profile: String,
    },
    /// End what runs of it; its data stays in its folder
    Down,
    /// Tell how each part stands; fails unless all serve
    Status,
    /// Show the end of the logs
    Logs {
        /// Of this part alone, and all of it: postgres, redis, nginx, hub-1, hub-2, …
        name: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Where the hub listens, as its own LISTEN says [default: the hub's]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// The folder of the hub's data [default: ./hubbub-data]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// How to build the hub: dev shares the tests' build, quick is optimised a little and takes
    /// half of release's time, release is what one deploys
    #[arg(long, default_value = "quick", value_parser = ["dev", "quick", "release"])]
    pub(crate) profile: String,
    /// Build everything, but do not start the hub
    #[arg(long)]
    pub(crate) build_only: bool,
    /// Further arguments for the hub, after --
    #[arg(last = true)]
    pub(crate) hub_args: Vec<String>,
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let command = Cli::parse().command;
    let report = Report::new();
    if let Command::Run(args) = &command {
        return ended(run::run(&report, args));
    }
    if let Command::Cluster(args) = &command {
        return ended(cluster::run(&report, args));
    }
    if let Command::Sim { args } = &command {
        let compares = args.as_slice() == ["builds"];
        return ended(if compares { sim::compare_builds() } else { Err(sim::replace(args)) });
    }
    if let Command::Compose(args) = &command {
        return ended(compose::run(&report, args));
    }
    work(&command, &report);
    if report.close() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(command: &Command, report: &Report) {
    match command {
        Command::Run(_) | Command::Cluster(_) | Command::Compose(_) | Command::Sim { .. } => {}
        Command::Test => test::run(report),
        Command::Chaos(args) => chaos::run(report, args),
        Command::Lint => lint::run(report),
        Command::Tidy => tidy::step(report),
        Command::Codegen { check: true } => test::codegen_check(report),
        Command::Codegen { check: false } => test::codegen_write(report),
        Command::Wasm => wasm::build(report),
        Command::Web => web::build(report),
        Command::Unit => {
            unit::run(report);
            wasm::build(report);
            web::packages(report);
            web::unit(report);
        }
        Command::E2e { project, args } => {
            web::build(report);
            if project.as_deref() != Some("page") {
                e2e::hub(report);
                readme::check(report);
            }
            e2e::run(report, project.as_deref(), args);
        }
        Command::ComposeTest(args) => compose::test(report, args),
        Command::Budget => {
            web::build(report);
            budget::check(report);
        }
    }
}
