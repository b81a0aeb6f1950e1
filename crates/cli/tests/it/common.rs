//! A control plane as a process, on a data folder that outlives it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::embedded::{EmbeddedChain, Genesis};
use chain::follow::{FollowSettings, Follower};
use chain::market::{Happened, Market, MarketEvent};
use domain::{Clock, NetworkName, Timestamp};
use market::MemoryMachine;
use market::sim::{SimConfig, SimNetwork, StateFile};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) const WAAG: &str = env!("CARGO_BIN_EXE_waag");
const VALIDATORS: &str = "WAAG_NETWORKS_WAAG_VALIDATORS";
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A data folder and, while it runs, its control plane.
pub(crate) struct World {
    folder: tempfile::TempDir,
    vars: Vec<(&'static str, String)>,
    up: Option<Child>,
}

impl World {
    /// An empty folder; heartbeats are quick, so that a loss is noticed soon, and patient enough for a busy machine.
    pub(crate) fn new() -> Self {
        let vars = [
            ("WAAG_ENGINE_HEARTBEAT", "300ms"),
            ("WAAG_ENGINE_HEARTBEAT_MISSES", "5"),
            ("WAAG_ENGINE_CONNECT_PATIENCE", "4s"),
            ("WAAG_ENGINE_OBSERVE_EVERY", "500ms"),
            ("WAAG_ENGINE_SWEEP_EVERY", "1s"),
            ("WAAG_ENGINE_ESCROW_EVERY", "100ms"),
            ("WAAG_ENGINE_COMMIT_PATIENCE", "3s"),
            ("WAAG_ENGINE_AUDIT_EVERY", "200ms"),
            ("WAAG_NETWORKS_WAAG_PROVIDERS", "0"),
            // Only what is about checks waits for them.
            (VALIDATORS, "0"),
        ];
        let vars = vars.map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { folder: tempfile::tempdir().unwrap(), vars, up: None }
    }

    /// The same, with providers of our own market beside the control plane.
    pub(crate) fn with_providers(count: u32) -> Self {
        let mut world = Self::new();
        world.vars.push(("WAAG_NETWORKS_WAAG_PROVIDERS", count.to_string()));
        // A new offer is found when it is posted, not when the networks are asked next.
        world.vars.push(("WAAG_ENGINE_OFFERS_EVERY", "50s".to_owned()));
        world.vars.push(("WAAG_ENGINE_OFFERS_STALE", "200s".to_owned()));
        world
    }

    /// Has work checked, by validators beside the control plane.
    pub(crate) fn weigh(&mut self) {
        self.vars.retain(|(name, _)| *name != VALIDATORS);
        self.vars.push((VALIDATORS, "3".to_owned()));
    }

    /// Sets a variable for everything that is started from now on.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.vars.push((name, value.to_owned()));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything that a test writes beside the data folder.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The next process that reaches the point in `folder` of the data folder kills itself there.
    pub(crate) fn crash_at(&self, folder: &str, point: &str) {
        self.file(&format!("data/{folder}/crash-at"), point);
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(self.data(), std::fs::Permissions::from_mode(0o711)).unwrap();
    }

    /// Whether the crash point was reached.
    pub(crate) fn crashed(&self, folder: &str) -> bool {
        !self.data().join(folder).join("crash-at").exists()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(WAAG);
        command.args(args).arg("--data").arg(self.data()).current_dir(self.folder.path());
        command.env("XDG_CONFIG_HOME", self.folder.path().join("config"));
        command.envs(self.vars.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the control plane and waits until it is ready, or has died on the way.
    pub(crate) fn up(&mut self) -> Option<Value> {
        assert!(!self.is_up(), "it runs already");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("up.log"))
            .unwrap();
        let mut child = self.command(&["up", "--json"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        while let Some(Ok(line)) = lines.next() {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        self.up = Some(child);
        serde_json::from_str(&text).ok()
    }

    /// Whether the control plane lives.
    pub(crate) fn is_up(&mut self) -> bool {
        self.up.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Waits until the control plane has died by itself.
    pub(crate) fn wait_for_death(&mut self) {
        eventually("the control plane reaches the point and dies", || (!self.is_up()).then_some(()));
        self.up = None;
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.up.take() {
            signal(child.id(), Signal::TERM);
            child.wait().unwrap();
        }
    }

    /// Kills it where it stands.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.up.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Runs a command to its end.
    pub(crate) fn waag(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts a command.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a command on a terminal of its own: what is written to its standard input is typed there.
    pub(crate) fn spawn_on_terminal(&self, args: &[&str]) -> Child {
        // With `exec` no shell is left between: some would report the Ctrl-C they saw, not the command's exit code.
        let line = format!("exec {WAAG} {} --data {}", args.join(" "), self.data().display());
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(self.folder.path());
        command.envs(self.vars.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs a command with `--json` that must succeed.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let output = self.waag(&args);
        let text = String::from_utf8(output.stdout).unwrap();
        let said = || format!("{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        assert!(output.status.success(), "{args:?}: {text}\n{}", said());
        serde_json::from_str(&text).unwrap()
    }

    /// What the control plane said last.
    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default();
        text.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// The job as the API shows it; `None` while nobody answers.
    pub(crate) fn job(&self, job: &str) -> Option<Value> {
        let output = self.waag(&["jobs", "show", job, "--json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Waits until the job has come so far.
    pub(crate) fn job_when(&self, job: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("job {job}: {what}"), || self.job(job).filter(|doc| so(doc)))
    }

    /// Waits until the job is settled.
    pub(crate) fn settled(&self, job: &str) -> Value {
        self.job_when(job, "settled", |doc| doc["state"] == "settled")
    }

    /// Nothing is left: the ledger adds up, nothing is held, no lease is open on any network, no agent lives. Stops the
    /// control plane to look at what it left on disk.
    pub(crate) fn assert_clean(&mut self) {
        let account = self.json(&["account"]);
        assert_eq!(account["held_usd"], "0.00", "{account}");
        self.stop();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store::Store::open(&self.data(), "test").await.unwrap();
            assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());
            let posted = posted_on(&store, "waag").await;
            let alerts = store.alert_list(1_000).await.unwrap();
            let differs: Vec<_> = alerts.iter().filter(|alert| alert.code == "escrow_differs").collect();
            assert!(differs.is_empty(), "{differs:?}");
            let rows = store.outbox_list(0, u32::MAX).await.unwrap().len();
            store.close().await;
            let log = self.data().join("audit");
            let verified = self.json(&["audit", "verify", log.to_str().unwrap()]);
            assert_eq!(verified["records"], rows, "everything stands in the log once");
            for network in self.networks() {
                assert_eq!(network.open_leases().await, 0, "open leases are left");
            }
            assert_eq!(self.paid_on_chain().await, posted, "chain and ledger agree");
        });
        assert_eq!(self.agents(), Vec::<u32>::new(), "agents are left");
        let left: Vec<u32> = self.daemons().into_iter().chain(self.validators()).collect();
        assert_eq!(left, Vec::<u32>::new(), "providers and validators stop with a control plane that stops");
    }

    /// Process ids of the providers' daemons that live.
    pub(crate) fn daemons(&self) -> Vec<u32> {
        self.living("providers")
    }

    /// Process ids of the validators that live.
    pub(crate) fn validators(&self) -> Vec<u32> {
        self.living("validators")
    }

    fn living(&self, parties: &str) -> Vec<u32> {
        let Ok(folders) = std::fs::read_dir(self.data().join(parties)) else { return Vec::new() };
        let recorded = |folder: std::fs::DirEntry| {
            let record = std::fs::read(folder.path().join("daemon.json")).ok()?;
            let daemon: market::MachineRef = serde_json::from_slice(&record).ok()?;
            daemon.lives().unwrap().then_some(daemon.pid)
        };
        folders.flatten().filter_map(recorded).collect()
    }

    /// Waits until something can be bought on the network.
    pub(crate) fn offered(&self, network: &str) {
        let is_on = |offer: &Value| offer["network"] == network;
        eventually(&format!("{network} has an offer"), || {
            self.json(&["offers"])["offers"].as_array().unwrap().iter().any(is_on).then_some(())
        });
    }

    /// What the leases on the chain have paid, in micro-dollars. Each has come to its end, and none was paid twice.
    async fn paid_on_chain(&self) -> i128 {
        let file = self.data().join("chain/blocks.redb");
        if !file.exists() {
            return 0;
        }
        let deployer =
            custody::EvmSigner::open(&self.data().join("keys"), "deployer.key", &custody::OsEntropy);
        let (chain_id, deployer_wei) = (chain::embedded::CHAIN_ID, chain::U256::ZERO);
        let genesis =
            Genesis { chain_id, deployer: deployer.unwrap().address(), deployer_wei, seed: [0; 32] };
        let opened = EmbeddedChain::open(&file, &genesis, Arc::new(Now)).unwrap();
        let endpoint: Value =
            serde_json::from_slice(&std::fs::read(self.data().join("endpoint.json")).unwrap()).unwrap();
        let address = endpoint["market"].as_str().unwrap().parse().unwrap();
        let market = Market::open(opened.provider(), address).await.unwrap();
        let mut paid = BTreeMap::new();
        for happened in all_events(&market).await {
            if let Some(lease) = happened.event.lease() {
                let found = market.lease(lease).await.unwrap().unwrap();
                assert!(found.state.is_final(), "lease {lease} is {}", found.state.code());
            }
            if let MarketEvent::LeaseSettled { lease, paid: amount, .. } = happened.event {
                assert_eq!(paid.insert(lease, amount), None, "lease {lease} was paid twice");
            }
        }
        i128::from(paid.into_values().sum::<u64>())
    }

    /// The simulated networks as their state files show them.
    pub(crate) fn networks(&self) -> Vec<SimNetwork> {
        let open = |name: &str, open: Open| {
            let name: NetworkName = name.parse().unwrap();
            let state = StateFile::at(self.data().join("networks").join(format!("{name}.journal")));
            let machine = Arc::new(MemoryMachine::default());
            open(SimConfig::new(name, 1797), Arc::new(Now), machine, &state).unwrap()
        };
        vec![
            open("sim-auction", SimNetwork::auction),
            open("sim-cloud", SimNetwork::cloud),
            open("sim-queue", SimNetwork::queue),
        ]
    }

    /// Process ids of agents that work below this data folder. Their folders are theirs alone.
    pub(crate) fn agents(&self) -> Vec<u32> {
        let data = self.data();
        let machines = |path: &Path| path.starts_with(&data) && path.iter().any(|part| part == "machines");
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A dead process has no folder to work in.
            if std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| machines(&cwd)) {
                found.push(pid);
            }
        }
        found
    }
}

/// What the ledger has posted for leases on a network, in micro-dollars.
async fn posted_on(store: &store::Store, network: &str) -> i128 {
    let mut posted = 0;
    for job in store.job_list(10_000).await.unwrap() {
        for row in store.settlement_list(job.id).await.unwrap() {
            let lease = store.lease_get(row.lease).await.unwrap().unwrap();
            // Validators are paid by the notary and not out of the escrow.
            let proof =
                store.proof_get(lease.execution).await.unwrap().filter(|proof| proof.lease == lease.id);
            let fee = proof.map_or(0, |proof| proof.outcome.fee_paid.micros());
            posted += if lease.network.as_str() == network { row.paid.micros() - fee } else { 0 };
        }
    }
    posted
}

async fn all_events(market: &Market) -> Vec<Happened> {
    let settings = FollowSettings {
        addresses: vec![market.address()],
        signatures: Vec::new(),
        from_block: 0,
        blocks_max: 100_000,
        events_max: 100_000,
        confirmations: 0,
        reorg_depth: 1,
    };
    let follower = Follower::new(market.provider().clone(), settings);
    let page = follower.page(None).await.unwrap();
    assert!(page.at_head);
    market.events(&page.events).await.unwrap()
}

type Open = fn(
    SimConfig,
    Arc<dyn Clock>,
    Arc<dyn market::Machine>,
    &StateFile,
) -> Result<SimNetwork, market::sim::StateError>;

struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "these tests run real processes in real time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(since.as_millis().try_into().unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
        for daemon in self.daemons() {
            signal(daemon, Signal::KILL);
        }
        for pid in self.agents() {
            signal(pid, Signal::KILL);
        }
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// Looks again and again until something is there, a minute at the most.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "it never came: {what}");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a bounded look at another process, not sleep for luck")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// A short training job in four segments on one network.
pub(crate) fn training(network: &str) -> String {
    format!(
        "name: train\nresources: {{ cpus: 1+, infra: {network} }}\nrun: waag example digits-train --epochs 4 --hidden 64\n\
         waag:\n  budget: {{ max_total_usd: 1.00 }}\n  deadline: 10m\n  checkpoint: {{ path: /checkpoint }}\n  \
         outputs: {{ path: /outputs }}\n  verify: {{ segments: 4, sample: 1 }}\n"
    )
}

/// Where a file of this repository is.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
