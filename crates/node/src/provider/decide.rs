//! What to do next, from what the chain, the machine and the folder show. Pure: the same view gives the same acts, and an
//! act whose outcome is not known is simply decided again.
//!
//! | lease on chain | what shows | act |
//! |---|---|---|
//! | any | the daemon died while it started an agent | start it again, which finds it |
//! | none, or final | | its agent is killed, then it is forgotten |
//! | past its deadline | | `expire`, which anybody may |
//! | open | it can be served | `accept` |
//! | open | it cannot be served | `cancel`, so that the consumer need not wait |
//! | active | no agent yet | start one; after some failures `refund` |
//! | active | its span is over | the agent is killed |
//! | active | the agent is gone | `commit` its last root, or `refund` when there is none |
//! | ended | the agent lives | it is killed |
//! | ended | the agent is gone | `commit` its last root, or `refund` when there is none |
//! | committed, disputed | validators say that states are kept back, and there are receipts | `excuse` |
//! | committed, disputed | | wait |

use std::fmt;

use chain::market::{Account, Lease, OfferId, OfferTerms, Order, Spec, State};
use chain::{Address, B256};
use domain::{Hardware, Millis, Timestamp};

use super::excuse::Excuse;
use super::folder::Withdrawal;
use super::hardware;
use super::state::SeenOffer;
use crate::party::stake::{Purse, Step};

/// An agent that cannot be started this often is given up, and its lease with it.
pub(crate) const START_FAILURES_MAX: u32 = 3;
/// Units that one lease has: one agent serves it.
const UNITS_PER_LEASE: u32 = 1;
/// An offer is renewed in the last part of its time, so that a lease of the greatest length still fits.
const RENEW_PARTS: u64 = 4;

/// What the owner wants, in the chain's units.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) price_per_hour: u64,
    pub(crate) units: u32,
    pub(crate) stake: u64,
    pub(crate) available: Millis,
    pub(crate) span_max: Millis,
    /// What would be offered now.
    pub(crate) spec: Spec,
    /// What one unit really has.
    pub(crate) unit: Hardware,
    pub(crate) withdraw_to: Address,
    pub(crate) withdraw_above: Option<u64>,
}

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agent {
    /// None was started.
    None,
    /// The daemon died while it started one. Started again, it is that one, or a new one.
    Unsure,
    /// It lives.
    Alive,
    /// It was started and is gone.
    Gone,
}

/// The last root that an agent signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) root: B256,
    pub(crate) leaf_count: u32,
}

/// A lease as it shows.
#[derive(Debug, Clone)]
pub(crate) struct LeaseView {
    pub(crate) id: B256,
    pub(crate) order: Order,
    pub(crate) has_contact: bool,
    /// Another lease of ours has the same label.
    pub(crate) label_taken: bool,
    /// `None` when the chain knows no such lease.
    pub(crate) on_chain: Option<Lease>,
    pub(crate) agent: Agent,
    pub(crate) start_failures: u32,
    pub(crate) refused: bool,
    pub(crate) signed: Option<Signed>,
    /// What can be shown where validators say that its states are kept back.
    pub(crate) excuse: Option<Excuse>,
}

/// Everything that a decision looks at.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// By the chain's clock.
    pub(crate) now: Timestamp,
    pub(crate) me: Address,
    pub(crate) account: Account,
    /// Of the token, outside the market.
    pub(crate) tokens: u64,
    /// What the market may pull of it.
    pub(crate) allowance: u64,
    pub(crate) offers: Vec<(OfferId, SeenOffer)>,
    pub(crate) leases: Vec<LeaseView>,
    pub(crate) draining: bool,
    pub(crate) withdrawal: Option<Withdrawal>,
}

impl View {
    fn purse(&self) -> Purse {
        let Account { stake, balance, .. } = self.account;
        Purse { stake, balance, tokens: self.tokens, allowance: self.allowance }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Approve {
        amount: u64,
    },
    Deposit {
        amount: u64,
    },
    Stake {
        amount: u64,
    },
    PostOffer {
        offer: OfferId,
        terms: OfferTerms,
    },
    WithdrawOffer {
        offer: OfferId,
    },
    Accept {
        lease: B256,
    },
    Cancel {
        lease: B256,
        why: Unserved,
    },
    Start {
        lease: B256,
    },
    Kill {
        lease: B256,
    },
    Commit {
        lease: B256,
        signed: Signed,
    },
    Excuse {
        lease: B256,
        excuse: Box<Excuse>,
    },
    Refund {
        lease: B256,
    },
    Expire {
        lease: B256,
    },
    Forget {
        lease: B256,
    },
    /// `asked` is the request's id, or nothing where the owner's threshold asks.
    Withdraw {
        amount: u64,
        to: Address,
        asked: Option<String>,
    },
    /// A request that cannot be met: there is nothing to send.
    DropWithdrawal,
}

/// Why an order is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unserved {
    Draining,
    Contact,
    Label,
    Units,
    Busy,
    Span,
    Offer,
    Price,
    Refused,
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draining => "the provider takes no more leases",
            Self::Contact => "its contact names no place where an agent could report to",
            Self::Label => "its name begins like that of another lease here",
            Self::Units => "it asks for another number of units than one",
            Self::Busy => "all units are taken",
            Self::Span => "it is longer than what is taken",
            Self::Offer => "its offer is none that stands",
            Self::Price => "it pays less than the offer asks",
            Self::Refused => "the chain does not let it be accepted",
        })
    }
}

/// What to do now, in this order, and what stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    pub(crate) acts: Vec<Act>,
    /// Micro-units of the token that are missing for the stake.
    pub(crate) missing: u64,
    /// Draining, and nothing is left to do.
    pub(crate) drained: bool,
}

/// Decides.
pub(crate) fn decide(view: &View, wish: &Wish) -> Plan {
    let mut plan = Plan::default();
    let mut free = wish.units.saturating_sub(taken(view));
    for lease in &view.leases {
        let Some(act) = for_lease(view, wish, lease, free) else { continue };
        if matches!(act, Act::Accept { .. }) {
            free = free.saturating_sub(UNITS_PER_LEASE);
        }
        plan.acts.push(act);
    }
    let (standing, stale): (Vec<_>, Vec<_>) = view
        .offers
        .iter()
        .filter(|(_, offer)| !offer.withdrawn)
        .partition(|(_, offer)| !view.draining && stands(view, wish, offer));
    // Of several that are as good, the newest stays.
    let (keep, doubles) = standing.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
    let going = stale.iter().chain(doubles);
    plan.acts.extend(going.map(|(offer, _)| Act::WithdrawOffer { offer: *offer }));
    if keep.is_none() && stale.is_empty() && !view.draining {
        sell(view, wish, &mut plan);
    }
    plan.acts.extend(earnings(view, wish));
    plan.drained = view.draining && view.leases.is_empty() && plan.acts.is_empty();
    plan
}

/// Units of the machine in use: by what was accepted and is not yet over, whichever offer it came by.
fn taken(view: &View) -> u32 {
    let running = |lease: &&LeaseView| {
        matches!(lease.agent, Agent::Alive | Agent::Unsure)
            || lease.on_chain.is_some_and(|chain| matches!(chain.state, State::Active | State::Ended))
    };
    u32::try_from(view.leases.iter().filter(running).count()).unwrap_or(u32::MAX)
}

fn for_lease(view: &View, wish: &Wish, lease: &LeaseView, free: u32) -> Option<Act> {
    let id = lease.id;
    if lease.agent == Agent::Unsure {
        // Only an agent that can be named can be ended, so it is found first, also where its lease is over.
        return Some(Act::Start { lease: id });
    }
    let over = |act: Act| if lease.agent == Agent::Alive { Act::Kill { lease: id } } else { act };
    let Some(chain) = lease.on_chain.filter(|chain| !chain.state.is_final()) else {
        return Some(over(Act::Forget { lease: id }));
    };
    if view.now > chain.deadline {
        return Some(over(Act::Expire { lease: id }));
    }
    match chain.state {
        State::Open => Some(match unserved(view, wish, lease, free) {
            None => Act::Accept { lease: id },
            Some(why) => Act::Cancel { lease: id, why },
        }),
        State::Active => {
            let until = chain.started_at? + Millis::from_secs(u64::from(chain.span));
            match lease.agent {
                Agent::Alive if view.now > until => Some(Act::Kill { lease: id }),
                Agent::Alive => None,
                Agent::None if view.now > until => Some(Act::Refund { lease: id }),
                Agent::None if lease.has_contact && lease.start_failures < START_FAILURES_MAX => {
                    Some(Act::Start { lease: id })
                }
                Agent::None | Agent::Unsure => Some(Act::Refund { lease: id }),
                Agent::Gone => Some(claim(lease)),
            }
        }
        State::Ended => Some(over(claim(lease))),
        _ if lease.agent == Agent::Alive => Some(Act::Kill { lease: id }),
        _ => lease.excuse.clone().map(|excuse| Act::Excuse { lease: id, excuse: Box::new(excuse) }),
    }
}

/// The provider stands by what its agent signed; without that there is nothing to be paid for.
fn claim(lease: &LeaseView) -> Act {
    match lease.signed {
        Some(signed) => Act::Commit { lease: lease.id, signed },
        None => Act::Refund { lease: lease.id },
    }
}

fn unserved(view: &View, wish: &Wish, lease: &LeaseView, free: u32) -> Option<Unserved> {
    let order = &lease.order;
    let offer = view.offers.iter().find(|(id, offer)| *id == order.offer && !offer.withdrawn);
    let span = Millis::from_secs(u64::from(order.span));
    let checks = [
        (view.draining, Unserved::Draining),
        (!lease.has_contact, Unserved::Contact),
        (lease.label_taken, Unserved::Label),
        (order.units != UNITS_PER_LEASE, Unserved::Units),
        (order.span == 0 || span > wish.span_max, Unserved::Span),
        (offer.is_none(), Unserved::Offer),
        (
            offer.is_some_and(|(_, offer)| order.max_price_per_hour < offer.terms.price_per_hour),
            Unserved::Price,
        ),
        (lease.refused, Unserved::Refused),
        (free < UNITS_PER_LEASE, Unserved::Busy),
    ];
    checks.into_iter().find(|(fails, _)| *fails).map(|(_, why)| why)
}

/// Whether an offer is what the owner wants, is true, and has time left.
fn stands(view: &View, wish: &Wish, offer: &SeenOffer) -> bool {
    let left = chain::market::moment(offer.terms.available_until).since(view.now);
    let described = offer.spec.as_ref().is_some_and(|spec| {
        (&spec.name, &spec.region, spec.startup) == (&wish.spec.name, &wish.spec.region, wish.spec.startup)
            && hardware::still_fits(&spec.hardware, &wish.unit)
    });
    described
        && (offer.terms.price_per_hour, offer.terms.units) == (wish.price_per_hour, wish.units)
        && left.times(RENEW_PARTS) > wish.available
}

/// Brings the stake up to what is wanted, then posts the offer.
fn sell(view: &View, wish: &Wish, plan: &mut Plan) {
    match view.purse().towards(wish.stake) {
        Step::Approve(amount) => plan.acts.push(Act::Approve { amount }),
        Step::Deposit(amount) => plan.acts.push(Act::Deposit { amount }),
        Step::Stake(amount) => plan.acts.push(Act::Stake { amount }),
        Step::Missing(amount) => plan.missing = amount,
        Step::There => {
            let offer = OfferId::new(view.me, salt(view.offers.len()));
            let until = view.now + wish.available;
            let terms = OfferTerms {
                price_per_hour: wish.price_per_hour,
                units: wish.units,
                // At once, whatever the time of the block in which the first lease is accepted.
                available_from: 0,
                available_until: u64::try_from(until.0 / 1000).unwrap_or_default(),
            };
            plan.acts.push(Act::PostOffer { offer, terms });
        }
    }
}

/// An offer's number is how many were posted before it, so that a new one never takes the name of an old one.
fn salt(posted: usize) -> [u8; 12] {
    let mut salt = [0; 12];
    salt[4..].copy_from_slice(&u64::try_from(posted).unwrap_or(u64::MAX).to_be_bytes());
    salt
}

/// Earnings that are to leave.
pub(crate) fn earnings(view: &View, wish: &Wish) -> Option<Act> {
    let balance = view.account.balance;
    if let Some(Withdrawal { id, to, amount }) = view.withdrawal.clone() {
        let amount = amount.unwrap_or(balance).min(balance);
        return Some(match amount {
            0 => Act::DropWithdrawal,
            amount => Act::Withdraw { amount, to, asked: Some(id) },
        });
    }
    // What is still to become stake is no earnings yet.
    let staked = view.account.stake >= wish.stake;
    let above = wish.withdraw_above?;
    (staked && balance > above).then_some(Act::Withdraw {
        amount: balance,
        to: wish.withdraw_to,
        asked: None,
    })
}

#[cfg(test)]
mod tests;
