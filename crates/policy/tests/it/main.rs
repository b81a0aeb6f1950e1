//! Decisions about whole jobs and offers, and plans as golden files.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod admission;
mod eligibility;
mod failover;
mod golden;
mod placement;
mod spot;
mod support;
