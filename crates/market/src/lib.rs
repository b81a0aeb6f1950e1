#![doc = include_str!("../README.md")]

mod capability;
pub mod conformance;
mod dice;
mod error;
mod escrow;
pub mod layers;
mod machine;
mod network;
mod notary;
mod registry;
pub mod sim;

pub use capability::Capability;
pub use domain::RetryStatus;
pub use error::{Error, ErrorKind, Operation};
pub use escrow::{Changes, Claim, Commitment, Escrow, EscrowState, Escrowed};
pub use machine::{Machine, MachineError, MachineRef, MemoryMachine, ProcessMachine};
pub use network::{Balance, Boot, Intent, Introduction, Listed, Network, Observation, Terms};
pub use notary::{
    Anchor, Caller, Committed, Drawn, Notary, PlantedLeaf, Proof, ProofPhase, ProofRequest, Subject,
};
pub use registry::Registry;
