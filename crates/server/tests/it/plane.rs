//! A control plane with a simulated network, its clock moved by hand and both listeners on loopback.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use custody::{Keystore, OsEntropy, ServerIdentity};
use domain::{Clock, Millis, NoProbe, Timestamp};
use engine::{Config, Engine, Parts};
use market::sim::{SimConfig, SimNetwork, StateFile};
use market::{MemoryMachine, Network, Registry};
use store::Store;
use tokio::sync::watch;
use waag_server::{Guard, agent_api, serve_agents, serve_http, user_api};
use wire::agent::BootDoc;

pub(crate) const UPLOAD_BYTES_MAX: u64 = 3_000_000;
/// No test needs more steps than this to bring a lease up.
const TICKS_MAX: u32 = 100;

struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Plane {
    pub(crate) engine: Engine,
    pub(crate) users: SocketAddr,
    pub(crate) agents: SocketAddr,
    pub(crate) keys: Arc<Keystore>,
    pub(crate) folder: tempfile::TempDir,
    machine: Arc<MemoryMachine>,
    clock: Arc<ManualClock>,
    // Dropping it stops both listeners.
    _shutdown: watch::Sender<bool>,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        Self::start_with(|registry| registry).await
    }

    pub(crate) async fn start_with(connect: impl FnOnce(Registry) -> Registry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keystore::open(&folder.path().join("keys"), &OsEntropy).unwrap());
        let clock = Arc::new(ManualClock(AtomicI64::new(1_800_000_000_000)));
        let machine = Arc::new(MemoryMachine::default());
        let config = SimConfig::new("sim-cloud".parse().unwrap(), 7);
        let network =
            SimNetwork::cloud(config, clock.clone(), machine.clone(), &StateFile::memory()).unwrap();
        let (users, agents) = (listener(), listener());
        let (user_address, agent_address) = (users.local_addr().unwrap(), agents.local_addr().unwrap());
        let engine = Engine::new(Parts {
            store: Store::open(folder.path(), "test").await.unwrap(),
            registry: connect(Registry::new([Arc::new(network) as Arc<dyn Network>])),
            keys: Arc::clone(&keys),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            probe: Arc::new(NoProbe),
            config: Config { upload_bytes_max: UPLOAD_BYTES_MAX, ..Config::default() },
            agent_url: format!("https://{agent_address}"),
        });
        engine.fund("10.00".parse().unwrap()).await.unwrap();
        engine.refresh_offers().await.unwrap();
        let (shutdown, stopped) = watch::channel(false);
        let router = user_api(engine.clone(), Guard::new(user_address.port()));
        tokio::spawn(serve_http(users, router, stopped.clone()));
        let tls = keys.tls().server_config().unwrap();
        tokio::spawn(serve_agents(agents, tls, agent_api(engine.clone()), stopped));
        let (users, agents) = (user_address, agent_address);
        Self { engine, users, agents, keys, folder, machine, clock, _shutdown: shutdown }
    }

    pub(crate) fn token(&self) -> &str {
        self.keys.api_token().expose()
    }

    /// A certificate that is not ours.
    pub(crate) fn foreign_identity() -> ServerIdentity {
        ServerIdentity::mint().unwrap()
    }

    /// Moves everything on until `count` agents were started on live leases; what each was started with.
    pub(crate) async fn agents_started(&self, count: usize) -> Vec<BootDoc> {
        let reconcilers = self.engine.reconcilers();
        for _ in 0..TICKS_MAX {
            for reconciler in &reconcilers {
                reconciler.tick(self.engine.now()).await.unwrap();
            }
            let alive = self.machine.alive();
            let jobs = self.engine.job_views(10).await.unwrap();
            let live =
                jobs.iter().flat_map(|job| &job.executions).filter(|x| x.lease_state == "live").count();
            if alive.len() == count && live == count {
                return alive
                    .iter()
                    .map(|(_, boot)| serde_json::from_slice(boot.expose()).unwrap())
                    .collect();
            }
            self.clock.0.fetch_add(100, Ordering::SeqCst);
        }
        panic!("{count} agents did not start");
    }

    pub(crate) fn pass(&self, time: Millis) {
        self.clock.0.fetch_add(time.0.cast_signed(), Ordering::SeqCst);
    }

    /// Files in the folder of objects, whole or half.
    pub(crate) fn object_files(&self) -> usize {
        let shelves = std::fs::read_dir(self.folder.path().join("objects")).unwrap();
        shelves.map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum()
    }
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}
