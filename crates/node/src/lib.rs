#![doc = include_str!("../README.md")]

mod party;
pub mod provider;
pub mod validator;
