//! The data store from outside: what it promises holds whoever calls in whichever order, and whoever dies on the way.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod audit;
mod claims;
mod guards;
mod ledger;
mod logs;
mod objects;
mod order;
mod ownership;
mod races;
mod rows;
mod sql;
