//! A notary in memory, which outlives the control plane, and the validators that it draws: they ask the engine for openings as
//! real ones do, and look whether what they should get out is what a cheat puts there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{Clock, Finding, Label, NetworkName, RetryStatus, Usd};
use evidence::{Word, keccak, result, verdict};
use market::{
    Anchor, Caller, Committed, Drawn, Error, ErrorKind, Notary, Operation, Proof, ProofPhase, ProofRequest,
    Subject,
};
use waag_engine::{AgentRefusal, Engine};
use wire::agent::{bytes_of, hex_of};
use wire::openings::OpeningRequest;

use crate::agents::FABRICATED;
use crate::chance::Dice;
use crate::parts::{Cut, SimTime, died, lock};

/// From the opening to the draw.
const DRAW_AFTER: i64 = 2_000;
/// Validators that do not get their states say so then.
const PATIENCE: i64 = 60_000;
/// Out of a hundred calls that do not arrive, or whose reply is lost.
const CUT: u64 = 4;
/// Out of a hundred proofs in which a validator contradicts whatever the others found.
const CONTRARY: u64 = 6;

pub(crate) struct MemoryNotary {
    time: Arc<SimTime>,
    seed: u64,
    cuts: bool,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    calls: u64,
    proofs: BTreeMap<[u8; 32], Entry>,
    anchors: BTreeMap<[u8; 32], Anchor>,
}

struct Entry {
    request: ProofRequest,
    opened_at: i64,
    found: Option<(Finding, [u8; 32])>,
}

impl MemoryNotary {
    pub(crate) fn new(time: Arc<SimTime>, seed: u64, cuts: bool) -> Self {
        Self { time, seed, cuts, books: Mutex::default() }
    }

    /// What the line does to this call.
    fn cut(&self) -> Option<Cut> {
        let call = {
            let mut books = lock(&self.books);
            books.calls += 1;
            books.calls
        };
        match Dice::of(self.seed ^ call, "notary").between(0, 99) {
            _ if !self.cuts => None,
            roll if roll < CUT / 2 => Some(Cut::Before),
            roll if roll < CUT => Some(Cut::After),
            _ => None,
        }
    }

    fn shown(&self, id: &[u8; 32], entry: &Entry) -> Proof {
        let seed = (self.time.real() >= entry.opened_at + DRAW_AFTER).then(|| keccak(&[b"seed", id]));
        let contrary = self.cuts && Dice::of(self.seed, &hex_of(id)).percent(CONTRARY);
        let words: Vec<Word> = match entry.found {
            None => Vec::new(),
            Some((finding, result)) => (0..entry.request.validators)
                .map(|n| match finding {
                    Finding::Same if contrary && n == 0 => {
                        Word { finding: Finding::Differs, result: [n.to_le_bytes()[0]; 32] }
                    }
                    _ => Word { finding, result },
                })
                .collect(),
        };
        let drawn = (0..entry.request.validators).map(|n| Drawn {
            validator: format!("0x{n:040x}"),
            finding: words.get(n as usize).map(|word| word.finding),
            result: words.get(n as usize).map(|word| word.result),
        });
        let replays = u64::from(policy::proof::replayed(entry.request.segments, entry.request.sample));
        let spoke = words.iter().filter(|word| word.finding != Finding::Silent).count() as u64;
        Proof {
            id: *id,
            phase: match (seed, entry.found) {
                (_, Some(_)) => ProofPhase::Concluded,
                (Some(_), None) => ProofPhase::Committing,
                (None, None) => ProofPhase::Opened,
            },
            seed,
            drawn: if seed.is_some() { drawn.collect() } else { Vec::new() },
            verdict: entry.found.map(|_| verdict(&words)),
            fee_paid: entry.request.fee.times(spoke * replays),
            slashed: Usd::ZERO,
            compensated: Usd::ZERO,
            deadline: None,
            gas: 0,
            txs: Vec::new(),
        }
    }

    /// What the log with this name is said to have had.
    pub(crate) fn anchor_of(&self, log: &[u8; 32]) -> Option<Anchor> {
        lock(&self.books).anchors.get(log).copied()
    }

    /// When a proof changes by itself next, in real time.
    pub(crate) fn next_due(&self) -> Option<i64> {
        let books = lock(&self.books);
        let open = books.proofs.values().filter(|entry| entry.found.is_none());
        open.map(|entry| {
            let draw = entry.opened_at + DRAW_AFTER;
            if self.time.real() < draw {
                draw
            } else {
                (self.time.real() + 1_000).min(entry.opened_at + PATIENCE)
            }
        })
        .min()
    }

    /// Lets the drawn validators look. Returns how many proofs were concluded.
    pub(crate) async fn look(&self, engine: Option<&Engine>) -> Result<u64, String> {
        let now = self.time.real();
        let due: Vec<([u8; 32], bool)> = lock(&self.books)
            .proofs
            .iter()
            .filter(|(_, entry)| entry.found.is_none() && now >= entry.opened_at + DRAW_AFTER)
            .map(|(id, entry)| (*id, now >= entry.opened_at + PATIENCE))
            .collect();
        let mut concluded = 0;
        for (id, late) in due {
            let found = match engine {
                Some(engine) => self.replay(engine, &id).await?,
                None => None,
            };
            if let Some(found) = found.or(late.then_some((Finding::Withheld, [0; 32]))) {
                lock(&self.books).proofs.get_mut(&id).unwrap().found = Some(found);
                concluded += 1;
            }
        }
        Ok(concluded)
    }

    /// What a replay of the openings comes to; `None` where they are not to be had now.
    async fn replay(&self, engine: &Engine, id: &[u8; 32]) -> Result<Option<(Finding, [u8; 32])>, String> {
        let request = OpeningRequest {
            proof: hex_of(id),
            validator: format!("0x{:040x}", 0),
            instance_key: hex::encode([9u8; 32]),
            at_ms: self.time.now().0,
            signature: hex_of(&[0; 65]),
        };
        let openings = match engine.openings(&request).await {
            Ok(openings) => openings,
            Err(AgentRefusal::Withheld) => return Ok(Some((Finding::Withheld, [0; 32]))),
            // Not told of the draw yet, or gone for a moment.
            Err(AgentRefusal::NotYet | AgentRefusal::NoProof | AgentRefusal::ProofOver) => return Ok(None),
            Err(AgentRefusal::Engine(error)) if died(&error) => return Ok(None),
            Err(other) => return Err(format!("a drawn validator was answered with {other:?}")),
        };
        let (root, leaves) = {
            let books = lock(&self.books);
            let commitment = books.proofs[id].request.commitment;
            (commitment.root, commitment.leaf_count)
        };
        let job = bytes_of(&openings.job_hash).unwrap();
        let (mut differs, mut after) = (false, Vec::new());
        for opened in &openings.opened {
            let number = u64::from(openings.lease_segments_from + opened.segment);
            for (place, index, leaf) in [(0, number, &opened.before), (1, number + 1, &opened.after)] {
                let (digest, siblings) = leaf.bytes().unwrap();
                let hash = evidence::Leaf::state(index, digest).hash(&job);
                if !evidence::tree::verify(&root, leaves, opened.segment + place, &hash, &siblings) {
                    return Err("an opening does not lead to the root that was committed to".to_owned());
                }
                differs |= place == 1 && digest == FABRICATED;
                after.extend((place == 1).then_some(hash));
            }
            if let Some(outputs) = &opened.outputs {
                let (digest, _) = outputs.bytes().unwrap();
                after.push(evidence::Leaf::outputs(number + 2, digest).hash(&job));
            }
            if opened.state.is_none() && number > 0 {
                return Err(format!("state {number} was not opened"));
            }
        }
        // Who finds the same has computed what was committed to.
        Ok(Some(if differs { (Finding::Differs, [7; 32]) } else { (Finding::Same, result(&after)) }))
    }
}

#[async_trait]
impl Notary for MemoryNotary {
    async fn commitment(&self, _: &Label) -> Result<Option<Committed>, Error> {
        Ok(None)
    }

    async fn subject(&self, network: &NetworkName, label: &Label) -> Result<Option<Subject>, Error> {
        let lease = keccak(&[network.to_string().as_bytes(), label.as_str().as_bytes()]);
        Ok(Some(Subject { domain: [1; 32], lease }))
    }

    async fn open(&self, request: &ProofRequest) -> Result<Proof, Error> {
        let cut = self.cut();
        if cut == Some(Cut::Before) {
            return Err(lost());
        }
        let id = id_of(request);
        let shown = {
            let mut books = lock(&self.books);
            let now = self.time.real();
            let entry = books.proofs.entry(id).or_insert_with(|| Entry {
                request: request.clone(),
                opened_at: now,
                found: None,
            });
            self.shown(&id, entry)
        };
        if cut.is_some() { Err(lost()) } else { Ok(shown) }
    }

    async fn observe(&self, request: &ProofRequest) -> Result<Option<Proof>, Error> {
        let id = id_of(request);
        Ok(lock(&self.books).proofs.get(&id).map(|entry| self.shown(&id, entry)))
    }

    async fn advance(&self, request: &ProofRequest) -> Result<Option<Proof>, Error> {
        if self.cut().is_some() { Err(lost()) } else { self.observe(request).await }
    }

    async fn drew(&self, proof: &[u8; 32], _: &Caller) -> Result<bool, Error> {
        Ok(lock(&self.books).proofs.contains_key(proof))
    }

    async fn anchor(&self, anchor: &Anchor) -> Result<(), Error> {
        let mut books = lock(&self.books);
        // As on chain: what was written down never becomes less, and never something else.
        if let Some(known) = books.anchors.get(&anchor.log)
            && (known.size > anchor.size || (known.size == anchor.size && known.root != anchor.root))
        {
            return Err(lost());
        }
        books.anchors.insert(anchor.log, *anchor);
        Ok(())
    }

    async fn anchored(&self, log: &[u8; 32]) -> Result<Option<Anchor>, Error> {
        Ok(lock(&self.books).anchors.get(log).copied())
    }
}

fn lost() -> Error {
    let (operation, status) = (Operation::Prove, RetryStatus::UnknownOutcome);
    Error::new(&"notary".parse().unwrap(), operation, ErrorKind::Unavailable, status, "the line was cut")
}

/// The same request is the same proof.
fn id_of(request: &ProofRequest) -> [u8; 32] {
    let ProofRequest { label, commitment, segments, sample, validators, fee, .. } = request;
    let text = format!("{} {} {segments} {sample} {validators} {fee}", label.as_str(), commitment.leaf_count);
    keccak(&[text.as_bytes(), &commitment.root])
}
