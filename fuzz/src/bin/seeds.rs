//! Writes the seeds into `corpus/`, where cargo-fuzz looks for them: `cargo run -p fuzz --bin seeds`.

use fuzz::Target;
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    for target in Target::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name());
        fs::create_dir_all(&folder)?;
        let seeds = fuzz::seeds(target)?;
        for (n, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{n}")), seed)?;
        }
        println!("{} seeds in {}", seeds.len(), folder.display());
    }
    Ok(())
}
