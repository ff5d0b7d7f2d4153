//! The simulation's program: `cargo xtask sim help` lists what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    if !cfg!(tokio_unstable) {
        eprintln!("error: built without `--cfg tokio_unstable`, panics in tasks would pass unseen and runs");
        eprintln!("would differ. Start it by `cargo xtask sim`, or by `cargo sim` inside the folder sim/.");
        return ExitCode::from(2);
    }
    let a: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    for seed in a[0]..a[1] {
        let plan = sim::generate::plan(seed);
        let t = std::time::Instant::now();
        let r = sim::run::run(&plan, sim::run::How { keeps_history: false, bug: None });
        println!(
            "{seed} {:?} {:?} sim {:?} del {} ev {} {:x?}",
            r.violation().map(|v| v.to_string()),
            t.elapsed(),
            r.outcome.simulated,
            r.outcome.deliveries,
            r.outcome.events,
            r.fingerprint()
        );
    }
    ExitCode::SUCCESS
}
