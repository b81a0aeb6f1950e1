//! Hands signed bytes to a chain and reads its answer. Nodes differ in their words and codes, so the words decide: those of
//! geth and of anvil are known, and whatever is not known leaves the outcome open.

use super::error::{RpcFailure, SendError};

/// What became of bytes that were handed over.
#[derive(Debug)]
pub(super) enum Broadcast {
    /// The chain has them, from now or before.
    Taken,
    /// The nonce is used already: by these bytes, by another version, or by somebody else.
    NonceUsed,
    /// The chain did not take them.
    Refused(SendError),
    /// It may or may not have taken them.
    Unknown,
}

pub(super) fn classify<T>(answer: Result<T, RpcFailure>) -> Broadcast {
    let error = match answer {
        Ok(_) => return Broadcast::Taken,
        Err(error) => error,
    };
    let Some(payload) = error.as_error_resp() else { return Broadcast::Unknown };
    let reason = payload.message.to_string();
    let said = reason.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    if has(&["already known", "already imported", "known transaction"]) {
        Broadcast::Taken
    } else if has(&["nonce too low", "nonce is too low"]) {
        Broadcast::NonceUsed
    } else if has(&["insufficient funds"]) {
        Broadcast::Refused(SendError::NoFunds)
    } else if has(&[
        "underpriced",
        "less than block base fee",
        "fee cap",
        "intrinsic gas",
        "gas limit",
        "chain id",
        "oversized",
        "txpool is full",
        "not supported",
        "invalid sender",
    ]) {
        Broadcast::Refused(SendError::Refused { reason })
    } else {
        Broadcast::Unknown
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use alloy::rpc::json_rpc::ErrorPayload;
    use alloy::transports::TransportErrorKind;

    use super::*;

    fn said(message: &'static str) -> Broadcast {
        classify::<()>(Err(RpcFailure::ErrorResp(ErrorPayload {
            code: -32_000,
            message: Cow::Borrowed(message),
            data: None,
        })))
    }

    #[test]
    fn answers_of_a_node_are_told_apart_and_strange_ones_leave_the_outcome_open() {
        assert!(matches!(classify(Ok(())), Broadcast::Taken));
        assert!(matches!(said("already known"), Broadcast::Taken));
        assert!(matches!(said("transaction already imported"), Broadcast::Taken));
        assert!(matches!(said("nonce too low: next nonce 5, tx nonce 2"), Broadcast::NonceUsed));
        assert!(matches!(
            said("Insufficient funds for gas * price + value"),
            Broadcast::Refused(SendError::NoFunds)
        ));
        assert!(matches!(said("replacement transaction underpriced"), Broadcast::Refused(_)));
        assert!(matches!(said("internal error"), Broadcast::Unknown));
        assert!(matches!(said(""), Broadcast::Unknown));
        let lost = TransportErrorKind::custom_str("connection reset");
        assert!(matches!(classify::<()>(Err(lost)), Broadcast::Unknown));
    }
}
