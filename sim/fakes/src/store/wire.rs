//! What goes over a stream between a node and the store's host: a step and a call's number one way, one
//! byte the other.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A step of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Is anyone there?
    Ping,
    /// A transaction begins; nothing happens yet.
    Begin,
    /// Something is read.
    Read,
    /// What the transaction did is to last.
    Commit,
}

/// What the host says to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is done.
    Done,
    /// It failed, and nothing happened.
    Failed,
}

const STEPS: [(u8, Step); 4] =
    [(b'P', Step::Ping), (b'B', Step::Begin), (b'R', Step::Read), (b'C', Step::Commit)];
const SAID: [(u8, Said); 2] = [(b'+', Said::Done), (b'-', Said::Failed)];

/// Sends a step of a call.
pub(super) async fn ask<S: AsyncWrite + Unpin>(stream: &mut S, step: Step, call: u64) -> io::Result<()> {
    let mut bytes = [0; 9];
    bytes[0] = STEPS.iter().find(|(_, known)| *known == step).map_or(0, |(byte, _)| *byte);
    bytes[1..].copy_from_slice(&call.to_be_bytes());
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Waits for a step.
pub(super) async fn asked<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(Step, u64)> {
    let mut bytes = [0; 9];
    stream.read_exact(&mut bytes).await?;
    let step = STEPS.iter().find(|(byte, _)| *byte == bytes[0]).map(|(_, step)| *step);
    let call = bytes[1..].iter().fold(0, |call, byte| call << 8 | u64::from(*byte));
    Ok((step.ok_or(io::ErrorKind::InvalidData)?, call))
}

/// Answers a step.
pub(super) async fn say<S: AsyncWrite + Unpin>(stream: &mut S, said: Said) -> io::Result<()> {
    let byte = SAID.iter().find(|(_, known)| *known == said).map_or(0, |(byte, _)| *byte);
    stream.write_all(&[byte]).await?;
    stream.flush().await
}

/// Waits for the answer.
pub(super) async fn said<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Said> {
    let byte = stream.read_u8().await?;
    let said = SAID.iter().find(|(known, _)| *known == byte).map(|(_, said)| *said);
    said.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
