//! Providers of our own market beside the control plane. Their agents run on, whatever becomes of it.

use std::path::Path;

use anyhow::Context;
use chain::Address;
use custody::OsEntropy;
use node::provider::{Folder, Given, init};

use super::daemons::Daemons;
use super::{EmbeddedMarket, Endpoint};
use crate::failure::Done;
use crate::settings::Settings;

/// Makes those that are missing, and starts those that do not run. The first one misbehaves as `fault` says.
pub(super) async fn start(
    settings: &Settings,
    market: &EmbeddedMarket,
    endpoint: &Endpoint,
    fault: Option<&str>,
) -> Done<Daemons> {
    let mut daemons = none();
    for number in 1..=settings.providers {
        add(&mut daemons, settings, market, endpoint, fault.filter(|_| number == 1)).await?;
    }
    Ok(daemons)
}

/// Starts one more, which asks what these settings say.
pub(super) async fn add(
    daemons: &mut Daemons,
    settings: &Settings,
    market: &EmbeddedMarket,
    endpoint: &Endpoint,
    fault: Option<&str>,
) -> Done {
    let number = daemons.count() + 1;
    let folder = settings.data.join("providers").join(number.to_string());
    let account = known_or_new(&folder, number, settings, market, endpoint)?;
    market.fund_provider(account).await?;
    daemons.take(folder, fault)
}

/// Where our own market is not connected.
pub(super) const fn none() -> Daemons {
    Daemons::none("provider")
}

fn known_or_new(
    folder: &Path,
    number: u32,
    settings: &Settings,
    market: &EmbeddedMarket,
    endpoint: &Endpoint,
) -> Done<Address> {
    if Folder::at(folder).config().exists() {
        return Ok(Folder::at(folder).account(&OsEntropy).context("open a provider's key")?.address());
    }
    let rpc = endpoint.chain.as_deref().unwrap_or_default();
    let given = [
        ("rpc_url", format!("http://{rpc}")),
        ("market", market.deployed.market.to_string()),
        ("from_block", market.deployed.block.to_string()),
        ("name", format!("local-{number}")),
        ("price_per_hour_usd", settings.provider_price.to_string()),
        ("poll", "200ms".to_owned()),
    ];
    let given: Given = given.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(init(folder, &given, &OsEntropy).context("make a provider")?)
}
