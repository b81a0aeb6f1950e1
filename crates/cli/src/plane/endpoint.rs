//! Where a control plane listens. Agents are told once and must find it again after a restart, so the ports that were
//! chosen at first start are kept in the data folder; clients find the address there.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::failure::{Done, Exit, Failure};
use crate::settings::Settings;

const FILE: &str = "endpoint.json";

/// The two addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// User API, HTTP.
    pub(crate) api: String,
    /// Agent API, HTTPS.
    pub(crate) agents: String,
    /// JSON-RPC of the embedded chain, HTTP, and the address of the market on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) market: Option<String>,
}

/// What it listens on.
pub(super) struct Listeners {
    pub(super) users: TcpListener,
    pub(super) agents: TcpListener,
    pub(super) chain: Option<TcpListener>,
}

impl Endpoint {
    /// What the data folder says.
    pub(crate) fn read(data: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(data.join(FILE))?)?)
    }

    /// Binds the listeners, at the addresses of the first start unless the settings name others.
    pub(super) fn bind(settings: &Settings) -> Done<(Self, Listeners)> {
        let before = Self::read(&settings.data).ok();
        let kept =
            |wanted: SocketAddr, before: Option<&String>| match before.and_then(|text| text.parse().ok()) {
                Some(known) if wanted.port() == 0 && SocketAddr::ip(&known) == wanted.ip() => known,
                _ => wanted,
            };
        let users = listen(kept(settings.api_listen, before.as_ref().map(|e| &e.api)), "api.listen")?;
        let agents =
            listen(kept(settings.agents_listen, before.as_ref().map(|e| &e.agents)), "agents.listen")?;
        let chain = match settings.market {
            true => Some(listen(
                kept(settings.chain_listen, before.as_ref().and_then(|e| e.chain.as_ref())),
                "networks.waag.listen",
            )?),
            false => None,
        };
        let text = |listener: &TcpListener| listener.local_addr().map(|address| address.to_string());
        let endpoint = Self {
            api: text(&users).context("read the address of the user API")?,
            agents: text(&agents).context("read the address of the agent API")?,
            chain: chain.as_ref().map(text).transpose().context("read the address of the chain")?,
            market: None,
        };
        Ok((endpoint, Listeners { users, agents, chain }))
    }

    /// Keeps the addresses: under another name first, so that a reader sees a whole file.
    pub(super) fn write(&self, data: &Path) -> Done {
        let (path, new) = (data.join(FILE), data.join("endpoint.json.new"));
        let text = serde_json::to_vec_pretty(self).context("write the addresses")?;
        std::fs::write(&new, text).and_then(|()| std::fs::rename(new, path)).context("keep the addresses")?;
        Ok(())
    }

    pub(super) fn api_port(&self) -> u16 {
        self.api.parse::<SocketAddr>().map_or(0, |address| address.port())
    }
}

fn listen(address: SocketAddr, setting: &str) -> Done<TcpListener> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|e| {
        Failure::new(Exit::Failed, "address_unusable", format!("{address} cannot be listened on"))
            .why(e)
            .next(format!(
                "stop what uses it, or set `{setting}` to another address (agents that run are then lost)"
            ))
    })
}
