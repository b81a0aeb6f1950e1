//! Values that may speak of a person never stand in a row of the outbox, since what is published stays. Their salted
//! commitments do, and the salt hangs on a secret that goes with the job.

use domain::{Entropy, JobId};
use evidence::log::Hash;
use store::Tx;

use crate::Error;

/// A fresh secret for a job's commitments.
pub(crate) fn job_secret(entropy: &dyn Entropy) -> Hash {
    let mut secret = [0; 32];
    entropy.fill(&mut secret);
    secret
}

/// How a value of a job stands in a row of this kind and subject.
pub(crate) async fn committed(
    tx: &mut Tx,
    job: JobId,
    kind: &str,
    subject: &str,
    field: &str,
    value: &str,
) -> Result<String, Error> {
    let secret = tx.secret_get(job).await?;
    let secret = secret.ok_or_else(|| Error::Missing { what: "secret", of: job.to_string() })?;
    Ok(wire::audit::committed(&secret, kind, subject, field, value))
}
