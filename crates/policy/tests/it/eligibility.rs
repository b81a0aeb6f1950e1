//! One code per refused offer: the first rule it breaks, in the order of `Refusal::ALL`.

use domain::{
    Accelerators, Assurance, Firmness, JobSpec, Level, Millis, Need, NetworkName, Offer, OfferRef,
    ProviderName, Refusal, Region, Requirement, Timestamp,
};
use waag_policy::eligibility::{refusal, refusal_of_assigned};
use waag_policy::placement::{Situation, Tenure, estimate};

use crate::support::{MINUTE, NOW, SECOND, first, hourly, offer, only, queue, spec, usd};

/// A job, an offer and what the job has been through; `refusal` puts them together.
struct Case {
    spec: JobSpec,
    offer: Offer,
    lost: Vec<(NetworkName, ProviderName)>,
    refused_recently: Vec<(OfferRef, Timestamp)>,
    failover: bool,
    tenure: Tenure,
}

impl Case {
    /// A case in which every rule asks for something and the offer fits all of it.
    fn fitting() -> Self {
        let accelerators = Some(Accelerators { model: "H100".to_owned(), count: 2 });
        let mut offer = offer("sim-cloud", "m.large", "acme", "1.00");
        offer.hardware.accelerators = accelerators.clone();
        offer.assurance = Assurance::Audited;
        offer.stock = Some(1);
        offer.valid_until = Some(NOW);
        let resources = Requirement {
            cpus_milli: Some(Need::Exactly(4_000)),
            memory_mib: Some(Need::AtLeast(16_384)),
            disk_mib: Some(102_400),
            accelerators,
        };
        let job = JobSpec {
            resources,
            infra: only(&["sim-cloud"]),
            max_hourly: Some(hourly("1.00")),
            level: Level::High,
            regions: ["EU".parse().unwrap()].into(),
            // Enough for a job that takes too long, so that a rule can be broken alone.
            ..spec("4.90")
        };
        Self {
            spec: job,
            offer,
            lost: vec![],
            refused_recently: vec![],
            failover: false,
            tenure: Tenure::Any,
        }
    }

    fn situation(&self) -> Situation<'_> {
        Situation {
            lost: &self.lost,
            refused_recently: &self.refused_recently,
            failover: self.failover,
            tenure: self.tenure,
            ..first(&self.spec)
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        refusal(&self.situation(), &self.offer)
    }

    /// Breaks this rule and leaves the others as they are.
    fn break_rule(&mut self, rule: Refusal) {
        match rule {
            Refusal::Network => self.spec.infra = only(&["akash"]),
            Refusal::ValueUncovered => self.spec.value_at_risk = usd("0.01"),
            Refusal::Region => self.offer.region = Some("US-CA".parse().unwrap()),
            Refusal::Assurance => self.offer.assurance = Assurance::Claimed,
            Refusal::UseSpot => self.spec.use_spot = Some(!self.offer.interruptible),
            Refusal::Reputation => self.spec.availability_bps = 9_500,
            Refusal::SpotPolicy => self.tenure = Tenure::Spot,
            Refusal::Cpus => self.offer.hardware.cpus_milli = 4_001,
            Refusal::Memory => self.offer.hardware.memory_mib -= 1,
            Refusal::Disk => self.offer.hardware.disk_mib -= 1,
            Refusal::Accelerators => self.offer.hardware.accelerators = None,
            Refusal::HourlyPrice => self.spec.max_hourly = Some(hourly("0.999999")),
            Refusal::Budget => self.offer.fee = usd("5.00"),
            Refusal::Deadline => self.offer.startup = Millis::HOUR.times(2),
            Refusal::PriceUnknown => self.offer.price = hourly("0"),
            Refusal::Stale => self.offer.valid_until = Some(NOW - Millis(1)),
            Refusal::Stock => self.offer.stock = Some(0),
            Refusal::ProviderLost => {
                self.lost.push((self.offer.id.network.clone(), self.offer.provider.clone().unwrap()));
            }
        }
    }
}

#[test]
fn an_offer_that_fits_every_rule_to_the_last_unit_is_admissible() {
    assert_eq!(Case::fitting().refusal(), None);
}

#[test]
fn each_rule_alone_refuses_with_its_own_code() {
    for rule in Refusal::ALL {
        let mut case = Case::fitting();
        case.break_rule(rule);
        assert_eq!(case.refusal(), Some(rule));
    }
}

#[test]
fn an_offer_that_breaks_two_rules_gets_the_code_of_the_earlier_one() {
    for (n, earlier) in Refusal::ALL.into_iter().enumerate() {
        for later in &Refusal::ALL[n + 1..] {
            // A price of nothing is below every cap.
            if (earlier, *later) == (Refusal::HourlyPrice, Refusal::PriceUnknown) {
                continue;
            }
            let mut case = Case::fitting();
            case.break_rule(*later);
            case.break_rule(earlier);
            assert_eq!(case.refusal(), Some(earlier), "with {later} broken as well");
        }
    }
}

#[test]
fn a_value_at_risk_needs_checks_and_stake_that_outweigh_it() {
    let mut case = Case::fitting();
    let total = estimate(&case.situation(), &case.offer).total;
    let network = case.offer.id.network.clone();
    let with = |case: &Case, cover| {
        let covers = [(network.clone(), cover)].into();
        refusal(&Situation { covers: &covers, ..case.situation() }, &case.offer)
    };
    case.spec.value_at_risk = total.basis_points(5_000);
    assert_eq!(with(&case, 5_000), None);
    assert_eq!(with(&case, 4_900), Some(Refusal::ValueUncovered));
    assert_eq!(case.refusal(), Some(Refusal::ValueUncovered), "nobody checks anything");
}

#[test]
fn after_a_loss_both_lists_of_networks_apply() {
    let mut case = Case::fitting();
    case.spec.failover.to = only(&["akash"]);
    assert_eq!(case.refusal(), None);
    case.failover = true;
    assert_eq!(case.refusal(), Some(Refusal::Network));
    case.spec.infra = only(&["akash"]);
    case.spec.failover.to = only(&["sim-cloud"]);
    assert_eq!(case.refusal(), Some(Refusal::Network));
}

#[test]
fn a_region_holds_its_parts_and_an_unknown_one_fits_no_rule() {
    let mut case = Case::fitting();
    case.offer.region = None;
    assert_eq!(case.refusal(), Some(Refusal::Region));
    case.spec.regions = [].into();
    assert_eq!(case.refusal(), None, "a job that may run anywhere may run at an unknown place");
    case.spec.regions = ["US".parse().unwrap(), "EU-DE".parse().unwrap()].into();
    case.offer.region = Some("EU-DE-FRA".parse().unwrap());
    assert_eq!(case.refusal(), None);
    case.offer.region = Some("EU".parse().unwrap());
    assert_eq!(case.refusal(), Some(Refusal::Region), "somewhere in the EU may be elsewhere than in Germany");
}

#[test]
fn a_price_that_nobody_would_ask_is_unknown() {
    let with = |price: &str, fee: &str| {
        let mut case = Case::fitting();
        (case.offer.price, case.offer.fee) = (hourly(price), usd(fee));
        case.refusal()
    };
    assert_eq!(with("0.000001", "0"), None);
    assert_eq!(with("-0.000001", "0"), Some(Refusal::PriceUnknown));
    assert_eq!(with("1.00", "-0.000001"), Some(Refusal::PriceUnknown));
}

#[test]
fn the_hold_must_fit_the_budget_as_well_as_the_cost() {
    // 10 min 30 s at 1.00/h cost 0.175; twice that and a minute are held.
    let with = |left: &str| {
        let mut case = Case::fitting();
        case.spec.budget.max_total = usd(left);
        case.refusal()
    };
    assert_eq!(with("0.366667"), None);
    assert_eq!(with("0.366666"), Some(Refusal::Budget));
}

#[test]
fn a_job_may_end_at_its_deadline_and_no_later() {
    let with = |deadline: Millis| {
        let mut case = Case::fitting();
        case.spec.deadline = deadline;
        case.refusal()
    };
    assert_eq!(with(Millis(630_000)), None);
    assert_eq!(with(Millis(629_999)), Some(Refusal::Deadline));
}

#[test]
fn an_offer_is_relied_on_for_as_long_as_it_may_be() {
    let seen = |age: Millis| {
        let mut case = Case::fitting();
        case.offer.seen_at = NOW - age;
        case.refusal()
    };
    assert_eq!(seen(MINUTE), None);
    assert_eq!(seen(MINUTE + Millis(1)), Some(Refusal::Stale));
}

#[test]
fn an_offer_that_could_not_be_had_is_remembered_for_a_while() {
    let until = |until: Timestamp, reference: &str| {
        let mut case = Case::fitting();
        let network = case.offer.id.network.clone();
        case.refused_recently.push((OfferRef { network, reference: reference.to_owned() }, until));
        case.refusal()
    };
    assert_eq!(until(NOW + Millis(1), "m.large"), Some(Refusal::Stock));
    assert_eq!(until(NOW, "m.large"), None);
    assert_eq!(until(NOW + MINUTE, "m.small"), None);
}

#[test]
fn a_lost_provider_is_refused_on_its_own_network_only() {
    let mut case = Case::fitting();
    case.lost.push(("akash".parse().unwrap(), "acme".parse().unwrap()));
    case.lost.push(("sim-cloud".parse().unwrap(), "other".parse().unwrap()));
    assert_eq!(case.refusal(), None);
    case.break_rule(Refusal::ProviderLost);
    assert_eq!(case.refusal(), Some(Refusal::ProviderLost));
    case.offer.provider = None;
    assert_eq!(case.refusal(), None, "who will bid or be assigned is not known yet");
}

#[test]
fn a_queue_is_asked_for_place_and_evidence_only_once_it_has_assigned_a_provider() {
    let mut case = Case::fitting();
    case.offer = Offer { hardware: case.offer.hardware, ..queue("sim-cloud", "pool", "1.00") };
    assert_eq!(case.refusal(), None);
    case.offer.region = Some("US".parse().unwrap());
    assert_eq!(case.refusal(), Some(Refusal::Region), "a place that is known is judged at once");
    case.offer.region = None;
    case.offer.firmness = Firmness::Auction;
    assert_eq!(case.refusal(), Some(Refusal::Region), "an auction names its places");
}

#[test]
fn an_assigned_provider_meets_every_rule_about_providers() {
    let mut case = Case::fitting();
    case.lost.push(("sim-queue".parse().unwrap(), "acme".parse().unwrap()));
    let situation = case.situation();
    let region = |name: &str| -> Region { name.parse().unwrap() };
    let assigned = |network: &str, provider: &str, place: Option<Region>, assurance| {
        let (network, provider) = (network.parse().unwrap(), provider.parse().unwrap());
        refusal_of_assigned(&situation, &network, &provider, place.as_ref(), assurance)
    };
    let eu = || Some(region("EU-DE"));
    assert_eq!(assigned("sim-queue", "other", eu(), Assurance::Audited), None);
    assert_eq!(assigned("sim-cloud", "acme", eu(), Assurance::Attested), None);
    assert_eq!(assigned("sim-queue", "acme", eu(), Assurance::Audited), Some(Refusal::ProviderLost));
    assert_eq!(assigned("sim-queue", "acme", eu(), Assurance::Claimed), Some(Refusal::Assurance));
    assert_eq!(assigned("sim-queue", "other", None, Assurance::Audited), Some(Refusal::Region));
    assert_eq!(assigned("sim-queue", "acme", Some(region("US")), Assurance::Claimed), Some(Refusal::Region));
}

#[test]
fn a_clock_set_back_makes_no_offer_stale() {
    let mut case = Case::fitting();
    case.offer.seen_at = NOW + SECOND;
    assert_eq!(case.refusal(), None);
}
