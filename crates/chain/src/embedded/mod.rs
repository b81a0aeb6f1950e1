//! The embedded chain: an EVM in process, with blocks, a pool of transactions, and one file.
//!
//! - `core`: what the parts share, and how a block is made;
//! - `state`, `execute`, `block`: accounts, revm, headers and receipts;
//! - `checked`, `pool`, `producer`: transactions from their arrival to their block;
//! - `disk`, `records`: what rests in the file;
//! - `rpc`: the Ethereum JSON-RPC methods; `transport` and `http`: the two ways to reach them;
//! - `control`: what only tests may do.
//!
//! A block is final as soon as it is durable: there are no reorganizations, so `safe` and `finalized` are the head. Code,
//! storage and balances are kept at the head only. The chain proves nothing to strangers: its operator makes the blocks,
//! knows the block randomness beforehand, and state roots are digests of the changes and no Merkle roots.

mod block;
mod checked;
mod control;
mod core;
mod disk;
mod execute;
mod http;
mod pool;
mod producer;
mod records;
mod rpc;
mod state;
mod transport;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::client::RpcClient;
use domain::Clock;

pub use self::control::{Snapshot, TestControl};
use self::core::{Core, lock};
pub use self::core::{Genesis, OpenError};
pub use self::disk::DiskError;
pub use self::transport::EmbeddedTransport;

/// EIP-155 id of the embedded chains that Waag starts. No public chain has it, so what is allowed on it alone can never
/// happen elsewhere.
pub const CHAIN_ID: u64 = 924_117_797;

/// A running embedded chain. Clones are the same chain; it stops when the last one, with all its transports, is dropped.
#[derive(Clone)]
pub struct EmbeddedChain {
    owner: Arc<Owner>,
}

/// While this lives, the chain makes a block each second even if it is empty, so that deadlines pass.
pub struct BlocksWanted {
    core: Arc<Core>,
}

struct Owner {
    core: Arc<Core>,
    producer: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedChain {
    /// Opens the chain in `file`, or begins it there. One process at a time may have it open.
    ///
    /// # Errors
    /// `Disk` when the file cannot be used, is in use, or is damaged; `OtherChain` when it holds another chain.
    pub fn open(file: &Path, genesis: &Genesis, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::start(Core::open(Some(file), genesis, clock)?)
    }

    /// A chain that is gone when the process ends.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn in_memory(genesis: &Genesis, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::start(Core::open(None, genesis, clock)?)
    }

    fn start(core: Core) -> Result<Self, OpenError> {
        let core = Arc::new(core);
        let thread = producer::start(Arc::clone(&core)).map_err(OpenError::Thread)?;
        Ok(Self { owner: Arc::new(Owner { core, producer: std::sync::Mutex::new(Some(thread)) }) })
    }

    /// EIP-155 chain id.
    pub fn chain_id(&self) -> u64 {
        self.core().origin.chain_id
    }

    /// The chain as an alloy transport.
    pub fn transport(&self) -> EmbeddedTransport {
        EmbeddedTransport::new(self.clone())
    }

    /// A provider without fillers: nonces, fees and gas are the sender's business (see [`crate::sender`]).
    pub fn provider(&self) -> DynProvider {
        let client = RpcClient::new(self.transport(), true);
        ProviderBuilder::new().disable_recommended_fillers().connect_client(client).erased()
    }

    /// The chain as an HTTP route: JSON-RPC 2.0 over POST, batches included.
    pub fn http_router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// Answers a JSON-RPC 2.0 request or batch given as text; `None` when it holds only notifications.
    pub async fn answer(&self, request: &[u8]) -> Option<String> {
        rpc::answer(self.core(), request).await
    }

    /// Asks for a block each second until the answer is dropped.
    pub fn want_blocks(&self) -> BlocksWanted {
        let core = Arc::clone(&self.owner.core);
        core.queue().askers += 1;
        core.changed.notify_all();
        BlocksWanted { core }
    }

    fn core(&self) -> &Core {
        &self.owner.core
    }
}

impl Drop for BlocksWanted {
    fn drop(&mut self) {
        let mut queue = self.core.queue();
        queue.askers = queue.askers.saturating_sub(1);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.core.queue().stop = true;
        self.core.changed.notify_all();
        if let Some(thread) = lock(&self.producer).take() {
            // The thread ends by itself; a panic in it has been reported already.
            let _ = thread.join();
        }
    }
}
