//! The simulation's program: `cargo xtask sim help` lists what it does.

mod batch;
mod cli;
mod determinism;
mod failure;
mod mutants;
mod regressions;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    if !cfg!(tokio_unstable) {
        eprintln!("error: built without `--cfg tokio_unstable`, panics in tasks would pass unseen and runs");
        eprintln!("would differ. Start it by `cargo xtask sim`, or by `cargo sim` inside the folder sim/.");
        return ExitCode::from(2);
    }
    match cli::main() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
