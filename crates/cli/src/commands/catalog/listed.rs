//! `waag offers` over a catalogue: its listings, filtered and in order, in memory that does not grow with the
//! file.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use domain::{Gpu, Usd, UsdPerHour};
use serde::Serialize;
use wire::catalog::{Entry, Listing};

use super::each;
use crate::args::{Offers, Sort};
use crate::failure::Done;
use crate::show::Out;
use crate::show::table::{Side, Table};
use crate::show::text::clean;

/// Listings shown when nobody says how many.
const LIMIT: u32 = 20;

#[derive(Debug, Serialize)]
struct ListedDoc {
    /// How many listings fit, those beyond `--limit` included.
    matched: u64,
    /// How many were looked at.
    listings: u64,
    /// Rows and prices held back, by reason.
    held: BTreeMap<&'static str, u64>,
    hours: u32,
    offers: Vec<ListingDoc>,
}

#[derive(Debug, Serialize)]
struct ListingDoc {
    provider: String,
    upstream: Option<String>,
    instance_type: String,
    gpu: String,
    gpu_count: u32,
    cpus: f64,
    memory_gib: f64,
    /// Where it is, as far as it is known.
    place: Option<String>,
    region: String,
    zone: String,
    spot: bool,
    price_usd_hour: UsdPerHour,
    price_usd_gpu_hour: UsdPerHour,
    total_usd: Usd,
    quoted: String,
    source: String,
    as_of: String,
}

/// A listing with what it is ordered by.
struct Ranked {
    per_gpu: UsdPerHour,
    total: Usd,
    listing: Listing,
}

pub(super) fn run(path: &Path, args: &Offers, out: &Out) -> Done {
    let filter = Filter { args, wanted: wanted(args), latest: HashMap::new(), hasher: RandomState::new() };
    let filter = filter.with_latest(path)?;
    let (limit, hours) = (args.limit.unwrap_or(LIMIT) as usize, args.hours.unwrap_or(1));
    let mut matched = 0;
    let mut best: Vec<Ranked> = Vec::new();
    let sort = args.sort.unwrap_or(Sort::Total);
    let summary = each(path, &mut |entry| {
        if let Entry::Listing(listing) = entry
            && filter.fits(&listing)
            && filter.is_latest(&listing)
        {
            matched += 1;
            best.push(ranked(*listing, hours));
            if best.len() >= limit.saturating_mul(2) {
                best.sort_by(|a, b| order(sort, a, b));
                best.truncate(limit);
            }
        }
        true
    })?;
    best.sort_by(|a, b| order(sort, a, b));
    best.truncate(limit);
    let document = ListedDoc {
        matched,
        listings: summary.listings,
        held: summary.held.iter().map(|(reason, n)| (reason.code(), *n)).collect(),
        hours,
        offers: best.into_iter().map(document).collect(),
    };
    if args.csv {
        out.answer_raw(&csv(&document.offers));
    } else {
        out.either(&document, || text(&document));
    }
    Ok(())
}

/// So many listings that fit are looked at for later ones of the same name.
const LATEST_MAX: usize = 1_000_000;

struct Filter<'a> {
    args: &'a Offers,
    wanted: Option<(Gpu, u32)>,
    /// The last day of each listing that fits, by a hash of its name. A catalogue may hold several days, and only the last
    /// price can be had.
    latest: HashMap<u64, String>,
    hasher: RandomState,
}

fn wanted(args: &Offers) -> Option<(Gpu, u32)> {
    args.gpu.as_ref().and_then(|all| Some((Gpu::parse(&all.model)?, all.count)))
}

impl Filter<'_> {
    fn with_latest(mut self, path: &Path) -> Done<Self> {
        each(path, &mut |entry| {
            if let Entry::Listing(listing) = entry
                && self.may_fit(&listing)
                && self.latest.len() < LATEST_MAX
            {
                let day = self.latest.entry(self.key(&listing)).or_default();
                if listing.as_of > *day {
                    *day = listing.as_of;
                }
            }
            true
        })?;
        Ok(self)
    }

    fn key(&self, listing: &Listing) -> u64 {
        self.hasher.hash_one((listing.provider.as_str(), listing.reference()))
    }

    fn is_latest(&self, listing: &Listing) -> bool {
        self.latest.get(&self.key(listing)).is_none_or(|day| *day == listing.as_of)
    }

    fn fits(&self, listing: &Listing) -> bool {
        self.may_fit(listing) && self.args.max_price.is_none_or(|most| per_gpu(listing) <= most)
    }

    /// All but the price, which changes from day to day.
    fn may_fit(&self, listing: &Listing) -> bool {
        let args = self.args;
        let chips =
            self.wanted.is_none_or(|(gpu, count)| listing.gpu_count >= count && gpu.met_by(listing.gpu));
        let inside = || {
            let place = listing.place.as_ref();
            place.is_some_and(|place| args.regions.iter().any(|region| region.holds(place)))
        };
        chips && !(args.on_demand && listing.spot) && (args.regions.is_empty() || inside())
    }
}

/// Rounded up to a micro-dollar.
fn per_gpu(listing: &Listing) -> UsdPerHour {
    UsdPerHour::new(listing.price.per_hour().share(listing.gpu_count))
}

fn ranked(listing: Listing, hours: u32) -> Ranked {
    Ranked { per_gpu: per_gpu(&listing), total: listing.price.per_hour().times(u64::from(hours)), listing }
}

/// Equal ones by name, so that the order is the same whatever the order of the file.
fn order(sort: Sort, a: &Ranked, b: &Ranked) -> Ordering {
    let first = match sort {
        Sort::Total => a.total.cmp(&b.total),
        Sort::Price => a.per_gpu.cmp(&b.per_gpu),
        Sort::Provider => a.listing.provider.cmp(&b.listing.provider),
        Sort::Region => a.listing.place.cmp(&b.listing.place),
    };
    let name = |one: &Ranked| (one.listing.provider.clone(), one.listing.reference());
    first.then_with(|| (a.per_gpu, a.total).cmp(&(b.per_gpu, b.total))).then_with(|| name(a).cmp(&name(b)))
}

fn document(one: Ranked) -> ListingDoc {
    let Ranked { per_gpu, total, listing } = one;
    ListingDoc {
        provider: listing.provider.to_string(),
        upstream: listing.upstream.clone(),
        instance_type: listing.instance_type.clone(),
        gpu: listing.gpu.to_string(),
        gpu_count: listing.gpu_count,
        cpus: f64::from(listing.cpus_milli) / 1_000.0,
        memory_gib: gib(listing.memory_mib),
        place: listing.place.as_ref().map(ToString::to_string),
        region: listing.region.clone(),
        zone: listing.zone.clone(),
        spot: listing.spot,
        price_usd_hour: listing.price,
        price_usd_gpu_hour: per_gpu,
        total_usd: total,
        quoted: listing.quoted.clone(),
        source: listing.source.clone(),
        as_of: listing.as_of.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown, and far below 52 bits")]
fn gib(mib: u64) -> f64 {
    (mib as f64 / 102.4).round() / 10.0
}

fn text(document: &ListedDoc) -> String {
    let total = format!("total $, {} h", document.hours);
    let mut table = Table::new(&[
        ("provider", Side::Left),
        ("machine", Side::Left),
        ("accelerators", Side::Left),
        ("place", Side::Left),
        ("region", Side::Left),
        ("$/gpu/hour", Side::Right),
        ("$/hour", Side::Right),
        (&total, Side::Right),
        ("kind", Side::Left),
        ("as of", Side::Left),
    ]);
    for one in &document.offers {
        let host = one.upstream.as_ref().map_or_else(String::new, |host| format!(" ({})", clean(host)));
        table.row([
            format!("{}{host}", clean(&one.provider)),
            clean(&one.instance_type),
            format!("{}:{}", one.gpu, one.gpu_count),
            one.place.clone().unwrap_or_else(|| "unknown".to_owned()),
            clean(&one.region),
            one.price_usd_gpu_hour.to_string(),
            one.price_usd_hour.to_string(),
            one.total_usd.to_string(),
            if one.spot { "spot" } else { "on demand" }.to_owned(),
            clean(&one.as_of),
        ]);
    }
    let held: u64 = document.held.values().sum();
    format!(
        "{}\n{} of {} listings fit, {} shown; {held} held back\nlist prices: nobody has said that such a machine is free",
        table.text(),
        document.matched,
        document.listings,
        document.offers.len(),
    )
}

/// RFC 4180.
fn csv(offers: &[ListingDoc]) -> String {
    let mut text = String::from(
        "provider,upstream,instance_type,gpu,gpu_count,cpus,memory_gib,place,region,zone,spot,price_usd_hour,price_usd_gpu_hour,total_usd,quoted,source,as_of\n",
    );
    for one in offers {
        let fields = [
            one.provider.clone(),
            one.upstream.clone().unwrap_or_default(),
            one.instance_type.clone(),
            one.gpu.clone(),
            one.gpu_count.to_string(),
            one.cpus.to_string(),
            one.memory_gib.to_string(),
            one.place.clone().unwrap_or_default(),
            one.region.clone(),
            one.zone.clone(),
            one.spot.to_string(),
            one.price_usd_hour.to_string(),
            one.price_usd_gpu_hour.to_string(),
            one.total_usd.to_string(),
            one.quoted.clone(),
            one.source.clone(),
            one.as_of.clone(),
        ];
        text.push_str(&fields.map(|field| quoted(&field)).join(","));
        text.push('\n');
    }
    text
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
