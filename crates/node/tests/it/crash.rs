//! A daemon killed at every place where it waits: between signing and sending, between sending and receipt, before and
//! after each file. The next one goes on, and everything happens once.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use chain::B256;
use chain::market::State;
use domain::Label;
use market::{Boot, Machine, MachineError, MachineRef, MemoryMachine};
use node::provider::{Provider, ProviderError};

use crate::common::{DOLLAR, Scene};

/// More waits than a tick has.
const WAITS_MAX: usize = 400;
/// A journal is let go when the last write that the killed daemon had begun is over.
const OPENS_MAX: usize = 1_000;

/// Polls a future so many times, then lets it go. Whether it came to its end before.
async fn let_go_after<F: Future>(waits: usize, future: F) -> bool {
    let mut future = pin!(future);
    let mut left = waits;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

async fn reopen(scene: &Scene) -> Provider {
    for _ in 0..OPENS_MAX {
        match Provider::open(scene.parts()).await {
            Ok(provider) => return provider,
            Err(ProviderError::Journal(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the journal is never let go")
}

/// Ticks of daemons that are killed after ever more waits, until one tick came to its end with nothing more to do.
async fn killed_again_and_again(scene: &Scene) -> usize {
    let mut waits = 1;
    loop {
        let mut provider = reopen(scene).await;
        let mut at_rest = false;
        let whole = let_go_after(waits, async {
            let tick = provider.tick(scene.now()).await.unwrap();
            at_rest = tick.next_due > scene.now();
        })
        .await;
        if whole && at_rest {
            return waits;
        }
        if !whole {
            waits += 1;
        }
        assert!(waits < WAITS_MAX, "it gets nowhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_killed_at_every_wait_does_everything_once() {
    let scene = Scene::new().await;
    let me = scene.init(&[]).await;
    let waits = killed_again_and_again(&scene).await;
    assert!(waits > 12, "only {waits} waits were tried");
    let account = scene.market.account(me).await.unwrap();
    assert_eq!((account.stake, account.balance, account.offered), (5 * DOLLAR, 0, 1));
    assert_eq!(scene.market.token_balance(me).await.unwrap(), 95 * DOLLAR);

    let offer = chain::market::OfferId::new(me, [0; 12]);
    let order = scene.create(offer, 1).await;
    killed_again_and_again(&scene).await;
    assert_eq!(scene.state(&order).await, State::Active);
    assert_eq!(scene.machine.started(), 1, "one agent, whatever became of its daemons");
    let (label, boot) = scene.agent();
    scene.agent_commits(&label, &boot, B256::repeat_byte(5), 2);
    scene.by_consumer("end", &scene.market.calls().end(&order)).await;
    killed_again_and_again(&scene).await;
    assert_eq!(scene.state(&order).await, State::Committed);
    assert!(scene.machine.alive().is_empty());
    scene.by_consumer("settle", &scene.market.calls().settle(&order)).await;
    killed_again_and_again(&scene).await;
    let status = node::provider::status(scene.folder().path()).await.unwrap();
    assert!(status.leases.is_empty() && status.offers.len() == 1);
}

/// Starts agents, and never says so.
struct Silent(Arc<MemoryMachine>);

#[async_trait]
impl Machine for Silent {
    async fn start(&self, label: &Label, boot: &Boot) -> Result<MachineRef, MachineError> {
        self.0.start(label, boot).await?;
        std::future::pending().await
    }

    async fn find(&self, label: &Label, machine: MachineRef) -> Result<bool, MachineError> {
        self.0.find(label, machine).await
    }

    async fn kill(&self, label: &Label, machine: MachineRef) -> Result<(), MachineError> {
        self.0.kill(label, machine).await
    }

    async fn forget(&self, label: &Label) -> Result<(), MachineError> {
        self.0.forget(label).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_that_was_started_as_its_daemon_died_does_not_outlive_its_lease() {
    let scene = Scene::new().await;
    let (provider, offer) = scene.provider(&[]).await;
    drop(provider);
    let order = scene.create(offer, 1).await;
    let mut parts = scene.parts();
    parts.machine = Arc::new(Silent(Arc::<MemoryMachine>::clone(&scene.machine)));
    let mut provider = Provider::open(parts).await.unwrap();
    let started = async {
        while scene.machine.started() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let ticks = async {
        loop {
            provider.tick(scene.now()).await.unwrap();
        }
    };
    tokio::select! {
        () = started => {}
        () = ticks => {}
    }
    drop(provider);
    scene.by_consumer("end", &scene.market.calls().end(&order)).await;
    let mut provider = reopen(&scene).await;
    scene.rest(&mut provider).await;
    assert!(scene.machine.alive().is_empty(), "nobody would have ended it");
    assert_eq!(scene.state(&order).await, State::Refunded);
}
