//! `waag up`: the control plane, until Ctrl-C.

use std::time::Instant;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::failure::Done;
use crate::plane::{NETWORK, Plane, processes};
use crate::settings::Settings;
use crate::show::Out;
use crate::show::text::short;

#[derive(Serialize)]
struct Ready<'a> {
    api: String,
    agents: String,
    token_file: String,
    data: String,
    /// JSON-RPC of the embedded chain, and the market on it.
    chain: Option<String>,
    market: Option<&'a str>,
    networks: Vec<&'a str>,
    ready_ms: u128,
}

pub(crate) async fn run(settings: Settings, out: &Out) -> Done {
    let filter = EnvFilter::try_from_env("WAAG_LOG").unwrap_or_else(|_| EnvFilter::new("warn,engine=info"));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    // Caught before anything starts, so that an early signal is not lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
    let started = Instant::now();
    let mut plane = Plane::start(&settings, processes(&settings.data)?).await?;
    let ready = Ready {
        api: format!("http://{}", plane.endpoint.api),
        agents: format!("https://{}", plane.endpoint.agents),
        token_file: settings.data.join("keys").join("api-token").display().to_string(),
        data: settings.data.display().to_string(),
        chain: plane.endpoint.chain.as_ref().map(|at| format!("http://{at}")),
        market: plane.endpoint.market.as_deref(),
        networks: plane
            .market
            .iter()
            .map(|_| NETWORK)
            .chain(plane.sims.keys().map(|name| name.as_str()))
            .collect(),
        ready_ms: started.elapsed().as_millis(),
    };
    out.either(&ready, || {
        let networks = if ready.networks.is_empty() { "none".to_owned() } else { ready.networks.join(", ") };
        let chain = match (&ready.chain, ready.market) {
            (Some(chain), Some(market)) => format!("\n  chain     {chain}, market {market}"),
            _ => String::new(),
        };
        format!(
            "ready in {}\n  api       {}\n  agents    {}\n  token     {}\n  data      {}{chain}\n  networks  {networks} (simulated)",
            short(started.elapsed()), ready.api, ready.agents, ready.token_file, ready.data
        )
    });
    out.next("waag run examples/hello.yaml");
    let failed = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        failure = plane.failed() => Some(failure),
    };
    out.say("stopping; jobs run on, and the next `waag up` on this folder takes them over");
    plane.stop().await;
    failed.map_or(Ok(()), Err)
}
