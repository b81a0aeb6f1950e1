//! The objective's terms, each by a sum done by hand, and the chance to be done in time.

use domain::{Accelerators, Gpu, Offer, Refusal, Terms, Usd};
use waag_policy::eligibility::refusal;
use waag_policy::facts::Facts;
use waag_policy::objective::{Knowledge, NetworkFacts, finish_chance_bps};
use waag_policy::placement::{Situation, estimate, place, render};

use crate::support::{MINUTE, NOW, first, offer, spec, usd};

fn known(facts: NetworkFacts) -> Knowledge {
    Knowledge { networks: [("vast".parse().unwrap(), facts)].into(), ..Knowledge::default() }
}

fn terms(knowledge: &Knowledge, offer: &Offer) -> Terms {
    let job = spec("50.00");
    estimate(&Situation { knowledge, ..first(&job) }, offer).terms
}

/// 10.5 minutes at a tenth of a cent per second: $0.63.
fn machine() -> Offer {
    offer("vast", "a", "acme", "3.60")
}

#[test]
fn nothing_known_costs_nothing() {
    assert_eq!(terms(&Knowledge::default(), &machine()), Terms::default());
}

#[test]
fn each_term_is_its_formula() {
    let one = |facts| terms(&known(facts), &machine());
    let facts = NetworkFacts { egress_per_gib: usd("0.08"), ..NetworkFacts::default() };
    let moved = Knowledge { egress_mib: 2_560, ..known(facts) };
    assert_eq!(terms(&moved, &machine()), Terms { egress: usd("0.20"), ..Terms::default() });

    let facts = NetworkFacts { verification_bps: 1_000, ..NetworkFacts::default() };
    assert_eq!(one(facts), Terms { verification: usd("0.063"), ..Terms::default() });

    let facts = NetworkFacts { slippage_bps: 100, ..NetworkFacts::default() };
    let slipped = terms(&known(facts), &Offer { fee: usd("0.37"), ..machine() });
    assert_eq!(
        slipped,
        Terms { slippage: usd("0.01"), ..Terms::default() },
        "fees are paid in the token too"
    );

    // One loss an hour: 0.175 of them in 630 s. Each costs 30 s to start and 9.375 s, half of one of 32 segments.
    let facts = NetworkFacts { losses_per_million_hours: 1_000_000, ..NetworkFacts::default() };
    assert_eq!(one(facts), Terms { interruption: usd("0.006891"), ..Terms::default() });

    let saving = Knowledge { checkpoint_bps: 500, ..Knowledge::default() };
    assert_eq!(terms(&saving, &machine()), Terms { checkpoints: usd("0.03"), ..Terms::default() });

    let far = Knowledge {
        latency: [("EU".parse().unwrap(), usd("0.50")), ("EU-DE".parse().unwrap(), usd("0.10"))].into(),
        ..Knowledge::default()
    };
    assert_eq!(terms(&far, &machine()).latency, usd("0.10"), "the narrowest region that holds the place");
    assert_eq!(terms(&far, &Offer { region: None, ..machine() }).latency, usd("0.50"), "it may be anywhere");
    assert_eq!(terms(&far, &Offer { region: Some("US".parse().unwrap()), ..machine() }).latency, Usd::ZERO);
}

#[test]
fn a_dear_fast_chip_can_be_the_cheapest() {
    let mut job = spec("50.00");
    job.verify.segments = 1;
    let chip = |name: &str, price: &str| {
        let mut one = offer("vast", name, "acme", price);
        one.hardware.accelerators = Some(Accelerators { model: name.to_owned(), count: 1 });
        one
    };
    let offers = [chip("NVIDIA A100 80GB PCIe", "1.00"), chip("H100-SXM", "1.80")];
    let lead = |knowledge: &Knowledge| {
        let situation = Situation { knowledge, ..first(&job) };
        place(domain::PlacementId::from_bytes([1; 10]), &situation, &offers, 0).0.ranked[0].offer.price
    };
    assert_eq!(lead(&Knowledge::default()), offers[0].price);
    let h100 = Gpu::parse("H100").unwrap().model();
    let measured = Knowledge { speeds_permille: [(h100, 2_500)].into(), ..Knowledge::default() };
    assert_eq!(lead(&measured), offers[1].price);
}

#[test]
fn terms_count_against_the_budget_and_stand_in_the_plan() {
    let job = spec("1.40");
    let facts = NetworkFacts { egress_per_gib: usd("0.80"), ..NetworkFacts::default() };
    let moved = Knowledge { egress_mib: 1_024, ..known(facts) };
    let situation = Situation { knowledge: &moved, ..first(&job) };
    // The hold alone is 1.32.
    assert_eq!(refusal(&first(&job), &machine()), None);
    assert_eq!(refusal(&situation, &machine()), Some(Refusal::Budget));
    let job = spec("5.00");
    let situation = Situation { knowledge: &moved, ..first(&job) };
    let (plan, _) = place(domain::PlacementId::from_bytes([1; 10]), &situation, &[machine()], 0);
    let text = render(&plan);
    assert!(text.contains("total $1.43 = ") && text.contains("+ fees $0.00 + egress $0.80; hold"), "{text}");
}

#[test]
fn the_chance_to_be_done_in_time_falls_with_losses_and_rises_with_time() {
    let job = spec("50.00");
    let chance = |losses, minutes| {
        let facts = NetworkFacts { losses_per_million_hours: losses, ..NetworkFacts::default() };
        let knowledge = known(facts);
        let deadline_at = NOW + MINUTE.times(minutes);
        let situation = Situation { knowledge: &knowledge, deadline_at, ..first(&job) };
        finish_chance_bps(&situation, &Facts::from(&machine()))
    };
    assert_eq!(chance(0, 11), None, "no rate is known");
    assert_eq!(chance(1_000_000, 10), Some(0), "it takes 10.5 minutes");
    // With 30 s to spare nothing may be lost, since a loss takes 39 s: e^-0.175.
    assert_eq!(chance(1_000_000, 11), Some(8_394));
    // In 90 s two losses can be made up for: e^-0.175 x (1 + 0.175 + 0.175^2 / 2).
    assert_eq!(chance(1_000_000, 12), Some(9_992));
    assert!(chance(2_000_000, 12) < chance(1_000_000, 12));
}
