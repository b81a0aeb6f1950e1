//! The product as processes: started, used, killed, started again.
#![cfg(test)]

mod agents;
mod audit;
mod catalog;
mod chain;
mod cheat;
mod commands;
mod common;
mod crash;
mod demo;
mod errors;
mod provider;
mod receipt;
mod run;
mod spot;
mod trace;
