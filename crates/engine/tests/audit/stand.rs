//! A control plane on a folder, without networks: what it has to publish is put into its outbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use custody::{Keystore, OsEntropy, note_verify};
use domain::{Clock, Interrupted, Label, NetworkName, NoProbe, Probe, RetryStatus, Timestamp};
use evidence::log::{Checkpoint, Key, Reader, Wrong, check, open_checkpoint};
use market::{
    Anchor, Caller, Committed, Error, ErrorKind, Notary, Operation, Proof, ProofRequest, Registry, Subject,
};
use store::Store;
use waag_engine::{Config, Engine, Parts, Reconciler};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// Dies at a point, once.
pub(crate) struct DiesAt(pub(crate) &'static str, pub(crate) AtomicBool);

impl Probe for DiesAt {
    fn reached(&self, point: &'static str) -> Result<(), Interrupted> {
        if point == self.0 && !self.1.swap(true, SeqCst) { Err(Interrupted { point }) } else { Ok(()) }
    }
}

/// A notary that keeps anchors, and does not answer while it is out.
#[derive(Default)]
pub(crate) struct Anchors {
    pub(crate) kept: Mutex<BTreeMap<[u8; 32], Anchor>>,
    pub(crate) calls: Mutex<u32>,
    pub(crate) out: AtomicBool,
}

fn out() -> Error {
    let (operation, status) = (Operation::Prove, RetryStatus::UnknownOutcome);
    Error::new(&"notary".parse().unwrap(), operation, ErrorKind::Unavailable, status, "the line was cut")
}

#[async_trait]
impl Notary for Anchors {
    async fn commitment(&self, _: &Label) -> Result<Option<Committed>, Error> {
        Ok(None)
    }
    async fn subject(&self, _: &NetworkName, _: &Label) -> Result<Option<Subject>, Error> {
        Ok(None)
    }
    async fn open(&self, _: &ProofRequest) -> Result<Proof, Error> {
        Err(out())
    }
    async fn observe(&self, _: &ProofRequest) -> Result<Option<Proof>, Error> {
        Ok(None)
    }
    async fn advance(&self, _: &ProofRequest) -> Result<Option<Proof>, Error> {
        Ok(None)
    }
    async fn drew(&self, _: &[u8; 32], _: &Caller) -> Result<bool, Error> {
        Ok(false)
    }
    async fn anchor(&self, anchor: &Anchor) -> Result<(), Error> {
        *self.calls.lock().unwrap() += 1;
        self.kept.lock().unwrap().insert(anchor.log, *anchor);
        if self.out.load(SeqCst) { Err(out()) } else { Ok(()) }
    }
    async fn anchored(&self, log: &[u8; 32]) -> Result<Option<Anchor>, Error> {
        if self.out.load(SeqCst) { Err(out()) } else { Ok(self.kept.lock().unwrap().get(log).copied()) }
    }
}

/// A control plane and its store.
pub(crate) struct Plane {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
}

impl Plane {
    pub(crate) async fn open(folder: &Path) -> Self {
        Self::open_with(folder, Arc::new(NoProbe), None).await
    }

    pub(crate) async fn open_with(
        folder: &Path,
        probe: Arc<dyn Probe>,
        notary: Option<Arc<Anchors>>,
    ) -> Self {
        Self::on(Store::open(folder, "one").await.unwrap(), folder, probe, notary)
    }

    pub(crate) fn on(
        store: Store,
        folder: &Path,
        probe: Arc<dyn Probe>,
        notary: Option<Arc<Anchors>>,
    ) -> Self {
        let mut registry = Registry::new([]);
        if let Some(notary) = notary {
            registry = registry.with_notary(notary);
        }
        let engine = Engine::new(Parts {
            store: store.clone(),
            registry,
            keys: Arc::new(Keystore::open(&folder.join("keys"), &OsEntropy).unwrap()),
            clock: Arc::new(Fixed),
            entropy: Arc::new(OsEntropy),
            probe,
            config: Config::default(),
            agent_url: "https://127.0.0.1:1".to_owned(),
        });
        Self { store, engine }
    }

    /// Lets so many things happen.
    pub(crate) async fn happen(&self, count: u32) {
        let mut tx = self.store.begin().await.unwrap();
        for n in 0..count {
            tx.outbox_add(NOW, "test.happened", "j_1", &format!("{{\"n\":{n}}}")).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    pub(crate) async fn publish(&self) -> u64 {
        self.engine.audit_publish().await.unwrap()
    }

    /// Why nothing is published.
    pub(crate) async fn refused(&self) -> String {
        let error = self.engine.audit_publish().await.unwrap_err();
        assert!(matches!(error, waag_engine::Error::AuditBehind { .. }), "{error:?}");
        error.to_string()
    }

    /// The step that publishes, as the product runs it.
    pub(crate) fn step(&self) -> Box<dyn Reconciler> {
        self.engine.reconcilers().into_iter().find(|step| step.name() == "audit").unwrap()
    }

    /// Stops, so that the folder can be copied or opened again.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }

    /// The signed head of the log, all of which holds.
    pub(crate) fn verified(&self) -> Checkpoint {
        let files = |path: &str| Ok::<_, Wrong>(self.store.audit().read(path).unwrap());
        let key = Key::parse(&self.engine.audit_key().unwrap()).unwrap();
        let head = open_checkpoint(files, &key, &note_verify).unwrap();
        let mut seen = 0;
        check(&mut Reader::new(head.size, files), &head, |index, bytes| {
            wire::audit::read(key.name(), index, bytes).unwrap();
            seen += 1;
            Ok::<_, Wrong>(())
        })
        .unwrap();
        assert_eq!(seen, head.size);
        head
    }
}

/// Copies a folder with everything below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Puts a copy in the place of what is there.
pub(crate) fn restore(copied: &Path, to: &Path) {
    if to.is_dir() {
        std::fs::remove_dir_all(to).unwrap();
    }
    if copied.is_dir() {
        return copy(copied, to);
    }
    std::fs::copy(copied, to).unwrap();
}
