#![doc = include_str!("../README.md")]

pub mod agent;
pub mod doc;
pub mod jobfile;
pub mod openings;
pub mod rest;
