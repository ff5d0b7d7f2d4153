//! Ends what nobody speaks on: a peer that is gone without a word leaves its connection open for ever,
//! and one that never asks for anything would hold it as long as it likes. Sessions end sooner by
//! themselves, with a reason.

use axum::serve::Listener;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A listener whose connections end after a silence.
#[derive(Debug)]
pub(super) struct Patient<L> {
    listener: L,
    silence_max: Duration,
}

impl<L> Patient<L> {
    pub(super) const fn new(listener: L, silence_max: Duration) -> Self {
        Self { listener, silence_max }
    }
}

impl<L: Listener> Listener for Patient<L> {
    type Io = PatientIo<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.listener.accept().await;
        (PatientIo { io, silence_max: self.silence_max, read_at: Instant::now(), timer: None }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that ends after a silence.
#[derive(Debug)]
pub(super) struct PatientIo<S> {
    io: S,
    silence_max: Duration,
    read_at: Instant,
    /// Let fire and armed again, which costs less than arming at each read.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(result) = Pin::new(&mut self.io).poll_read(cx, buffer) {
            self.read_at = Instant::now();
            return Poll::Ready(result);
        }
        let this = &mut *self;
        let silent_at = this.read_at + this.silence_max;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(silent_at)));
        while timer.as_mut().poll(cx).is_ready() {
            if silent_at <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(silent_at);
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_given_up_and_one_that_speaks_is_not() {
        let (mut peer, io) = duplex(64);
        let silence_max = Duration::from_secs(10);
        let mut io = PatientIo { io, silence_max, read_at: Instant::now(), timer: None };
        let began = Instant::now();
        let speaks = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                peer.write_all(b"x").await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let listens = async {
            let mut byte = [0];
            while io.read_exact(&mut byte).await.is_ok() {}
            began.elapsed()
        };
        tokio::select! {
            () = speaks => unreachable!("it waits for ever"),
            silent = listens => assert_eq!(silent.as_secs(), 55),
        }
    }
}
