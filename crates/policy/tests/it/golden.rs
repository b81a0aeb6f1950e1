//! Plans in their text form, compared with `tests/golden`. `WAAG_GOLDEN=update` writes the files anew; a reviewer reads
//! what changed.

use std::fs;
use std::path::{Path, PathBuf};

use domain::{
    Accelerators, Assurance, Billing, ExecutionId, Firmness, JobSpec, LeaseId, Level, Millis, Need,
    NetworkName, Offer, OfferRef, PlacementCause, PlacementId, ProviderName, Refusal, Timestamp,
};
use waag_policy::objective::{Knowledge, NetworkFacts, ProviderFacts};
use waag_policy::placement::{RANKED_MAX, Situation, Tenure, place, render};

use crate::support::{MINUTE, NO_COVER, NOW, SECOND, first, hourly, offer, only, queue, spec, usd};

const FIRST: PlacementId = PlacementId::from_bytes([2; 10]);
const CHILD: PlacementId = PlacementId::from_bytes([3; 10]);

/// A file in `tests/golden`, without its ending, and how its text is made.
type Case = (&'static str, fn() -> String);

const CASES: [Case; 12] = [
    ("all_refused", all_refused),
    ("auction_bids", auction_bids),
    ("best_twenty", best_twenty),
    ("budget_nearly_spent", budget_nearly_spent),
    ("deadline_near", deadline_near),
    ("failover_child", failover_child),
    ("first_plan", first_plan),
    ("no_offers", no_offers),
    ("not_bought", not_bought),
    ("prepaid_and_metered", prepaid_and_metered),
    ("terms_known", terms_known),
    ("ties", ties),
];

#[test]
fn plans_are_their_golden_files() {
    let update = std::env::var("WAAG_GOLDEN").is_ok_and(|value| value == "update");
    let mut differences = Vec::new();
    for name in files().filter(|name| !CASES.iter().any(|(case, _)| format!("{case}.txt") == *name)) {
        if update {
            fs::remove_file(folder().join(name)).unwrap();
        } else {
            differences.push(format!("{name} belongs to no case"));
        }
    }
    for (name, make) in CASES {
        let (path, found) = (folder().join(format!("{name}.txt")), make());
        if update {
            fs::write(&path, &found).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        if golden != found {
            differences.push(format!("{name}.txt (- golden, + now)\n{}", difference(&golden, &found)));
        }
    }
    assert!(
        differences.is_empty(),
        "{}\nwhere this is right, write the files anew with WAAG_GOLDEN=update",
        differences.join("\n")
    );
}

fn files() -> impl Iterator<Item = String> {
    fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The lines between the common beginning and the common end.
fn difference(golden: &str, found: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (golden.lines().collect(), found.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = (old.len() - start).min(new.len() - start);
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let lines = |sign: char, text: &[&str]| -> String {
        text[start..text.len() - end].iter().map(|line| format!("{sign} {line}\n")).collect()
    };
    format!("@ line {}\n{}{}", start + 1, lines('-', &old), lines('+', &new))
}

fn plan(id: PlacementId, situation: &Situation<'_>, offers: &[Offer]) -> String {
    render(&place(id, situation, offers, 42).0)
}

/// One network of each kind.
fn market() -> Vec<Offer> {
    let cloud = Offer { simulated: true, stock: Some(3), ..offer("sim-cloud", "m.large.de", "acme", "0.48") };
    let auction = Offer {
        firmness: Firmness::Auction,
        provider: None,
        fee: usd("0.002"),
        simulated: true,
        ..offer("sim-auction", "eu-small", "nobody", "0.21")
    };
    let pool = Offer {
        billing: Billing::Prepaid { span: MINUTE.times(15), refundable: false },
        startup: SECOND.times(90),
        simulated: true,
        ..queue("sim-queue", "cpu-pool", "0.30")
    };
    vec![cloud, auction, pool, offer("aws", "m5.large/us-east-1a", "aws", "0.096")]
}

fn in_europe() -> JobSpec {
    JobSpec { regions: ["EU".parse().unwrap()].into(), ..spec("2.00") }
}

fn first_plan() -> String {
    let job = in_europe();
    let mut offers = market();
    offers[3].region = Some("US-VA".parse().unwrap());
    plan(FIRST, &first(&job), &offers)
}

/// Every term of the objective has a value somewhere: the network that loses work, asks for egress and changes money comes last,
/// though its price is the lowest.
fn terms_known() -> String {
    let job = in_europe();
    let lossy = NetworkFacts {
        losses_per_million_hours: 900_000,
        taken_per_million_hours: 0,
        egress_per_gib: usd("0.05"),
        verification_bps: 500,
        slippage_bps: 200,
    };
    let steady = NetworkFacts { losses_per_million_hours: 1_000, ..NetworkFacts::default() };
    let known = Knowledge {
        networks: [("sim-auction".parse().unwrap(), lossy), ("aws".parse().unwrap(), steady)].into(),
        latency: [("EU".parse().unwrap(), usd("0.001"))].into(),
        egress_mib: 4_096,
        checkpoint_bps: 300,
        ..Knowledge::default()
    };
    let mut offers = market();
    offers[1].price = hourly("0.05");
    plan(FIRST, &Situation { knowledge: &known, ..first(&job) }, &offers)
}

/// Twenty of 32 segments are done; the provider that was lost and the network outside `failover.to` are left out.
fn failover_child() -> String {
    let mut job = in_europe();
    job.failover.to = only(&["sim-cloud", "sim-queue", "aws"]);
    let lost: [(NetworkName, ProviderName); 1] = [("sim-cloud".parse().unwrap(), "acme".parse().unwrap())];
    let situation = Situation {
        now: NOW + MINUTE,
        budget_left: usd("1.90"),
        segments_done: 20,
        attempt: 2,
        parent: Some(FIRST),
        cause: PlacementCause::Lost(ExecutionId::from_bytes([7; 10])),
        lost: &lost,
        covers: &NO_COVER,
        failover: true,
        stale_after: MINUTE.times(2),
        ..first(&job)
    };
    let mut offers = market();
    offers.push(offer("sim-cloud", "m.large.fr", "other", "0.52"));
    plan(CHILD, &situation, &offers)
}

/// One offer for each rule, and no other.
fn all_refused() -> String {
    let mut job = in_europe();
    job.infra = only(&["sim-cloud"]);
    job.level = Level::High;
    job.max_hourly = Some(hourly("4.00"));
    (job.use_spot, job.availability_bps) = (Some(true), 9_500);
    job.resources.cpus_milli = Some(Need::AtLeast(2_000));
    job.resources.memory_mib = Some(Need::AtLeast(8_192));
    job.resources.disk_mib = Some(10_240);
    job.resources.accelerators = Some(Accelerators { model: "H100".to_owned(), count: 1 });
    let lost: [(NetworkName, ProviderName); 1] = [("sim-cloud".parse().unwrap(), "gone".parse().unwrap())];
    let offers = Refusal::ALL.map(|rule| {
        let mut offer = offer("sim-cloud", rule.code(), "acme", "1.00");
        (offer.assurance, offer.interruptible) = (Assurance::Audited, true);
        offer.hardware.accelerators = job.resources.accelerators.clone();
        match rule {
            Refusal::Network => offer.id.network = "akash".parse().unwrap(),
            Refusal::Region => offer.region = None,
            Refusal::Assurance => offer.assurance = Assurance::Claimed,
            Refusal::UseSpot => offer.interruptible = false,
            Refusal::Reputation => offer.provider = Some("shaky".parse().unwrap()),
            Refusal::SpotPolicy => {}
            Refusal::Cpus => offer.hardware.cpus_milli = 1_999,
            Refusal::Memory => offer.hardware.memory_mib = 8_191,
            Refusal::Disk => offer.hardware.disk_mib = 10_239,
            Refusal::Accelerators => offer.hardware.accelerators = None,
            Refusal::HourlyPrice => offer.price = hourly("4.01"),
            Refusal::Budget => offer.fee = usd("5.00"),
            Refusal::Deadline => offer.startup = Millis::HOUR.times(2),
            Refusal::PriceUnknown => offer.price = hourly("0"),
            Refusal::ValueUncovered => offer.price = hourly("0.01"),
            Refusal::Stale => offer.seen_at = NOW - MINUTE.times(5),
            Refusal::Stock => offer.stock = Some(0),
            Refusal::ProviderLost => offer.provider = Some("gone".parse().unwrap()),
        }
        offer
    });
    // Enough for the slow offer, so that time alone speaks against it.
    // A hundredth of a dollar is outweighed by every price but one.
    job.value_at_risk = usd("0.01");
    let covers = [("sim-cloud".parse().unwrap(), 10_000)].into();
    let shaky = ProviderFacts { promise_bps: 9_499, ..ProviderFacts::default() };
    let providers = [("sim-cloud".parse().unwrap(), [("shaky".parse().unwrap(), shaky)].into())].into();
    let knowledge = Knowledge { providers, newcomer_bps: 9_500, ..Knowledge::default() };
    let situation = Situation {
        lost: &lost,
        covers: &covers,
        knowledge: &knowledge,
        tenure: Tenure::OnDemand,
        budget_left: usd("4.90"),
        ..first(&job)
    };
    plan(FIRST, &situation, &offers)
}

/// Bids are firm offers that came late: who bids is known now, and only what was held for the request may be spent.
fn auction_bids() -> String {
    let job = in_europe();
    let lost: [(NetworkName, ProviderName); 1] =
        [("sim-auction".parse().unwrap(), "bidder-3".parse().unwrap())];
    let situation = Situation {
        budget_left: usd("0.100000"),
        parent: Some(FIRST),
        cause: PlacementCause::Bids(LeaseId::from_bytes([5; 10])),
        lost: &lost,
        ..first(&job)
    };
    let bid = |n: u32, price: &str| Offer {
        fee: usd("0.002"),
        valid_until: Some(NOW + SECOND.times(20)),
        simulated: true,
        ..offer("sim-auction", &format!("bid-{n}"), &format!("bidder-{n}"), price)
    };
    let mut late = bid(4, "0.15");
    late.valid_until = Some(NOW - Millis(1));
    plan(CHILD, &situation, &[bid(1, "0.22"), bid(2, "0.19"), bid(3, "0.17"), late, bid(5, "0.30")])
}

/// The lowest price per hour is not the lowest cost of the job.
fn prepaid_and_metered() -> String {
    let job = spec("5.00");
    let with = |reference: &str, price: &str, billing: Billing| Offer {
        billing,
        ..offer("sim-cloud", reference, "acme", price)
    };
    let prepaid = |minutes: u64, refundable| Billing::Prepaid { span: MINUTE.times(minutes), refundable };
    let offers = [
        with("by-the-second", "0.60", Billing::Metered { minimum: SECOND }),
        with("by-the-hour", "0.40", Billing::Metered { minimum: Millis::HOUR }),
        with("hour-refunded", "0.50", prepaid(60, true)),
        with("hour-kept", "0.30", prepaid(60, false)),
        with("day-kept", "0.30", prepaid(24 * 60, false)),
    ];
    plan(FIRST, &first(&job), &offers)
}

fn budget_nearly_spent() -> String {
    let job = spec("2.00");
    let situation = Situation {
        budget_left: usd("0.10"),
        segments_done: 28,
        attempt: 3,
        parent: Some(FIRST),
        cause: PlacementCause::Lost(ExecutionId::from_bytes([8; 10])),
        failover: true,
        ..first(&job)
    };
    let offers = [
        offer("sim-cloud", "held-to-the-last-micro-dollar", "acme", "1.333333"),
        offer("sim-cloud", "a-micro-dollar-too-dear", "acme", "1.333334"),
        Offer { fee: usd("0.09"), ..offer("sim-cloud", "fee-too-high", "acme", "0.40") },
        Offer {
            billing: Billing::Prepaid { span: Millis::HOUR, refundable: true },
            ..offer("sim-cloud", "refunded-but-must-be-held", "acme", "0.30")
        },
        offer("sim-cloud", "cheap", "acme", "0.40"),
    ];
    plan(CHILD, &situation, &offers)
}

/// The cheapest would come too late; a quick start is worth its price.
fn deadline_near() -> String {
    let job = spec("2.00");
    let situation = Situation { deadline_at: NOW + MINUTE.times(11), ..first(&job) };
    let starting = |reference: &str, price: &str, seconds: u64| Offer {
        startup: SECOND.times(seconds),
        ..offer("sim-cloud", reference, "acme", price)
    };
    let offers = [
        starting("slow-and-cheap", "0.10", 300),
        starting("in-time-to-the-second", "0.50", 60),
        starting("quick", "0.80", 5),
        Offer { startup: Millis(60_001), ..starting("late-by-a-millisecond", "0.20", 0) },
    ];
    plan(FIRST, &situation, &offers)
}

/// Equal cost: the quicker first, then by network and reference.
fn ties() -> String {
    let job = spec("2.00");
    let same = |network: &str, reference: &str, seconds: u64| Offer {
        billing: Billing::Metered { minimum: Millis::HOUR },
        startup: SECOND.times(seconds),
        ..offer(network, reference, "acme", "0.50")
    };
    let offers = [
        same("vast", "a", 30),
        same("akash", "b", 30),
        same("akash", "a", 30),
        same("akash", "slow", 60),
        same("zone", "quick", 5),
    ];
    plan(FIRST, &first(&job), &offers)
}

/// More fit than a plan keeps; how many is told.
fn best_twenty() -> String {
    let job = spec("2.00");
    let offers: Vec<Offer> = (0..RANKED_MAX + 3)
        .map(|n| offer("sim-cloud", &format!("machine-{n:02}"), "acme", &format!("0.{:02}", 60 - n)))
        .collect();
    plan(FIRST, &first(&job), &offers)
}

/// The best offer could not be had a moment ago, so the next one leads.
fn not_bought() -> String {
    let job = in_europe();
    let offers = market();
    let until = |n: usize, until: Timestamp| -> (OfferRef, Timestamp) { (offers[n].id.clone(), until) };
    let refused = [until(3, NOW + MINUTE), until(0, NOW)];
    let situation = Situation {
        parent: Some(FIRST),
        cause: PlacementCause::NotBought(LeaseId::from_bytes([6; 10])),
        refused_recently: &refused,
        ..first(&job)
    };
    plan(CHILD, &situation, &offers)
}

#[test]
fn what_a_network_calls_its_offer_cannot_break_the_form_or_a_terminal() {
    let job = spec("2.00");
    let offers = [offer("sim-cloud", "a\n  refused   9 budget\u{1b}[2J\u{202e}", "acme", "1.00")];
    let text = plan(FIRST, &first(&job), &offers);
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{text:?}");
}

fn no_offers() -> String {
    plan(FIRST, &first(&spec("2.00")), &[])
}
