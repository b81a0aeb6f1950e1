//! The network on an embedded chain, with a provider, a verifier and a stranger that are parties of their own.

#![cfg(test)]

mod common;
mod conformance;
mod escrow;
mod exits;
mod failures;
mod purchases;
mod states;
mod vouching;
