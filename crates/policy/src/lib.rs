#![doc = include_str!("../README.md")]

pub mod admission;
pub mod budget;
pub mod cost;
pub mod eligibility;
pub mod failover;
pub mod health;
pub mod placement;
pub mod proof;
pub mod spot;
