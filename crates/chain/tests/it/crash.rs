//! The chain's process is killed in the middle of 200 blocks, and its file opened again: nothing confirmed is lost, and
//! history and state agree.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use alloy::primitives::{B256, TxKind, U256};
use alloy::providers::Provider;
use alloy::rpc::types::{Filter, TransactionRequest};
use alloy::sol_types::{SolCall, SolEvent};
use waag_chain::embedded::{EmbeddedChain, OpenError};

use crate::common::{Hand, Probe, SetClock, genesis, probe_code};

const BLOCKS: u64 = 200;
const START: u64 = 7;
/// Names the file to the child; without it the child's test has nothing to do.
const FILE_VARIABLE: &str = "WAAG_TEST_CHAIN_FILE";

fn open(file: &Path) -> Result<EmbeddedChain, OpenError> {
    EmbeddedChain::open(file, &genesis(), SetClock::at(1_800_000_000))
}

/// The child: makes blocks and reports each transaction as soon as it is confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn child_makes_blocks_until_it_is_killed() {
    let Some(file) = std::env::var_os(FILE_VARIABLE) else { return };
    let hand = Hand::new(open(Path::new(&file)).unwrap().provider());
    let deployed = hand.mined(hand.tx(0, TxKind::Create, probe_code(START))).await;
    let probe = deployed.contract_address.unwrap();
    for nonce in 1..=BLOCKS {
        let add = Probe::addCall { step: U256::from(nonce % 100) }.abi_encode();
        let receipt = hand.mined(hand.tx(nonce, probe.into(), add.into())).await;
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nconfirmed {} {}", receipt.transaction_hash, receipt.block_hash.unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_killed_amid_200_blocks_loses_nothing_confirmed() {
    for kill_after in [1, 48, 113, 187] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("chain.redb");
        let confirmed = killed_after(&file, kill_after);
        assert!(confirmed.len() >= kill_after && confirmed.len() < 200, "{} confirmed", confirmed.len());
        check(&file, &confirmed).await;
    }
}

/// Starts the child, kills it once it has confirmed so many transactions, and returns all that it confirmed.
fn killed_after(file: &Path, kill_after: usize) -> Vec<(B256, B256)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_makes_blocks_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(FILE_VARIABLE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut confirmed = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        if words.next() == Some("confirmed") {
            let mut hash = || words.next().and_then(|word| word.parse().ok());
            // The last line may be cut in the middle.
            let (Some(transaction), Some(block)) = (hash(), hash()) else { continue };
            confirmed.push((transaction, block));
            if confirmed.len() == kill_after {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    confirmed
}

async fn check(file: &Path, confirmed: &[(B256, B256)]) {
    let chain = open(file).unwrap();
    let hand = Hand::new(chain.provider());
    for (hash, block) in confirmed {
        let receipt = hand.provider.get_transaction_receipt(*hash).await.unwrap();
        assert_eq!(receipt.and_then(|receipt| receipt.block_hash), Some(*block), "{hash} is lost");
    }
    let head = hand.provider.get_block_number().await.unwrap();
    let mut parent = B256::ZERO;
    let (mut transactions, mut probe) = (0, None);
    for number in 0..=head {
        let block = hand.provider.get_block_by_number(number.into()).await.unwrap().unwrap();
        assert_eq!(block.header.inner.hash_slow(), block.header.hash);
        assert_eq!(block.header.parent_hash, parent, "block {number} does not follow its parent");
        parent = block.header.hash;
        for hash in block.transactions.hashes() {
            let receipt = hand.provider.get_transaction_receipt(hash).await.unwrap().unwrap();
            assert!(receipt.status() && receipt.block_number == Some(number));
            probe = probe.or(receipt.contract_address);
            transactions += 1;
        }
    }
    assert_eq!(hand.provider.get_transaction_count(hand.address()).await.unwrap(), transactions);
    let probe = probe.unwrap();
    let logs = hand.provider.get_logs(&Filter::new().address(probe).from_block(0)).await.unwrap();
    assert_eq!(logs.len() as u64, transactions - 1);
    let steps = logs.iter().map(|log| Probe::Counted::decode_log(&log.inner).unwrap().step).sum::<U256>();
    let request = TransactionRequest::default().to(probe).input(Probe::valueCall {}.abi_encode().into());
    let value = hand.provider.call(request).await.unwrap();
    assert_eq!(U256::from_be_slice(&value), steps + U256::from(START));
    // It goes on where it stopped.
    let add = Probe::addCall { step: U256::from(1) }.abi_encode();
    let receipt = hand.mined(hand.tx(transactions, probe.into(), add.into())).await;
    assert!(receipt.status() && receipt.block_number == Some(head + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_file_is_opened_once_and_by_its_own_chain_only() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chain.redb");
    let chain = open(&file).unwrap();
    assert!(matches!(open(&file), Err(OpenError::Disk(_))), "two processes must not share a file");
    drop(chain);
    let other = waag_chain::embedded::Genesis { chain_id: 1, ..genesis() };
    let refused = EmbeddedChain::open(&file, &other, SetClock::at(1_800_000_000));
    assert!(matches!(refused, Err(OpenError::OtherChain { found: 31_337, .. })));
    drop(open(&file).unwrap());
    std::fs::write(&file, b"this is no chain").unwrap();
    assert!(matches!(open(&file), Err(OpenError::Disk(_))), "a foreign file is refused");
}
