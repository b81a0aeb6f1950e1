//! What stands on the chain about the work of a lease.

use async_trait::async_trait;
use domain::{Label, NetworkName, RetryStatus};
use market::{Anchor, Caller, Committed, Error, ErrorKind, Notary, Operation, Proof, ProofRequest, Subject};

use crate::WaagNetwork;
use crate::index::Index;

impl WaagNetwork {
    fn unsupported(&self) -> Error {
        let (kind, status) = (ErrorKind::Unsupported, RetryStatus::Permanent);
        Error::new(&self.name, Operation::Prove, kind, status, "there is no notary")
    }
}

#[async_trait]
impl Notary for WaagNetwork {
    async fn commitment(&self, label: &Label) -> Result<Option<Committed>, Error> {
        let commitment = |index: &Index| index.of(label).and_then(|lease| lease.commitment);
        self.with_index(Operation::Escrow, commitment).await
    }

    async fn subject(&self, _: &NetworkName, _: &Label) -> Result<Option<Subject>, Error> {
        Err(self.unsupported())
    }

    async fn open(&self, _: &ProofRequest) -> Result<Proof, Error> {
        Err(self.unsupported())
    }

    async fn observe(&self, _: &ProofRequest) -> Result<Option<Proof>, Error> {
        Err(self.unsupported())
    }

    async fn advance(&self, _: &ProofRequest) -> Result<Option<Proof>, Error> {
        Err(self.unsupported())
    }

    async fn drew(&self, _: &[u8; 32], _: &Caller) -> Result<bool, Error> {
        Err(self.unsupported())
    }

    async fn anchor(&self, _: &Anchor) -> Result<(), Error> {
        Err(self.unsupported())
    }

    async fn anchored(&self, _: &[u8; 32]) -> Result<Option<Anchor>, Error> {
        Err(self.unsupported())
    }
}
