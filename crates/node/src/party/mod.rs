//! What every party of the supply side is made of, whatever it does.
//!
//! - `files`: a folder for one daemon, files that are there whole;
//! - `settings`: a table of settings, as a file and back;
//! - `hand`: transactions that happen once;
//! - `stake`: how a stake is brought up to what is wanted;
//! - `daemon`: looking again and again, until told to stop.

pub(crate) mod daemon;
pub(crate) mod files;
pub(crate) mod hand;
pub(crate) mod settings;
pub(crate) mod stake;
