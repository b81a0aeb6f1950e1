//! What is run is what the job's hash names: the bundle, and by it the inputs and the number of segments.
//!
//! An agent that ran other work than its validators replay would be found to differ, so neither begins with work of another job.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};

use wire::agent::{Bundle, bytes_of, hex_of};

use crate::upload::digest_of;

/// What was sent does not belong to the job that its hash names.
#[derive(Debug, thiserror::Error)]
pub enum OtherJob {
    /// The bundle and the terms do not make the job's hash.
    #[error("the bundle is not the one that the job's hash names")]
    Bundle,
    /// The bundle names other inputs, or none.
    #[error("the inputs are not those that the bundle names")]
    Inputs,
    /// The bundle names another number of segments.
    #[error("the number of segments is not the one that the bundle names")]
    Segments,
    /// It could not be read.
    #[error("what came could not be read")]
    Io(#[from] io::Error),
}

/// Reads a bundle that must be the one in the hash of the job, beside these terms.
pub(crate) fn bundle_of(sealed: &mut File, terms: &str, job: &[u8; 32]) -> Result<Bundle, OtherJob> {
    let digest = digest_of(sealed)?;
    let terms = bytes_of(terms).ok_or(OtherJob::Bundle)?;
    if evidence::job_hash(&terms, &digest) != *job {
        return Err(OtherJob::Bundle);
    }
    sealed.seek(SeekFrom::Start(0))?;
    Ok(serde_json::from_reader(BufReader::new(sealed)).map_err(io::Error::from)?)
}

/// The inputs must be those that the bundle names; there are none where it names none.
pub(crate) fn inputs_must_be_of(bundle: &Bundle, inputs: Option<&mut File>) -> Result<(), OtherJob> {
    let digest = inputs.map(digest_of).transpose()?.map(|digest| hex_of(&digest));
    if digest == bundle.inputs { Ok(()) } else { Err(OtherJob::Inputs) }
}
