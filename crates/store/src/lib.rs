#![doc = include_str!("../README.md")]

mod audit_files;
mod claims;
mod error;
mod executions;
mod followed;
mod jobs;
mod leases;
mod ledger;
mod logs;
mod objects;
mod open;
mod outbox;
mod placements;
mod proofs;
mod published;
mod receipts;
mod remove;
mod row;
mod settlements;
mod tx;

pub use audit_files::AuditFiles;
pub use claims::{ClaimRow, DelegationRow};
pub use error::Error;
pub use executions::{ExecutionChange, ExecutionRow};
pub use jobs::{JobChange, JobRow};
pub use leases::{LeaseChange, LeaseRow, NetworkRecord};
pub use ledger::{Account, Hold, HoldRefused};
pub use logs::LogAppend;
pub use objects::{ObjectKind, ObjectRow, Objects, ReceiveError, Received};
pub use open::{Owner, Store};
pub use outbox::{Alert, OutboxRow};
pub use proofs::{ProofChange, ProofOutcome, ProofRow, Requested};
pub use published::Published;
pub use receipts::LeaseFactRow;
pub use settlements::SettlementRow;
pub use tx::Tx;
