//! Turns the compiled wasm client into a JavaScript module: `xtask-wasm-bind <client.wasm> <folder>`.

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let input = args.next().context("expected the .wasm file")?;
    let folder = args.next().context("expected the folder to write to")?;
    Bindgen::new()
        .input_path(input)
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("client")
        .generate(folder)
}
