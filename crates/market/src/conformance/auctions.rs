//! Bids.

use std::collections::BTreeSet;

use domain::{Firmness, Label, Millis, Offer, Timestamp, Usd, UsdPerHour};

use super::{Bench, Case, POLL, POLLS_MAX, Stop, applies, ensure};
use crate::Observation;

/// An open request after its window has closed.
struct Request {
    label: Label,
    asked_at: Timestamp,
    closes_at: Timestamp,
    bids: Vec<Offer>,
    indicative: Offer,
}

async fn request(bench: &mut Bench<'_>, ceiling: impl Fn(&Offer) -> UsdPerHour) -> Result<Request, Stop> {
    applies(bench.network().capability().auction, "it holds no auctions")?;
    let (network, label) = (bench.network(), bench.label());
    let indicative = bench.offer().await?;
    let intent = network.prepare(&indicative, &bench.terms(&label, ceiling(&indicative))).await?;
    let asked_at = bench.subject.now();
    network.submit(&intent).await?;
    for _ in 0..POLLS_MAX {
        match network.observe(&label).await? {
            Observation::Bidding { bids, closes_at } if bench.subject.now() >= closes_at => {
                return Ok(Request { label, asked_at, closes_at, bids, indicative });
            }
            Observation::Bidding { .. } | Observation::Absent => bench.subject.pass(POLL).await,
            other => return Err(Stop::Fail(format!("a request shows {other:?}"))),
        }
    }
    Err(Stop::Fail("the window never closed".to_owned()))
}

pub(super) async fn no_bid_exceeds_the_ceiling(bench: &mut Bench<'_>) -> Case {
    for basis_points in [9_000, 10_000, 11_000] {
        let ceiling = |offer: &Offer| UsdPerHour::new(offer.price.per_hour().basis_points(basis_points));
        let request = request(bench, ceiling).await?;
        let most = ceiling(&request.indicative);
        let over = request.bids.iter().find(|bid| bid.price > most);
        ensure(over.is_none(), || format!("{over:?} is above {most}"))?;
        bench.release(&request.label).await?;
    }
    Ok(())
}

pub(super) async fn bids_are_firm_and_come_within_the_window(bench: &mut Bench<'_>) -> Case {
    let request = request(bench, Bench::ceiling).await?;
    let window = bench.network().capability().bid_window;
    let late = request.closes_at.since(request.asked_at);
    ensure(late <= window, || format!("the window closed after {late}, not within {window}"))?;
    ensure(!request.bids.is_empty(), || "no bid came".to_owned())?;
    let mut bidders = BTreeSet::new();
    for bid in &request.bids {
        let name = &bid.id.reference;
        ensure(bid.firmness == Firmness::Firm, || format!("{name} is not firm"))?;
        ensure(bid.price.per_hour() > Usd::ZERO, || format!("{name} names no price"))?;
        ensure(bid.provider.is_some(), || format!("{name} names no provider"))?;
        ensure(bidders.insert(bid.provider.clone()), || format!("{name}: its provider bids twice"))?;
        ensure(bid.hardware == request.indicative.hardware, || format!("{name} is another machine"))?;
        ensure(bid.simulated == request.indicative.simulated, || format!("{name} is not marked alike"))?;
    }
    bench.subject.pass(POLL).await;
    let again = bench.network().observe(&request.label).await?;
    let Observation::Bidding { bids, .. } = again else { return Err(Stop::Fail(format!("{again:?}"))) };
    ensure(bids.len() == request.bids.len(), || "a bid came after the window".to_owned())?;
    bench.release(&request.label).await.map(|_| ())
}

/// Neither when it is released nor when it is left to expire.
pub(super) async fn a_request_nobody_accepts_costs_nothing(bench: &mut Bench<'_>) -> Case {
    let before = bench.network().balance().await?;
    let released = request(bench, Bench::ceiling).await?;
    let (_, billed) = bench.release(&released.label).await?;
    ensure(billed == Usd::ZERO, || format!("a released request was billed ${billed}"))?;
    let left = request(bench, Bench::ceiling).await?;
    bench.subject.pass(Millis::HOUR).await;
    let seen = bench.network().observe(&left.label).await?;
    let free = matches!(seen, Observation::Ended { billed: Usd::ZERO, .. } | Observation::Absent);
    ensure(free, || format!("a request left alone shows {seen:?}"))?;
    ensure(bench.is_listed(&left.label).await? == 0, || "it is still listed".to_owned())?;
    let after = bench.network().balance().await?;
    ensure(before == after, || format!("the balance was {before:?} and is {after:?}"))
}
