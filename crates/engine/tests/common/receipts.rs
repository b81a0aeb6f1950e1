//! What must hold of receipts, whatever happened: each is issued, and holds by its file alone.

use custody::Signer;
use domain::{JobId, JobState};
use evidence::log::Key;
use store::Store;
use waag_engine::{Engine, receipt_verify};
use wire::receipt::{Pins, ReportDoc};

use crate::stand::keys;

/// More jobs are in no world.
const JOBS_MAX: u32 = 10_000;

/// Issues the receipts of all settled jobs, and checks each as a stranger would. Returns what they do not prove.
pub(crate) async fn hold(engine: &Engine, store: &Store) -> Result<Vec<String>, String> {
    let mut gaps = Vec::new();
    let settled = |job: &store::JobRow| matches!(job.state, JobState::Settled(_));
    let jobs: Vec<JobId> =
        store.job_list(JOBS_MAX).await.unwrap().into_iter().filter(settled).map(|job| job.id).collect();
    for job in jobs {
        let receipt = engine.job_receipt(job).await.map_err(|e| format!("no receipt of job {job}: {e:?}"))?;
        let report = verified(&serde_json::to_vec(&receipt).unwrap());
        if !report.verified || !report.pinned {
            let text = serde_json::to_string_pretty(&receipt.body).unwrap();
            return Err(format!("the receipt of job {job} does not hold: {:#?}\n{text}", report.wrong));
        }
        gaps.extend(report.unproven.into_iter().map(|gap| gap.code));
    }
    Ok(gaps)
}

/// The key of the audit logs here.
pub(crate) fn audit_key() -> Key {
    let public = keys().audit().public();
    let name = hex::encode(&evidence::log::sha256(&[&public])[..8]);
    Key::new(&format!("waag.local/{name}"), public).unwrap()
}

/// What somebody finds who knows the keys and has the file.
pub(crate) fn verified(file: &[u8]) -> ReportDoc {
    let (key, audit) = (keys().receipts().public_key(), audit_key().to_string());
    receipt_verify(file, Pins { key: Some(&key), audit: Some(&audit) }).doc()
}
