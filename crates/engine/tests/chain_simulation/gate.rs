//! A party's way to the chain: JSON-RPC over HTTP, as in the product, with somebody who can cut it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chain::embedded::EmbeddedChain;
use tokio::sync::watch;

use crate::chance::Dice;
use crate::stand::lock;

const SENDS: &str = "eth_sendRawTransaction";

/// Which side of a request something happens at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// It does not arrive.
    Before,
    /// It arrives, and its answer is lost.
    After,
}

/// The way of one party.
pub(crate) struct Gate {
    chain: EmbeddedChain,
    pub(crate) url: String,
    out: AtomicBool,
    inner: Mutex<Inner>,
    /// The process behind this gate is dead.
    dead: watch::Sender<bool>,
}

struct Inner {
    requests: u64,
    dies_at: Option<(u64, Side)>,
    dies_sending: Option<Side>,
    /// In so many of a hundred cases a transaction, or the answer to it, is lost.
    lossy: u64,
    dice: Dice,
}

impl Gate {
    pub(crate) async fn open(chain: &EmbeddedChain, lossy: u64, dice: Dice) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Mutex::new(Inner { requests: 0, dies_at: None, dies_sending: None, lossy, dice });
        let (out, dead) = (AtomicBool::new(false), watch::Sender::new(false));
        let gate = Arc::new(Self { chain: chain.clone(), url, out, inner, dead });
        let router =
            axum::Router::new().route("/", axum::routing::post(answer)).with_state(Arc::clone(&gate));
        tokio::spawn(async move { axum::serve(listener, router).await });
        gate
    }

    /// Lets nothing through, or everything again.
    pub(crate) fn cut(&self, out: bool) {
        self.out.store(out, SeqCst);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.out.load(SeqCst)
    }

    /// The process behind it dies at its `nth` request from now on, counted from 1.
    pub(crate) fn kill_at(&self, nth: u64, side: Side) {
        let mut inner = lock(&self.inner);
        inner.dies_at = Some((inner.requests + nth, side));
    }

    /// The process behind it dies when it sends its next transaction.
    pub(crate) fn kill_at_send(&self, side: Side) {
        lock(&self.inner).dies_sending = Some(side);
    }

    /// Another process speaks now.
    pub(crate) fn revive(&self) {
        let mut inner = lock(&self.inner);
        (inner.dies_at, inner.dies_sending) = (None, None);
        self.dead.send_replace(false);
    }

    /// Comes when the process behind it is killed.
    pub(crate) async fn death(&self) {
        let mut dead = self.dead.subscribe();
        // The sender is here, so there is always somebody to tell.
        let _ = dead.wait_for(|dead| *dead).await;
    }

    /// What becomes of this request, and whether its sender dies by it.
    fn fate(&self, body: &[u8]) -> (Option<Side>, bool) {
        let sends = body.windows(SENDS.len()).any(|part| part == SENDS.as_bytes());
        let mut inner = lock(&self.inner);
        inner.requests += 1;
        if let Some((at, side)) = inner.dies_at
            && inner.requests >= at
        {
            return (Some(side), true);
        }
        if let Some(side) = inner.dies_sending.filter(|_| sends) {
            return (Some(side), true);
        }
        let lossy = inner.lossy;
        if self.is_cut() {
            (Some(Side::Before), false)
        } else if sends && inner.dice.percent(lossy) {
            (Some(if inner.dice.percent(50) { Side::Before } else { Side::After }), false)
        } else {
            (None, false)
        }
    }
}

async fn answer(State(gate): State<Arc<Gate>>, body: Bytes) -> Response {
    let (lost, dies) = gate.fate(&body);
    let answered = if lost == Some(Side::Before) { None } else { gate.chain.answer(&body).await };
    if dies {
        gate.dead.send_replace(true);
        std::future::pending::<()>().await;
    }
    match answered {
        Some(text) if lost.is_none() => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
