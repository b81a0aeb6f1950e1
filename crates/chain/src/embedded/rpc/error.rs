//! JSON-RPC errors, with the codes that anvil 1.7 and geth use.

use std::borrow::Cow;

use alloy::primitives::Bytes;
use alloy::rpc::json_rpc::ErrorPayload;
use alloy::sol_types::{Panic, Revert, SolError};
use serde_json::value::{RawValue, to_raw_value};

/// An error object of JSON-RPC 2.0, section 5.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: Cow<'static, str>,
    /// What a contract reverted with.
    pub(crate) data: Option<Bytes>,
}

impl RpcError {
    fn new(code: i64, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The text is no JSON.
    pub(crate) fn parse() -> Self {
        Self::new(-32700, "parse error")
    }

    /// The JSON is no request.
    pub(crate) fn request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32600, message)
    }

    /// There is no such method here.
    pub(crate) fn method() -> Self {
        Self::new(-32601, "method not found")
    }

    /// The parameters do not fit the method.
    pub(crate) fn params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32602, message)
    }

    /// Something failed on this side, or code stopped without a reason of its own (anvil's code for that).
    pub(crate) fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32603, message)
    }

    /// The request cannot be served.
    pub(crate) fn server(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32000, message)
    }

    /// A transaction is refused (EIP-1474).
    pub(crate) fn rejected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32003, message)
    }

    /// The answer would be too large (EIP-1474).
    pub(crate) fn limit(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32005, message)
    }

    /// A contract reverted. The message repeats a reason that Solidity's `require`, `revert` or `assert` gave.
    pub(crate) fn revert(output: Bytes) -> Self {
        let reason = if let Ok(revert) = Revert::abi_decode(&output) {
            format!(": {}", revert.reason)
        } else if let Ok(panic) = Panic::abi_decode(&output) {
            format!(": {panic}")
        } else {
            String::new()
        };
        Self { code: 3, message: format!("execution reverted{reason}").into(), data: Some(output) }
    }

    /// As alloy carries it.
    pub(crate) fn into_payload(self) -> ErrorPayload<Box<RawValue>> {
        let data = self.data.and_then(|data| to_raw_value(&data).ok());
        ErrorPayload { code: self.code, message: self.message, data }
    }
}
