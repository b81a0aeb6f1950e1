//! Chains to test on, a funded account, and a contract.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSigner;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol;
use custody::EvmSigner;
use domain::{Clock, Entropy, Timestamp};
use waag_chain::embedded::{EmbeddedChain, Genesis};

pub(crate) const CHAIN_ID: u64 = 31_337;
pub(crate) const GWEI: u128 = 1_000_000_000;
/// The first key of the mnemonic that every Ethereum tool tests with; anvil funds it with this much.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const FUNDS_WEI: u128 = 10_000 * 1_000_000_000_000_000_000;
/// No answer takes as long as this unless something is wrong.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

sol! {
    interface Probe {
        error TooLarge(uint256 given, uint256 max);
        event Counted(address indexed by, uint256 indexed step, uint256 value);
        event Noted(bytes32 indexed topic, bytes data);
        function value() external view returns (uint256);
        function steps(address who) external view returns (uint256);
        function add(uint256 step) external returns (uint256);
        function note(bytes32 topic, bytes data, uint256 times) external;
        function once() external;
        function forget() external;
        function failWithReason() external pure;
        function failWithPanic(uint256 by) external pure returns (uint256);
        function failWithNothing() external pure;
        function failWithInvalid() external pure;
        function burn() external view;
        function spawn(uint256 start) external returns (address);
        function send(address to) external payable;
        function surroundings() external view returns (uint256, uint256, uint256, uint256, bytes32);
        function randomness() external view returns (uint256);
        function time() external view returns (uint256);
    }
}

/// A clock that stands where it was set.
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn at(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds * 1000)))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct FixedEntropy;

impl Entropy for FixedEntropy {
    fn fill(&self, out: &mut [u8]) {
        out.copy_from_slice(&hex::decode(KEY).unwrap());
    }
}

/// The account that both chains fund.
pub(crate) fn deployer() -> EvmSigner {
    let dir = tempfile::tempdir().unwrap();
    EvmSigner::open(&dir.path().join("keys"), "deployer.key", &FixedEntropy).unwrap()
}

/// The contract's creation code with its one argument.
pub(crate) fn probe_code(start: u64) -> Bytes {
    let mut code = hex::decode(include_str!("../contracts/Probe.hex").trim()).unwrap();
    code.extend_from_slice(&U256::from(start).to_be_bytes::<32>());
    code.into()
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        chain_id: CHAIN_ID,
        deployer: deployer().address(),
        deployer_wei: U256::from(FUNDS_WEI),
        seed: [9; 32],
    }
}

pub(crate) fn embedded() -> EmbeddedChain {
    EmbeddedChain::in_memory(&genesis(), SetClock::at(1_800_000_000)).unwrap()
}

/// An anvil of its own, ended with the test.
pub(crate) struct Anvil {
    child: Child,
    pub(crate) url: String,
}

impl Anvil {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(tool("anvil"))
            .args(["--port", "0", "--chain-id", "31337", "--hardfork", "osaka", "--enable-tx-gas-limit"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("Listening on ").map(str::to_owned));
        // Its log has to go somewhere, or it stops when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://{}", address.expect("anvil says where it listens"));
        Self { child, url }
    }

    pub(crate) fn provider(&self) -> DynProvider {
        waag_chain::remote::connect(&self.url).unwrap()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A program that npm brought.
pub(crate) fn tool(name: &str) -> PathBuf {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/node_modules/@foundry-rs");
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let program = modules.join(format!("{name}-linux-{machine}/bin/{name}"));
    assert!(program.exists(), "{name} is missing; install it with: cargo xtask tools");
    program
}

/// Signs with the deployer's key, and sends.
pub(crate) struct Hand {
    pub(crate) signer: EvmSigner,
    pub(crate) provider: DynProvider,
}

impl Hand {
    pub(crate) fn new(provider: DynProvider) -> Self {
        Self { signer: deployer(), provider }
    }

    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }

    pub(crate) fn tx(&self, nonce: u64, to: TxKind, input: Bytes) -> TxEip1559 {
        TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 1_000_000,
            max_fee_per_gas: 100 * GWEI,
            max_priority_fee_per_gas: GWEI,
            to,
            value: U256::ZERO,
            access_list: Default::default(),
            input,
        }
    }

    pub(crate) async fn sign(&self, mut tx: TxEip1559) -> (B256, Vec<u8>) {
        let signature = self.signer.sign_transaction(&mut tx).await.unwrap();
        let envelope = TxEnvelope::from(tx.into_signed(signature));
        (*envelope.tx_hash(), envelope.encoded_2718())
    }

    /// Sends and waits for the receipt.
    pub(crate) async fn mined(&self, tx: TxEip1559) -> TransactionReceipt {
        let (hash, raw) = self.sign(tx).await;
        let _pending = self.provider.send_raw_transaction(&raw).await.unwrap();
        receipt(&self.provider, hash).await
    }
}

pub(crate) async fn receipt(provider: &DynProvider, hash: B256) -> TransactionReceipt {
    let until = Instant::now() + WAIT_MAX;
    loop {
        if let Some(receipt) = provider.get_transaction_receipt(hash).await.unwrap() {
            return receipt;
        }
        assert!(Instant::now() < until, "no receipt for {hash}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
