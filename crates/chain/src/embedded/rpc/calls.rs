//! `eth_call` and `eth_estimateGas`.

use alloy::primitives::{Address, Bytes, TxKind, U256};
use alloy::rpc::types::TransactionRequest;
use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context_interface::either::Either;

use super::RpcError;
use super::params::At;
use crate::embedded::block::{BLOCK_GAS_MAX, Tip};
use crate::embedded::checked::TX_GAS_MAX;
use crate::embedded::core::Core;
use crate::embedded::execute::{self, ExecuteError};

/// Gas of a plain transfer (yellow paper, appendix G).
const TRANSFER_GAS: u64 = 21_000;
/// Gas that a call with value gives on top (yellow paper, appendix G).
const CALL_STIPEND: u64 = 2_300;
/// An estimate that is this near to what is needed is good enough: one part in 64, geth's rule is 1.5 %.
const ESTIMATE_SLACK: u64 = 64;

/// Runs a call and returns its output.
pub(super) fn call(core: &Core, request: TransactionRequest, at: At) -> Result<Bytes, RpcError> {
    let tip = core.tip();
    let tx = env(&tip, core.origin.chain_id, request, BLOCK_GAS_MAX)?;
    match run(core, &tip, at, tx)? {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        failed => Err(failure(failed)),
    }
}

/// The least gas, within 1.5 %, with which the call succeeds: geth's search.
pub(super) fn estimate(core: &Core, request: TransactionRequest, at: At) -> Result<u64, RpcError> {
    let tip = core.tip();
    let mut tx = env(&tip, core.origin.chain_id, request, TX_GAS_MAX)?;
    tx.gas_limit = tx.gas_limit.min(TX_GAS_MAX);
    let try_with = |gas_limit: u64| run(core, &tip, at, TxEnv { gas_limit, ..tx.clone() });
    let succeeds = |gas_limit: u64| match try_with(gas_limit) {
        Ok(result) => result.is_success(),
        Err(_) => false,
    };
    if is_transfer(&tip, &tx) && succeeds(TRANSFER_GAS) {
        return Ok(TRANSFER_GAS);
    }
    let (mut low, mut high) = (TRANSFER_GAS - 1, affordable(&tip, &tx));
    let first = try_with(high)?;
    if !first.is_success() {
        return Err(failure(first));
    }
    let gas = *first.gas();
    low = low.max(gas.tx_gas_used().saturating_sub(1));
    // Refunds come after the gas was needed, and a call keeps back one part in 64 (EIP-150).
    let likely = (gas.total_gas_spent() + CALL_STIPEND).saturating_mul(64) / 63;
    if likely < high {
        if succeeds(likely) { high = likely } else { low = low.max(likely) }
    }
    while low + 1 < high && (high - low) > high / ESTIMATE_SLACK {
        // Most calls need little more than they use, so the middle is looked for low down.
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
        if succeeds(middle) { high = middle } else { low = middle }
    }
    Ok(high)
}

fn is_transfer(tip: &Tip, tx: &TxEnv) -> bool {
    let TxKind::Call(to) = tx.kind else { return false };
    let empty =
        tip.world.account(to).is_none_or(|account| account.code_hash == alloy::primitives::KECCAK256_EMPTY);
    let is_precompile = to <= Address::with_last_byte(0xff) || to == revm::precompile::u64_to_address(0x100);
    tx.data.is_empty() && tx.authorization_list.is_empty() && empty && !is_precompile
}

/// The gas that the sender can pay at the price it names.
fn affordable(tip: &Tip, tx: &TxEnv) -> u64 {
    if tx.gas_price == 0 {
        return tx.gas_limit;
    }
    let left = tip.world.balance(tx.caller).saturating_sub(tx.value);
    tx.gas_limit.min((left / U256::from(tx.gas_price)).saturating_to())
}

fn run(core: &Core, tip: &Tip, at: At, tx: TxEnv) -> Result<ExecutionResult, RpcError> {
    let block = match at {
        At::Head => execute::block_env(&tip.header),
        At::Next => execute::block_env(&tip.next_header(core.now_s(), &core.origin)),
    };
    execute::call(&tip.world, block, core.origin.chain_id, tx).map_err(impossible)
}

fn env(tip: &Tip, chain_id: u64, request: TransactionRequest, gas_default: u64) -> Result<TxEnv, RpcError> {
    let priced = request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some();
    if priced && request.gas_price.is_some() {
        return Err(RpcError::params("both gasPrice and maxFeePerGas or maxPriorityFeePerGas are given"));
    }
    if request.blob_versioned_hashes.is_some() || request.sidecar.is_some() {
        return Err(RpcError::params("there are no blobs here"));
    }
    let caller = request.from.unwrap_or_default();
    let authorizations = request.authorization_list.unwrap_or_default();
    let data =
        request.input.try_into_unique_input().map_err(|_| RpcError::params("input and data differ"))?;
    let tx_type = if !authorizations.is_empty() {
        4
    } else if priced {
        2
    } else {
        u8::from(request.access_list.is_some())
    };
    Ok(TxEnv {
        tx_type,
        caller,
        gas_limit: request.gas.unwrap_or(gas_default).min(BLOCK_GAS_MAX),
        gas_price: request.max_fee_per_gas.or(request.gas_price).unwrap_or_default(),
        kind: request.to.unwrap_or(TxKind::Create),
        value: request.value.unwrap_or_default(),
        data: data.unwrap_or_default(),
        nonce: request.nonce.unwrap_or_else(|| tip.world.nonce(caller)),
        chain_id: Some(request.chain_id.unwrap_or(chain_id)),
        access_list: request.access_list.unwrap_or_default(),
        gas_priority_fee: (tx_type >= 2).then(|| request.max_priority_fee_per_gas.unwrap_or_default()),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: authorizations.into_iter().map(Either::Left).collect(),
    })
}

/// A call that ran and failed.
fn failure(result: ExecutionResult) -> RpcError {
    match result {
        ExecutionResult::Revert { output, .. } => RpcError::revert(output),
        ExecutionResult::Halt { reason, .. } => RpcError::internal(format!("EVM error {reason:?}")),
        ExecutionResult::Success { .. } => {
            RpcError::internal("a call that succeeded was taken for a failure")
        }
    }
}

/// A call that could not even begin.
fn impossible(error: ExecuteError) -> RpcError {
    match error {
        EVMError::Transaction(
            InvalidTransaction::LackOfFundForMaxFee { .. } | InvalidTransaction::OverflowPaymentInTransaction,
        ) => RpcError::rejected("insufficient funds for gas * price + value"),
        EVMError::Transaction(InvalidTransaction::GasPriceLessThanBasefee) => {
            RpcError::rejected("max fee per gas less than block base fee")
        }
        EVMError::Transaction(InvalidTransaction::PriorityFeeGreaterThanMaxFee) => {
            RpcError::rejected("max priority fee per gas higher than max fee per gas")
        }
        EVMError::Transaction(InvalidTransaction::InvalidChainId) => {
            RpcError::rejected("invalid chain id for signer")
        }
        EVMError::Transaction(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
            | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
        ) => RpcError::server("intrinsic gas too low"),
        other => RpcError::server(other.to_string()),
    }
}
