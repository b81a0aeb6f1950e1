#![doc = include_str!("../README.md")]

mod client;
mod commit;
mod faults;
mod logs;
mod place;
mod process;
pub mod replay;
mod run;
pub mod sandbox;
mod upload;
mod work;

pub use commit::Delegate;
pub use process::agent_main;
pub use run::POINTS;
