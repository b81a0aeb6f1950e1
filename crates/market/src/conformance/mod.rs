//! What every network is held to. The cases follow from the trait's contract and are chosen by the network's capability;
//! a network crate runs them against its own network, with fees and money as they are there.
//!
//! Time passes only when the suite says so, through the [`Subject`].

mod auctions;
mod basics;
mod lives;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Assurance, Firmness, Label, LeaseId, Millis, Offer, Timestamp, Usd, UsdPerHour};

use crate::{Boot, Error, Network, Observation, Terms};

/// A network under test.
#[async_trait]
pub trait Subject: Send {
    /// The network as it stands.
    fn network(&self) -> Arc<dyn Network>;

    /// The time it goes by.
    fn now(&self) -> Timestamp;

    /// Lets time pass.
    async fn pass(&mut self, time: Millis);

    /// Stops the network and builds it again from what it has stored; false where that cannot be done.
    async fn restart(&mut self) -> bool;

    /// What agents are handed, for a network that reads it. It contains the word `conformance`.
    fn boot(&self) -> Boot {
        Boot::new(b"conformance".to_vec())
    }
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseOutcome {
    /// The network keeps this part of the contract.
    Passed,
    /// It does not apply, since the network lacks an ability.
    Skipped(&'static str),
    /// It breaks the contract: what was seen.
    Failed(String),
}

/// One case and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// The case, as a sentence without spaces.
    pub name: &'static str,
    /// How it ended.
    pub outcome: CaseOutcome,
}

/// Runs every case, each with labels of its own.
pub async fn run(subject: &mut dyn Subject) -> Vec<CaseResult> {
    let mut results = Vec::new();
    macro_rules! cases {
        ($($module:ident::$case:ident),* $(,)?) => {$(
            let mut bench = Bench { subject: &mut *subject, case: results.len(), labels: 0 };
            let outcome = match $module::$case(&mut bench).await {
                Ok(()) => CaseOutcome::Passed,
                Err(Stop::Skip(why)) => CaseOutcome::Skipped(why),
                Err(Stop::Fail(why)) => CaseOutcome::Failed(why),
            };
            results.push(CaseResult { name: stringify!($case), outcome });
        )*};
    }
    cases!(
        basics::offers_are_well_formed,
        basics::offers_say_what_the_capability_promises,
        basics::prepare_has_no_effect,
        basics::an_unknown_label_is_absent,
        basics::an_error_names_its_network_and_operation,
        basics::the_balance_can_be_read,
        lives::a_purchase_goes_live,
        lives::submitting_twice_buys_once,
        lives::a_lease_is_listed_until_it_is_released,
        lives::a_release_is_confirmed_and_may_be_repeated,
        lives::the_bill_keeps_to_the_terms,
        lives::a_lease_is_lengthened_or_the_ability_is_missing,
        lives::a_restart_keeps_leases,
        auctions::no_bid_exceeds_the_ceiling,
        auctions::bids_are_firm_and_come_within_the_window,
        auctions::a_request_nobody_accepts_costs_nothing,
    );
    results
}

/// Why a case stopped early.
enum Stop {
    Skip(&'static str),
    Fail(String),
}

type Case = Result<(), Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fail(domain::chain(&error))
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Case {
    if holds { Ok(()) } else { Err(Stop::Fail(otherwise())) }
}

fn applies(able: bool, otherwise: &'static str) -> Case {
    if able { Ok(()) } else { Err(Stop::Skip(otherwise)) }
}

/// A lease is looked at this many times before it counts as never coming.
const POLLS_MAX: u32 = 200;
/// Time between two looks.
const POLL: Millis = Millis(250);
/// A lease is asked for that long.
const SPAN: Millis = Millis(10 * 60_000);

/// A live lease and what is known of its purchase.
struct Bought {
    label: Label,
    /// The offer that was taken last: in an auction, the bid.
    offer: Offer,
    since: Timestamp,
}

struct Bench<'a> {
    subject: &'a mut dyn Subject,
    case: usize,
    labels: u8,
}

impl Bench<'_> {
    fn network(&self) -> Arc<dyn Network> {
        self.subject.network()
    }

    /// A label that follows from the case and the time, so that a network with a memory sees none twice.
    fn label(&mut self) -> Label {
        self.labels += 1;
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.subject.now().0.to_be_bytes());
        bytes[8] = u8::try_from(self.case).unwrap_or(u8::MAX);
        bytes[9] = self.labels;
        Label::of(LeaseId::from_bytes(bytes))
    }

    /// The cheapest offer that can be bought.
    async fn offer(&self) -> Result<Offer, Stop> {
        let buyable = |o: &Offer| o.price.per_hour() > Usd::ZERO && o.stock != Some(0);
        let offers = self.network().offers().await?;
        let cheapest = offers.into_iter().filter(buyable).min_by_key(|o| (o.price, o.id.clone()));
        cheapest.ok_or_else(|| Stop::Fail("nothing can be bought".to_owned()))
    }

    fn terms(&self, label: &Label, ceiling: UsdPerHour) -> Terms {
        Terms { label: label.clone(), span: SPAN, ceiling, job: [7; 32], boot: self.subject.boot() }
    }

    /// A ceiling that leaves room for bids above the indicative price.
    fn ceiling(offer: &Offer) -> UsdPerHour {
        match offer.firmness {
            Firmness::Auction => UsdPerHour::new(offer.price.per_hour().basis_points(15_000)),
            _ => offer.price,
        }
    }

    /// Buys the cheapest offer and waits until the lease is live.
    async fn buy(&mut self) -> Result<Bought, Stop> {
        let label = self.label();
        let offer = self.offer().await?;
        let terms = self.terms(&label, Self::ceiling(&offer));
        let intent = self.network().prepare(&offer, &terms).await?;
        self.network().submit(&intent).await?;
        self.live(label, offer).await
    }

    /// Waits until the lease is live, accepting the cheapest bid once the window has closed.
    async fn live(&mut self, label: Label, mut offer: Offer) -> Result<Bought, Stop> {
        for _ in 0..POLLS_MAX {
            match self.network().observe(&label).await? {
                Observation::Live { since, .. } => return Ok(Bought { label, offer, since }),
                Observation::Bidding { bids, closes_at } if self.subject.now() >= closes_at => {
                    let best = bids.into_iter().min_by_key(|bid| (bid.price, bid.id.clone()));
                    let bid = best.ok_or_else(|| Stop::Fail("no bid came".to_owned()))?;
                    let terms = self.terms(&label, bid.price);
                    let intent = self.network().prepare(&bid, &terms).await?;
                    self.network().submit(&intent).await?;
                    offer = bid;
                }
                Observation::Ended { .. } => {
                    return Err(Stop::Fail("it ended before it was live".to_owned()));
                }
                _ => self.subject.pass(POLL).await,
            }
        }
        Err(Stop::Fail(format!("it was not live after {POLLS_MAX} looks")))
    }

    /// Releases until the network confirms the end: when it ended and what it billed.
    async fn release(&mut self, label: &Label) -> Result<(Timestamp, Usd), Stop> {
        for _ in 0..POLLS_MAX {
            match self.network().release(label).await? {
                Observation::Ended { at, billed } => return Ok((at, billed)),
                _ => self.subject.pass(POLL).await,
            }
        }
        Err(Stop::Fail(format!("it had not ended after {POLLS_MAX} releases")))
    }

    async fn is_listed(&self, label: &Label) -> Result<usize, Stop> {
        Ok(self.network().list_ours().await?.iter().filter(|listed| listed.label == *label).count())
    }
}

/// What can be said of an offer before anybody is assigned.
fn is_assigned_later(offer: &Offer) -> bool {
    offer.provider.is_none() && offer.assurance == Assurance::Claimed
}
