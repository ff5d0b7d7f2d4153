//! The simulation's program: `cargo xtask sim help` lists what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    if !cfg!(tokio_unstable) {
        eprintln!("error: built without `--cfg tokio_unstable`, panics in tasks would pass unseen and runs");
        eprintln!("would differ. Start it by `cargo xtask sim`, or by `cargo sim` inside the folder sim/.");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
