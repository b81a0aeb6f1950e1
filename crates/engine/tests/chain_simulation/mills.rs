//! Providers: real daemons on real folders, whose agents exist in memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chain::Address;
use domain::{Entropy, RetryStatus, Timestamp};
use market::{Machine, MemoryMachine};
use node::provider::{self, Folder, Given, Parts, Provider, ProviderError};

use crate::chance::{Dice, SeededEntropy};
use crate::gate::Gate;
use crate::place::{PROVIDER_FUND, Place};

/// A daemon that has not come to rest by then never will.
const TICKS_MAX: usize = 60;
/// Without anything new on the chain it looks again after this.
const POLL_MS: i64 = 20_000;
const AFTER_ERROR_MS: i64 = 2_000;
/// A journal is let go when the last write that a killed daemon had begun is over.
const OPENS_MAX: usize = 1_000;

/// A provider.
pub(crate) struct Mill {
    pub(crate) folder: Folder,
    pub(crate) gate: Arc<Gate>,
    pub(crate) machine: Arc<MemoryMachine>,
    pub(crate) account: Address,
    entropy: Arc<dyn Entropy>,
    daemon: Option<Provider>,
    /// When it comes back, once it is dead; never is the end of time.
    pub(crate) up_at: i64,
    /// It has looked at this head.
    seen: u64,
    pub(crate) next: i64,
    /// What became of its life: it is killed without a word by its gate, and comes back so long after that.
    pub(crate) back: Option<i64>,
}

/// What a daemon's turn came to.
pub(crate) enum Turn {
    Rests,
    Dies,
}

impl Mill {
    /// A provider with its offer on the chain.
    pub(crate) async fn open(place: &Place, root: &Path, seed: u64, n: usize, price: &str) -> Self {
        let gate = Gate::open(&place.chain, 0, Dice::of(seed, "mill's way")).await;
        let folder = Folder::at(&root.join(format!("mill-{n}")));
        let market = place.deployed.market.to_string();
        let name = format!("mill-{n}");
        let given: Given = [
            ("rpc_url", gate.url.as_str()),
            ("market", &market),
            ("name", &name),
            ("price_per_hour_usd", price),
            ("units", "2"),
            ("span_max", "2h"),
            ("available", "1day"),
            ("cpus_milli", "1000"),
            ("memory_mib", "1024"),
            ("disk_mib", "1024"),
            ("accelerators", "false"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(Dice::of(seed, &name)));
        let account = provider::init(folder.path(), &given, entropy.as_ref()).unwrap();
        place.fund(account, PROVIDER_FUND).await;
        let machine = Arc::default();
        let (daemon, up_at, seen, next, back) = (None, 0, 0, 0, None);
        Self { folder, gate, machine, account, entropy, daemon, up_at, seen, next, back }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.daemon.is_some()
    }

    /// Whether it can say and do what it wants.
    pub(crate) fn is_well(&self) -> bool {
        self.is_up() && !self.gate.is_cut()
    }

    /// The daemon is killed, and perhaps all its agents.
    pub(crate) fn die(&mut self, agents: bool, up_at: i64) {
        self.daemon = None;
        self.up_at = up_at;
        if agents {
            for (label, _) in self.machine.alive() {
                self.machine.die(&label);
            }
        }
    }

    /// Starts it again where it is time. Whether there is a new daemon.
    pub(crate) async fn start(&mut self, now: i64) -> Result<bool, String> {
        if self.is_up() || now < self.up_at || self.gate.is_cut() {
            return Ok(false);
        }
        self.gate.revive();
        for _ in 0..OPENS_MAX {
            let machine: Arc<dyn Machine> = self.machine.clone();
            let (folder, entropy) = (self.folder.clone(), Arc::clone(&self.entropy));
            match Provider::open(Parts { folder, machine, entropy, proc: "/proc".into(), fault: None }).await
            {
                Ok(daemon) => {
                    (self.daemon, self.next) = (Some(daemon), now);
                    return Ok(true);
                }
                Err(ProviderError::Journal(_) | ProviderError::InUse { .. }) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(error) => return Err(format!("a provider could not start: {error:?}")),
            }
        }
        Err("a provider's journal is never let go".to_owned())
    }

    /// Whether it has something to look at.
    pub(crate) fn is_due(&self, head: u64, now: i64) -> bool {
        self.is_up() && (now >= self.next || (head != self.seen && !self.gate.is_cut()))
    }

    /// When it does something next; one that cannot start waits until its way is mended.
    pub(crate) fn next_moment(&self) -> Option<i64> {
        if self.is_up() { Some(self.next) } else { (!self.gate.is_cut()).then_some(self.up_at) }
    }

    /// Something happened on its machine.
    pub(crate) fn wake(&mut self, now: i64) {
        self.next = self.next.min(now);
    }

    /// Ticks until nothing more is due now.
    pub(crate) async fn turn(&mut self, place: &Place, now: i64, clock: Timestamp) -> Result<Turn, String> {
        for _ in 0..TICKS_MAX {
            let Some(daemon) = &mut self.daemon else { return Ok(Turn::Rests) };
            let head = place.head().await;
            let ticked = tokio::select! {
                biased;
                () = self.gate.death() => None,
                ticked = daemon.tick(clock) => Some(ticked),
            };
            match ticked {
                None => return Ok(Turn::Dies),
                Some(Ok(tick)) if tick.next_due > clock => {
                    (self.seen, self.next) = (head, now + POLL_MS);
                    if head == place.head().await {
                        return Ok(Turn::Rests);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) if error.status() == RetryStatus::Permanent => {
                    return Err(format!("a provider gave up: {error:?}"));
                }
                Some(Err(_)) => {
                    (self.seen, self.next) = (head, now + AFTER_ERROR_MS);
                    return Ok(Turn::Rests);
                }
            }
        }
        Err("a provider does not come to rest".to_owned())
    }
}
