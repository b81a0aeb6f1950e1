//! `waag market`: offers, providers and leases of our own market, read from its chain and from nothing else.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chain::market::{
    Account, Happened, Lease, Market, MarketEvent, Offer, OfferId, Order, Spec, charge, usd,
};
use chain::{Address, B256};
use domain::{Timestamp, Usd};
use serde::Serialize;

use crate::args;
use crate::failure::{Done, Exit, Failure};
use crate::plane::Endpoint;
use crate::settings::Settings;
use crate::show::Out;
use crate::show::table::{Side, Table};
use crate::show::text::clean;

/// A chain longer than this many pages is followed by programs made for it.
const PAGES_MAX: usize = 2_000;

/// What the chain says.
#[derive(Debug, Serialize)]
struct MarketDoc {
    chain_id: u64,
    market: String,
    token: String,
    block: u64,
    /// Time of that block, milliseconds since the epoch.
    at_ms: i64,
    paused: bool,
    providers: Vec<ProviderLine>,
    offers: Vec<OfferLine>,
    /// Newest first.
    leases: Vec<LeaseLine>,
    /// All of them, by state.
    lease_states: BTreeMap<&'static str, usize>,
}

#[derive(Debug, Serialize)]
struct ProviderLine {
    address: String,
    stake_usd: Usd,
    reserved_usd: Usd,
    balance_usd: Usd,
    units_offered: u64,
}

#[derive(Debug, Serialize)]
struct OfferLine {
    id: String,
    provider: String,
    name: Option<String>,
    region: Option<String>,
    cpus_milli: Option<u32>,
    memory_mib: Option<u64>,
    /// Model and number, e.g. `H100:8`.
    accelerators: Option<String>,
    price_usd_hour: Usd,
    units: u32,
    leased: u32,
    withdrawn: bool,
    until_ms: i64,
}

#[derive(Debug, Serialize)]
struct LeaseLine {
    id: String,
    offer: String,
    provider: String,
    consumer: String,
    state: &'static str,
    rate_usd_hour: Usd,
    span_s: u32,
    used_s: u32,
    /// Left to the provider, or to be left if nothing is found wrong.
    charge_usd: Usd,
    started_ms: Option<i64>,
    deadline_ms: i64,
    root: Option<String>,
    leaf_count: u32,
}

/// What the events name.
#[derive(Default)]
struct Named {
    offers: Vec<(OfferId, Option<Spec>)>,
    parties: BTreeSet<Address>,
    orders: Vec<(B256, Order)>,
    roots: BTreeMap<B256, B256>,
}

pub(crate) async fn run(settings: &Settings, args: &args::Market, out: &Out) -> Done {
    let market = open(settings, args).await?;
    let doc = read(&market, args.limit).await?;
    out.either(&doc, || text(&doc));
    Ok(())
}

async fn open(settings: &Settings, args: &args::Market) -> Done<Market> {
    let endpoint = Endpoint::read(&settings.data).ok();
    let rpc = args.rpc.clone().or_else(|| endpoint.as_ref()?.chain.as_ref().map(|at| format!("http://{at}")));
    let market = args.market.clone().or_else(|| endpoint?.market);
    let (Some(rpc), Some(market)) = (rpc, market) else {
        return Err(Failure::new(Exit::Usage, "market_unknown", "no market is known here")
            .why(format!("{} names none", settings.data.display()))
            .next("start `waag up` on this folder, or name --rpc and --market"));
    };
    let address: Address = market.parse().map_err(|_| {
        Failure::new(Exit::Usage, "market_malformed", format!("`{}` is no address", clean(&market)))
            .next("write 0x and 40 hex digits")
    })?;
    let provider = chain::remote::connect(&rpc)
        .map_err(|error| Failure::new(Exit::Usage, "rpc_malformed", error.to_string()).next("mend --rpc"))?;
    Market::open(provider, address).await.map_err(|error| {
        Failure::new(Exit::Unreachable, "chain_unreachable", format!("the market at {rpc} cannot be read"))
            .why(domain::chain(&error))
            .next("is `waag up` running there?")
    })
}

/// How many leases have not come to their end.
pub(crate) async fn open_leases(market: &Market) -> Done<usize> {
    let named = named(market).await?;
    let ids: Vec<B256> = named.orders.iter().map(|(id, _)| *id).collect();
    let leases = market.leases(&ids).await.context("read the leases")?;
    Ok(leases.iter().flatten().filter(|lease| !lease.state.is_final()).count())
}

async fn read(market: &Market, limit: usize) -> Done<MarketDoc> {
    let named = named(market).await?;
    let head = market.head().await.context("read the newest block")?;
    let ids: Vec<OfferId> = named.offers.iter().map(|(id, _)| *id).collect();
    let offers = market.offers(&ids).await.context("read the offers")?;
    let leases: Vec<B256> = named.orders.iter().map(|(id, _)| *id).collect();
    let leases = market.leases(&leases).await.context("read the leases")?;
    let mut lease_states = BTreeMap::new();
    for lease in leases.iter().flatten() {
        *lease_states.entry(lease.state.code()).or_insert(0) += 1;
    }
    let mut providers = Vec::new();
    for address in &named.parties {
        let account = market.account(*address).await.context("read an account")?;
        providers.push(provider_line(*address, &account));
    }
    let offers = named.offers.iter().zip(offers);
    let recent = named.orders.iter().zip(leases).rev();
    Ok(MarketDoc {
        chain_id: market.chain_id(),
        market: market.address().to_string(),
        token: market.settings().token.to_string(),
        block: head.number,
        at_ms: head.at.0,
        paused: market.paused().await.context("read the market")?,
        providers,
        offers: offers
            .filter_map(|((id, spec), offer)| Some(offer_line(*id, spec.as_ref(), &offer?)))
            .collect(),
        leases: recent
            .filter_map(|((id, order), lease)| Some(lease_line(*id, order, &lease?, named.roots.get(id))))
            .take(limit)
            .collect(),
        lease_states,
    })
}

/// Every offer, party and lease that the events name.
async fn named(market: &Market) -> Done<Named> {
    let follower = market.follower(0, 0, &[]);
    let (mut named, mut cursor) = (Named::default(), None);
    for _ in 0..PAGES_MAX {
        let page = follower.page(cursor.as_ref()).await.context("read the market's events")?;
        for happened in market.events(&page.events).await.context("read the market's events")? {
            take(&mut named, happened);
        }
        if page.at_head {
            return Ok(named);
        }
        cursor = Some(page.cursor);
    }
    Err(Failure::new(Exit::Failed, "chain_too_long", "the market has more history than this command reads")
        .next("follow its events with a program made for it"))
}

fn take(named: &mut Named, happened: Happened) {
    match happened.event {
        MarketEvent::OfferPosted { offer, spec, .. } => {
            named.parties.insert(offer.provider());
            named.offers.push((offer, Spec::from_bytes(&spec).ok()));
        }
        MarketEvent::Staked { provider, .. } => {
            named.parties.insert(provider);
        }
        MarketEvent::LeaseCreated { lease, order, .. } => named.orders.push((lease, order)),
        MarketEvent::LeaseCommitted { lease, root, .. } => {
            named.roots.insert(lease, root);
        }
        _ => {}
    }
}

fn provider_line(address: Address, account: &Account) -> ProviderLine {
    ProviderLine {
        address: address.to_string(),
        stake_usd: usd(account.stake),
        reserved_usd: usd(account.reserved),
        balance_usd: usd(account.balance),
        units_offered: account.offered,
    }
}

fn offer_line(id: OfferId, spec: Option<&Spec>, offer: &Offer) -> OfferLine {
    let until = i64::try_from(offer.terms.available_until).unwrap_or(i64::MAX);
    OfferLine {
        id: id.to_string(),
        provider: id.provider().to_string(),
        name: spec.map(|spec| spec.name.to_string()),
        region: spec.map(|spec| spec.region.to_string()),
        cpus_milli: spec.map(|spec| spec.hardware.cpus_milli),
        memory_mib: spec.map(|spec| spec.hardware.memory_mib),
        accelerators: spec
            .and_then(|spec| spec.hardware.accelerators.as_ref())
            .map(|accelerators| format!("{}:{}", accelerators.model, accelerators.count)),
        price_usd_hour: usd(offer.terms.price_per_hour),
        units: offer.terms.units,
        leased: offer.leased,
        withdrawn: offer.withdrawn,
        until_ms: until.saturating_mul(1000),
    }
}

fn lease_line(id: B256, order: &Order, lease: &Lease, root: Option<&B256>) -> LeaseLine {
    LeaseLine {
        id: id.to_string(),
        offer: order.offer.to_string(),
        provider: order.offer.provider().to_string(),
        consumer: order.consumer.to_string(),
        state: lease.state.code(),
        rate_usd_hour: usd(lease.rate),
        span_s: lease.span,
        used_s: lease.used,
        charge_usd: usd(charge(lease.rate, lease.used).unwrap_or(u64::MAX)),
        started_ms: lease.started_at.map(|at| at.0),
        deadline_ms: lease.deadline.0,
        root: root.map(ToString::to_string),
        leaf_count: lease.leaf_count,
    }
}

fn text(doc: &MarketDoc) -> String {
    let paused = if doc.paused { ", PAUSED: no new leases" } else { "" };
    let mut text = format!(
        "market     {} on chain {}, block {} at {}{paused}\n\n",
        doc.market,
        doc.chain_id,
        doc.block,
        Timestamp(doc.at_ms)
    );
    let mut providers = Table::new(&[
        ("provider", Side::Left),
        ("stake $", Side::Right),
        ("behind leases $", Side::Right),
        ("balance $", Side::Right),
        ("units", Side::Right),
    ]);
    for p in &doc.providers {
        let cells = [&p.stake_usd, &p.reserved_usd, &p.balance_usd].map(ToString::to_string);
        providers.row([p.address.clone()].into_iter().chain(cells).chain([p.units_offered.to_string()]));
    }
    text.push_str(&providers.text());
    text.push_str(&format!("\n\n{}", offers_text(&doc.offers)));
    text.push_str(&format!("\n\n{}", leases_text(&doc.leases)));
    let states: Vec<String> = doc.lease_states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let all: usize = doc.lease_states.values().sum();
    text.push_str(&format!("\n{} of {all} leases shown", doc.leases.len()));
    if !states.is_empty() {
        text.push_str(&format!("; in all: {}", states.join(", ")));
    }
    text
}

fn offers_text(offers: &[OfferLine]) -> String {
    let mut table = Table::new(&[
        ("offer by", Side::Left),
        ("region", Side::Left),
        ("cores", Side::Right),
        ("MiB", Side::Right),
        ("accelerators", Side::Left),
        ("$/hour", Side::Right),
        ("leased", Side::Right),
        ("", Side::Left),
    ]);
    for o in offers {
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        table.row([
            o.name.as_deref().map_or_else(|| o.provider.clone(), clean),
            or_unknown(o.region.as_deref().map(clean)),
            or_unknown(o.cpus_milli.map(|cpus| format!("{:.1}", f64::from(cpus) / 1000.0))),
            or_unknown(o.memory_mib.map(|memory| memory.to_string())),
            o.accelerators.as_deref().map_or_else(String::new, clean),
            o.price_usd_hour.to_string(),
            format!("{} of {}", o.leased, o.units),
            if o.withdrawn { "withdrawn" } else { "" }.to_owned(),
        ]);
    }
    table.text()
}

fn leases_text(leases: &[LeaseLine]) -> String {
    let mut table = Table::new(&[
        ("lease", Side::Left),
        ("state", Side::Left),
        ("$/hour", Side::Right),
        ("span", Side::Right),
        ("used", Side::Right),
        ("charge $", Side::Right),
        ("leaves", Side::Right),
    ]);
    for l in leases {
        table.row([
            l.id.chars().take(18).collect(),
            l.state.to_owned(),
            l.rate_usd_hour.to_string(),
            format!("{} s", l.span_s),
            format!("{} s", l.used_s),
            l.charge_usd.to_string(),
            l.leaf_count.to_string(),
        ]);
    }
    table.text()
}
