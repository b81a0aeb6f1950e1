//! `waag provider`: the supply side's daemon, a party of its own that shares nothing with a control plane.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use chain::Address;
use chain::market::{micros, usd};
use custody::OsEntropy;
use domain::{RetryStatus, Usd};
use market::ProcessMachine;
use node::provider::{
    self, Config, Ended, Fault, Folder, Given, Parts, Planted, Provider, ProviderError, Status, Withdrawal,
};
use serde::Serialize;

use super::party;
use crate::args::{Provider as Typed, ProviderCommand};
use crate::failure::{Done, Exit, Failure};
use crate::plane::SystemClock;
use crate::show::Out;
use crate::show::text::clean;

#[derive(Serialize)]
struct Made {
    address: String,
    folder: String,
    config: String,
}

#[derive(Serialize)]
struct Asked {
    to: String,
    amount_usd: Option<Usd>,
    done: bool,
}

#[derive(Serialize)]
struct StatusDoc {
    address: String,
    chain_id: u64,
    market: String,
    running: bool,
    draining: bool,
    gas_wei: String,
    tokens_usd: Usd,
    balance_usd: Usd,
    stake_usd: Usd,
    reserved_usd: Usd,
    offers: Vec<OfferDoc>,
    leases: Vec<LeaseDoc>,
    canaries: Vec<Planted>,
}

#[derive(Serialize)]
struct OfferDoc {
    id: String,
    price_per_hour_usd: Usd,
    units: u32,
    leased: u32,
    cpus: Option<f64>,
    memory_mib: Option<u64>,
    disk_mib: Option<u64>,
    accelerators: Option<String>,
    available_until: String,
}

#[derive(Serialize)]
struct LeaseDoc {
    id: String,
    label: String,
    consumer: String,
    state: Option<&'static str>,
    span_s: u32,
    started_at: Option<String>,
    deadline: Option<String>,
    agent: bool,
}

pub(crate) async fn run(typed: &Typed, out: &Out) -> Done {
    party::keep_to_oneself();
    let folder = std::path::absolute(&typed.folder).map_err(anyhow::Error::from)?;
    match &typed.command {
        ProviderCommand::Init { market, rpc_url, settings } => {
            let named = [("market", market), ("rpc_url", rpc_url)];
            let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
            init(&folder, &named.chain(settings.iter().cloned()).collect(), out)
        }
        ProviderCommand::Run { fault, canary } => {
            let planted = canary.then_some(Fault::Canary);
            serve(&folder, fault.clone().or(planted), out).await
        }
        ProviderCommand::Status => {
            let status = provider::status(&folder).await.map_err(failure)?;
            let doc = document(&status);
            out.either(&doc, || text(&doc));
            Ok(())
        }
        ProviderCommand::Drain { off } => drain(&Folder::at(&folder), !off, out),
        ProviderCommand::Withdraw { amount, to } => withdraw(&folder, *amount, *to, out).await,
    }
}

fn init(folder: &Path, given: &Given, out: &Out) -> Done {
    let address = provider::init(folder, given, &OsEntropy).map_err(failure)?;
    let made = Made {
        address: address.to_string(),
        folder: folder.display().to_string(),
        config: Folder::at(folder).config().display().to_string(),
    };
    out.either(&made, || {
        format!("account  {}\nfolder   {}\nconfig   {}", made.address, made.folder, made.config)
    });
    out.next("give the account gas and dollars, then `waag provider run`");
    Ok(())
}

fn parts(folder: &Path, fault: Option<Fault>) -> Done<Parts> {
    let folder = Folder::at(folder);
    let executable = std::env::current_exe().map_err(anyhow::Error::from)?;
    Ok(Parts {
        machine: Arc::new(ProcessMachine::new(executable, folder.machines())),
        folder,
        entropy: Arc::new(OsEntropy),
        proc: "/proc".into(),
        fault,
    })
}

async fn serve(folder: &Path, fault: Option<Fault>, out: &Out) -> Done {
    party::log();
    let stopped = party::until_signal()?;
    let provider = Provider::open(parts(folder, fault)?).await.map_err(failure)?;
    out.say(&format!("selling as {}; Ctrl-C stops it and leaves agents running", provider.address()));
    match provider::run(provider, &SystemClock, stopped).await.map_err(failure)? {
        Ended::Stopped => out.say("stopped; agents run on, and the next `waag provider run` takes them over"),
        Ended::Drained => out.say("drained; `waag provider drain --off` lets it sell again"),
        Ended::Dies => {
            // As a machine that loses its power: nothing is said to anybody.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
    Ok(())
}

fn drain(folder: &Folder, on: bool, out: &Out) -> Done {
    if !folder.config().exists() {
        return Err(failure(ProviderError::Absent { folder: folder.path().to_owned() }));
    }
    folder.drain(on).map_err(failure)?;
    out.either(&serde_json::json!({ "draining": on }), || {
        if on { "draining: it ends with its last lease" } else { "no longer draining" }.to_owned()
    });
    Ok(())
}

async fn withdraw(path: &Path, amount: Option<Usd>, to: Option<Address>, out: &Out) -> Done {
    let folder = Folder::at(path);
    let status = provider::status(path).await.map_err(failure)?;
    let config = Config::load(&folder.config()).map_err(|error| failure(error.into()))?;
    let to = to.or(config.withdraw_to).unwrap_or(status.address);
    let exact = amount
        .map(|amount| micros(amount).ok_or(ProviderError::Amount { field: "--amount" }))
        .transpose()
        .map_err(failure)?;
    folder.ask_withdrawal(&Withdrawal::new(to, exact, &OsEntropy)).map_err(failure)?;
    let done = if status.running {
        false
    } else {
        let mut provider = Provider::open(parts(path, None)?).await.map_err(failure)?;
        provider.withdraw().await.map_err(failure)?
    };
    let asked = Asked { to: to.to_string(), amount_usd: amount, done };
    out.either(&asked, || {
        let what = amount.map_or_else(|| "all earnings".to_owned(), |amount| format!("${amount}"));
        let when = match (done, status.running) {
            (true, _) => "sent",
            (false, true) => "asked of the running provider",
            (false, false) => "not sent: there is nothing, or the chain refused",
        };
        format!("{what} to {}: {when}", asked.to)
    });
    Ok(())
}

fn document(status: &Status) -> StatusDoc {
    let offers = status.offers.iter().map(|offer| {
        let hardware = offer.hardware.as_ref();
        OfferDoc {
            id: offer.id.to_string(),
            price_per_hour_usd: usd(offer.terms.price_per_hour),
            units: offer.terms.units,
            leased: offer.leased,
            cpus: hardware.map(|hardware| f64::from(hardware.cpus_milli) / 1000.0),
            memory_mib: hardware.map(|hardware| hardware.memory_mib),
            disk_mib: hardware.map(|hardware| hardware.disk_mib),
            accelerators: hardware
                .and_then(|hardware| hardware.accelerators.as_ref())
                .map(|all| format!("{}:{}", clean(&all.model), all.count)),
            available_until: chain::market::moment(offer.terms.available_until).to_string(),
        }
    });
    let leases = status.leases.iter().map(|lease| LeaseDoc {
        id: lease.id.to_string(),
        label: lease.label.to_string(),
        consumer: lease.consumer.to_string(),
        state: lease.state.map(chain::market::State::code),
        span_s: lease.span,
        started_at: lease.started_at.map(|at| at.to_string()),
        deadline: lease.deadline.map(|at| at.to_string()),
        agent: lease.has_agent,
    });
    StatusDoc {
        address: status.address.to_string(),
        chain_id: status.chain_id,
        market: status.market.to_string(),
        running: status.running,
        draining: status.draining,
        gas_wei: status.gas_wei.to_string(),
        tokens_usd: usd(status.tokens),
        balance_usd: usd(status.account.balance),
        stake_usd: usd(status.account.stake),
        reserved_usd: usd(status.account.reserved),
        offers: offers.collect(),
        leases: leases.collect(),
        canaries: status.canaries.clone(),
    }
}

fn text(doc: &StatusDoc) -> String {
    let state = match (doc.running, doc.draining) {
        (true, true) => "running, draining",
        (true, false) => "running",
        (false, true) => "not running, draining",
        (false, false) => "not running",
    };
    let mut text = format!(
        "account   {}\nstate     {state}\nmarket    {} on chain {}\nwallet    ${}\nbalance   ${}\nstake     ${} of which ${} back leases\n",
        doc.address,
        doc.market,
        doc.chain_id,
        doc.tokens_usd,
        doc.balance_usd,
        doc.stake_usd,
        doc.reserved_usd
    );
    for offer in &doc.offers {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "offer     ${}/h, {} of {} units leased, until {}",
            offer.price_per_hour_usd, offer.leased, offer.units, offer.available_until
        );
    }
    for lease in &doc.leases {
        let state = lease.state.unwrap_or("unknown to the chain");
        let _ =
            writeln!(text, "lease     {} {state}, {} s, for {}", lease.label, lease.span_s, lease.consumer);
    }
    for canary in &doc.canaries {
        let Planted { lease, salt, index, position } = canary;
        let _ = writeln!(text, "canary    lease {lease}: state {index}, leaf {position}, salt {salt}");
    }
    text
}

/// What happened, why, and what to do next.
fn failure(error: ProviderError) -> Failure {
    let temporary = error.status() == RetryStatus::Temporary;
    let (exit, code, next) = match &error {
        ProviderError::Absent { .. } => {
            (Exit::NotFound, "no_provider", "waag provider init, or name another folder with --folder")
        }
        ProviderError::Present { .. } => {
            (Exit::Usage, "provider_exists", "use it, or name another folder with --folder")
        }
        ProviderError::InUse { .. } => {
            (Exit::Refused, "provider_in_use", "use the one that runs, or stop it first")
        }
        ProviderError::FaultRefused { .. } => (Exit::Refused, "fault_refused", "leave --fault out"),
        ProviderError::Config(_)
        | ProviderError::NoMarket
        | ProviderError::Spec(_)
        | ProviderError::Amount { .. }
        | ProviderError::Connect(_) => (Exit::Usage, "provider_config", "mend provider.toml"),
        ProviderError::Read(_) if !temporary => {
            (Exit::Usage, "no_market", "write the market's address into provider.toml")
        }
        ProviderError::Read(_) | ProviderError::Follow(_) if temporary => {
            (Exit::Unreachable, "chain_unreachable", "start the chain, or mend `rpc_url` in provider.toml")
        }
        _ => (Exit::Failed, "provider_failed", ""),
    };
    let mut failure = Failure::new(exit, code, clean(&error.to_string()));
    if let Some(source) = std::error::Error::source(&error) {
        failure = failure.why(clean(&domain::chain(source)));
    }
    if next.is_empty() { failure } else { failure.next(next) }
}
