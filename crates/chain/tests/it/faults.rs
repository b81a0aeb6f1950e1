//! A chain that can be cut off, and a journal in memory.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use alloy::primitives::Bytes;
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{RequestPacket, ResponsePacket};
use alloy::transports::{TransportError, TransportErrorKind};
use async_trait::async_trait;
use waag_chain::embedded::{EmbeddedChain, EmbeddedTransport};
use waag_chain::sender::{IntentKey, Journal, JournalError};

/// What happens to requests.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub(crate) enum Fault {
    None,
    /// Nothing gets through.
    CutOff,
    /// Transactions do not get through, everything else does.
    SendLost,
    /// Transactions get through, the answer does not.
    AnswerLost,
}

/// A line to an embedded chain with a fault in it.
#[derive(Clone)]
pub(crate) struct Line {
    inner: EmbeddedTransport,
    fault: Arc<AtomicU8>,
}

impl Line {
    pub(crate) fn to(chain: &EmbeddedChain) -> Self {
        Self { inner: chain.transport(), fault: Arc::default() }
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    pub(crate) fn provider(&self) -> DynProvider {
        let client = RpcClient::new(self.clone(), true);
        ProviderBuilder::new().disable_recommended_fillers().connect_client(client).erased()
    }
}

impl tower::Service<RequestPacket> for Line {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<ResponsePacket, TransportError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let sends = request.as_single().is_some_and(|one| one.method() == "eth_sendRawTransaction");
        let fault = self.fault.load(Ordering::SeqCst);
        let is = |one: Fault| fault == one as u8;
        if is(Fault::CutOff) || sends && is(Fault::SendLost) {
            return Box::pin(async { Err(TransportErrorKind::custom_str("the line is cut")) });
        }
        let answer = self.inner.call(request);
        if sends && is(Fault::AnswerLost) {
            return Box::pin(async {
                answer.await?;
                Err(TransportErrorKind::custom_str("the line was cut before the answer came"))
            });
        }
        answer
    }
}

/// A journal that outlives its sender, as a file would.
#[derive(Default)]
pub(crate) struct MemoryJournal(Mutex<BTreeMap<IntentKey, Vec<Bytes>>>);

impl MemoryJournal {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn add(&self, key: &IntentKey, raw: &Bytes) -> Result<(), JournalError> {
        self.0.lock().unwrap().entry(key.clone()).or_default().push(raw.clone());
        Ok(())
    }

    async fn versions(&self, key: &IntentKey) -> Result<Vec<Bytes>, JournalError> {
        Ok(self.0.lock().unwrap().get(key).cloned().unwrap_or_default())
    }

    async fn newest(&self) -> Result<Vec<Bytes>, JournalError> {
        Ok(self.0.lock().unwrap().values().filter_map(|versions| versions.last().cloned()).collect())
    }

    async fn remove(&self, key: &IntentKey) -> Result<(), JournalError> {
        self.0.lock().unwrap().remove(key);
        Ok(())
    }
}
