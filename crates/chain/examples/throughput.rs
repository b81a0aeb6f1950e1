//! How many transactions and calls a second the embedded chain takes, beside anvil in the same run.
//!
//! `cargo run --release -p waag-chain --example throughput -- [--json] [--seconds N]`. Each row uses the same client, the
//! same contract call and, for transactions, 64 senders that each wait for their receipt before they send again. The
//! embedded chain writes to a file, one durable commit for each block.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSigner;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use custody::EvmSigner;
use domain::{Clock, Entropy, Timestamp};
use futures::future::join_all;
use waag_chain::embedded::{EmbeddedChain, Genesis};

const CHAIN_ID: u64 = 31_337;
const IN_FLIGHT: usize = 64;
const GWEI: u128 = 1_000_000_000;
const ETHER: u128 = 1_000_000_000_000_000_000;
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// `value()` and `add(1)` of the contract.
const VALUE: [u8; 4] = hex!("3fa4f245");
const ADD_ONE: [u8; 36] = hex!("1003e2d20000000000000000000000000000000000000000000000000000000000000001");

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or_default())
    }
}

struct Scalar([u8; 32]);

impl Entropy for Scalar {
    fn fill(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

fn signer(scalar: [u8; 32]) -> EvmSigner {
    let dir = tempfile::tempdir().unwrap();
    EvmSigner::open(&dir.path().join("keys"), "bench.key", &Scalar(scalar)).unwrap()
}

struct Account {
    signer: EvmSigner,
    nonce: u64,
}

impl Account {
    fn new(index: usize) -> Self {
        let mut scalar = [1; 32];
        scalar[24..].copy_from_slice(&(index as u64 + 1).to_be_bytes());
        Self { signer: signer(scalar), nonce: 0 }
    }

    async fn send(
        &mut self,
        provider: &DynProvider,
        to: TxKind,
        value: u128,
        input: Bytes,
    ) -> TransactionReceipt {
        let mut tx = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.nonce,
            gas_limit: if to.is_create() { 3_000_000 } else { 100_000 },
            max_fee_per_gas: 1_000 * GWEI,
            max_priority_fee_per_gas: GWEI,
            to,
            value: U256::from(value),
            access_list: Default::default(),
            input,
        };
        self.nonce += 1;
        let signature = self.signer.sign_transaction(&mut tx).await.unwrap();
        let envelope = TxEnvelope::from(tx.into_signed(signature));
        let _pending = provider.send_raw_transaction(&envelope.encoded_2718()).await.unwrap();
        let receipt = receipt(provider, *envelope.tx_hash()).await;
        assert!(receipt.status());
        receipt
    }
}

async fn receipt(provider: &DynProvider, hash: B256) -> TransactionReceipt {
    let until = Instant::now() + Duration::from_secs(30);
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(receipt) = provider.get_transaction_receipt(hash).await.unwrap() {
            return receipt;
        }
        assert!(Instant::now() < until, "no receipt for {hash}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(8));
    }
}

#[derive(serde::Serialize)]
struct Row {
    chain: &'static str,
    tx_per_s_64_in_flight: f64,
    tx_per_block: f64,
    tx_per_s_one_waiting: f64,
    calls_per_s: f64,
}

async fn measure(chain: &'static str, provider: DynProvider, seconds: Duration) -> Row {
    let mut deployer = Account { signer: signer(hex::decode(KEY).unwrap().try_into().unwrap()), nonce: 0 };
    let code = include_str!("../tests/contracts/Probe.hex").trim();
    let mut code = hex::decode(code).unwrap();
    code.extend_from_slice(&[0; 32]);
    let deployed = deployer.send(&provider, TxKind::Create, 0, code.into()).await;
    let probe = deployed.contract_address.unwrap();
    let accounts: Vec<Account> = (0..IN_FLIGHT).map(Account::new).collect();
    for account in &accounts {
        deployer.send(&provider, account.signer.address().into(), 100 * ETHER, Bytes::new()).await;
    }
    let blocks_before = provider.get_block_number().await.unwrap();
    let (mut accounts, sent, took) = flood(&provider, probe, accounts, seconds).await;
    let blocks = provider.get_block_number().await.unwrap() - blocks_before;
    accounts.truncate(1);
    let (_, sent_alone, took_alone) = flood(&provider, probe, accounts, seconds).await;
    let (called, took_calling) = calls(&provider, probe, seconds).await;
    Row {
        chain,
        tx_per_s_64_in_flight: per_second(sent, took),
        tx_per_block: sent as f64 / blocks.max(1) as f64,
        tx_per_s_one_waiting: per_second(sent_alone, took_alone),
        calls_per_s: per_second(called, took_calling),
    }
}

fn per_second(count: u64, took: Duration) -> f64 {
    (count as f64 / took.as_secs_f64()).round()
}

/// Each account, on a task of its own, sends and waits for its receipt, over and over.
async fn flood(
    provider: &DynProvider,
    probe: Address,
    accounts: Vec<Account>,
    seconds: Duration,
) -> (Vec<Account>, u64, Duration) {
    let started = Instant::now();
    let senders = accounts.into_iter().map(|mut account| {
        let provider = provider.clone();
        tokio::spawn(async move {
            let mut sent = 0u64;
            while started.elapsed() < seconds {
                account.send(&provider, probe.into(), 0, Bytes::from_static(&ADD_ONE)).await;
                sent += 1;
            }
            (account, sent)
        })
    });
    let done: Vec<(Account, u64)> = join_all(senders).await.into_iter().map(Result::unwrap).collect();
    let took = started.elapsed();
    let sent = done.iter().map(|(_, sent)| sent).sum();
    (done.into_iter().map(|(account, _)| account).collect(), sent, took)
}

/// Eight callers on as many tasks.
async fn calls(provider: &DynProvider, probe: Address, seconds: Duration) -> (u64, Duration) {
    let started = Instant::now();
    let callers = (0..8).map(|_| {
        let provider = provider.clone();
        tokio::spawn(async move {
            let request = TransactionRequest::default().to(probe).input(Bytes::from_static(&VALUE).into());
            let mut called = 0u64;
            while started.elapsed() < seconds {
                provider.call(request.clone()).await.unwrap();
                called += 1;
            }
            called
        })
    });
    let called = join_all(callers).await.into_iter().map(Result::unwrap).sum();
    (called, started.elapsed())
}

struct Anvil(Child, String);

impl Anvil {
    fn start() -> Self {
        let modules =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/node_modules/@foundry-rs");
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let program = modules.join(format!("anvil-linux-{machine}/bin/anvil"));
        assert!(program.exists(), "anvil is missing; install it with: cargo xtask tools");
        let mut child = Command::new(program)
            .args(["--port", "0", "--hardfork", "osaka"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("Listening on ").map(str::to_owned));
        // Its log has to go somewhere, or it stops when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, format!("http://{}", address.expect("anvil says where it listens")))
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let json = args.iter().any(|arg| arg == "--json");
    let seconds =
        args.iter().position(|arg| arg == "--seconds").and_then(|at| args.get(at + 1)?.parse().ok());
    let seconds = Duration::from_secs(seconds.unwrap_or(5));
    let dir = tempfile::tempdir().unwrap();
    let genesis = Genesis {
        chain_id: CHAIN_ID,
        deployer: signer(hex::decode(KEY).unwrap().try_into().unwrap()).address(),
        deployer_wei: U256::from(10_000 * ETHER),
        seed: [3; 32],
    };
    let load_before = load();
    let chain = EmbeddedChain::open(&dir.path().join("chain.redb"), &genesis, Arc::new(SystemClock)).unwrap();
    let ours = measure("embedded", chain.provider(), seconds).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let over_http =
        EmbeddedChain::open(&dir.path().join("http.redb"), &genesis, Arc::new(SystemClock)).unwrap();
    let server = tokio::spawn(axum::serve(listener, over_http.http_router()).into_future());
    let http = measure("embedded over HTTP", waag_chain::remote::connect(&url).unwrap(), seconds).await;
    server.abort();
    let anvil = Anvil::start();
    let theirs = measure("anvil", waag_chain::remote::connect(&anvil.1).unwrap(), seconds).await;
    let times = ours.tx_per_s_64_in_flight / theirs.tx_per_s_64_in_flight.max(1.0);
    let rows = [ours, http, theirs];
    if json {
        let report = serde_json::json!({
            "rows": rows,
            "times_anvil": (times * 10.0).round() / 10.0,
            "in_flight": IN_FLIGHT,
            "commit": "redb, Durability::Immediate: one fdatasync for each block",
            "load_average": [load_before, load()],
        });
        println!("{report}");
        return;
    }
    println!(
        "{:<20} {:>12} {:>10} {:>12} {:>10}",
        "chain", "tx/s, 64 in", "tx/block", "tx/s, one", "calls/s"
    );
    for row in &rows {
        println!(
            "{:<20} {:>12} {:>10.1} {:>12} {:>10}",
            row.chain, row.tx_per_s_64_in_flight, row.tx_per_block, row.tx_per_s_one_waiting, row.calls_per_s
        );
    }
    println!("{times:.1} times anvil; one durable commit for each block; load {load_before} to {}", load());
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
