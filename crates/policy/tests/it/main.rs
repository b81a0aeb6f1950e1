//! Decisions about whole jobs and offers, and plans as golden files.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod admission;
mod eligibility;
mod failover;
mod gang;
mod golden;
mod index;
mod objective;
mod placement;
mod spot;
mod strategies;
mod support;
