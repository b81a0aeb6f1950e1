//! One signed version of an intent, and what its replacement must pay.

use alloy::consensus::{SignableTransaction, Transaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::{Decodable2718, Encodable2718};
use alloy::primitives::{B256, Bytes};

use super::Sender;
use super::error::SendError;

/// A replacement pays a quarter more, in both fees; nodes ask for a tenth (geth's `pricebump`).
const RAISE_PERCENT: u128 = 25;
/// Less than this makes no replacement.
const RAISE_PERCENT_MIN: u128 = 13;

/// What a unit of gas may cost, in wei (EIP-1559).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fees {
    pub(super) max_wei: u128,
    pub(super) tip_wei: u128,
}

/// A signed transaction.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) tx: TxEip1559,
    pub(super) hash: B256,
    pub(super) raw: Bytes,
}

impl Version {
    /// Reads it back from the journal.
    pub(super) fn decode(raw: &Bytes) -> Option<Self> {
        let TxEnvelope::Eip1559(signed) = TxEnvelope::decode_2718(&mut raw.as_ref()).ok()? else {
            return None;
        };
        Some(Self { hash: *signed.hash(), tx: signed.tx().clone(), raw: raw.clone() })
    }

    pub(super) fn nonce(&self) -> u64 {
        self.tx.nonce()
    }

    /// The fees of a version that can take this one's place; `None` when the cap leaves no room for it.
    pub(super) fn raised(&self, now: Fees, cap_wei: u128) -> Option<Fees> {
        let more = |old: u128, percent: u128| old.saturating_mul(100 + percent).div_ceil(100);
        let (old_max, old_tip) = (self.tx.max_fee_per_gas, self.tx.max_priority_fee_per_gas);
        let max_wei = more(old_max, RAISE_PERCENT).max(now.max_wei).min(cap_wei);
        let tip_wei = more(old_tip, RAISE_PERCENT).max(now.tip_wei).min(max_wei);
        let enough =
            max_wei >= more(old_max, RAISE_PERCENT_MIN) && tip_wei >= more(old_tip, RAISE_PERCENT_MIN);
        (enough && max_wei > old_max).then_some(Fees { max_wei, tip_wei })
    }
}

impl Sender {
    pub(super) async fn sign(&self, mut tx: TxEip1559) -> Result<Version, SendError> {
        let signature = self.signer.sign_transaction(&mut tx).await.map_err(SendError::Sign)?;
        let signed = tx.into_signed(signature);
        let hash = *signed.hash();
        let tx = signed.tx().clone();
        Ok(Version { tx, hash, raw: TxEnvelope::from(signed).encoded_2718().into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(max_wei: u128, tip_wei: u128) -> Version {
        let tx =
            TxEip1559 { max_fee_per_gas: max_wei, max_priority_fee_per_gas: tip_wei, ..TxEip1559::default() };
        Version { tx, hash: B256::ZERO, raw: Bytes::new() }
    }

    #[test]
    fn replacement_pays_enough_more_or_is_not_made() {
        let now = Fees { max_wei: 50, tip_wei: 2 };
        assert_eq!(version(100, 8).raised(now, 1_000), Some(Fees { max_wei: 125, tip_wei: 10 }));
        assert_eq!(version(100, 8).raised(now, 113), Some(Fees { max_wei: 113, tip_wei: 10 }));
        assert_eq!(version(100, 8).raised(now, 112), None, "less than a tenth more is underpriced");
        let dear = Fees { max_wei: 900, tip_wei: 80 };
        assert_eq!(version(100, 8).raised(dear, 1_000), Some(dear), "never less than a new one would pay");
        assert_eq!(version(0, 0).raised(Fees { max_wei: 0, tip_wei: 0 }, 0), None);
    }
}
