//! Offers, intents, names and errors.

use std::collections::BTreeSet;

use domain::{Firmness, Usd};

use super::{Bench, Case, SPAN, Stop, applies, ensure, is_assigned_later};
use crate::{ErrorKind, Intent, Observation, Operation, RetryStatus};

/// A price of zero is no price, and its quote does not pretend that it is one.
pub(super) async fn offers_are_well_formed(bench: &mut Bench<'_>) -> Case {
    let network = bench.network();
    let offers = network.offers().await?;
    ensure(!offers.is_empty(), || "there are no offers".to_owned())?;
    let mut ids = BTreeSet::new();
    for offer in &offers {
        let name = &offer.id.reference;
        ensure(ids.insert(offer.id.clone()), || format!("{name} is listed twice"))?;
        ensure(offer.id.network == *network.name(), || format!("{name} is not named by its network"))?;
        ensure(!offer.price.per_hour().is_negative(), || format!("{name} has a negative price"))?;
        let unknown = offer.price.per_hour() == Usd::ZERO;
        let zero = !offer.quote.amount.bytes().any(|b| matches!(b, b'1'..=b'9'));
        ensure(unknown == zero, || {
            format!("{name} is quoted at {} but costs {}", offer.quote.amount, offer.price)
        })?;
        ensure(!offer.quote.unit.is_empty(), || format!("{name} is quoted without a unit"))?;
        let dollars = offer.quote.unit == "USD/h";
        ensure(unknown || dollars != offer.quote.conversion.is_some(), || {
            format!("{name} hides its conversion")
        })?;
        ensure(!offer.fee.is_negative(), || format!("{name} has a negative fee"))?;
        let hardware = &offer.hardware;
        let some = hardware.cpus_milli > 0 && hardware.memory_mib > 0 && hardware.disk_mib > 0;
        ensure(some, || format!("{name} has no processor, memory or disk"))?;
        let counted = hardware.accelerators.as_ref().is_none_or(|a| a.count > 0 && !a.model.is_empty());
        ensure(counted, || format!("{name} has accelerators without model or number"))?;
        let now = bench.subject.now();
        ensure(offer.seen_at <= now, || format!("{name} was seen in the future"))?;
        ensure(offer.valid_until.is_none_or(|until| until >= now), || format!("{name} had expired"))?;
    }
    Ok(())
}

pub(super) async fn offers_say_what_the_capability_promises(bench: &mut Bench<'_>) -> Case {
    let network = bench.network();
    let able = network.capability();
    for offer in network.offers().await? {
        let name = &offer.id.reference;
        ensure(!able.regions || offer.region.is_some(), || format!("{name} has no region"))?;
        ensure(able.stock == offer.stock.is_some(), || {
            format!("{name}: stock is told against the capability")
        })?;
        ensure(able.simulated == offer.simulated, || format!("{name}: not marked as the network is"))?;
        let fits = match offer.firmness {
            Firmness::Auction => able.auction,
            Firmness::Queue => able.queue && is_assigned_later(&offer),
            Firmness::Firm => offer.provider.is_some(),
        };
        ensure(fits, || format!("{name} is {} against the capability", offer.firmness.code()))?;
    }
    Ok(())
}

pub(super) async fn prepare_has_no_effect(bench: &mut Bench<'_>) -> Case {
    let (network, label) = (bench.network(), bench.label());
    let offer = bench.offer().await?;
    let balance = network.balance().await?;
    let intent = network.prepare(&offer, &bench.terms(&label, Bench::ceiling(&offer))).await?;
    ensure(intent.label == label, || "the intent carries another label".to_owned())?;
    ensure(!format!("{intent:?}").contains("conformance"), || "an intent shows its boot bytes".to_owned())?;
    bench.subject.pass(network.capability().visibility + super::POLL).await;
    let seen = network.observe(&label).await?;
    ensure(seen == Observation::Absent, || format!("after prepare the network shows {seen:?}"))?;
    ensure(bench.is_listed(&label).await? == 0, || "after prepare the label is listed".to_owned())?;
    ensure(network.balance().await? == balance, || "prepare cost something".to_owned())
}

pub(super) async fn an_unknown_label_is_absent(bench: &mut Bench<'_>) -> Case {
    let (network, label) = (bench.network(), bench.label());
    for seen in [network.observe(&label).await?, network.release(&label).await?] {
        ensure(seen == Observation::Absent, || format!("the network shows {seen:?}"))?;
    }
    ensure(bench.is_listed(&label).await? == 0, || "it is listed".to_owned())
}

/// Bytes that are no intent are refused for good, and the error says who refused what.
pub(super) async fn an_error_names_its_network_and_operation(bench: &mut Bench<'_>) -> Case {
    let (network, label) = (bench.network(), bench.label());
    let nonsense = Intent { label: label.clone(), bytes: zeroize::Zeroizing::new(b"nonsense".to_vec()) };
    let expected = if network.capability().extend { ErrorKind::NotFound } else { ErrorKind::Unsupported };
    let failures = [
        (network.submit(&nonsense).await, Operation::Submit, ErrorKind::InvalidInput),
        (network.extend(&label, SPAN).await, Operation::Extend, expected),
    ];
    for (answer, operation, kind) in failures {
        let Err(error) = answer else { return Err(Stop::Fail(format!("could {operation} nonsense"))) };
        let right = error.network == *network.name() && error.operation == operation;
        ensure(right, || format!("`{error}` does not name its network and operation"))?;
        let permanent = error.kind == kind && error.status == RetryStatus::Permanent;
        ensure(permanent, || format!("`{error}` is {:?} and {:?}", error.kind, error.status))?;
    }
    Ok(())
}

pub(super) async fn the_balance_can_be_read(bench: &mut Bench<'_>) -> Case {
    let available = bench.network().balance().await?.available;
    applies(available.is_some(), "it bills later")?;
    ensure(available.is_some_and(|amount| amount > Usd::ZERO), || "the account is empty".to_owned())
}
