//! The chain crate from outside: one suite for the embedded chain and for anvil, then what each part promises.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod both;
mod common;
mod crash;
mod faults;
mod follow;
mod head;
mod market;
mod notary;
mod party;
mod requests;
mod sender;
