//! Writes the TypeScript types that the page sees into the folder named by the first argument.
//! Owns which types those are; `cargo xtask codegen` decides where they go and compares them.

use anyhow::{Context, Result};
use protocol::error::ErrorCode;
use protocol::limits::Limits;
use protocol::view::ClientEvent;
use ts_rs::{Config, TS};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("expected the folder to write to")?;
    // Every number on the wire stays below 2^53, which JavaScript's `number` holds exactly.
    let config = Config::new().with_large_int("number").with_out_dir(folder);
    ClientEvent::export_all(&config)?;
    ErrorCode::export_all(&config)?;
    Limits::export_all(&config)?;
    Ok(())
}
