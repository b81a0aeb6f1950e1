//! A lease's life, from the stored intent to the network's confirmation that it ended.

use crate::Illegal;

/// Where a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Hold and intent are stored; from here on a purchase may have been sent, so its outcome is unknown until the
    /// network is looked at.
    Intended,
    /// The network holds a funded request and takes bids.
    Bidding,
    /// Accepted by the network; the provider is not assigned yet.
    Queued,
    /// Ours; billing runs.
    Live,
    /// We want it gone; the release is repeated until the network confirms it. Billing may still run.
    Ending(EndReason),
    /// The network confirmed that nothing runs and nothing more is billed.
    Ended(EndReason),
}

/// Why a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The execution on it ended well, or its workload failed by itself.
    Finished,
    /// The provider was lost.
    Lost,
    /// The job was cancelled or ended for a reason of its own.
    Cancelled,
    /// The network had no capacity or somebody else was faster.
    NoCapacity,
    /// No bid came in the window that the job may take.
    NoBids,
    /// The provider assigned later is not one the job admits.
    Ineligible,
    /// The network refused the purchase for good.
    Refused,
    /// The network ended it by itself.
    Expired,
    /// It took too long to come up.
    TooSlow,
}

impl EndReason {
    const ALL: [Self; 9] = [
        Self::Finished,
        Self::Lost,
        Self::Cancelled,
        Self::NoCapacity,
        Self::NoBids,
        Self::Ineligible,
        Self::Refused,
        Self::Expired,
        Self::TooSlow,
    ];

    /// The stable code in tables and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
            Self::NoCapacity => "no_capacity",
            Self::NoBids => "no_bids",
            Self::Ineligible => "ineligible",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::TooSlow => "too_slow",
        }
    }

    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// What can happen to a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEvent {
    /// The network takes bids for our request.
    BidsOpen,
    /// The network accepted; no provider yet.
    Queue,
    /// The network confirms that it is ours.
    GoLive,
    /// We want it gone.
    Release(EndReason),
    /// The network confirms that it is gone, or that it never was.
    Confirm(EndReason),
}

impl LeaseState {
    /// The next state.
    ///
    /// # Errors
    /// The event does not fit. A lease that is ending keeps its first reason; `Ended` takes nothing more.
    pub fn transition(self, event: LeaseEvent) -> Result<Self, Illegal> {
        use LeaseEvent as E;
        use LeaseState as S;
        match (self, event) {
            (S::Intended | S::Bidding, E::BidsOpen) => Ok(S::Bidding),
            (S::Intended | S::Bidding | S::Queued, E::Queue) => Ok(S::Queued),
            (S::Intended | S::Bidding | S::Queued | S::Live, E::GoLive) => Ok(S::Live),
            (S::Intended | S::Bidding | S::Queued | S::Live, E::Release(reason)) => Ok(S::Ending(reason)),
            (S::Ending(first), E::Release(_)) => Ok(S::Ending(first)),
            (S::Ending(first), E::Confirm(_)) => Ok(S::Ended(first)),
            (S::Intended | S::Bidding | S::Queued | S::Live, E::Confirm(reason)) => Ok(S::Ended(reason)),
            (state, event) => {
                Err(Illegal { noun: "lease", state: format!("{state:?}"), event: format!("{event:?}") })
            }
        }
    }

    /// The stable code in tables and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Bidding => "bidding",
            Self::Queued => "queued",
            Self::Live => "live",
            Self::Ending(_) => "ending",
            Self::Ended(_) => "ended",
        }
    }

    /// Why it ended or is to end.
    pub const fn reason(self) -> Option<EndReason> {
        match self {
            Self::Ending(reason) | Self::Ended(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether the network may still bill it.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_never_leaves_ended_and_keeps_its_first_reason() {
        let ended = LeaseState::Live
            .transition(LeaseEvent::Release(EndReason::Lost))
            .and_then(|s| s.transition(LeaseEvent::Release(EndReason::Cancelled)))
            .and_then(|s| s.transition(LeaseEvent::Confirm(EndReason::Expired)))
            .unwrap();
        assert_eq!(ended, LeaseState::Ended(EndReason::Lost));
        for event in [LeaseEvent::GoLive, LeaseEvent::Queue, LeaseEvent::Confirm(EndReason::Lost)] {
            assert!(ended.transition(event).is_err());
        }
    }

    #[test]
    fn end_reason_codes_lead_back() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_code(reason.code()), Some(reason));
        }
    }
}
