//! The control plane as a validator sees it: openings and sealed objects under a pinned certificate. What the work is: each state
//! is a number, and the next one follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use agent::replay::{ReplayError, Replayed, Replayer, Segment};
use async_trait::async_trait;
use axum::extract::{Path, State as Held};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use chain::B256;
use chain::market::signer_of;
use custody::{DataKey, OsEntropy, ServerIdentity, seal, wrap};
use domain::ObjectId;
use evidence::{Leaf, StateHasher, Tree, drawn_segments, keccak, tree};
use wire::agent::{Bundle, SealedRef, WRAP_INFO, bytes_of, hex_of};
use wire::openings::{OpenedLeaf, OpenedSegment, OpeningRequest, Openings};

/// The job's first state in this commitment, and what it covers.
pub(crate) const FIRST: u32 = 3;
pub(crate) const SEGMENTS: u32 = 6;
pub(crate) const SAMPLE: u32 = 2;
const TERMS: [u8; 32] = [7; 32];
const INPUTS: &[u8] = b"inputs";
/// The job as its leaves name it.
pub(crate) static JOB: LazyLock<[u8; 32]> =
    LazyLock::new(|| evidence::job_hash(&TERMS, &digest(&serde_json::to_vec(&bundle()).unwrap())));
const TOKEN: &str = "only-these";

pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = StateHasher::default();
    std::io::Write::write_all(&mut hasher, bytes).unwrap();
    hasher.finish()
}

/// What the job runs.
fn bundle() -> Bundle {
    Bundle {
        setup: None,
        run: "mill".to_owned(),
        env: BTreeMap::new(),
        workdir: false,
        mounts: Vec::new(),
        checkpoint_path: Some("/checkpoint".to_owned()),
        outputs_path: Some("/outputs".to_owned()),
        network: false,
        cpus_milli: 1,
        memory_mib: 1,
        disk_mib: 1,
        accelerators: 0,
        segments: FIRST + SEGMENTS,
        inputs: Some(hex_of(&digest(INPUTS))),
        salt: "00".to_owned(),
    }
}

fn next(state: &str) -> String {
    format!("{:x}", state.bytes().fold(17u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))))
}

fn outputs_of(state: &str) -> String {
    format!("outputs of {state}")
}

/// Does the work of a segment, and counts.
#[derive(Default)]
pub(crate) struct Mill {
    pub(crate) ran: AtomicUsize,
    /// This machine cannot.
    pub(crate) broken: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Replayer for Mill {
    async fn replay(&self, segment: Segment) -> Result<Replayed, ReplayError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(ReplayError::Setup);
        }
        self.ran.fetch_add(1, Ordering::SeqCst);
        assert_eq!((segment.bundle.run.as_str(), segment.of), ("mill", FIRST + SEGMENTS));
        let text = |file: Option<File>| {
            let mut text = String::new();
            let mut file = file.unwrap();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(text(segment.inputs), "inputs");
        let state = next(&text(segment.state));
        let outputs = segment.outputs.then(|| digest(outputs_of(&state).as_bytes()));
        Ok(Replayed { state: Some(digest(state.as_bytes())), outputs })
    }
}

/// What a provider did and committed to, and how the control plane serves it.
pub(crate) struct Work {
    states: Vec<String>,
    pub(crate) digests: Vec<[u8; 32]>,
    pub(crate) outputs: [u8; 32],
    pub(crate) leaves: Vec<[u8; 32]>,
    pub(crate) root: B256,
}

impl Work {
    /// Honest but for these segments.
    pub(crate) fn new(fabricated: &[u32]) -> Self {
        let mut honest = vec!["begin".to_owned()];
        for segment in 0..SEGMENTS as usize {
            honest.push(next(&honest[segment]));
        }
        let outputs = digest(outputs_of(&honest[SEGMENTS as usize]).as_bytes());
        let mut states = honest;
        for segment in fabricated {
            states[*segment as usize + 1].push_str(" more or less");
        }
        let digests: Vec<_> = states.iter().map(|state| digest(state.as_bytes())).collect();
        Self::of(states, digests, outputs)
    }

    fn of(states: Vec<String>, digests: Vec<[u8; 32]>, outputs: [u8; 32]) -> Self {
        let number = |place: usize| u64::from(FIRST) + place as u64;
        let mut leaves: Vec<_> = digests
            .iter()
            .enumerate()
            .map(|(place, digest)| Leaf::state(number(place), *digest).hash(&JOB))
            .collect();
        leaves.push(Leaf::outputs(number(leaves.len()), outputs).hash(&JOB));
        let mut grown = Tree::default();
        leaves.iter().for_each(|leaf| grown.push(*leaf));
        let root = B256::from(grown.root().unwrap());
        Self { states, digests, outputs, leaves, root }
    }

    /// The same work with a digest that no state has.
    pub(crate) fn planted(self, place: usize, digest: [u8; 32]) -> Self {
        let mut digests = self.digests;
        digests[place] = digest;
        Self::of(self.states, digests, self.outputs)
    }

    pub(crate) fn leaf_count(&self) -> u32 {
        u32::try_from(self.leaves.len()).unwrap()
    }

    fn opened(&self, place: usize, digest: [u8; 32]) -> OpenedLeaf {
        OpenedLeaf::new(&digest, &tree::proof(&self.leaves, place))
    }
}

/// How it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Fair,
    /// Answers every request for openings with this status.
    Refuses(u16),
    /// Has no objects.
    Empty,
    /// Seals other states than were committed to.
    Swaps,
    /// Opens another leaf.
    Lies,
    /// Serves a bundle that asks for other work.
    OtherWork,
    /// Serves other inputs.
    OtherInputs,
    /// Serves none.
    NoInputs,
    /// Serves a bundle that divides the job otherwise.
    MoreSegments,
}

pub(crate) struct Plane {
    pub(crate) url: String,
    pub(crate) pin: [u8; 32],
    inner: Arc<Inner>,
}

struct Inner {
    work: Mutex<(Arc<Work>, BTreeMap<B256, B256>)>,
    manner: Mutex<Manner>,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<BTreeSet<String>>,
}

impl Plane {
    pub(crate) async fn new(work: Work) -> Self {
        let identity = ServerIdentity::mint().unwrap();
        let inner = Arc::new(Inner {
            work: Mutex::new((Arc::new(work), BTreeMap::new())),
            manner: Mutex::new(Manner::Fair),
            objects: Mutex::default(),
            asked: Mutex::default(),
        });
        let router = Router::new()
            .route("/agent/v1/openings", post(openings))
            .route("/agent/v1/objects/{id}", get(object))
            .with_state(Arc::clone(&inner));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let config = RustlsConfig::from_config(Arc::new(identity.server_config().unwrap()));
        let server = axum_server::from_tcp_rustls(listener, config).unwrap();
        tokio::spawn(server.serve(router.into_make_service()));
        let pin = hex::decode(identity.pin().to_string()).unwrap().try_into().unwrap();
        Self { url, pin, inner }
    }

    pub(crate) fn work(&self) -> Arc<Work> {
        Arc::clone(&self.inner.work.lock().unwrap().0)
    }

    /// What was drawn for a proof.
    pub(crate) fn drawn(&self, proof: B256, seed: B256) {
        self.inner.work.lock().unwrap().1.insert(proof, seed);
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.inner.manner.lock().unwrap() = manner;
    }

    /// Who asked.
    pub(crate) fn askers(&self) -> BTreeSet<String> {
        self.inner.asked.lock().unwrap().clone()
    }
}

impl Inner {
    fn seal(&self, name: &str, plain: &[u8], to: &str) -> SealedRef {
        let key = DataKey::mint(&OsEntropy);
        let (mut sealed, context) = (Vec::new(), format!("context of {name}"));
        seal(&mut &plain[..], &mut sealed, &key, context.as_bytes(), &OsEntropy).unwrap();
        let mut id = [0; 10];
        id.copy_from_slice(&keccak(&[name.as_bytes(), to.as_bytes()])[..10]);
        let object = ObjectId::from_bytes(id);
        if *self.manner.lock().unwrap() != Manner::Empty {
            self.objects.lock().unwrap().insert(object.to_string(), sealed);
        }
        let wrapped = wrap(&key, &to.parse().unwrap(), WRAP_INFO, &OsEntropy).unwrap();
        SealedRef { object, context, wrapped_key: hex::encode(wrapped) }
    }

    fn answer(&self, request: &OpeningRequest, seed: B256, work: &Work) -> Openings {
        let manner = *self.manner.lock().unwrap();
        let to = &request.instance_key;
        let segments = drawn_segments(&seed.0, SEGMENTS, SAMPLE);
        let opened = segments.into_iter().map(|segment| {
            let place = segment as usize;
            let mut state = work.states[place].clone();
            if manner == Manner::Swaps {
                state.push('!');
            }
            let mut after = work.digests[place + 1];
            if manner == Manner::Lies {
                after[0] ^= 1;
            }
            let last = segment + 1 == SEGMENTS;
            OpenedSegment {
                segment,
                state: Some(self.seal(&format!("state {segment}"), state.as_bytes(), to)),
                before: work.opened(place, work.digests[place]),
                after: work.opened(place + 1, after),
                outputs: last.then(|| work.opened(place + 2, work.outputs)),
            }
        });
        let (mut bundle, mut inputs) = (bundle(), INPUTS.to_vec());
        match manner {
            Manner::OtherWork => "mill harder".clone_into(&mut bundle.run),
            Manner::OtherInputs => inputs.push(b'!'),
            Manner::MoreSegments => bundle.segments += 1,
            _ => {}
        }
        Openings {
            job_terms: hex_of(&TERMS),
            job_hash: hex_of(&*JOB),
            token: TOKEN.to_owned(),
            lease_segments_from: FIRST,
            leaf_count: work.leaf_count(),
            bundle: self.seal("bundle", &serde_json::to_vec(&bundle).unwrap(), to),
            inputs: (manner != Manner::NoInputs).then(|| self.seal("inputs", &inputs, to)),
            opened: opened.collect(),
        }
    }
}

async fn openings(
    Held(inner): Held<Arc<Inner>>,
    Json(request): Json<OpeningRequest>,
) -> Result<Json<Openings>, StatusCode> {
    let signature: [u8; 65] = bytes_of(&request.signature).unwrap();
    let signed = B256::from(keccak(&[request.statement().as_bytes()]));
    let by = signer_of(signed, &signature).ok_or(StatusCode::FORBIDDEN)?;
    if by.to_checksum(None) != request.validator {
        return Err(StatusCode::FORBIDDEN);
    }
    inner.asked.lock().unwrap().insert(request.validator.clone());
    if let Manner::Refuses(status) = *inner.manner.lock().unwrap() {
        return Err(StatusCode::from_u16(status).unwrap());
    }
    let (work, drawn) = inner.work.lock().unwrap().clone();
    let seed = drawn.get(&request.proof.parse::<B256>().unwrap()).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(inner.answer(&request, *seed, &work)))
}

async fn object(
    Held(inner): Held<Arc<Inner>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Vec<u8>, StatusCode> {
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&format!("Bearer {TOKEN}"))
    {
        return Err(StatusCode::UNAUTHORIZED);
    }
    inner.objects.lock().unwrap().get(&id).cloned().ok_or(StatusCode::NOT_FOUND)
}
