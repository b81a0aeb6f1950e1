//! The notary's contract, typed: validators, proofs, verdicts and anchors, as `contracts/README.md` describes them.
//!
//! - `request`: what is to be checked, and what is signed and hashed about it;
//! - `nouns`: proofs, drawn validators and seats as the chain keeps them;
//! - `events`, `read`: what happened, and what is;
//! - `call`: what a transaction asks for.

mod call;
mod events;
mod nouns;
mod read;
mod request;

pub use self::call::Calls;
pub use self::events::{Happened, NotaryEvent};
pub use self::nouns::{Drawn, Outcome, Phase, Planted, Proof, Seat};
pub use self::read::{Notary, Settings};
pub use self::request::{Digests, Request, finding_hash, subject_elsewhere};
