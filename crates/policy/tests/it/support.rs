//! A job, offers and a situation in which everything fits; tests change what they are about.

use std::collections::BTreeMap;

use domain::{
    Assurance, Billing, Budget, FailoverRule, Firmness, Hardware, JobId, JobSpec, Level, Millis, NetworkName,
    Offer, OfferRef, PlacementCause, Quote, Requirement, Targets, Timestamp, Usd, UsdPerHour, Verify,
    VerifyMethod, Window,
};
use waag_policy::objective::NOTHING_KNOWN;
use waag_policy::placement::{Situation, Tenure};

/// 2026-03-01T12:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_772_366_400_000);

pub(crate) const SECOND: Millis = Millis(1_000);
pub(crate) const MINUTE: Millis = Millis(60_000);

pub(crate) fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

pub(crate) fn hourly(text: &str) -> UsdPerHour {
    text.parse().unwrap()
}

/// A set of networks.
pub(crate) fn only(names: &[&str]) -> Targets {
    Targets::Only(names.iter().map(|name| name.parse().unwrap()).collect())
}

/// A job of 32 segments that asks for nothing in particular, with this budget and two hours.
pub(crate) fn spec(budget: &str) -> JobSpec {
    JobSpec {
        name: "digits".parse().unwrap(),
        resources: Requirement::default(),
        use_spot: None,
        infra: Targets::Any,
        max_hourly: None,
        envs: [].into(),
        secrets: [].into(),
        workdir: None,
        file_mounts: vec![],
        setup: None,
        run: "true".to_owned(),
        level: Level::Standard,
        budget: Budget { max_total: usd(budget) },
        deadline: Millis::HOUR.times(2),
        expected_run: None,
        window: Window::default(),
        regions: [].into(),
        checkpoint_path: None,
        outputs_path: None,
        value_at_risk: Usd::ZERO,
        network: false,
        verify: Verify { method: VerifyMethod::Replay, segments: 32, sample: 8 },
        failover: FailoverRule { attempts: 3, to: Targets::Any },
        availability_bps: 0,
        class: None,
    }
}

/// Nobody checks anything.
pub(crate) static NO_COVER: BTreeMap<NetworkName, u32> = BTreeMap::new();

/// The job's first plan: ten minutes of work, all of the budget left.
pub(crate) fn first(spec: &JobSpec) -> Situation<'_> {
    Situation {
        job: JobId::from_bytes([1; 10]),
        spec,
        now: NOW,
        deadline_at: NOW + spec.deadline,
        budget_left: spec.budget.max_total,
        segments_done: 0,
        expected_run: MINUTE.times(10),
        attempt: 1,
        parent: None,
        cause: PlacementCause::First,
        lost: &[],
        tenure: Tenure::Any,
        verification_bps: 0,
        refused_recently: &[],
        covers: &NO_COVER,
        knowledge: &NOTHING_KNOWN,
        failover: false,
        stale_after: MINUTE,
        release_margin: MINUTE,
    }
}

/// A firm offer, metered by the second, that starts in 30 seconds and was seen 5 seconds ago.
pub(crate) fn offer(network: &str, reference: &str, provider: &str, price: &str) -> Offer {
    Offer {
        id: OfferRef { network: network.parse().unwrap(), reference: reference.to_owned() },
        provider: Some(provider.parse().unwrap()),
        region: Some("EU-DE".parse().unwrap()),
        hardware: Hardware { cpus_milli: 4_000, memory_mib: 16_384, disk_mib: 102_400, accelerators: None },
        price: hourly(price),
        quote: Quote { amount: price.to_owned(), unit: "USD/h".to_owned(), conversion: None },
        fee: Usd::ZERO,
        billing: Billing::Metered { minimum: SECOND },
        firmness: Firmness::Firm,
        startup: SECOND.times(30),
        stock: None,
        interruptible: false,
        assurance: Assurance::Claimed,
        seen_at: NOW - SECOND.times(5),
        valid_until: None,
        simulated: false,
    }
}

/// An offer whose provider and place are known only after the purchase.
pub(crate) fn queue(network: &str, reference: &str, price: &str) -> Offer {
    Offer {
        provider: None,
        region: None,
        firmness: Firmness::Queue,
        ..offer(network, reference, "nobody", price)
    }
}
