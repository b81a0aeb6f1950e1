//! Who keeps what was promised and what was judged, where both sides can read it.

use async_trait::async_trait;
use domain::{Label, Timestamp};

use crate::{Commitment, Error};

/// The reads of a notary.
#[async_trait]
pub trait Notary: Send + Sync {
    /// What was committed to for the lease with this label, and when. `None` while there is nothing.
    async fn commitment(&self, label: &Label) -> Result<Option<Committed>, Error>;
}

/// A commitment on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// What it is.
    pub commitment: Commitment,
    /// Since when it stands.
    pub at: Timestamp,
}
