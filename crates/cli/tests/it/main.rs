//! The product as processes: started, used, killed, started again.

mod agents;
mod commands;
mod common;
mod crash;
mod demo;
mod run;
