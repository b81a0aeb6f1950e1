#![doc = include_str!("../README.md")]

mod config;
mod data;
mod error;
mod fixed;
mod network;
mod random;
mod run;
mod state;

pub use config::{Args, Env, LearningRate, NotALearningRate};
pub use error::{Error, StateError};
pub use run::{Report, run};
