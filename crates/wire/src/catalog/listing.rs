//! A row, checked field by field. What is wrong with it is told by its first fault.

use std::fmt;

use domain::{
    Accelerators, Assurance, Billing, Firmness, Gpu, Hardware, Millis, NetworkName, Offer, OfferRef, Quote,
    Region, Timestamp, Usd, UsdPerHour,
};

use super::columns::Columns;
use super::regions::place_of;

/// How much of a field that is wrong is shown.
const SHOWN_CHARS: usize = 60;
/// More accelerators than any machine has.
const GPUS_MAX: u32 = 1_024;

/// Why a row, or one of its prices, was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its bytes are not UTF-8 text.
    NotUtf8,
    /// Longer than a row may be.
    RowTooLong,
    /// More or fewer fields than the first line.
    FieldCount,
    /// A field that must say something is empty.
    MissingField,
    /// A number cannot be read, or no machine has so many.
    BadNumber,
    /// A name cannot be that of a provider.
    BadName,
    /// The accelerator is in no table.
    UnknownGpu,
    /// The model is not sold with the memory that the row gives it.
    MemoryContradicts,
    /// The price is not that of a whole machine.
    WrongScope,
    /// The price is zero, so unknown.
    ZeroPrice,
    /// The price is below zero.
    NegativePrice,
    /// Neither on demand nor on spot is there a price.
    NoPrice,
    /// Nobody asks such a price for the model: a person has to look.
    AbsurdPrice,
    /// The listing of that day stood above already.
    Duplicate,
}

impl Reason {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::RowTooLong => "row_too_long",
            Self::FieldCount => "field_count",
            Self::MissingField => "missing_field",
            Self::BadNumber => "bad_number",
            Self::BadName => "bad_name",
            Self::UnknownGpu => "unknown_gpu",
            Self::MemoryContradicts => "memory_contradicts",
            Self::WrongScope => "wrong_scope",
            Self::ZeroPrice => "zero_price",
            Self::NegativePrice => "negative_price",
            Self::NoPrice => "no_price",
            Self::AbsurdPrice => "absurd_price",
            Self::Duplicate => "duplicate",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Something that was held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// On which line of the file it ends.
    pub line: u64,
    /// Why.
    pub reason: Reason,
    /// The field that is wrong, or its value; printable, and cut short.
    pub what: String,
}

/// A machine that somebody lists at a price.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Who lists it.
    pub provider: NetworkName,
    /// The real host, where an aggregator lists it.
    pub upstream: Option<String>,
    /// What the provider calls it.
    pub instance_type: String,
    /// Its accelerators, with memory where the row tells it.
    pub gpu: Gpu,
    /// How many.
    pub gpu_count: u32,
    /// Processors, in thousandths of a core; zero where the row does not tell.
    pub cpus_milli: u32,
    /// Memory, in MiB; zero where the row does not tell.
    pub memory_mib: u64,
    /// What the provider calls the region.
    pub region: String,
    /// What the provider calls the zone; empty where there is none.
    pub zone: String,
    /// Where that is, as far as it is known.
    pub place: Option<Region>,
    /// For the whole machine.
    pub price: UsdPerHour,
    /// The price as it stands in the row.
    pub quoted: String,
    /// Whether it may be taken away again.
    pub spot: bool,
    /// Where the row is from.
    pub source: String,
    /// When the source last said so, as it writes it. Of two listings with one name the one with the later text counts.
    pub as_of: String,
}

impl Listing {
    /// What tells it from all others of its provider.
    pub fn reference(&self) -> String {
        let upstream = self.upstream.as_deref().unwrap_or_default();
        let spot = if self.spot { "/spot" } else { "" };
        let Self { instance_type, region, zone, gpu, gpu_count, .. } = self;
        format!("{instance_type}/{gpu}:{gpu_count}/{region}/{zone}/{upstream}{spot}")
    }

    /// As an offer that was seen at a time. A list price says nothing of stock and start-up, so those are unknown and none.
    pub fn offer(&self, seen_at: Timestamp) -> Offer {
        Offer {
            id: OfferRef { network: self.provider.clone(), reference: self.reference() },
            provider: None,
            region: self.place.clone(),
            hardware: Hardware {
                cpus_milli: self.cpus_milli,
                memory_mib: self.memory_mib,
                disk_mib: 0,
                accelerators: Some(Accelerators { model: self.gpu.to_string(), count: self.gpu_count }),
            },
            price: self.price,
            quote: Quote { amount: self.quoted.clone(), unit: "USD/h".to_owned(), conversion: None },
            fee: Usd::ZERO,
            billing: Billing::Metered { minimum: Millis::ZERO },
            firmness: Firmness::Firm,
            startup: Millis::ZERO,
            stock: None,
            interruptible: self.spot,
            assurance: Assurance::Claimed,
            seen_at,
            valid_until: None,
            simulated: false,
        }
    }
}

/// The listings of a row: on demand, on spot, or both; a price that cannot be relied on stands held back beside a good one.
pub(super) fn read(
    columns: &Columns,
    fields: &[String],
    line: u64,
) -> Result<Vec<Result<Listing, Held>>, Held> {
    let held = |reason, what: &str| Held { line, reason, what: shown(what) };
    if fields.len() != columns.count {
        return Err(held(Reason::FieldCount, &format!("{} instead of {}", fields.len(), columns.count)));
    }
    let field = |name| columns.field(fields, name);
    let needed = |name: &'static str| match field(name) {
        "" => Err(held(Reason::MissingField, name)),
        text => Ok(text),
    };
    // First of all, so that no name is hidden behind another fault.
    let spelling = needed("gpu")?;
    let gpu = Gpu::parse(spelling).ok_or_else(|| held(Reason::UnknownGpu, spelling))?;
    let scope = needed("price_scope")?;
    if !matches!(scope, "instance" | "host+accelerator") {
        return Err(held(Reason::WrongScope, scope));
    }
    let provider = needed("provider")?;
    let provider: NetworkName = provider.parse().map_err(|_| held(Reason::BadName, provider))?;
    let gpu_count = needed("gpu_count")?;
    let gpu_count = whole(gpu_count).ok_or_else(|| held(Reason::BadNumber, gpu_count))?;
    let amount = |name| amount(field(name)).ok_or_else(|| held(Reason::BadNumber, field(name)));
    let gpu = match amount("gpu_mem_gib")? {
        Some(gib) => gpu.with_memory(gib).ok_or_else(|| {
            held(Reason::MemoryContradicts, &format!("{spelling} with {} GiB", field("gpu_mem_gib")))
        })?,
        None => gpu,
    };
    let listing = Listing {
        upstream: Some(field("upstream")).filter(|text| !text.is_empty()).map(str::to_owned),
        instance_type: needed("instance_type")?.to_owned(),
        gpu,
        gpu_count,
        cpus_milli: scaled(amount("vcpus")?, 1_000.0),
        memory_mib: u64::from(scaled(amount("mem_gib")?, 1_024.0)),
        place: place_of(provider.as_str(), needed("region")?),
        region: field("region").to_owned(),
        zone: field("zone").to_owned(),
        price: UsdPerHour::default(),
        quoted: String::new(),
        spot: false,
        source: field("source").to_owned(),
        as_of: field("as_of").to_owned(),
        provider,
    };
    let demand = price(field("price_usd_hour")).map_err(|reason| held(reason, field("price_usd_hour")))?;
    let spot = price(field("spot_price_usd_hour"))
        .map_err(|reason| held(reason, &format!("spot {}", field("spot_price_usd_hour"))))?;
    let at = |price, spot| {
        let quoted = field(if spot { "spot_price_usd_hour" } else { "price_usd_hour" }).to_owned();
        Ok(Listing { price, quoted, spot, ..listing.clone() })
    };
    let mut listed = Vec::new();
    match demand {
        Price::Known(price) => listed.push(at(price, false)),
        Price::Zero => listed.push(Err(held(Reason::ZeroPrice, "price_usd_hour"))),
        Price::None => {}
    }
    // A spot price of zero is how sources write that there is none.
    if let Price::Known(price) = spot {
        listed.push(at(price, true));
    }
    if listed.is_empty() { Err(held(Reason::NoPrice, "")) } else { Ok(listed) }
}

enum Price {
    None,
    Zero,
    Known(UsdPerHour),
}

/// Digits after the sixth are rounded up to a micro-dollar.
fn price(text: &str) -> Result<Price, Reason> {
    if text.is_empty() {
        return Ok(Price::None);
    }
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let (kept, rest) = fraction.split_at_checked(6).unwrap_or((fraction, ""));
    if !rest.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::BadNumber);
    }
    let cut = text.len() - (fraction.len() - kept.len());
    let mut usd: Usd = text[..cut].parse().map_err(|_| Reason::BadNumber)?;
    if rest.bytes().any(|b| b != b'0') && !text.starts_with('-') {
        usd += Usd::from_micros(1);
    }
    Ok(match usd {
        usd if usd.is_negative() => return Err(Reason::NegativePrice),
        Usd::ZERO => Price::Zero,
        usd => Price::Known(UsdPerHour::new(usd)),
    })
}

/// A whole number of accelerators, perhaps written as `8.0`.
fn whole(text: &str) -> Option<u32> {
    let digits = text.strip_suffix(".0").unwrap_or(text);
    digits.parse().ok().filter(|n| (1..=GPUS_MAX).contains(n))
}

/// `Some(None)` for nothing; `None` for what is no amount a machine can have.
fn amount(text: &str) -> Option<Option<f64>> {
    if text.is_empty() {
        return Some(None);
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let amount: f64 = text.parse().ok()?;
    (plain && amount < 1e6).then_some((amount > 0.0).then_some(amount))
}

fn scaled(amount: Option<f64>, scale: f64) -> u32 {
    // Amounts are below a million, so this fits.
    amount.map_or(0, |amount| (amount * scale) as u32)
}

/// Printable, and no longer than is useful.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).flat_map(char::escape_default).collect()
}
