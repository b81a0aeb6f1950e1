#![doc = include_str!("../README.md")]

pub mod admission;
pub mod budget;
pub mod cost;
pub mod eligibility;
pub mod facts;
pub mod failover;
pub mod gang;
pub mod health;
pub mod index;
pub mod learning;
pub mod objective;
pub mod placement;
pub mod price;
pub mod proof;
pub mod spot;
pub mod spread;
