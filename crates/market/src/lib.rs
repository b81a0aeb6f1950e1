#![doc = include_str!("../README.md")]

mod capability;
pub mod conformance;
mod dice;
mod error;
pub mod layers;
mod machine;
mod network;
mod registry;
pub mod sim;

pub use capability::Capability;
pub use domain::RetryStatus;
pub use error::{Error, ErrorKind, Operation};
pub use machine::{Machine, MachineError, MachineRef, MemoryMachine, ProcessMachine};
pub use network::{Balance, Boot, Intent, Listed, Network, Observation, Terms};
pub use registry::Registry;
