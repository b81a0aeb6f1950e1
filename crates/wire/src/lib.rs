#![doc = include_str!("../README.md")]

pub mod agent;
pub mod audit;
pub mod catalog;
pub mod doc;
pub mod jobfile;
pub mod openings;
pub mod proof;
pub mod receipt;
pub mod rest;
