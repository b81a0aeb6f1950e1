//! As many offers as are wanted, without keeping them, each the same whenever it is asked for: made up from a seed, or the rows of
//! a price catalogue over and over.

use std::path::Path;

use domain::{
    Accelerators, Assurance, Billing, Firmness, Hardware, Millis, Offer, OfferRef, Quote, Timestamp, Usd,
    UsdPerHour,
};

use wire::catalog::Entry;

use crate::commands::catalog::each;
use crate::failure::{Done, Exit, Failure};

/// Rows of a catalogue that are kept; more say nothing new.
const ROWS_MAX: usize = 200_000;

/// 2026-03-01T12:00:00Z.
pub(super) const NOW: Timestamp = Timestamp(1_772_366_400_000);

/// Spellings, and dollars per accelerator and hour as orders of magnitude.
const CHIPS: [(&str, f64); 28] = [
    ("H100", 2.4),
    ("NVIDIA H100 PCIe", 2.1),
    ("H100-SXM", 2.6),
    ("H100-NVL", 2.5),
    ("H200", 3.4),
    ("B200", 5.2),
    ("A100-80GB", 1.6),
    ("A100-SXM4-80GB", 1.7),
    ("A100-40GB", 1.2),
    ("NVIDIA A100 80GB PCIe", 1.5),
    ("A10", 0.7),
    ("A10G", 0.9),
    ("A40", 0.5),
    ("L4", 0.6),
    ("L40", 0.9),
    ("L40S", 1.1),
    ("T4", 0.35),
    ("V100-16GB", 0.6),
    ("V100-32GB", 0.9),
    ("RTX 3090", 0.25),
    ("RTX 4090", 0.45),
    ("RTX 5090", 0.7),
    ("RTX A6000", 0.6),
    ("RTX 6000 Ada", 0.9),
    ("RTXA4000", 0.25),
    ("MI300X", 2.2),
    ("K80", 0.3),
    ("P100", 0.4),
];
const COUNTS: [u32; 6] = [1, 1, 1, 2, 4, 8];
/// Networks with a seed of their own each.
pub(super) const NETWORKS: u64 = 12;
/// This one measures the time to start of each machine, so that its offers have terms of their own.
const NETWORK_MEASURED: u64 = 11;
const NETWORK_QUEUE: u64 = 10;
const REGIONS: [&str; 40] = [
    "US-VA", "US-OR", "US-CA", "US-TX", "US-IA", "US-NY", "US-OH", "US-UT", "CA-QC", "CA-ON", "EU-DE",
    "EU-FR", "EU-NL", "EU-SE", "EU-FI", "EU-PL", "EU-IE", "EU-ES", "EU-IT", "EU-CZ", "EU-RO", "EU-BG",
    "GB-LON", "NO-OSL", "IS-REY", "CH-ZRH", "ASIA-JP", "ASIA-KR", "ASIA-SG", "ASIA-IN", "ASIA-TW", "ASIA-HK",
    "ASIA-TH", "OC-AU", "OC-NZ", "SA-BR", "SA-CL", "ME-AE", "ME-IL", "AF-ZA",
];

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The `n`th offer, with the price it has after so many changes.
pub(super) fn offer(n: u64, change: u64) -> Done<Offer> {
    let mut dice = Dice(n.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let network = dice.below(NETWORKS);
    let mut habits = Dice(network + 1_000);
    let (spelling, base) = CHIPS[usize::try_from(dice.below(CHIPS.len() as u64)).unwrap_or(0)];
    let count = COUNTS[usize::try_from(dice.below(COUNTS.len() as u64)).unwrap_or(0)];
    let region = REGIONS[usize::try_from(dice.below(REGIONS.len() as u64)).unwrap_or(0)];
    let queued = network == NETWORK_QUEUE;
    let provider = dice.below(if lists(network) { 1 } else { 60 });
    let startup = if network == NETWORK_MEASURED {
        dice.below(285_000) + 15_000
    } else {
        habits.below(220) * 1_000 + 15_000
    };
    let memory_gib = u64::from(count) << (4 + dice.below(3));
    let price = price(&mut dice, network, change, base * f64::from(count));
    let assurance = match dice.below(20) {
        0 => Assurance::Attested,
        1..=5 => Assurance::Audited,
        _ => Assurance::Claimed,
    };
    Ok(Offer {
        id: OfferRef { network: parsed(&format!("net-{network:02}"))?, reference: format!("o{n:07}") },
        provider: if queued { None } else { Some(parsed(&format!("p{network}-{provider}"))?) },
        region: Some(parsed(region)?),
        hardware: Hardware {
            cpus_milli: count * 8_000,
            memory_mib: memory_gib * 1_024,
            disk_mib: 512 * 1_024,
            accelerators: Some(Accelerators { model: spelling.to_owned(), count }),
        },
        price,
        quote: Quote { amount: price.to_string(), unit: "USD/h".to_owned(), conversion: None },
        fee: Usd::from_micros(i64::try_from(habits.below(3) * 2_500).unwrap_or(0)),
        billing: match network {
            NETWORK_QUEUE => Billing::Prepaid { span: Millis(900_000), refundable: true },
            9 => Billing::Metered { minimum: Millis::HOUR },
            _ => Billing::Metered { minimum: Millis(60_000) },
        },
        firmness: if queued { Firmness::Queue } else { Firmness::Firm },
        startup: Millis(startup),
        stock: None,
        interruptible: false,
        assurance,
        seen_at: NOW,
        valid_until: None,
        simulated: true,
    })
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Done<T> {
    Ok(text.parse().map_err(|e| anyhow::anyhow!("a made-up offer is malformed: {e}"))?)
}

/// Whether a network has a price list.
const fn lists(network: u64) -> bool {
    network.is_multiple_of(2)
}

/// Half of the networks have a list price to the cent, the same for all their machines of a kind, as clouds have; the others'
/// providers ask what they like.
fn price(dice: &mut Dice, network: u64, change: u64, base: f64) -> UsdPerHour {
    let (list, own) = (0.8 + 0.1 * (network % 7) as f64, 0.6 + 1.4 * dice.share());
    let moved = 1.0 + 0.05 * (Dice(change).share() - 0.5) * if change == 0 { 0.0 } else { 1.0 };
    let dollars = base * moved * if lists(network) { list } else { own };
    let micros = if lists(network) { (dollars * 100.0).round() * 10_000.0 } else { (dollars * 1e6).round() };
    UsdPerHour::new(Usd::from_micros((micros as i64).max(1)))
}

/// The listings of a catalogue.
pub(super) struct Rows(Vec<Offer>);

impl Rows {
    pub(super) fn read(path: &Path) -> Done<Self> {
        let mut rows = Vec::new();
        each(path, &mut |entry| {
            if let Entry::Listing(listing) = entry {
                rows.push(Offer { startup: Millis(60_000), ..listing.offer(NOW) });
            }
            rows.len() < ROWS_MAX
        })?;
        if rows.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                "catalog_unusable",
                "the catalogue has nothing to rely on",
            ));
        }
        Ok(Self(rows))
    }

    /// The `n`th of the rows over and over; those beyond the first round, and those that changed, at prices up to a tenth apart.
    pub(super) fn offer(&self, n: u64, change: u64) -> Offer {
        let rounds = n / self.0.len() as u64;
        let which = usize::try_from(n % self.0.len() as u64).unwrap_or(0);
        let mut offer = self.0[which].clone();
        let apart = if rounds == 0 && change == 0 { 500 } else { Dice(n ^ change).below(1_001) };
        let per_mille = 950 + i128::from(apart) / 10;
        let micros = offer.price.per_hour().micros() * per_mille / 1_000;
        offer.price = UsdPerHour::new(Usd::from_micros(i64::try_from(micros).unwrap_or(i64::MAX).max(1)));
        // A catalogue may hold a listing for several days.
        offer.id.reference = format!("{}#{n}", offer.id.reference);
        offer
    }
}
