#![doc = include_str!("../README.md")]

pub mod embedded;
pub mod follow;
pub mod remote;
pub mod sender;
