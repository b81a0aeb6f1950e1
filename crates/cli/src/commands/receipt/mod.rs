//! `waag receipt`: what a job came to, as a file, and whether such a file holds.

mod outputs;

use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::receipt_verify;
use evidence::receipt::{Check, Fault};
use wire::receipt::{Pins, ReceiptDoc, ReportDoc, Verified};

use super::Session;
use crate::args::ReceiptVerify;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;
use crate::show::table::{Side, Table};
use crate::show::text::clean;

/// Fetches a job's receipt.
pub(crate) async fn run(session: &Session<'_>, job: &str, to: Option<PathBuf>) -> Done {
    let receipt = session.client.job_receipt(job).await?;
    let Some(to) = to else {
        session.out.document(&receipt);
        return Ok(());
    };
    let mut text = serde_json::to_string_pretty(&receipt).context("write the receipt")?;
    text.push('\n');
    std::fs::write(&to, text).with_context(|| format!("write {}", to.display()))?;
    let answer = serde_json::json!({ "job": receipt.body.job.id, "file": to });
    session.out.either(&answer, || format!("receipt of {} in {}", receipt.body.job.id, to.display()));
    session.out.next(&format!("waag receipt verify {}", to.display()));
    Ok(())
}

/// Checks a file.
pub(crate) fn verify(args: &ReceiptVerify, out: &Out) -> Done {
    let file = std::fs::read(&args.file).map_err(|e| {
        let said = format!("{} cannot be read", args.file.display());
        Failure::new(Exit::Usage, "receipt_file", said).why(e).next("name the file of a receipt")
    })?;
    let pins = Pins { key: args.key.as_deref(), audit: args.audit_key.as_deref() };
    let mut verified = receipt_verify(&file, pins);
    if let Some(folder) = &args.outputs {
        bound(&mut verified, folder)?;
    }
    let doc = verified.doc();
    if let Some(first) = doc.wrong.first() {
        if !out.json {
            out.answer(&text(&doc));
        }
        let said = format!("{} does not hold: {}", args.file.display(), first.text);
        return Err(Failure::new(Exit::NotProven, &first.code, said)
            .why(if first.field.is_empty() { "see above" } else { &first.field })
            .next("do not rely on it; ask who gave it to you for another")
            .found(&doc));
    }
    out.either(&doc, || text(&doc));
    if !doc.pinned {
        out.next("compare both keys with those you were given another way, and name them with --key and --audit-key");
    }
    Ok(())
}

/// Compares a folder with the outputs that the last execution committed to.
fn bound(verified: &mut Verified, folder: &Path) -> Done {
    let digest = outputs::digest(folder).with_context(|| format!("read {}", folder.display()))?;
    let committed = verified.receipt.as_ref().and_then(committed_outputs);
    let holds = committed == Some(wire::agent::hex_of(&digest));
    let text = match committed {
        Some(_) => "these are not the outputs that were committed to",
        None => "no outputs were committed to",
    };
    verified.report.must(Check::Outputs, holds, Fault::Outputs, "body.executions", || text.to_owned());
    Ok(())
}

fn committed_outputs(receipt: &ReceiptDoc) -> Option<String> {
    let commitment = receipt.body.executions.last()?.commitment.as_ref()?;
    commitment.digests.last().filter(|_| commitment.binds_outputs).cloned()
}

fn text(doc: &ReportDoc) -> String {
    let mut text = String::new();
    if let (Some(job), Some(name), Some(outcome)) = (&doc.job, &doc.name, &doc.outcome) {
        text.push_str(&format!("receipt    {job} {}, {}\n", clean(name), clean(outcome)));
    }
    let whose = if doc.pinned { "as expected" } else { "from the receipt itself: it is whole, but whose?" };
    for (name, key) in [("key", &doc.key), ("log key", &doc.audit_key)] {
        if let Some(key) = key {
            text.push_str(&format!("{name:<9}  {}\n", clean(key)));
        }
    }
    text.push_str(&format!("keys       {whose}\n\n"));
    let mut table = Table::new(&[("checked", Side::Left), ("things", Side::Right), ("holds", Side::Left)]);
    for look in &doc.checks {
        let holds = if look.holds { "yes" } else { "NO" };
        table.row([look.check.clone(), look.looked_at.to_string(), holds.to_owned()]);
    }
    text.push_str(&table.text());
    if !doc.wrong.is_empty() {
        let mut table = Table::new(&[("wrong", Side::Left), ("where", Side::Left), ("what", Side::Left)]);
        doc.wrong.iter().for_each(|one| table.row([one.code.clone(), clean(&one.field), clean(&one.text)]));
        text.push_str(&format!("\n\n{}", table.text()));
    }
    if !doc.unproven.is_empty() {
        let mut table = Table::new(&[("not proven", Side::Left), ("attempt", Side::Right), ("", Side::Left)]);
        for gap in &doc.unproven {
            let attempt = gap.attempt.map_or_else(|| "all".to_owned(), |attempt| attempt.to_string());
            table.row([gap.code.clone(), attempt, clean(&gap.text)]);
        }
        text.push_str(&format!("\n\n{}", table.text()));
    }
    text
}
