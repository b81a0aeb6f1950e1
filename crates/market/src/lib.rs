#![doc = include_str!("../README.md")]

mod capability;
mod error;
mod machine;
mod network;
mod registry;

pub use capability::Capability;
pub use error::{Error, ErrorKind, Operation, RetryStatus};
pub use machine::{Machine, MachineError, MachineRef};
pub use network::{Balance, Boot, Intent, Listed, Network, Observation, Terms};
pub use registry::Registry;
