//! The notary's contract, typed: who has work checked, who checks it, and what came of it. `contracts/README.md` has the
//! phases of a proof.
//!
//! - `request`: what is to be checked, and what is signed about it;
//! - `nouns`: proofs, seats, anchors as the chain keeps them;
//! - `events`, `read`: what happened, and what is;
//! - `call`, `refusal`: what a transaction asks for, and why the contract said no;
//! - `deploy`: a notary with its market on a fresh chain.
//!
//! Amounts are micro-units of the token, as in [`crate::market`].

mod call;
mod deploy;
mod events;
mod nouns;
mod read;
mod refusal;
mod request;

pub use self::call::{Calls, Planted};
pub use self::deploy::{Deployed, NotaryTerms, deploy};
pub use self::events::{NotaryEvent, NotaryHappened};
pub use self::nouns::{Anchored, Drawn, Outcome, Phase, Proof, Seat};
pub use self::read::{Notary, Settings};
pub use self::refusal::Refusal;
pub use self::request::{Digests, Request, finding_hash, subject_elsewhere};
