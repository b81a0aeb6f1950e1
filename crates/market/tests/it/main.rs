//! The market crate from outside.
#![cfg(test)]

mod common;
mod conformance;
mod habits;
mod layers;
mod prices;
mod processes;
mod state;
