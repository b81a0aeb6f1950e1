//! `waag offers`: what could be bought now, or how a job file would choose.

use std::path::Path;

use wire::rest::{OfferDoc, OffersDoc, PlanJob};

use super::Session;
use super::run::job_file;
use crate::failure::Done;
use crate::show::table::{Side, Table};
use crate::show::text::{age, clean};

/// How many offers of each sort a person is shown; the rest is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) admissible: usize,
    pub(crate) refused: usize,
}

impl Shown {
    /// Beside other output.
    pub(crate) const FEW: Self = Self { admissible: 8, refused: 6 };
    const ALL: Self = Self { admissible: usize::MAX, refused: usize::MAX };
}

pub(crate) async fn run(session: &Session<'_>, file: Option<&Path>) -> Done {
    let offers = match file {
        None => session.client.offers_all().await?,
        Some(path) => {
            let file = job_file::read(path)?;
            let plan = PlanJob { file: file.text, file_name: Some(file.name) };
            session.client.offers_for(&plan).await?
        }
    };
    session.out.either(&offers, || text(&offers, Shown::ALL));
    Ok(())
}

/// Admissible offers first, then some refused ones with their reasons, and the counts.
pub(crate) fn text(offers: &OffersDoc, shown: Shown) -> String {
    let mut table = Table::new(&[
        ("", Side::Right),
        ("network", Side::Left),
        ("provider", Side::Left),
        ("hardware", Side::Left),
        ("region", Side::Left),
        ("$/hour", Side::Right),
        ("expected $", Side::Right),
        ("age", Side::Right),
        ("simulated", Side::Left),
        ("refused", Side::Left),
    ]);
    let admissible = offers.offers.iter().filter(|offer| offer.refused.is_none());
    for (n, offer) in admissible.enumerate().take(shown.admissible) {
        table.row(row(Some(n + 1), offer));
    }
    let refused: Vec<&OfferDoc> = offers.offers.iter().filter(|offer| offer.refused.is_some()).collect();
    for offer in refused.iter().take(shown.refused) {
        table.row(row(None, offer));
    }
    let mut text = table.text();
    let admissible = offers.offers.len() - refused.len();
    let hidden = (admissible.saturating_sub(shown.admissible), refused.len().saturating_sub(shown.refused));
    if hidden != (0, 0) {
        text.push_str(&format!("\n(not shown: {} more admissible, {} more refused)", hidden.0, hidden.1));
    }
    let all: u32 = offers.admissible + offers.refused.values().sum::<u32>();
    let counts: Vec<String> = offers.refused.iter().map(|(code, n)| format!("{n} {code}")).collect();
    text.push_str(&format!("\n{} of {all} offers admissible", offers.admissible));
    if !counts.is_empty() {
        text.push_str(&format!("; refused: {}", counts.join(", ")));
    }
    for (network, why) in &offers.unreachable {
        text.push_str(&format!("\n{} cannot be asked: {}", clean(network), clean(why)));
    }
    text
}

fn row(rank: Option<usize>, offer: &OfferDoc) -> Vec<String> {
    let unknown =
        |text: &Option<String>, instead: &str| text.as_deref().map_or_else(|| instead.to_owned(), clean);
    vec![
        rank.map_or_else(String::new, |n| n.to_string()),
        clean(&offer.network),
        unknown(&offer.provider, if offer.firmness == "auction" { "by auction" } else { "by queue" }),
        hardware(offer),
        unknown(&offer.region, "unknown"),
        offer.price_usd_hour.to_string(),
        offer.expected_usd.map_or_else(|| "-".to_owned(), |usd| usd.to_string()),
        age(offer.age_ms),
        kind(offer),
        unknown(&offer.refused, ""),
    ]
}

fn kind(offer: &OfferDoc) -> String {
    let words = [offer.interruptible.then_some("spot"), offer.simulated.then_some("simulated")];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn hardware(offer: &OfferDoc) -> String {
    // Measured machines have odd sizes; a tenth is enough to choose by.
    let memory = (offer.memory_gib * 10.0).round() / 10.0;
    let mut text = format!("{} cpu {memory} GiB", offer.cpus);
    if let Some(accelerators) = &offer.accelerators {
        text.push_str(&format!(" {}", clean(accelerators)));
    }
    text
}
