//! A provider as a process, on a chain that this test serves.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use chain::embedded::{CHAIN_ID, EmbeddedChain, Genesis};
use chain::journal::FileJournal;
use chain::market::{Contact, Deployed, Market, MarketTerms, OfferId, Order, State, deploy, hand_out};
use chain::sender::{Call, IntentKey, Sender, SenderSettings};
use chain::{Address, B256, U256};
use custody::{EvmSigner, OsEntropy};
use domain::{Clock, ExecutionId, LeaseId, Millis, Timestamp};
use market::MachineRef;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use wire::agent::{Commitment, hex_of};

use crate::common::{WAAG, eventually};

const DOLLAR: u64 = 1_000_000;

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
}

struct Scene {
    dir: tempfile::TempDir,
    url: String,
    owner: Sender,
    deployed: Deployed,
    market: Market,
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let signer = EvmSigner::mint(&OsEntropy).unwrap();
        let deployer_wei = U256::from(10_u128.pow(21));
        let genesis = Genesis { chain_id: CHAIN_ID, deployer: signer.address(), deployer_wei, seed: [9; 32] };
        let chain = EmbeddedChain::in_memory(&genesis, Arc::new(WallClock)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = chain.http_router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = SenderSettings {
            chain_id: CHAIN_ID,
            fee_cap_wei: 500_000_000_000,
            tip_wei: 1_000_000_000,
            gas_ceiling: 8_000_000,
            wait: Millis(10_000),
            poll: Millis(5),
            replace_after: Millis(60_000),
            confirmations: 0,
        };
        let journal = Arc::new(FileJournal::open(&dir.path().join("owner.redb")).unwrap());
        let owner = Sender::new(chain.provider(), Arc::new(signer), journal, settings);
        let terms = MarketTerms {
            verifier: Address::ZERO,
            insurance: Address::repeat_byte(0x11),
            stake_per_unit: 5 * DOLLAR,
            reserve_bps: 2_000,
            unbonding_period: 3_600,
            commit_window: 600,
            verdict_window: 300,
            dispute_window: 900,
        };
        let deployed = deploy(&owner, &terms).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market).await.unwrap();
        let scene = Self { dir, url, owner, deployed, market };
        // The owner is the consumer as well.
        let (token, me) = (deployed.token, scene.owner.address());
        hand_out(&scene.owner, token, me, U256::from(1), 100 * DOLLAR, "consumer").await.unwrap();
        scene.send("approve", &scene.market.token_calls().approve(deployed.market, u64::MAX)).await;
        scene
    }

    async fn send(&self, key: &str, call: &Call) {
        self.owner.send(&IntentKey(key.to_owned()), call).await.unwrap();
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("provider")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(WAAG);
        command.arg("provider").args(args).arg("--folder").arg(self.folder()).stdin(Stdio::null());
        command
    }

    fn waag(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> (i32, Value) {
        let output = self.waag(&[args, &["--json"]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        let document = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (output.status.code().unwrap(), document)
    }

    async fn init(&self) -> Address {
        let market = self.deployed.market.to_string();
        let given = ["init", "--market", &market, "--rpc-url", &self.url, "--set", "poll=100ms"];
        let (code, made) = self.json(&given);
        assert_eq!(code, 0, "{made}");
        let address: Address = made["address"].as_str().unwrap().parse().unwrap();
        let wei = U256::from(10_u128.pow(18));
        hand_out(&self.owner, self.deployed.token, address, wei, 20 * DOLLAR, "provider").await.unwrap();
        address
    }

    /// Starts the daemon, and waits until it sells.
    fn run(&self, args: &[&str]) -> Child {
        let mut child = self.command(&[&["run"], args].concat()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("selling as")));
        std::thread::spawn(move || lines.for_each(drop));
        child
    }

    /// A lease on the provider's first offer, and its agent once there is one.
    async fn lease(&self, provider: Address) -> (Order, PathBuf, MachineRef) {
        let contact = Contact {
            lease: LeaseId::from_bytes([1; 10]),
            execution: ExecutionId::from_bytes([2; 10]),
            pin: [3; 32],
            url: "https://127.0.0.1:9".to_owned(),
        };
        let contact = contact.to_bytes().unwrap();
        let order = Order {
            consumer: self.owner.address(),
            offer: OfferId::new(provider, [0; 12]),
            job_hash: B256::ZERO,
            contact_hash: Contact::hash(&contact),
            max_price_per_hour: DOLLAR,
            units: 1,
            span: 1_800,
            accept_by: u64::try_from(WallClock.now().0 / 1000).unwrap() + 600,
            salt: 1,
        };
        eventually("the offer stands", || {
            let (code, status) = self.json(&["status"]);
            (code == 0 && status["offers"].as_array()?.len() == 1).then_some(())
        });
        self.send("create", &self.market.calls().create_lease(&order, contact)).await;
        let (folder, agent) = eventually("the agent lives", || {
            let folder = std::fs::read_dir(self.folder().join("machines")).ok()?.next()?.ok()?.path();
            let text = std::fs::read(folder.join("machine.json")).ok()?;
            let agent: MachineRef = serde_json::from_slice(&text).ok()?;
            agent.lives().unwrap().then_some((folder, agent))
        });
        (order, folder, agent)
    }

    async fn state(&self, order: &Order) -> State {
        self.market.lease(self.market.digests().lease(order)).await.unwrap().unwrap().state
    }
}

fn stop(mut child: Child) -> Option<i32> {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    child.wait().unwrap().code()
}

/// What an agent in `folder` leaves for its provider.
fn commit(scene: &Scene, order: &Order, folder: &Path, leaf_count: u32) {
    let label = folder.file_name().unwrap().to_str().unwrap();
    let keys = scene.folder().join("keys/agents");
    let agent = EvmSigner::open(&keys, &format!("{label}.key"), &OsEntropy).unwrap();
    let (lease, root) = (scene.market.digests().lease(order), B256::repeat_byte(5));
    let signature = agent.sign_digest(&scene.market.digests().commitment(lease, root, leaf_count).0).unwrap();
    let said = Commitment {
        root: hex_of(&root.0),
        leaf_count,
        signature: hex_of(&signature),
        digest: hex_of(&[0; 32]),
        outputs: false,
    };
    std::fs::write(folder.join("said"), serde_json::to_vec(&said).unwrap()).unwrap();
    std::fs::rename(folder.join("said"), folder.join("commitment.json")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn daemon_stops_while_its_agent_runs_on_and_is_taken_over() {
    let scene = Scene::new().await;
    let provider = scene.init().await;
    let daemon = scene.run(&[]);
    let (order, folder, agent) = scene.lease(provider).await;
    let (code, refused) = scene.json(&["run"]);
    assert_eq!((code, refused["code"].as_str()), (6, Some("provider_in_use")));
    assert_eq!(stop(daemon), Some(0));
    assert!(agent.lives().unwrap(), "an agent outlives its daemon");
    assert_eq!(scene.state(&order).await, State::Active);
    commit(&scene, &order, &folder, 2);
    let daemon = scene.run(&[]);
    let id = scene.market.digests().lease(&order);
    let since = scene.market.lease(id).await.unwrap().unwrap().started_at.unwrap();
    eventually("a second is billed", || (WallClock.now() > since + Millis(1_000)).then_some(()));
    scene.send("end", &scene.market.calls().end(&order)).await;
    eventually("the agent ends with its lease", || (!agent.lives().unwrap()).then_some(()));
    eventually("the work is committed", || {
        let (_, status) = scene.json(&["status"]);
        (status["leases"][0]["state"] == "committed").then_some(())
    });
    scene.send("settle", &scene.market.calls().settle(&order)).await;
    eventually("nothing is left of it", || (!folder.exists()).then_some(()));
    assert_eq!(scene.json(&["drain"]).0, 0);
    let mut daemon = daemon;
    assert_eq!(daemon.wait().unwrap().code(), Some(0), "a drained daemon ends by itself");
    let to = Address::repeat_byte(0x77);
    let (code, asked) = scene.json(&["withdraw", "--to", &to.to_string()]);
    assert_eq!((code, asked["done"].as_bool()), (0, Some(true)), "{asked}");
    assert!(scene.market.token_balance(to).await.unwrap() > 0);
    let (code, asked) = scene.json(&["withdraw"]);
    assert_eq!((code, asked["done"].as_bool()), (0, Some(false)), "nothing is left: {asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn daemon_with_the_fault_is_killed_together_with_its_agent() {
    let scene = Scene::new().await;
    let provider = scene.init().await;
    let mut daemon = scene.run(&["--fault", "die"]);
    let (order, folder, agent) = scene.lease(provider).await;
    commit(&scene, &order, &folder, 3);
    assert_eq!(daemon.wait().unwrap().signal(), Some(9));
    assert!(!agent.lives().unwrap());
    assert_eq!(scene.state(&order).await, State::Active);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_wrong_has_a_code_and_a_way_on() {
    let scene = Scene::new().await;
    for args in [&["status"][..], &["run"], &["drain"], &["withdraw"]] {
        let (code, error) = scene.json(args);
        assert_eq!((code, error["code"].as_str()), (4, Some("no_provider")), "{args:?}");
    }
    let (code, error) = scene.json(&["init", "--set", "units=0"]);
    assert_eq!((code, error["code"].as_str()), (2, Some("provider_config")));
    assert!(
        error["why"].as_str().unwrap().contains("`units` cannot be `0`: write a whole number"),
        "{error}"
    );
    assert!(!scene.folder().exists(), "nothing is made of a wrong word");
    scene.init().await;
    let (code, error) = scene.json(&["init"]);
    assert_eq!((code, error["code"].as_str()), (2, Some("provider_exists")));
    let reconfigure = |from: &str, to: &str| {
        let file = scene.folder().join("provider.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    };
    reconfigure(&scene.url, "http://127.0.0.1:9");
    let (code, error) = scene.json(&["run"]);
    assert_eq!((code, error["code"].as_str()), (5, Some("chain_unreachable")));
    assert!(error["next"].as_str().unwrap().contains("rpc_url"), "{error}");
    reconfigure("http://127.0.0.1:9", &scene.url);
    reconfigure(&scene.deployed.market.to_string(), &scene.deployed.token.to_string());
    let (code, error) = scene.json(&["run"]);
    assert_eq!((code, error["code"].as_str()), (2, Some("no_market")));
}
