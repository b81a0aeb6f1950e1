//! Work checked through the notary on the same chain: leases of our own market by what their provider committed to there, all
//! others by the signature of their agent.

use std::collections::HashSet;

use async_trait::async_trait;
use chain::market::{Contact, Order, micros, signer_of, usd};
use chain::notary::{self, Phase, Request, subject_elsewhere};
use chain::sender::Call;
use chain::{Address, B256, keccak256};
use domain::{Finding, Label, NetworkName, RetryStatus, Verdict};
use market::{
    Anchor, Caller, Committed, Drawn, Error, ErrorKind, Notary, Operation, PlantedLeaf, Proof, ProofPhase,
    ProofRequest, Subject,
};

use crate::WaagNetwork;
use crate::error::{Cause, lost_race, of_read, of_send};
use crate::index::Index;

const PROVE: Operation = Operation::Prove;

/// A request as the contract takes it.
struct Asked {
    id: B256,
    request: Request,
    /// Of a lease of our own market.
    order: Option<Order>,
    /// Transactions that moved the lease itself.
    lease_txs: HashSet<B256>,
}

#[async_trait]
impl Notary for WaagNetwork {
    async fn commitment(&self, label: &Label) -> Result<Option<Committed>, Error> {
        let commitment = |index: &Index| index.of(label).and_then(|lease| lease.commitment);
        self.with_index(Operation::Escrow, commitment).await
    }

    async fn subject(&self, network: &NetworkName, label: &Label) -> Result<Option<Subject>, Error> {
        let notary = self.notary()?;
        if *network == self.name {
            let lease = |index: &Index| index.of(label).map(|lease| lease.id.0);
            let domain = self.market.digests().separator().0;
            return Ok(self.with_index(PROVE, lease).await?.map(|lease| Subject { domain, lease }));
        }
        let lease = subject_elsewhere(network.as_str(), label.as_str()).0;
        Ok(Some(Subject { domain: notary.digests().separator().0, lease }))
    }

    async fn open(&self, request: &ProofRequest) -> Result<Proof, Error> {
        let asked = self.asked(request).await?;
        self.prove(asked.id, true).await;
        if let Some(proof) = self.shown(&asked).await? {
            return Ok(proof);
        }
        let calls = self.notary()?.calls();
        let contact = self.contact(request)?;
        let call = match &asked.order {
            Some(order) => calls.open(&asked.request, order, contact),
            None => calls.open_signed(&asked.request, request.signature.clone(), contact),
        };
        self.act(format!("proof:{}", request.label), call).await?;
        self.shown(&asked).await?.ok_or_else(|| self.failed(Cause::behind()))
    }

    async fn observe(&self, request: &ProofRequest) -> Result<Option<Proof>, Error> {
        let asked = self.asked(request).await?;
        self.shown(&asked).await
    }

    async fn advance(&self, request: &ProofRequest) -> Result<Option<Proof>, Error> {
        let asked = self.asked(request).await?;
        let notary = self.notary()?;
        let Some(found) = self.proof(asked.id).await? else { return Ok(None) };
        self.prove(asked.id, !matches!(found.phase, Phase::Concluded | Phase::Abandoned)).await;
        let now = notary.next_time().await.map_err(|error| self.failed(of_read(error)))?;
        let head = notary.head().await.map_err(|error| self.failed(of_read(error)))?.number;
        let (calls, label, late) = (notary.calls(), &request.label, now > found.deadline);
        // What is not taken in time must not keep the proof from its end.
        let planted = request.planted.as_ref().filter(|_| !found.canary && !late);
        let due = match (found.phase, planted) {
            (Phase::Closing | Phase::Excusing, Some(planted)) => {
                Some((format!("canary:{label}"), calls.open_canary(&asked.request, &planted_of(planted))))
            }
            (Phase::Opened, _) if late => Some((format!("abandon:{label}"), calls.abandon(&asked.request))),
            // A block of the draw that is long gone is fixed anew, under a key of its own.
            (Phase::Opened, _) if head > found.draw_block => {
                Some((format!("draw:{label}:{}", found.draw_block), calls.draw(&asked.request)))
            }
            (Phase::Closing, None) => self.conclusion(label, &asked),
            (Phase::Excusing, None) if late || found.excused => self.conclusion(label, &asked),
            _ => None,
        };
        if let Some((key, call)) = due {
            self.act(key, call).await?;
        }
        self.shown(&asked).await
    }

    async fn drew(&self, proof: &[u8; 32], caller: &Caller) -> Result<bool, Error> {
        let Ok(named) = caller.validator.parse::<Address>() else { return Ok(false) };
        let signer = signer_of(keccak256(&caller.statement), &caller.signature);
        if signer != Some(named) {
            return Ok(false);
        }
        let found = self.proof(B256::from(*proof)).await?;
        Ok(found.is_some_and(|found| found.drawn.iter().any(|drawn| drawn.validator == named)))
    }

    async fn anchor(&self, anchor: &Anchor) -> Result<(), Error> {
        let calls = self.notary()?.calls();
        if self.anchored(&anchor.log).await?.is_some_and(|last| last.size >= anchor.size) {
            return Ok(());
        }
        let (log, root) = (B256::from(anchor.log), B256::from(anchor.root));
        let key = format!("anchor:{log}:{}", anchor.size);
        let sent = self.send(key, calls.anchor(log, anchor.size, root)).await;
        sent.map(|_| ()).map_err(|error| of_send(error).in_call(&self.name, Operation::Anchor))
    }

    async fn anchored(&self, log: &[u8; 32]) -> Result<Option<Anchor>, Error> {
        let read = self.notary()?.anchored(self.sender.address(), B256::from(*log)).await;
        let found = read.map_err(|error| of_read(error).in_call(&self.name, Operation::Anchor))?;
        Ok(found.map(|found| Anchor { log: *log, size: found.size, root: found.root.0 }))
    }
}

fn planted_of(leaf: &PlantedLeaf) -> notary::Planted {
    let PlantedLeaf { salt, index, position, siblings } = leaf;
    notary::Planted {
        salt: B256::from(*salt),
        index: *index,
        position: *position,
        out: B256::ZERO,
        siblings: siblings.iter().map(|sibling| B256::from(*sibling)).collect(),
    }
}

impl WaagNetwork {
    fn notary(&self) -> Result<&notary::Notary, Error> {
        self.notary.as_ref().ok_or_else(|| {
            let (kind, status) = (ErrorKind::Unsupported, RetryStatus::Permanent);
            Error::new(&self.name, PROVE, kind, status, "no notary is connected")
        })
    }

    fn failed(&self, cause: Cause) -> Error {
        cause.in_call(&self.name, PROVE)
    }

    async fn asked(&self, request: &ProofRequest) -> Result<Asked, Error> {
        let notary = self.notary()?;
        let (subject, order, lease_txs) = if request.network == self.name {
            let known = |index: &Index| {
                let lease = index.of(&request.label)?;
                let order = lease.order.as_deref().cloned()?;
                Some((lease.id, order, lease.txs.iter().copied().collect()))
            };
            let found = self.with_index(PROVE, known).await?;
            let (id, order, txs) = found.ok_or_else(|| self.failed(Cause::behind()))?;
            (id, Some(order), txs)
        } else {
            let subject = subject_elsewhere(request.network.as_str(), request.label.as_str());
            (subject, None, HashSet::new())
        };
        let fee = micros(request.fee).unwrap_or(u64::MAX);
        let request = Request {
            consumer: self.sender.address(),
            subject,
            job_hash: B256::from(request.job_hash),
            root: B256::from(request.commitment.root),
            leaf_count: request.commitment.leaf_count,
            segments: request.segments,
            sample: request.sample,
            validators: request.validators,
            fee: fee.max(notary.settings().min_fee),
            provider: order.as_ref().map_or(Address::ZERO, |order| order.offer.provider()),
            salt: 0,
        };
        Ok(Asked { id: notary.digests().proof(&request), request, order, lease_txs })
    }

    fn contact(&self, request: &ProofRequest) -> Result<Vec<u8>, Error> {
        let wrong = |what: &str| {
            let (kind, status) = (ErrorKind::InvalidInput, RetryStatus::Permanent);
            Error::new(&self.name, PROVE, kind, status, format!("the {what} is malformed"))
        };
        let mut pin = [0u8; 32];
        let whole = request.pin.len() == 64 && request.pin.is_ascii();
        for (byte, digits) in pin.iter_mut().zip(request.pin.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong("certificate's pin"))?;
        }
        if !whole {
            return Err(wrong("certificate's pin"));
        }
        let lease = request.label.lease().ok_or_else(|| wrong("label"))?;
        let contact = Contact { lease, execution: request.execution, pin, url: request.url.clone() };
        contact.to_bytes().map_err(|_| wrong("address of the agent API"))
    }

    fn conclusion(&self, label: &Label, asked: &Asked) -> Option<(String, Call)> {
        let calls = self.notary.as_ref()?.calls();
        let call = match &asked.order {
            Some(order) => calls.conclude(&asked.request, order),
            None => calls.conclude_signed(&asked.request),
        };
        Some((format!("conclude:{label}"), call))
    }

    /// Sends; where somebody else was faster, there is nothing to do.
    async fn act(&self, key: String, call: Call) -> Result<(), Error> {
        match self.send(key, call).await {
            Ok(_) => Ok(()),
            Err(error) if lost_race(&error) => Ok(()),
            Err(error) => Err(self.failed(of_send(error))),
        }
    }

    async fn proof(&self, id: B256) -> Result<Option<notary::Proof>, Error> {
        self.notary()?.proof(id).await.map_err(|error| self.failed(of_read(error)))
    }

    /// While one of our proofs is open, the chain must go on.
    async fn prove(&self, id: B256, open: bool) {
        let mut seen = self.seen.lock().await;
        if open {
            seen.proving.insert(id)
        } else {
            seen.proving.remove(&id)
        };
        self.beat(&mut seen);
    }

    async fn shown(&self, asked: &Asked) -> Result<Option<Proof>, Error> {
        let Some(found) = self.proof(asked.id).await? else { return Ok(None) };
        let phase = match found.phase {
            Phase::Opened => ProofPhase::Opened,
            Phase::Committing => ProofPhase::Committing,
            Phase::Revealing | Phase::Closing => ProofPhase::Revealing,
            Phase::Excusing => ProofPhase::Excusing,
            Phase::Concluded | Phase::Abandoned => ProofPhase::Concluded,
        };
        let (mut gas, mut txs) = (0u64, Vec::new());
        if phase == ProofPhase::Concluded {
            (gas, txs) = self.own_txs(asked).await?;
        }
        let drawn = found.drawn.iter().map(|drawn| Drawn {
            validator: drawn.validator.to_string(),
            finding: drawn.finding.or((phase == ProofPhase::Concluded).then_some(Finding::Silent)),
            result: drawn.result.map(|result| result.0),
        });
        let outcome = found.outcome.unwrap_or_default();
        Ok(Some(Proof {
            id: asked.id.0,
            phase,
            seed: found.seed.map(|seed| seed.0),
            drawn: drawn.collect(),
            verdict: found.verdict.or((found.phase == Phase::Abandoned).then_some(Verdict::Unknown)),
            fee_paid: usd(outcome.fee_paid),
            slashed: usd(outcome.slashed),
            compensated: usd(outcome.to_consumer),
            deadline: (phase != ProofPhase::Concluded).then_some(found.deadline),
            gas,
            txs,
        }))
    }

    /// Gas and hashes of our own transactions for a proof. Those that moved its lease too are counted there.
    async fn own_txs(&self, asked: &Asked) -> Result<(u64, Vec<String>), Error> {
        let unreadable = |error| self.failed(of_read(error));
        let (mut gas, mut ours) = (0u64, Vec::new());
        for tx in self.notary()?.txs_of(asked.id, self.from_block).await.map_err(unreadable)? {
            if asked.lease_txs.contains(&tx) {
                continue;
            }
            let Some(spent) = self.market.spent(tx).await.map_err(unreadable)? else { continue };
            if spent.from == self.sender.address() {
                gas = gas.saturating_add(spent.gas);
                ours.push(tx.to_string());
            }
        }
        Ok((gas, ours))
    }
}
