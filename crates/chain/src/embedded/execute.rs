//! Runs transactions and calls with revm, under the rules of one hard fork.

use std::convert::Infallible;

use alloy::consensus::Header;
use alloy::primitives::U256;
use revm::context::result::{EVMError, ExecutionResult};
use revm::context::{BlockEnv, FrameStack, TxEnv};
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthPrecompiles, MainnetContext};
use revm::primitives::hardfork::SpecId;
use revm::{Context, ExecuteEvm, MainContext, MainnetEvm};

use super::state::{Overlay, World};

/// The rules that hold: Osaka, which anvil 1.7 follows too, so that the two agree on gas.
pub(super) const SPEC: SpecId = SpecId::OSAKA;

pub(super) type Evm<'a> = MainnetEvm<MainnetContext<Overlay<'a>>>;
pub(super) type ExecuteError = EVMError<Infallible>;

/// What a block tells the code that runs in it.
pub(super) fn block_env(header: &Header) -> BlockEnv {
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        prevrandao: Some(header.mix_hash),
        ..BlockEnv::default()
    }
}

/// A machine for the transactions of one block.
pub(super) fn evm(world: &World, block: BlockEnv, chain_id: u64) -> Evm<'_> {
    let ctx = Context::mainnet().with_db(Overlay::new(world)).with_block(block).modify_cfg_chained(|cfg| {
        cfg.set_spec_and_mainnet_gas_params(SPEC);
        cfg.chain_id = chain_id;
    });
    // revm's own builder makes eight frames of 32 KiB beforehand, which costs more than most calls need.
    MainnetEvm {
        ctx,
        inspector: (),
        instruction: EthInstructions::new_mainnet_with_spec(SPEC),
        precompiles: EthPrecompiles::new(SPEC),
        frame_stack: FrameStack::new(),
    }
}

/// Executes a call that leaves no trace. It may come from any account, with any nonce, and pays no base fee unless it
/// names a price.
pub(super) fn call(
    world: &World,
    block: BlockEnv,
    chain_id: u64,
    tx: TxEnv,
) -> Result<ExecutionResult, ExecuteError> {
    let mut evm = evm(world, block, chain_id);
    evm.ctx.cfg.disable_nonce_check = true;
    evm.ctx.cfg.disable_eip3607 = true;
    evm.ctx.cfg.disable_base_fee = tx.gas_price == 0;
    evm.ctx.cfg.tx_gas_limit_cap = Some(u64::MAX);
    evm.transact_one(tx)
}
