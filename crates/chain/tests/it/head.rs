//! The head of the embedded chain: when blocks come, what they hold, and what other programs see over HTTP.

use std::process::Command;
use std::time::{Duration, Instant};

use alloy::consensus::TxEip1559;
use alloy::eips::BlockNumberOrTag;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use futures::future::join_all;
use waag_chain::embedded::{EmbeddedChain, TestControl};

use crate::common::{GWEI, Hand, Probe, SetClock, WAIT_MAX, embedded, genesis, probe_code, receipt, tool};

async fn head(hand: &Hand) -> u64 {
    hand.provider.get_block_number().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_sent_together_share_a_block() {
    let chain = embedded();
    let hand = Hand::new(chain.provider());
    let signed =
        join_all((0..64).map(|nonce| hand.sign(hand.tx(nonce, Address::ZERO.into(), Bytes::new())))).await;
    TestControl::of(&chain).pause();
    for (_, raw) in &signed {
        let _pending = hand.provider.send_raw_transaction(raw).await.unwrap();
    }
    assert_eq!(head(&hand).await, 0);
    let pending = hand.provider.get_block_by_number(BlockNumberOrTag::Pending).await.unwrap().unwrap();
    assert_eq!(pending.transactions.len(), 64);
    TestControl::of(&chain).resume();
    for (index, (hash, _)) in signed.iter().enumerate() {
        let receipt = receipt(&hand.provider, *hash).await;
        assert_eq!((receipt.block_number, receipt.transaction_index), (Some(1), Some(index as u64)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_blocks_come_while_somebody_asks_for_them() {
    let chain = embedded();
    let hand = Hand::new(chain.provider());
    assert_eq!(head(&hand).await, 0);
    let wanted = chain.want_blocks();
    let also_wanted = chain.want_blocks();
    drop(wanted);
    let until = Instant::now() + WAIT_MAX;
    while head(&hand).await < 2 {
        assert!(Instant::now() < until, "no empty block came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(also_wanted);
    // At most the one that was being made still comes.
    let stopped_at = head(&hand).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(head(&hand).await <= stopped_at + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_the_clocks_and_randomness_follows_from_the_seed() {
    let clock = SetClock::at(1_800_000_000);
    let chain = EmbeddedChain::in_memory(&genesis(), clock.clone()).unwrap();
    let hand = Hand::new(chain.provider());
    let probe = hand.mined(hand.tx(0, TxKind::Create, probe_code(0))).await.contract_address.unwrap();
    let ask = async |call: Vec<u8>, block: BlockNumberOrTag| {
        let request = TransactionRequest::default().to(probe).input(Bytes::from(call).into());
        U256::from_be_slice(&hand.provider.call(request).block(block.into()).await.unwrap())
    };
    clock.advance(100);
    let time = Probe::timeCall {}.abi_encode();
    assert_eq!(ask(time.clone(), BlockNumberOrTag::Latest).await, U256::from(1_800_000_000));
    assert_eq!(ask(time.clone(), BlockNumberOrTag::Pending).await, U256::from(1_800_000_100));
    clock.advance(-500);
    TestControl::of(&chain).mine(1).unwrap();
    assert_eq!(ask(time, BlockNumberOrTag::Latest).await, U256::from(1_800_000_000), "time never goes back");
    let randomness = Probe::randomnessCall {}.abi_encode();
    let first = ask(randomness.clone(), BlockNumberOrTag::Latest).await;
    TestControl::of(&chain).mine(1).unwrap();
    assert_ne!(ask(randomness, BlockNumberOrTag::Latest).await, first);
    let of_block_one = async |seed: u8| {
        let seeded = waag_chain::embedded::Genesis { seed: [seed; 32], ..genesis() };
        let chain = EmbeddedChain::in_memory(&seeded, SetClock::at(1)).unwrap();
        TestControl::of(&chain).mine(1).unwrap();
        let block = chain.provider().get_block_by_number(1.into()).await.unwrap().unwrap();
        block.header.mix_hash
    };
    assert_eq!(of_block_one(1).await, of_block_one(1).await);
    assert_ne!(of_block_one(1).await, of_block_one(2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_takes_blocks_state_and_file_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chain.redb");
    let chain = EmbeddedChain::open(&file, &genesis(), SetClock::at(1_800_000_000)).unwrap();
    let hand = Hand::new(chain.provider());
    let friend = Address::repeat_byte(5);
    let gift = |nonce| TxEip1559 { value: U256::from(1), ..hand.tx(nonce, friend.into(), Bytes::new()) };
    hand.mined(gift(0)).await;
    let snapshot = TestControl::of(&chain).snapshot().unwrap();
    let lost = hand.mined(gift(1)).await;
    TestControl::of(&chain).revert(&snapshot).unwrap();
    assert_eq!(head(&hand).await, 1);
    assert_eq!(hand.provider.get_balance(friend).await.unwrap(), U256::from(1));
    assert!(hand.provider.get_transaction_receipt(lost.transaction_hash).await.unwrap().is_none());
    drop((snapshot, hand));
    drop(chain);
    let again = EmbeddedChain::open(&file, &genesis(), SetClock::at(1_800_000_000)).unwrap();
    assert_eq!(again.provider().get_block_number().await.unwrap(), 1);
    assert_eq!(again.provider().get_balance(friend).await.unwrap(), U256::from(1));
}

// An underpriced transaction, once the base fee has risen over it, gets in when the base fee has fallen again.
#[tokio::test(flavor = "multi_thread")]
async fn transaction_below_the_base_fee_waits_for_it_to_fall() {
    let chain = embedded();
    let hand = Hand::new(chain.provider());
    let probe = hand.mined(hand.tx(0, TxKind::Create, probe_code(0))).await.contract_address.unwrap();
    TestControl::of(&chain).pause();
    let base_fee = async || {
        let block = hand.provider.get_block_by_number(BlockNumberOrTag::Pending).await.unwrap().unwrap();
        u128::from(block.header.base_fee_per_gas.unwrap())
    };
    let before = base_fee().await;
    // One that burns all its gas fills more than half of a block, which raises the base fee, and leaves no room for the
    // other, which pays no more than the base fee from before.
    let cheap = TxEip1559 {
        gas_limit: 15_000_000,
        max_fee_per_gas: before,
        max_priority_fee_per_gas: 0,
        ..hand.tx(2, Address::ZERO.into(), Bytes::new())
    };
    let burn = Probe::failWithInvalidCall {}.abi_encode();
    let burn = TxEip1559 { gas_limit: 16_000_000, ..hand.tx(1, probe.into(), burn.into()) };
    let (hash, raw) = hand.sign(cheap).await;
    for raw in [raw, hand.sign(burn).await.1] {
        let _pending = hand.provider.send_raw_transaction(&raw).await.unwrap();
    }
    TestControl::of(&chain).mine(1).unwrap();
    assert!(base_fee().await > before);
    assert!(hand.provider.get_transaction_receipt(hash).await.unwrap().is_none());
    TestControl::of(&chain).resume();
    let receipt = receipt(&hand.provider, hash).await;
    assert!(receipt.effective_gas_price <= before);
}

/// Runs cast against the chain and returns what it printed; `Err` holds what it complained about.
fn cast(url: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(tool("cast")).args(args).args(["--rpc-url", url]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn cast_reads_the_chain_over_http() {
    let chain = embedded();
    let hand = Hand::new(chain.provider());
    let probe = hand.mined(hand.tx(0, TxKind::Create, probe_code(41))).await.contract_address.unwrap();
    let add = Probe::addCall { step: U256::from(1) }.abi_encode();
    let mined = hand.mined(hand.tx(1, probe.into(), add.into())).await;
    let friend = Address::repeat_byte(0x77);
    hand.mined(TxEip1559 { value: U256::from(5 * GWEI), ..hand.tx(2, friend.into(), Bytes::new()) }).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, chain.http_router()).into_future());
    let (probe, hash) = (probe.to_string(), mined.transaction_hash.to_string());
    let told = tokio::task::spawn_blocking(move || {
        let read = |args: &[&str]| cast(&url, args).unwrap();
        assert_eq!(read(&["chain-id"]), "31337");
        assert_eq!(read(&["block-number"]), "3");
        assert_eq!(read(&["balance", &friend.to_string()]), "5000000000");
        assert_eq!(read(&["call", &probe, "value()(uint256)"]), "42");
        assert_eq!(read(&["nonce", &hand.address().to_string()]), "3");
        assert_eq!(read(&["receipt", &hash, "status"]), "true");
        assert_eq!(read(&["receipt", &hash, "blockNumber"]), "2");
        assert_eq!(read(&["block", "latest", "--field", "number"]), "3");
        let logs =
            read(&["logs", "--from-block", "0", "--address", &probe, "Counted(address,uint256,uint256)"]);
        assert!(logs.contains(&hash) && logs.contains("blockNumber: 2"), "{logs}");
        assert!(
            read(&["tx", &hash]).contains(&probe.to_lowercase()) || read(&["tx", &hash]).contains(&probe)
        );
        let refused = cast(&url, &["call", &probe, "failWithReason()"]).unwrap_err();
        assert!(refused.contains("because"), "{refused}");
        let unlocked =
            ["send", "--unlocked", "--from", &hand.address().to_string(), &probe, "add(uint256)", "1"];
        assert!(cast(&url, &unlocked).is_err(), "no account is unlocked");
        assert!(cast(&url, &["rpc", "anvil_mine"]).is_err(), "no control over RPC");
    });
    told.await.unwrap();
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_browser_cannot_send_requests() {
    let chain = embedded();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, chain.http_router()).into_future());
    let provider = waag_chain::remote::connect(&url).unwrap();
    assert_eq!(provider.get_chain_id().await.unwrap(), 31_337);
    let client = reqwest::Client::new();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    let plain = client.post(&url).header("content-type", "text/plain").body(body).send().await.unwrap();
    assert_eq!(plain.status(), 415);
    let large = client.post(&url).header("content-type", "application/json").body(vec![b' '; 2 << 20]);
    // The server does not read the rest, so that the client may lose the line before it sees the answer.
    assert!(large.send().await.map_or(true, |answer| answer.status() == 413));
    // Nor can that line be used again.
    let fresh = reqwest::Client::new();
    assert_eq!(fresh.get(&url).send().await.unwrap().status(), 405);
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn state_of_older_blocks_is_refused_and_not_made_up() {
    let chain = embedded();
    let hand = Hand::new(chain.provider());
    hand.mined(hand.tx(0, Address::ZERO.into(), Bytes::new())).await;
    TestControl::of(&chain).mine(2).unwrap();
    let old = hand.provider.get_balance(hand.address()).block_id(1.into()).await.unwrap_err();
    assert_eq!(old.as_error_resp().map(|payload| payload.code), Some(-32_000));
    let nowhere = hand.provider.get_balance(hand.address()).block_id(B256::ZERO.into()).await;
    assert!(nowhere.is_err());
    assert!(hand.provider.get_balance(hand.address()).block_id(3.into()).await.is_ok());
}
