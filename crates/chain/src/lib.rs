#![doc = include_str!("../README.md")]

pub mod embedded;
pub mod follow;
pub mod journal;
pub mod market;
pub mod notary;
pub mod remote;
pub mod sender;

/// Names of what stands on a chain, for rooms that know no chain library.
pub use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
/// A way to a chain, made by [`remote::connect`] or [`embedded::EmbeddedChain::provider`].
pub use alloy::providers::DynProvider;
