//! Plans in text columns: what was not known when an older one was written is nothing in it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use domain::{
    Assurance, Billing, Estimate, Firmness, Hardware, JobId, Millis, Offer, OfferRef, Placement,
    PlacementCause, PlacementId, Quote, Ranked, Terms, Timestamp, Usd,
};
use waag_wire::doc::{placement_from_text, placement_to_text};

fn plan(terms: Terms, chance_bps: Option<u32>) -> Placement {
    let offer = Offer {
        id: OfferRef { network: "vast".parse().unwrap(), reference: "a".to_owned() },
        provider: None,
        region: Some("EU-DE".parse().unwrap()),
        hardware: Hardware::default(),
        price: "1.00".parse().unwrap(),
        quote: Quote { amount: "1".to_owned(), unit: "USD/h".to_owned(), conversion: None },
        fee: Usd::ZERO,
        billing: Billing::Metered { minimum: Millis::ZERO },
        firmness: Firmness::Firm,
        startup: Millis(5),
        stock: None,
        interruptible: false,
        assurance: Assurance::Claimed,
        seen_at: Timestamp(1),
        valid_until: None,
        simulated: false,
    };
    let usd = Usd::from_micros;
    let estimate = Estimate {
        span: Millis(9),
        compute: usd(3),
        fees: usd(0),
        terms,
        total: usd(3) + terms.sum(),
        hold: usd(9),
    };
    Placement {
        id: PlacementId::from_bytes([1; 10]),
        job: JobId::from_bytes([2; 10]),
        parent: None,
        attempt: 1,
        made_at: Timestamp(7),
        cause: PlacementCause::First,
        ranked: vec![Ranked { offer, estimate, chance_bps, lost_here: false }],
        admissible: 1,
        refused: [].into(),
        catalogue: 4,
    }
}

#[test]
fn a_plan_keeps_each_term_and_its_chance() {
    let usd = Usd::from_micros;
    let terms = Terms { egress: usd(1), interruption: usd(20), latency: usd(300), ..Terms::default() };
    let plan = plan(terms, Some(9_992));
    let text = placement_to_text(&plan);
    assert_eq!(placement_from_text(&text).unwrap(), plan);
    assert!(placement_from_text(&text.replace("\"egress\"", "\"luck\"")).is_err());
}

#[test]
fn a_plan_without_terms_is_written_as_before_there_were_any() {
    let plan = plan(Terms::default(), None);
    let text = placement_to_text(&plan);
    assert!(!text.contains("terms") && !text.contains("chance"), "{text}");
    assert_eq!(placement_from_text(&text).unwrap(), plan);
}
