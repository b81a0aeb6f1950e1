//! Sends transactions of one account so that each intent happens at most once, whatever dies in between.
//!
//! - `types`: intents, bounds, and the journal that the caller implements;
//! - `version`: one signed version, and its replacement; `broadcast`: what a chain says to it;
//! - `error`: permanent, temporary, or outcome unknown.
//!
//! Under one lock: simulate, choose gas, fees and nonce, sign, store the bytes, send. Then, without the lock, wait for the
//! receipt, and replace what is stuck. All versions of an intent have the same nonce, so at most one of them can ever be
//! in a block. A new nonce is taken only when the old one is used by another transaction, deeper than any expected
//! reorganization. Nonces are never cached: the chain and the journal say which is next.

mod broadcast;
mod error;
mod types;
mod version;

use std::sync::Arc;

use alloy::consensus::TxEip1559;
use alloy::eips::BlockId;
use alloy::eips::eip1559::BaseFeeParams;
use alloy::network::TxSigner;
use alloy::primitives::{Address, Bytes, Signature, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use domain::{NoProbe, Probe};
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::broadcast::{Broadcast, classify};
pub use self::error::SendError;
pub use self::types::{Call, IntentKey, Journal, JournalError, Mined, SenderSettings};
use self::version::{Fees, Version};

/// Every point that a [`Probe`] is told of: signed and stored, handed to the chain, seen in a block. A process killed at
/// any of them, which sends again under the same key, makes the call happen once.
pub const POINTS: &[&str] = &["transaction.stored", "transaction.sent", "transaction.mined"];

/// What is added to an estimate of gas, in percent: the state may differ a little when the transaction is executed.
const GAS_MARGIN_PERCENT: u64 = 25;

/// The one sender of one account on one chain. Two senders for one account would take each other's nonces.
pub struct Sender {
    provider: DynProvider,
    signer: Arc<dyn TxSigner<Signature> + Send + Sync>,
    journal: Arc<dyn Journal>,
    settings: SenderSettings,
    probe: Arc<dyn Probe>,
    one_at_a_time: Mutex<()>,
}

impl Sender {
    /// A sender for the account of `signer`.
    pub fn new(
        provider: DynProvider,
        signer: Arc<dyn TxSigner<Signature> + Send + Sync>,
        journal: Arc<dyn Journal>,
        settings: SenderSettings,
    ) -> Self {
        let probe = Arc::new(NoProbe);
        Self { provider, signer, journal, settings, probe, one_at_a_time: Mutex::new(()) }
    }

    /// The same, which tells `probe` of every point.
    #[must_use]
    pub fn with_probe(self, probe: Arc<dyn Probe>) -> Self {
        Self { probe, ..self }
    }

    /// The account.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Makes the call happen once and waits, within bounds, until it is in a block and deep enough. May be repeated under
    /// the same key, after a crash too: an intent that was signed is only looked for and sent again, whatever `call` says
    /// now.
    ///
    /// # Errors
    /// See [`SendError::status`]: after `UnknownOutcome` only the same key may be used for the same purpose.
    pub async fn send(&self, key: &IntentKey, call: &Call) -> Result<Mined, SendError> {
        let versions = {
            let _one = self.one_at_a_time.lock().await;
            match self.signed(key).await? {
                Some(versions) => versions,
                None => vec![self.begin(key, call).await?],
            }
        };
        self.watch(key, versions).await
    }

    /// Goes on with an intent that was signed before, as [`Self::send`] would. `None` when nothing is signed under this key,
    /// or when what is signed can never happen any more.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn resume(&self, key: &IntentKey) -> Result<Option<Mined>, SendError> {
        let versions = {
            let _one = self.one_at_a_time.lock().await;
            self.signed(key).await?
        };
        match versions {
            Some(versions) => self.watch(key, versions).await.map(Some),
            None => Ok(None),
        }
    }

    /// Removes an intent from the journal, after its outcome is recorded elsewhere. Sent again under the same key, it
    /// would happen again.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn forget(&self, key: &IntentKey) -> Result<(), JournalError> {
        self.journal.forget(key).await
    }

    /// An intent that was signed before: its versions, sent again. `None` when nothing is signed, or when what is signed
    /// can never happen any more.
    async fn signed(&self, key: &IntentKey) -> Result<Option<Vec<Version>>, SendError> {
        let stored = self.journal.versions(key).await.map_err(SendError::Journal)?;
        let versions: Option<Vec<Version>> = stored.iter().map(Version::decode).collect();
        let versions = versions.ok_or(SendError::JournalDamaged)?;
        let Some(newest) = versions.last() else { return Ok(None) };
        let pending = |_| SendError::Pending { hash: newest.hash };
        // Nonces first: a transaction that gets into a block after this look has its receipt in the next one.
        let (used, used_deep) = self.nonces_used().await.map_err(pending)?;
        if self.find_receipt(&versions).await.map_err(pending)?.is_some() {
            return Ok(Some(versions));
        }
        if used_deep > newest.nonce() {
            // Another transaction has the nonce for good, so that no version of this intent can ever be in a block.
            self.journal.remove(key).await.map_err(SendError::Journal)?;
            return Ok(None);
        }
        if used > newest.nonce() {
            return Err(SendError::NonceUsed { nonce: newest.nonce() });
        }
        self.broadcast(newest).await;
        Ok(Some(versions))
    }

    /// Nonces used by the account: at the head, and deeper than any expected reorganization.
    async fn nonces_used(&self) -> Result<(u64, u64), error::RpcFailure> {
        let used = self.provider.get_transaction_count(self.address()).await?;
        if self.settings.confirmations == 0 {
            return Ok((used, used));
        }
        let head = self.provider.get_block_number().await?;
        let deep = BlockId::number(head.saturating_sub(self.settings.confirmations));
        Ok((used, self.provider.get_transaction_count(self.address()).block_id(deep).await?))
    }

    /// Simulates, signs, stores and sends a new intent.
    async fn begin(&self, key: &IntentKey, call: &Call) -> Result<Version, SendError> {
        let request = TransactionRequest {
            from: Some(self.address()),
            to: Some(call.to),
            value: Some(call.value),
            input: call.input.clone().into(),
            ..TransactionRequest::default()
        };
        let pending = BlockId::pending();
        self.provider.call(request.clone()).block(pending).await.map_err(SendError::simulation)?;
        let needed =
            self.provider.estimate_gas(request).block(pending).await.map_err(SendError::simulation)?;
        let ceiling = self.settings.gas_ceiling;
        if needed > ceiling {
            return Err(SendError::GasCeiling { needed, ceiling });
        }
        let fees = self.fees().await?;
        let tx = TxEip1559 {
            chain_id: self.settings.chain_id,
            nonce: self.next_nonce().await?,
            gas_limit: (needed + needed * GAS_MARGIN_PERCENT / 100).min(ceiling),
            max_fee_per_gas: fees.max_wei,
            max_priority_fee_per_gas: fees.tip_wei,
            to: call.to,
            value: call.value,
            access_list: Default::default(),
            input: call.input.clone(),
        };
        let version = self.sign(tx).await?;
        self.journal.add(key, &version.raw).await.map_err(SendError::Journal)?;
        self.probe.reached("transaction.stored")?;
        let answer = self.broadcast(&version).await;
        self.probe.reached("transaction.sent")?;
        match answer {
            // Whatever handed these bytes on may have done so twice: a nonce that is used says nothing about by whom.
            Broadcast::Taken | Broadcast::NonceUsed | Broadcast::Unknown => Ok(version),
            Broadcast::Refused(error) => {
                // Nobody has these bytes but the chain that refused them: it is as if they had never been signed.
                self.journal.remove(key).await.map_err(SendError::Journal)?;
                Err(error)
            }
        }
    }

    /// What a unit of gas may cost now: twice the base fee, so that it may rise for some blocks, and the tip.
    async fn fees(&self) -> Result<Fees, SendError> {
        let head = self.provider.get_block(BlockId::latest()).await.map_err(unreachable)?;
        let head = head.ok_or_else(|| unreachable(error::RpcFailure::NullResp))?;
        let next = head.header.next_block_base_fee(BaseFeeParams::ethereum());
        let base_fee = u128::from(next.or(head.header.base_fee_per_gas).unwrap_or_default());
        let (tip_wei, cap_wei) = (self.settings.tip_wei, self.settings.fee_cap_wei);
        let needed_wei = base_fee.saturating_add(tip_wei);
        if needed_wei > cap_wei {
            return Err(SendError::FeeCap { needed_wei, cap_wei });
        }
        Ok(Fees { max_wei: needed_wei.saturating_add(base_fee).min(cap_wei), tip_wei })
    }

    /// The first nonce that neither the chain nor the journal has given away. What the journal has and the chain has not
    /// is sent again, because a gap would hold up everything after it.
    async fn next_nonce(&self) -> Result<u64, SendError> {
        let used = self.provider.get_transaction_count(self.address()).await.map_err(unreachable)?;
        let waiting =
            self.provider.get_transaction_count(self.address()).pending().await.map_err(unreachable)?;
        let mut next = used.max(waiting);
        let stored = self.journal.newest().await.map_err(SendError::Journal)?;
        let mut open: Vec<Version> =
            stored.iter().filter_map(Version::decode).filter(|version| version.nonce() >= used).collect();
        open.sort_by_key(Version::nonce);
        for version in open {
            if version.nonce() >= waiting {
                self.broadcast(&version).await;
            }
            next = next.max(version.nonce() + 1);
        }
        Ok(next)
    }

    async fn broadcast(&self, version: &Version) -> Broadcast {
        let answer = classify(self.provider.send_raw_transaction(&version.raw).await);
        tracing::debug!(hash = %version.hash, nonce = version.nonce(), ?answer, "transaction handed over");
        answer
    }

    /// Waits until a version is deep enough in a block, and sends again or replaces what is stuck.
    async fn watch(&self, key: &IntentKey, mut versions: Vec<Version>) -> Result<Mined, SendError> {
        let started = Instant::now();
        let mut acted = started;
        loop {
            // A chain that does not answer now may do so later; the wait is bounded all the same.
            if let Ok(Some(mined)) = self.look(&versions).await {
                self.probe.reached("transaction.mined")?;
                return finish(mined);
            }
            let now = Instant::now();
            if now - started >= self.settings.wait.duration() {
                let hash = versions.last().map(|version| version.hash).unwrap_or_default();
                return Err(SendError::Pending { hash });
            }
            if now - acted >= self.settings.replace_after.duration() {
                acted = now;
                if let Some(version) = self.push(key, &versions).await {
                    versions.push(version);
                }
            }
            tokio::time::sleep(self.settings.poll.duration()).await;
        }
    }

    /// The receipt of the version that is in a block, if enough blocks follow it.
    async fn look(&self, versions: &[Version]) -> Result<Option<TransactionReceipt>, error::RpcFailure> {
        let Some(receipt) = self.find_receipt(versions).await? else { return Ok(None) };
        if self.settings.confirmations == 0 {
            return Ok(Some(receipt));
        }
        let head = self.provider.get_block_number().await?;
        let deep =
            receipt.block_number.is_some_and(|at| at.saturating_add(self.settings.confirmations) <= head);
        Ok(deep.then_some(receipt))
    }

    async fn find_receipt(
        &self,
        versions: &[Version],
    ) -> Result<Option<TransactionReceipt>, error::RpcFailure> {
        for version in versions.iter().rev() {
            if let Some(receipt) = self.provider.get_transaction_receipt(version.hash).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// Sends the newest version again, or one that pays more in its place. The new one, if there is one.
    async fn push(&self, key: &IntentKey, versions: &[Version]) -> Option<Version> {
        let newest = versions.last()?;
        let _one = self.one_at_a_time.lock().await;
        // In a block already, only not deep enough: nothing to push.
        if !matches!(self.find_receipt(versions).await, Ok(None)) {
            return None;
        }
        self.broadcast(newest).await;
        let now = self.fees().await.ok()?;
        let raised = newest.raised(now, self.settings.fee_cap_wei)?;
        let tx = TxEip1559 {
            max_fee_per_gas: raised.max_wei,
            max_priority_fee_per_gas: raised.tip_wei,
            ..newest.tx.clone()
        };
        let version = self.sign(tx).await.ok()?;
        self.journal.add(key, &version.raw).await.ok()?;
        self.broadcast(&version).await;
        Some(version)
    }
}

fn unreachable(error: error::RpcFailure) -> SendError {
    SendError::Unreachable(Box::new(error))
}

fn finish(receipt: TransactionReceipt) -> Result<Mined, SendError> {
    let hash = receipt.transaction_hash;
    if !receipt.status() {
        let reason = "it failed in its block".to_owned();
        return Err(SendError::Reverted { reason, data: Bytes::new(), hash: Some(hash) });
    }
    Ok(Mined {
        hash,
        block: receipt.block_number.unwrap_or_default(),
        gas_used: receipt.gas_used,
        fee_wei: U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price),
        receipt,
    })
}
