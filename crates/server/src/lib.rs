#![doc = include_str!("../README.md")]

mod agents;
mod error;
mod extract;
mod guard;
mod serve;
mod user;

pub use agents::agent_api;
pub use guard::Guard;
pub use serve::{ServeError, serve_agents, serve_http};
pub use user::{openapi, user_api};
