//! Documents in text columns: a frozen offer and a plan, as the control plane wrote them.

use domain::{
    Accelerators, Assurance, Billing, Conversion, Estimate, ExecutionId, Firmness, Hardware, JobId, LeaseId,
    Millis, Offer, OfferRef, Placement, PlacementCause, PlacementId, Quote, Ranked, Refusal, Terms,
    Timestamp, Usd, UsdPerHour,
};
use serde::{Deserialize, Serialize};

/// A stored document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DocError {
    /// It is not JSON of this shape.
    #[error("a stored {what} cannot be read")]
    Shape {
        /// Which document.
        what: &'static str,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// A field has a value that the noun does not admit.
    #[error("a stored {what} has an unknown {field}: `{value}`")]
    Field {
        /// Which document.
        what: &'static str,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

#[derive(Serialize, Deserialize)]
struct OfferRow {
    network: String,
    reference: String,
    provider: Option<String>,
    region: Option<String>,
    cpus_milli: u32,
    memory_mib: u64,
    disk_mib: u64,
    accelerators: Option<(String, u32)>,
    price: UsdPerHour,
    quote: (String, String, Option<(String, String, Timestamp)>),
    fee: Usd,
    billing: BillingRow,
    firmness: FirmnessRow,
    startup: Millis,
    stock: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    interruptible: bool,
    assurance: AssuranceRow,
    seen_at: Timestamp,
    valid_until: Option<Timestamp>,
    simulated: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BillingRow {
    Metered { minimum: Millis },
    Prepaid { span: Millis, refundable: bool },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FirmnessRow {
    Firm,
    Auction,
    Queue,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AssuranceRow {
    Claimed,
    Audited,
    Attested,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CauseRow {
    First,
    Lost(ExecutionId),
    Bids(LeaseId),
    NotBought(LeaseId),
}

#[derive(Serialize, Deserialize)]
struct RankedRow {
    offer: OfferRow,
    span: Millis,
    compute: Usd,
    fees: Usd,
    /// What is expected beside them, by its code; what is nothing is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    terms: Vec<(String, Usd)>,
    total: Usd,
    hold: Usd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chance_bps: Option<u32>,
    lost_here: bool,
}

#[derive(Serialize, Deserialize)]
struct PlacementRow {
    id: PlacementId,
    job: JobId,
    parent: Option<PlacementId>,
    attempt: u32,
    made_at: Timestamp,
    cause: CauseRow,
    ranked: Vec<RankedRow>,
    admissible: u32,
    refused: Vec<(String, u32)>,
    catalogue: u64,
}

/// An offer as text.
pub fn offer_to_text(offer: &Offer) -> String {
    text(&offer_row(offer))
}

/// An offer from its text.
///
/// # Errors
/// The text is not one that [`offer_to_text`] wrote.
pub fn offer_from_text(text: &str) -> Result<Offer, DocError> {
    let row = serde_json::from_str(text).map_err(|source| DocError::Shape { what: "offer", source })?;
    offer_of(row)
}

/// A plan as text.
pub fn placement_to_text(plan: &Placement) -> String {
    text(&PlacementRow {
        id: plan.id,
        job: plan.job,
        parent: plan.parent,
        attempt: plan.attempt,
        made_at: plan.made_at,
        cause: match plan.cause {
            PlacementCause::First => CauseRow::First,
            PlacementCause::Lost(id) => CauseRow::Lost(id),
            PlacementCause::Bids(id) => CauseRow::Bids(id),
            PlacementCause::NotBought(id) => CauseRow::NotBought(id),
        },
        ranked: plan.ranked.iter().map(ranked_row).collect(),
        admissible: plan.admissible,
        refused: plan.refused.iter().map(|(refusal, n)| (refusal.code().to_owned(), *n)).collect(),
        catalogue: plan.catalogue,
    })
}

/// A plan from its text.
///
/// # Errors
/// The text is not one that [`placement_to_text`] wrote.
pub fn placement_from_text(text: &str) -> Result<Placement, DocError> {
    let row: PlacementRow =
        serde_json::from_str(text).map_err(|source| DocError::Shape { what: "placement", source })?;
    let refusal = |(code, n): (String, u32)| match Refusal::from_code(&code) {
        Some(refusal) => Ok((refusal, n)),
        None => Err(DocError::Field { what: "placement", field: "refused", value: code }),
    };
    Ok(Placement {
        id: row.id,
        job: row.job,
        parent: row.parent,
        attempt: row.attempt,
        made_at: row.made_at,
        cause: match row.cause {
            CauseRow::First => PlacementCause::First,
            CauseRow::Lost(id) => PlacementCause::Lost(id),
            CauseRow::Bids(id) => PlacementCause::Bids(id),
            CauseRow::NotBought(id) => PlacementCause::NotBought(id),
        },
        ranked: row.ranked.into_iter().map(ranked_of).collect::<Result<_, _>>()?,
        admissible: row.admissible,
        refused: row.refused.into_iter().map(refusal).collect::<Result<_, _>>()?,
        catalogue: row.catalogue,
    })
}

/// These rows hold nothing that JSON cannot: string keys, finite numbers.
fn text<T: Serialize>(row: &T) -> String {
    serde_json::to_string(row).unwrap_or_default()
}

fn ranked_row(ranked: &Ranked) -> RankedRow {
    let Estimate { span, compute, fees, terms, total, hold } = ranked.estimate;
    RankedRow {
        offer: offer_row(&ranked.offer),
        span,
        compute,
        fees,
        terms: terms
            .named()
            .into_iter()
            .filter(|(_, usd)| *usd != Usd::ZERO)
            .map(|(code, usd)| (code.to_owned(), usd))
            .collect(),
        total,
        hold,
        chance_bps: ranked.chance_bps,
        lost_here: ranked.lost_here,
    }
}

fn ranked_of(row: RankedRow) -> Result<Ranked, DocError> {
    let RankedRow { offer, span, compute, fees, terms, total, hold, chance_bps, lost_here } = row;
    let terms = Terms::from_named(terms.iter().map(|(code, usd)| (code.as_str(), *usd)))
        .ok_or_else(|| DocError::Field { what: "placement", field: "terms", value: format!("{terms:?}") })?;
    let estimate = Estimate { span, compute, fees, terms, total, hold };
    Ok(Ranked { offer: offer_of(offer)?, estimate, chance_bps, lost_here })
}

fn offer_row(offer: &Offer) -> OfferRow {
    let conversion = offer.quote.conversion.as_ref().map(|c| (c.rate.clone(), c.source.clone(), c.at));
    OfferRow {
        network: offer.id.network.to_string(),
        reference: offer.id.reference.clone(),
        provider: offer.provider.as_ref().map(ToString::to_string),
        region: offer.region.as_ref().map(ToString::to_string),
        cpus_milli: offer.hardware.cpus_milli,
        memory_mib: offer.hardware.memory_mib,
        disk_mib: offer.hardware.disk_mib,
        accelerators: offer.hardware.accelerators.as_ref().map(|a| (a.model.clone(), a.count)),
        price: offer.price,
        quote: (offer.quote.amount.clone(), offer.quote.unit.clone(), conversion),
        fee: offer.fee,
        billing: match offer.billing {
            Billing::Metered { minimum } => BillingRow::Metered { minimum },
            Billing::Prepaid { span, refundable } => BillingRow::Prepaid { span, refundable },
        },
        firmness: match offer.firmness {
            Firmness::Firm => FirmnessRow::Firm,
            Firmness::Auction => FirmnessRow::Auction,
            Firmness::Queue => FirmnessRow::Queue,
        },
        startup: offer.startup,
        stock: offer.stock,
        interruptible: offer.interruptible,
        assurance: match offer.assurance {
            Assurance::Claimed => AssuranceRow::Claimed,
            Assurance::Audited => AssuranceRow::Audited,
            Assurance::Attested => AssuranceRow::Attested,
        },
        seen_at: offer.seen_at,
        valid_until: offer.valid_until,
        simulated: offer.simulated,
    }
}

fn offer_of(row: OfferRow) -> Result<Offer, DocError> {
    let field = |field, value: &str| DocError::Field { what: "offer", field, value: value.to_owned() };
    let (amount, unit, conversion) = row.quote;
    Ok(Offer {
        id: OfferRef {
            network: row.network.parse().map_err(|_| field("network", &row.network))?,
            reference: row.reference,
        },
        provider: row.provider.map(|p| p.parse().map_err(|_| field("provider", &p))).transpose()?,
        region: row.region.map(|r| r.parse().map_err(|_| field("region", &r))).transpose()?,
        hardware: Hardware {
            cpus_milli: row.cpus_milli,
            memory_mib: row.memory_mib,
            disk_mib: row.disk_mib,
            accelerators: row.accelerators.map(|(model, count)| Accelerators { model, count }),
        },
        price: row.price,
        quote: Quote {
            amount,
            unit,
            conversion: conversion.map(|(rate, source, at)| Conversion { rate, source, at }),
        },
        fee: row.fee,
        billing: match row.billing {
            BillingRow::Metered { minimum } => Billing::Metered { minimum },
            BillingRow::Prepaid { span, refundable } => Billing::Prepaid { span, refundable },
        },
        firmness: match row.firmness {
            FirmnessRow::Firm => Firmness::Firm,
            FirmnessRow::Auction => Firmness::Auction,
            FirmnessRow::Queue => Firmness::Queue,
        },
        startup: row.startup,
        stock: row.stock,
        interruptible: row.interruptible,
        assurance: match row.assurance {
            AssuranceRow::Claimed => Assurance::Claimed,
            AssuranceRow::Audited => Assurance::Audited,
            AssuranceRow::Attested => Assurance::Attested,
        },
        seen_at: row.seen_at,
        valid_until: row.valid_until,
        simulated: row.simulated,
    })
}
