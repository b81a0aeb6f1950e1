//! The workload's output on its way out. It is taken from the pipes at once, so that the workload never waits for the
//! network; what cannot be sent yet is kept up to a bound, and beyond that dropped with a notice.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;
use wire::agent::LOG_CHUNK_BYTES_MAX;

use crate::client::{Answer, Client, ClientError, Patience, once};

/// A piece is sent when it is this old, or when it is full.
const FLUSH_EVERY: Duration = Duration::from_millis(40);
const NOTICE: &[u8] = b"\n[waag: the log is longer than is kept; the rest is dropped]\n";

/// Output waiting to be sent.
#[derive(Clone)]
pub(crate) struct Logs {
    inner: Rc<Inner>,
}

struct Inner {
    state: RefCell<State>,
    changed: Notify,
    sent: Notify,
}

struct State {
    pending: Vec<u8>,
    offset: u64,
    taken: u64,
    max: u64,
}

impl Logs {
    pub(crate) fn new(max: u64) -> Self {
        let state = RefCell::new(State { pending: Vec::new(), offset: 0, taken: 0, max });
        Self { inner: Rc::new(Inner { state, changed: Notify::new(), sent: Notify::new() }) }
    }

    /// Takes bytes, or drops them beyond the bound.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut state = self.inner.state.borrow_mut();
        if state.taken >= state.max {
            return;
        }
        state.taken += bytes.len() as u64;
        state.pending.extend_from_slice(bytes);
        if state.taken >= state.max {
            state.pending.extend_from_slice(NOTICE);
        }
        drop(state);
        self.inner.changed.notify_one();
    }

    /// Takes everything a pipe gives, until it ends.
    pub(crate) async fn follow(&self, mut pipe: impl AsyncRead + Unpin) {
        let mut buffer = vec![0u8; 16 * 1024];
        loop {
            match pipe.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => self.push(&buffer[..n]),
            }
        }
    }

    /// Sends for ever; ends only when the execution is over.
    pub(crate) async fn send(&self, client: &Client) -> Result<(), ClientError> {
        let mut patience = Patience::new(Duration::MAX);
        loop {
            let (piece, offset) = {
                let state = self.inner.state.borrow();
                let len = state.pending.len().min(LOG_CHUNK_BYTES_MAX);
                (state.pending[..len].to_vec(), state.offset)
            };
            if piece.is_empty() {
                self.inner.sent.notify_waiters();
                self.inner.changed.notified().await;
                tokio::time::sleep(FLUSH_EVERY).await;
                continue;
            }
            let len = piece.len() as u64;
            let request = client.request(Method::POST, &format!("logs?offset={offset}")).body(piece);
            let next = match once(request).await? {
                Answer::Good(_) => offset + len,
                Answer::Gap(next) => next,
                Answer::Again => {
                    patience.wait().await?;
                    continue;
                }
            };
            patience = Patience::new(Duration::MAX);
            let mut state = self.inner.state.borrow_mut();
            let gone = usize::try_from(next.saturating_sub(state.offset)).unwrap_or(usize::MAX);
            let gone = gone.min(state.pending.len());
            state.pending.drain(..gone);
            state.offset = next.max(state.offset);
        }
    }

    /// Waits until everything taken so far is sent.
    pub(crate) async fn flushed(&self) {
        loop {
            let sent = self.inner.sent.notified();
            if self.inner.state.borrow().pending.is_empty() {
                return;
            }
            sent.await;
        }
    }
}
