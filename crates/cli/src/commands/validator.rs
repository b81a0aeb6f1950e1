//! `waag validator`: a party that checks the work of others, and shares nothing with a control plane.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use agent::replay::Sandboxed;
use chain::market::usd;
use custody::OsEntropy;
use domain::{NoProbe, RetryStatus, Usd};
use node::validator::{self, Ended, Fault, Folder, Given, Parts, Status, Validator, ValidatorError};
use serde::Serialize;

use super::party;
use crate::args::{Validator as Typed, ValidatorCommand};
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
struct StatusDoc {
    address: String,
    chain_id: u64,
    notary: String,
    running: bool,
    leaving: bool,
    seat: &'static str,
    gas_wei: String,
    tokens_usd: Usd,
    balance_usd: Usd,
    stake_usd: Usd,
    proofs: Vec<ProofDoc>,
}

#[derive(Serialize)]
struct ProofDoc {
    id: String,
    phase: Option<&'static str>,
    deadline: Option<String>,
    drawn: bool,
    finding: Option<&'static str>,
}

pub(crate) async fn run(typed: &Typed, out: &Out) -> Done {
    party::keep_to_oneself();
    let folder = std::path::absolute(&typed.folder).map_err(anyhow::Error::from)?;
    match &typed.command {
        ValidatorCommand::Init { notary, rpc_url, settings } => {
            let named = [("notary", notary), ("rpc_url", rpc_url)];
            let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
            init(&folder, &named.chain(settings.iter().cloned()).collect(), out)
        }
        ValidatorCommand::Run { fault } => serve(&folder, *fault, out).await,
        ValidatorCommand::Status => {
            let status = validator::status(&folder).await.map_err(failure)?;
            let doc = document(&status);
            out.either(&doc, || text(&doc));
            Ok(())
        }
        ValidatorCommand::Leave { off } => leave(&Folder::at(&folder), !off, out),
    }
}

fn init(folder: &Path, given: &Given, out: &Out) -> Done {
    let address = validator::init(folder, given, &OsEntropy).map_err(failure)?;
    let made = Made {
        address: address.to_string(),
        folder: folder.display().to_string(),
        config: Folder::at(folder).config().display().to_string(),
    };
    out.either(&made, || {
        format!("account  {}\nfolder   {}\nconfig   {}", made.address, made.folder, made.config)
    });
    out.next("give the account gas and dollars, then `waag validator run`");
    Ok(())
}

async fn serve(folder: &Path, fault: Option<Fault>, out: &Out) -> Done {
    party::log();
    let stopped = party::until_signal()?;
    let folder = Folder::at(folder);
    let executable = std::env::current_exe().map_err(anyhow::Error::from)?;
    let parts = Parts {
        replayer: Arc::new(Sandboxed::new(executable, folder.replay())),
        folder,
        entropy: Arc::new(OsEntropy),
        clock: Arc::new(SystemClock),
        probe: Arc::new(NoProbe),
        fault,
    };
    let validator = Validator::open(parts).await.map_err(failure)?;
    out.say(&format!(
        "validating as {}; Ctrl-C stops it, and what it was drawn for goes on at the next run",
        validator.address()
    ));
    match validator::run(validator, &SystemClock, stopped).await.map_err(failure)? {
        Ended::Stopped => out.say("stopped; a drawn proof that is not answered in time costs stake"),
        Ended::Left => out.say("left; run it again to have the stake back once it is free"),
    }
    Ok(())
}

fn leave(folder: &Folder, on: bool, out: &Out) -> Done {
    if !folder.config().exists() {
        return Err(failure(ValidatorError::Absent { folder: folder.path().to_owned() }));
    }
    folder.leave(on).map_err(failure)?;
    out.either(&serde_json::json!({ "leaving": on }), || {
        if on { "leaving: it ends when nothing is open for it" } else { "no longer leaving" }.to_owned()
    });
    Ok(())
}

fn document(status: &Status) -> StatusDoc {
    let proofs = status.proofs.iter().map(|proof| ProofDoc {
        id: proof.id.to_string(),
        phase: proof.phase,
        deadline: proof.deadline.map(|at| at.to_string()),
        drawn: proof.drawn,
        finding: proof.finding.map(domain::Finding::code),
    });
    StatusDoc {
        address: status.address.to_string(),
        chain_id: status.chain_id,
        notary: status.notary.to_string(),
        running: status.running,
        leaving: status.leaving,
        seat: status.seat.code(),
        gas_wei: status.gas_wei.to_string(),
        tokens_usd: usd(status.tokens),
        balance_usd: usd(status.balance),
        stake_usd: usd(status.stake),
        proofs: proofs.collect(),
    }
}

fn text(doc: &StatusDoc) -> String {
    let state = match (doc.running, doc.leaving) {
        (true, true) => "running, leaving",
        (true, false) => "running",
        (false, true) => "not running, leaving",
        (false, false) => "not running",
    };
    let mut text = format!(
        "account   {}\nstate     {state}\nnotary    {} on chain {}\nseat      {}\nwallet    ${}\nbalance   ${}\nstake     ${}\n",
        doc.address, doc.notary, doc.chain_id, doc.seat, doc.tokens_usd, doc.balance_usd, doc.stake_usd
    );
    for proof in &doc.proofs {
        let phase = proof.phase.unwrap_or("unknown to the chain");
        let what = match (proof.drawn, proof.finding) {
            (_, Some(finding)) => finding,
            (true, None) => "drawn",
            (false, None) => "not drawn",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "proof     {} {phase}, {what}", proof.id);
    }
    text
}

/// What happened, why, and what to do next.
fn failure(error: ValidatorError) -> Failure {
    let temporary = error.status() == RetryStatus::Temporary;
    let (exit, code, next) = match &error {
        ValidatorError::Absent { .. } => {
            (Exit::NotFound, "no_validator", "waag validator init, or name another folder with --folder")
        }
        ValidatorError::Present { .. } => {
            (Exit::Usage, "validator_exists", "use it, or name another folder with --folder")
        }
        ValidatorError::InUse { .. } => {
            (Exit::Refused, "validator_in_use", "use the one that runs, or stop it first")
        }
        ValidatorError::FaultRefused { .. } => (Exit::Refused, "fault_refused", "leave --fault out"),
        ValidatorError::Config(_)
        | ValidatorError::NoNotary
        | ValidatorError::Amount { .. }
        | ValidatorError::Connect(_) => (Exit::Usage, "validator_config", "mend validator.toml"),
        ValidatorError::Read(_) if !temporary => {
            (Exit::Usage, "no_notary", "write the notary's address into validator.toml")
        }
        ValidatorError::Read(_) | ValidatorError::Follow(_) if temporary => {
            (Exit::Unreachable, "chain_unreachable", "start the chain, or mend `rpc_url` in validator.toml")
        }
        _ => (Exit::Failed, "validator_failed", ""),
    };
    let mut failure = Failure::new(exit, code, clean(&error.to_string()));
    if let Some(source) = std::error::Error::source(&error) {
        failure = failure.why(clean(&domain::chain(source)));
    }
    if next.is_empty() { failure } else { failure.next(next) }
}
