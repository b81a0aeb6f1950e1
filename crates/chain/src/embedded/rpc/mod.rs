//! The Ethereum JSON-RPC methods that the embedded chain knows. There are no accounts here, and nothing that signs.

mod blocks;
mod calls;
mod error;
mod params;

use alloy::consensus::transaction::Recovered;
use alloy::eips::BlockNumberOrTag;
use alloy::primitives::{Address, B256, Bytes, U64, U256};
use alloy::rpc::types::{Filter, Transaction, TransactionRequest};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use self::params::{At, Params};
use super::checked::Checked;
use super::core::Core;
pub(super) use error::RpcError;

/// Requests in one batch.
const BATCH_MAX: usize = 1_000;
const CLIENT: &str = concat!("waag/v", env!("CARGO_PKG_VERSION"));

/// A request of JSON-RPC 2.0, section 4. Every part may be missing, so that the error can say which.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    method: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

/// Answers a request or a batch given as text; `None` when nothing in it asks for an answer.
pub(super) async fn answer(core: &Core, text: &[u8]) -> Option<String> {
    let Ok(whole) = serde_json::from_slice::<&RawValue>(text) else {
        return Some(render(None, Err(RpcError::parse())));
    };
    if !whole.get().starts_with('[') {
        return one(core, whole).await;
    }
    let requests = match serde_json::from_str::<Vec<&RawValue>>(whole.get()) {
        Ok(requests) if requests.is_empty() => Err(RpcError::request("the batch is empty")),
        Ok(requests) if requests.len() > BATCH_MAX => {
            Err(RpcError::request(format!("a batch has at most {BATCH_MAX} requests")))
        }
        Ok(requests) => Ok(requests),
        Err(_) => Err(RpcError::parse()),
    };
    match requests {
        Err(error) => Some(render(None, Err(error))),
        Ok(requests) => {
            let answers =
                futures::future::join_all(requests.into_iter().map(|request| one(core, request))).await;
            let answers: Vec<String> = answers.into_iter().flatten().collect();
            (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
        }
    }
}

async fn one(core: &Core, raw: &RawValue) -> Option<String> {
    let Ok(request) = serde_json::from_str::<Request<'_>>(raw.get()) else {
        return Some(render(None, Err(RpcError::request("the request is not an object of JSON-RPC 2.0"))));
    };
    // An id is a string, a number or null; anything else is not repeated.
    let id = request.id.filter(|id| !id.get().starts_with(['{', '[', 't', 'f']));
    if request.jsonrpc.as_deref() != Some("2.0") || id.is_none() && request.id.is_some() {
        return Some(render(id, Err(RpcError::request("the request is not of JSON-RPC 2.0"))));
    }
    let Some(method) = request.method else {
        return Some(render(id, Err(RpcError::request("the request names no method"))));
    };
    let result = call(core, &method, request.params).await;
    // A request without an id wants no answer.
    id.map(|id| render(Some(id), result))
}

fn render(id: Option<&RawValue>, result: Result<Box<RawValue>, RpcError>) -> String {
    let id = id.map_or("null", RawValue::get);
    match result {
        Ok(value) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, value.get()),
        Err(error) => {
            let error = to_raw_value(&error.into_payload());
            let error =
                error.as_ref().map_or(r#"{"code":-32603,"message":"internal error"}"#, |raw| raw.get());
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
        }
    }
}

fn json(value: &impl Serialize) -> Result<Box<RawValue>, RpcError> {
    to_raw_value(value).map_err(|_| RpcError::internal("the answer cannot be written"))
}

/// A transaction that is in no block yet.
fn pending(tx: &Checked) -> Transaction {
    Transaction {
        inner: Recovered::new_unchecked(tx.envelope.clone(), tx.sender),
        block_hash: None,
        block_number: None,
        transaction_index: None,
        effective_gas_price: None,
        block_timestamp: None,
    }
}

/// Runs one method.
pub(super) async fn call(
    core: &Core,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Box<RawValue>, RpcError> {
    let params = Params::read(params)?;
    match method {
        "eth_sendRawTransaction" => json(&core.submit(params.get::<Bytes>(0)?).await?),
        "web3_clientVersion" => json(&CLIENT),
        "net_version" => json(&core.origin.chain_id.to_string()),
        "net_listening" => json(&true),
        "eth_chainId" => json(&U64::from(core.origin.chain_id)),
        "eth_syncing" => json(&false),
        "eth_accounts" => json(&[(); 0]),
        "eth_blockNumber" => json(&U64::from(core.tip().header.number)),
        "eth_maxPriorityFeePerGas" => json(&U64::from(blocks::SUGGESTED_TIP)),
        "eth_gasPrice" => json(&U64::from(core.tip().next_base_fee() + blocks::SUGGESTED_TIP)),
        "eth_call" | "eth_estimateGas" => run(core, method, &params),
        "eth_getBalance" | "eth_getTransactionCount" | "eth_getCode" | "eth_getStorageAt" => {
            account(core, method, &params)
        }
        _ => history(core, method, &params),
    }
}

fn run(core: &Core, method: &str, params: &Params<'_>) -> Result<Box<RawValue>, RpcError> {
    let request: TransactionRequest = params.get(0)?;
    let overrides: Option<serde_json::Map<String, serde_json::Value>> = params.optional(2)?;
    if overrides.is_some_and(|overrides| !overrides.is_empty()) {
        return Err(RpcError::params("state overrides are not supported"));
    }
    match method {
        "eth_call" => json(&calls::call(core, request, params.at(1, core, At::Head)?)?),
        _ => json(&U64::from(calls::estimate(core, request, params.at(1, core, At::Next)?)?)),
    }
}

fn account(core: &Core, method: &str, params: &Params<'_>) -> Result<Box<RawValue>, RpcError> {
    let address: Address = params.get(0)?;
    match method {
        "eth_getBalance" => {
            params.at(1, core, At::Head)?;
            json(&core.tip().world.balance(address))
        }
        "eth_getTransactionCount" => {
            let at = params.at(1, core, At::Head)?;
            let tip = core.tip();
            json(&U64::from(match at {
                At::Head => tip.world.nonce(address),
                At::Next => core.queue().pool.next_nonce(address, &tip.world),
            }))
        }
        "eth_getCode" => {
            params.at(1, core, At::Head)?;
            let tip = core.tip();
            let code = tip.world.account(address).map(|account| tip.world.code(account.code_hash));
            json(&code.map(|code| code.original_bytes()).unwrap_or_default())
        }
        _ => {
            let slot: U256 = params.get(1)?;
            params.at(2, core, At::Head)?;
            json(&B256::from(core.tip().world.storage(address, slot)))
        }
    }
}

fn history(core: &Core, method: &str, params: &Params<'_>) -> Result<Box<RawValue>, RpcError> {
    let numbered = || blocks::by_number(core, params.get::<BlockNumberOrTag>(0)?);
    let hashed = || blocks::by_hash(core, params.get::<B256>(0)?);
    let full = || params.optional::<bool>(1).map(Option::unwrap_or_default);
    match method {
        "eth_getBlockByNumber" if params.get::<BlockNumberOrTag>(0)?.is_pending() => {
            json(&blocks::show_pending(core, full()?))
        }
        "eth_getBlockByNumber" | "eth_getBlockByHash" => {
            let block = if method == "eth_getBlockByHash" { hashed()? } else { numbered()? };
            let full = full()?;
            json(&block.map(|block| blocks::show(core, block, full)).transpose()?)
        }
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            let block = if method.ends_with("Hash") { hashed()? } else { numbered()? };
            let count = block.map(|block| blocks::transaction_count(core, &block)).transpose()?;
            json(&count.map(U64::from))
        }
        "eth_getBlockReceipts" => {
            let block = numbered()?;
            json(&block.map(|block| blocks::receipts(core, &block)).transpose()?)
        }
        "eth_getTransactionByHash" => json(&blocks::transaction(core, params.get(0)?)?),
        "eth_getTransactionReceipt" => json(&blocks::receipt(core, params.get(0)?)?),
        "eth_getLogs" => json(&blocks::logs(core, &params.get::<Filter>(0)?)?),
        "eth_feeHistory" => {
            let count: U64 = params.get(0)?;
            let percentiles: Option<Vec<f64>> = params.optional(2)?;
            json(&blocks::fee_history(core, count.to(), params.get(1)?, percentiles.as_deref())?)
        }
        _ => Err(RpcError::method()),
    }
}
