//! Validators of the notary beside the control plane: parties of their own, which know of it only what a proof's event says.

use std::path::Path;

use anyhow::Context;
use chain::Address;
use custody::OsEntropy;
use node::validator::{Folder, Given, init};

use super::daemons::Daemons;
use super::{EmbeddedMarket, Endpoint};
use crate::failure::Done;
use crate::settings::Settings;

/// Makes those that are missing, and starts those that do not run. The first ones misbehave, one by each of `faults`.
pub(super) async fn start(
    settings: &Settings,
    market: &EmbeddedMarket,
    endpoint: &Endpoint,
    faults: &[&str],
) -> Done<Daemons> {
    let mut daemons = none();
    for number in 1..=settings.validators {
        let folder = settings.data.join("validators").join(number.to_string());
        let account = known_or_new(&folder, market, endpoint)?;
        market.fund_provider(account).await?;
        let fault = usize::try_from(number).ok().and_then(|number| faults.get(number - 1)).copied();
        daemons.take(folder, fault)?;
    }
    Ok(daemons)
}

/// Where our own market is not connected.
pub(super) const fn none() -> Daemons {
    Daemons::none("validator")
}

fn known_or_new(folder: &Path, market: &EmbeddedMarket, endpoint: &Endpoint) -> Done<Address> {
    if Folder::at(folder).config().exists() {
        return Ok(Folder::at(folder).account(&OsEntropy).context("open a validator's key")?.address());
    }
    let rpc = endpoint.chain.as_deref().unwrap_or_default();
    let given = [
        ("rpc_url", format!("http://{rpc}")),
        ("notary", market.notary.address().to_string()),
        ("from_block", market.deployed.block.to_string()),
        ("poll", "200ms".to_owned()),
        ("conclude_after", "5s".to_owned()),
    ];
    let given: Given = given.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(init(folder, &given, &OsEntropy).context("make a validator")?)
}
