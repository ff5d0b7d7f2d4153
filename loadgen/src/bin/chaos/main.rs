//! Chaos: native clients talk through a real cluster while its parts are killed, halted, drained and
//! restarted; afterwards an oracle judges what everyone saw. Exits with 1 when it finds a violation.

mod args;
mod crowd;
mod faults;
mod judge;
mod member;
mod plan;
mod planted;
mod poster;
mod rest;
mod run;
mod setup;
mod show;
mod talk;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let result = match &args.planted {
        Some(which) => planted::run(&args, which),
        None => run::run(&args).map(|outcome| outcome.verdict.violations == 0),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            // It failed before anything was done to the cluster: nothing was judged.
            ExitCode::from(2)
        }
    }
}
