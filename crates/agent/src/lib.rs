#![doc = include_str!("../README.md")]

mod bound;
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

pub use bound::OtherJob;
pub use commit::Delegate;
pub use process::agent_main;
pub use run::POINTS;
