//! All of Hubbub's automation: set-up, builds, checks and tests. `cargo xtask help` lists it.
//! Whatever a fresh machine lacks is installed here or named in one line with its command.

mod budget;
mod chaos;
mod cli;
mod cluster;
mod cmd;
mod codegen;
mod compose;
mod e2e;
mod host;
mod lint;
mod readme;
mod report;
mod run;
mod setup;
mod sim;
mod stamp;
mod test;
mod tidy;
mod unit;
mod wasm;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
