//! By which states the attempts of a job follow one another.

use super::{Execution, Receipt};

/// From what an attempt goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// From nothing.
    Beginning,
    /// From a state of the execution at this place: both committed to the same digest.
    State(usize),
    /// From a state that one of them did not commit to; the newest execution that may have made it.
    Unseen(usize),
    /// From no state of the receipt.
    Broken,
}

/// From what the execution at place `n` goes on.
pub(crate) fn link(receipt: &Receipt, n: usize) -> Link {
    let Some(this) = receipt.executions.get(n) else { return Link::Broken };
    let begins = this.commitment.as_ref().and_then(|commitment| commitment.digests.first());
    if this.from == 0 {
        // What begins from nothing commits to zero.
        return if begins.is_none_or(|digest| *digest == [0; 32]) { Link::Beginning } else { Link::Broken };
    }
    let earlier = receipt.executions.get(..n).unwrap_or_default().iter().enumerate();
    let made: Vec<(usize, Option<[u8; 32]>)> = earlier
        .filter(|(_, one)| one.from < this.from && this.from <= one.to)
        .map(|(at, one)| (at, state_digest(one, this.from)))
        .collect();
    let Some(newest) = made.last().map(|(at, _)| *at) else { return Link::Broken };
    let Some(begins) = begins else { return Link::Unseen(newest) };
    let same: Vec<usize> =
        made.iter().filter(|(_, digest)| *digest == Some(*begins)).map(|(at, _)| *at).collect();
    let refuted = |at: &usize| {
        receipt
            .executions
            .get(*at)
            .and_then(|one| one.checked.as_ref())
            .is_some_and(|checked| checked.refuted())
    };
    // A refuted attempt may have made the same state as one that passed; the job rests on the latter.
    match same.iter().rev().find(|at| !refuted(at)).or(same.last()) {
        Some(at) => Link::State(*at),
        None if made.iter().any(|(_, digest)| digest.is_none()) => Link::Unseen(newest),
        None => Link::Broken,
    }
}

/// The digest that an execution committed to for a state, by the state's number in the job.
fn state_digest(execution: &Execution, state: u32) -> Option<[u8; 32]> {
    let commitment = execution.commitment.as_ref()?;
    let index = state.checked_sub(execution.from)?;
    let covered = index <= commitment.segments();
    commitment.digests.get(usize::try_from(index).ok()?).filter(|_| covered).copied()
}

/// The executions on which a completed job's result rests, newest first.
pub(crate) fn result_rests_on(receipt: &Receipt) -> Vec<usize> {
    let mut places = Vec::new();
    let mut next = receipt.executions.len().checked_sub(1);
    while let Some(at) = next {
        places.push(at);
        next = match link(receipt, at) {
            Link::State(before) | Link::Unseen(before) => Some(before),
            Link::Beginning | Link::Broken => None,
        };
    }
    places
}
