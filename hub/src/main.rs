//! The node's binary: reads the settings, says what is wrong with them, or serves until it is told
//! to stop.

mod embedded;

use anyhow::Context;
use clap::Parser;
use embedded::EmbeddedPages;
use hub::config::{Cli, Command, Config, ConfigCommand};
use hub::server::{Deps, Stops, migrate, probe, raise_file_limit, serve, tcp};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let config = match Config::from_settings(&cli.settings) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            // As for any command that is used wrongly.
            return Ok(ExitCode::from(2));
        }
    };
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => run(config).map(|()| ExitCode::SUCCESS),
        Command::Migrate => migrate(&config).map(|()| ExitCode::SUCCESS),
        Command::Health => probe(config.listen).map(|()| ExitCode::SUCCESS),
        Command::Config(ConfigCommand::Check) => {
            print!("{}", config.report(&cli.settings));
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[tokio::main]
async fn run(config: Config) -> anyhow::Result<()> {
    hub::telemetry::start(&config.log)?;
    config.tell_warnings();
    raise_file_limit(config.connections_max);
    let mut stops = Stops::new()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("failed to listen on LISTEN={}", config.listen))?;
    let deps = Deps::from_config(&config, Arc::new(EmbeddedPages)).await?;
    let shutdown = CancellationToken::new();
    tracing::info!(node = %config.server_id, "listening on http://{}", listener.local_addr()?);
    let mut serving = std::pin::pin!(serve(tcp(listener), deps, shutdown.clone()));
    tokio::select! {
        result = &mut serving => return result.context("failed to serve"),
        () = stops.next() => {}
    }
    shutdown.cancel();
    tokio::select! {
        result = serving => result.context("failed to leave in order"),
        () = stops.next() => anyhow::bail!("told to stop again before the node had left in order"),
    }
}
