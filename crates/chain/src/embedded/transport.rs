//! The chain as an alloy transport: the same methods as over HTTP, without text in between where it can be avoided.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use alloy::rpc::json_rpc::{RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest};
use alloy::transports::TransportError;

use super::{EmbeddedChain, rpc};

/// Hands requests to an embedded chain. Keeps the chain running while it lives.
#[derive(Clone)]
pub struct EmbeddedTransport {
    chain: EmbeddedChain,
}

impl EmbeddedTransport {
    pub(super) fn new(chain: EmbeddedChain) -> Self {
        Self { chain }
    }

    async fn answer(&self, request: SerializedRequest) -> Response {
        let answer = rpc::call(self.chain.core(), request.method(), request.params()).await;
        let payload = match answer {
            Ok(value) => ResponsePayload::Success(value),
            Err(error) => ResponsePayload::Failure(error.into_payload()),
        };
        Response { id: request.id().clone(), payload }
    }
}

impl tower::Service<RequestPacket> for EmbeddedTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<ResponsePacket, TransportError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, requests: RequestPacket) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            Ok(match requests {
                RequestPacket::Single(request) => ResponsePacket::Single(this.answer(request).await),
                RequestPacket::Batch(requests) => {
                    let answers = requests.into_iter().map(|request| this.answer(request));
                    ResponsePacket::Batch(futures::future::join_all(answers).await)
                }
            })
        })
    }
}
