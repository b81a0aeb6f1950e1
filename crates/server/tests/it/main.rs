//! Both APIs over real sockets: whatever is wrong with a request, its sender learns it in one shape, and nothing is done.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod agents;
mod bodies;
mod document;
mod guard;
mod http;
mod jobs;
mod plane;
mod words;
