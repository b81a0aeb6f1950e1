//! What to do next, from what chain, folder and replays show. Pure: the same view gives the same acts, and an act whose outcome
//! is not known is simply decided again.
//!
//! | proof on chain | what shows | act |
//! |---|---|---|
//! | unknown, over, or drawn without us | | its replay is dropped, and it is forgotten |
//! | opened | the time to draw is over | forget |
//! | committing | nothing is found yet | replay |
//! | committing | the replay has found something | keep it, with a salt |
//! | committing | the time is nearly over, and the states did not come | keep `withheld` |
//! | committing | the time is nearly over, and this machine failed | nothing: a guess could take another's stake |
//! | committing | something is kept | commit to it |
//! | revealing | it was committed to | reveal |
//! | closing, excusing | its time is over, and the consumer's turn | conclude |
//!
//! | seat | what shows | act |
//! |---|---|---|
//! | none | | bring the stake up, then join |
//! | taken | the owner wants to leave | leave |
//! | left | no draw can fall on it any more | depart |
//! | none | the owner wants to leave, and no stake is bound | unbond, claim what was unbonded, withdraw all |

use chain::B256;
use domain::{Finding, Millis, Timestamp};

use super::state::Word;
use crate::party::stake::{Purse, Step};

/// A finding is committed to at the latest so long before its deadline: this part of the window, and at most so much.
const MARGIN_PARTS: u64 = 5;
const MARGIN_MAX: Millis = Millis(60_000);

/// What the owner wants, in the chain's units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) units: u32,
    pub(crate) stake: u64,
    pub(crate) conclude_after: Millis,
    /// Earnings above this leave.
    pub(crate) withdraw_above: Option<u64>,
    /// How it misbehaves.
    pub(crate) fault: Option<super::Fault>,
}

/// How far a proof has come, as time has moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Opened,
    Committing,
    Revealing,
    Closing,
    Excusing,
    /// Concluded or abandoned.
    Over,
}

/// Our place among the drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// In the order drawn, from 0.
    pub(crate) number: u32,
    pub(crate) committed: bool,
    pub(crate) revealed: bool,
}

/// A proof as the chain has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnChain {
    pub(crate) phase: Phase,
    pub(crate) deadline: Timestamp,
    pub(crate) seed: Option<B256>,
    /// `None` where we were not drawn.
    pub(crate) place: Option<Place>,
}

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) finding: Finding,
    pub(crate) result: [u8; 32],
}

/// How far the replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// None runs.
    None,
    /// It runs. `kept_back` is what would be said if nothing more came from whoever holds the states; `None` where it is this
    /// machine that takes the time.
    Running { kept_back: Option<Found> },
    /// It is over.
    Done(Found),
}

/// A proof as it shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProofView {
    pub(crate) id: B256,
    /// `None` when the chain knows no such proof.
    pub(crate) on_chain: Option<OnChain>,
    /// What is kept.
    pub(crate) word: Option<Word>,
    pub(crate) replay: Replay,
}

/// Our seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    None,
    Taken,
    /// It was left; from this block on it may be freed.
    Left {
        free_from: u64,
    },
}

/// Everything that a decision looks at.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// By the chain's clock.
    pub(crate) now: Timestamp,
    /// The number of the next block.
    pub(crate) block: u64,
    pub(crate) purse: Purse,
    pub(crate) seat: Seat,
    pub(crate) proofs: Vec<ProofView>,
    pub(crate) leaving: bool,
    /// How long validators have to find something.
    pub(crate) window: Millis,
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Deposit {
        amount: u64,
    },
    Stake {
        amount: u64,
    },
    Join {
        units: u32,
    },
    Leave,
    Depart,
    Unbond {
        amount: u64,
    },
    /// Only the notary knows whether there is something, and whether its time has come.
    Claim,
    Withdraw {
        amount: u64,
    },
    /// Fetch the openings and replay.
    Replay {
        proof: B256,
        seed: B256,
    },
    /// Write down what was found, with a salt, for good.
    Keep {
        proof: B256,
        found: Found,
    },
    Commit {
        proof: B256,
        word: Word,
    },
    Reveal {
        proof: B256,
        word: Word,
    },
    Conclude {
        proof: B256,
    },
    Forget {
        proof: B256,
    },
}

/// What to do now, in this order, and what stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    pub(crate) acts: Vec<Act>,
    /// Micro-units of the token that are missing for the stake.
    pub(crate) missing: u64,
    /// Leaving, and nothing is left to do unless there is something to claim.
    pub(crate) left: bool,
}

/// Decides.
pub(crate) fn decide(view: &View, wish: &Wish) -> Plan {
    let mut plan = Plan {
        acts: view.proofs.iter().filter_map(|proof| for_proof(view, wish, proof)).collect(),
        ..Plan::default()
    };
    for_seat(view, wish, &mut plan);
    if !view.leaving
        && view.purse.stake >= wish.stake
        && let Some(above) = wish.withdraw_above
        && view.purse.balance > above
    {
        plan.acts.push(Act::Withdraw { amount: view.purse.balance });
    }
    let is_idle = plan.acts.iter().all(|act| *act == Act::Claim);
    plan.left = view.leaving && view.seat != Seat::Taken && view.proofs.is_empty() && is_idle;
    plan
}

fn for_seat(view: &View, wish: &Wish, plan: &mut Plan) {
    let act = match view.seat {
        Seat::Taken if view.leaving => Some(Act::Leave),
        Seat::Taken => None,
        Seat::Left { free_from } => (view.block >= free_from).then_some(Act::Depart),
        // A drawn proof binds some of it until it is over.
        Seat::None if view.leaving && !view.proofs.is_empty() => None,
        Seat::None if view.leaving => Some(match view.purse {
            Purse { stake: 1.., .. } => Act::Unbond { amount: view.purse.stake },
            Purse { balance: 1.., .. } => Act::Withdraw { amount: view.purse.balance },
            _ => Act::Claim,
        }),
        Seat::None => match view.purse.towards(wish.stake) {
            Step::Approve(amount) | Step::Deposit(amount) => Some(Act::Deposit { amount }),
            Step::Stake(amount) => Some(Act::Stake { amount }),
            Step::There => Some(Act::Join { units: wish.units }),
            Step::Missing(amount) => {
                plan.missing = amount;
                None
            }
        },
    };
    plan.acts.extend(act);
}

fn for_proof(view: &View, wish: &Wish, proof: &ProofView) -> Option<Act> {
    let id = proof.id;
    let forget = Some(Act::Forget { proof: id });
    let Some(chain) = proof.on_chain.filter(|chain| chain.phase != Phase::Over) else { return forget };
    if chain.phase == Phase::Opened {
        return if view.now > chain.deadline { forget } else { None };
    }
    let Some(place) = chain.place else { return forget };
    match chain.phase {
        Phase::Committing if place.committed || wish.fault == Some(super::Fault::Silent) => None,
        Phase::Committing => match proof.word {
            Some(word) => Some(Act::Commit { proof: id, word }),
            None => to_find(view, wish, proof, &chain),
        },
        Phase::Revealing if place.committed && !place.revealed => {
            proof.word.map(|word| Act::Reveal { proof: id, word })
        }
        Phase::Revealing => None,
        _ => {
            // The consumer first, then the drawn one after the other: one of them is enough.
            let turn = wish.conclude_after.times(u64::from(place.number) + 1);
            (view.now > chain.deadline + turn).then_some(Act::Conclude { proof: id })
        }
    }
}

fn to_find(view: &View, wish: &Wish, proof: &ProofView, chain: &OnChain) -> Option<Act> {
    let id = proof.id;
    let keep = |finding, result| Some(Act::Keep { proof: id, found: Found { finding, result } });
    match wish.fault {
        Some(super::Fault::RubberStamp) => return keep(Finding::Same, [0; 32]),
        Some(super::Fault::Contrary) => {
            return keep(Finding::Differs, evidence::keccak(&[b"contrary", id.as_slice()]));
        }
        Some(super::Fault::Silent) | None => {}
    }
    let late = chain.deadline.since(view.now) <= margin(view.window);
    match proof.replay {
        Replay::Done(found) => Some(Act::Keep { proof: id, found }),
        Replay::Running { kept_back: Some(found) } if late => Some(Act::Keep { proof: id, found }),
        Replay::Running { .. } => None,
        Replay::None => chain.seed.map(|seed| Act::Replay { proof: id, seed }),
    }
}

fn margin(window: Millis) -> Millis {
    Millis(window.0 / MARGIN_PARTS).min(MARGIN_MAX)
}

#[cfg(test)]
mod tests;
