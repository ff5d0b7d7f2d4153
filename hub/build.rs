//! Rebuilds when a migration is added, since they are embedded by folder.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
