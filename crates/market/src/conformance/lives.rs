//! A lease from purchase to bill.

use domain::{Billing, Millis, Timestamp, Usd};

use super::{Bench, Bought, Case, SPAN, Stop, applies, ensure};
use crate::{ErrorKind, Observation};

pub(super) async fn a_purchase_goes_live(bench: &mut Bench<'_>) -> Case {
    let bought = bench.buy().await?;
    let able = bench.network().capability();
    let seen = bench.network().observe(&bought.label).await?;
    let Observation::Live { provider, region, since, until, .. } = seen else {
        return Err(Stop::Fail(format!("live, then {seen:?}")));
    };
    ensure(since == bought.since, || "the start moved".to_owned())?;
    ensure(until.is_none_or(|until| until > since), || "it ends before it starts".to_owned())?;
    let promised = bought.offer.provider.as_ref().is_none_or(|offered| *offered == provider);
    ensure(promised, || format!("another provider than offered: {provider}"))?;
    let stands = bought.offer.region.is_none() || bought.offer.region == region;
    ensure(stands || !able.regions, || format!("it stands elsewhere than offered: {region:?}"))?;
    bench.release(&bought.label).await.map(|_| ())
}

/// The same intent again is success, and nothing is bought or billed twice.
pub(super) async fn submitting_twice_buys_once(bench: &mut Bench<'_>) -> Case {
    let (network, label) = (bench.network(), bench.label());
    let offer = bench.offer().await?;
    let intent = network.prepare(&offer, &bench.terms(&label, Bench::ceiling(&offer))).await?;
    network.submit(&intent).await?;
    bench.subject.pass(pause(bench)).await;
    network.submit(&intent).await?;
    let bought = bench.live(label, offer).await?;
    network.submit(&intent).await?;
    let listed = bench.is_listed(&bought.label).await?;
    ensure(listed == 1, || format!("it is listed {listed} times"))?;
    let (at, billed) = bench.release(&bought.label).await?;
    within_terms(&bought, at, billed)?;
    network.submit(&intent).await?;
    ensure(bench.is_listed(&bought.label).await? == 0, || "an ended lease was bought again".to_owned())
}

/// A network that does not see repetitions may be asked again only when the purchase must have shown.
fn pause(bench: &Bench<'_>) -> Millis {
    let able = bench.network().capability();
    if able.idempotency { Millis::ZERO } else { able.visibility + Millis(1) }
}

pub(super) async fn a_lease_is_listed_until_it_is_released(bench: &mut Bench<'_>) -> Case {
    applies(bench.network().capability().labels, "it keeps no labels")?;
    let bought = bench.buy().await?;
    bench.subject.pass(bench.network().capability().visibility + Millis(1)).await;
    let listed = bench.is_listed(&bought.label).await?;
    ensure(listed == 1, || format!("it is listed {listed} times"))?;
    bench.release(&bought.label).await?;
    ensure(bench.is_listed(&bought.label).await? == 0, || "it is listed after its end".to_owned())
}

pub(super) async fn a_release_is_confirmed_and_may_be_repeated(bench: &mut Bench<'_>) -> Case {
    let bought = bench.buy().await?;
    let first = bench.release(&bought.label).await?;
    bench.subject.pass(Millis(60_000)).await;
    let again = bench.release(&bought.label).await?;
    ensure(first == again, || format!("the end was {first:?} and is {again:?}"))?;
    let seen = bench.network().observe(&bought.label).await?;
    let same = Observation::Ended { at: first.0, billed: first.1 };
    ensure(seen == same, || format!("released, it shows {seen:?}"))
}

/// For a short lease, which shows minimum and refund, and for a longer one, which shows the price.
pub(super) async fn the_bill_keeps_to_the_terms(bench: &mut Bench<'_>) -> Case {
    for used in [Millis(1_000), Millis(150_000)] {
        let bought = bench.buy().await?;
        bench.subject.pass(used).await;
        let (at, billed) = bench.release(&bought.label).await?;
        within_terms(&bought, at, billed)?;
        ensure(at >= bought.since + used, || format!("it ended at {at}, before it was released"))?;
    }
    Ok(())
}

fn within_terms(bought: &Bought, at: Timestamp, billed: Usd) -> Case {
    let offer = &bought.offer;
    let due = offer.billing.charge(offer.price, at.since(bought.since)) + offer.fee;
    ensure(billed == due, || format!("billed ${billed} where its terms say ${due}"))
}

pub(super) async fn a_lease_is_lengthened_or_the_ability_is_missing(bench: &mut Bench<'_>) -> Case {
    let network = bench.network();
    let bought = bench.buy().await?;
    let longer = SPAN.times(3);
    if network.capability().extend {
        network.extend(&bought.label, longer).await?;
        network.extend(&bought.label, longer).await?;
        let seen = network.observe(&bought.label).await?;
        let Observation::Live { until, .. } = seen else { return Err(Stop::Fail(format!("{seen:?}"))) };
        let enough = until.is_none_or(|until| until >= bought.since + longer);
        ensure(enough, || format!("lengthened, it lasts until {until:?}"))?;
        bench.subject.pass(SPAN.times(2)).await;
        let seen = network.observe(&bought.label).await?;
        ensure(matches!(seen, Observation::Live { .. }), || format!("it did not last: {seen:?}"))?;
    } else {
        let unsupported = network.extend(&bought.label, longer).await.err().map(|error| error.kind);
        ensure(unsupported == Some(ErrorKind::Unsupported), || format!("extend gave {unsupported:?}"))?;
    }
    let (at, billed) = bench.release(&bought.label).await?;
    let paid_until = match bought.offer.billing {
        Billing::Prepaid { span, .. } => at.since(bought.since) <= span,
        Billing::Metered { .. } => true,
    };
    ensure(paid_until, || "it outlived what was paid for".to_owned())?;
    within_terms(&bought, at, billed)
}

pub(super) async fn a_restart_keeps_leases(bench: &mut Bench<'_>) -> Case {
    let bought = bench.buy().await?;
    let ended = bench.buy().await?;
    let end = bench.release(&ended.label).await?;
    let before = bench.network().observe(&bought.label).await?;
    let open = (bench.label(), bench.offer().await?);
    let terms = bench.terms(&open.0, Bench::ceiling(&open.1));
    let intent = bench.network().prepare(&open.1, &terms).await?;
    bench.network().submit(&intent).await?;
    applies(bench.subject.restart().await, "it cannot be restarted")?;
    let after = bench.network().observe(&bought.label).await?;
    ensure(before == after, || format!("it was {before:?} and is {after:?}"))?;
    let again = bench.release(&ended.label).await?;
    ensure(end == again, || format!("the end was {end:?} and is {again:?}"))?;
    let bought_later = bench.live(open.0, open.1).await?;
    for bought in [bought, bought_later] {
        let (at, billed) = bench.release(&bought.label).await?;
        within_terms(&bought, at, billed)?;
    }
    Ok(())
}
