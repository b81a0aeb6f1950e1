//! Folder, stake and offers.

use node::provider::{self, Fault, Folder, Provider, ProviderError, Withdrawal};

use chain::Address;
use chain::market::OfferId;
use custody::OsEntropy;
use domain::RetryStatus;

use crate::common::{DOLLAR, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn provider_stakes_and_posts_an_offer_that_stands() {
    let scene = Scene::new().await;
    let address = scene.init(&[("price_per_hour_usd", "0.75"), ("units", "2")]).await;
    let mut provider = scene.open().await;
    scene.rest(&mut provider).await;
    let account = scene.market.account(address).await.unwrap();
    assert_eq!((account.stake, account.balance, account.offered), (10 * DOLLAR, 0, 2));
    let offer = OfferId::new(address, [0; 12]);
    let found = scene.market.offer(offer).await.unwrap().unwrap();
    assert_eq!((found.terms.price_per_hour, found.terms.units), (DOLLAR * 3 / 4, 2));
    let status = provider::status(scene.folder().path()).await.unwrap();
    assert!(status.running && !status.draining);
    assert_eq!((status.address, status.offers.len(), status.offers[0].id), (address, 1, offer.0));
    let hardware = status.offers[0].hardware.clone().unwrap();
    assert_eq!(&hardware, provider.hardware());
    assert!(hardware.cpus_milli > 0 && hardware.memory_mib > 0);
    drop(provider);
    let before = scene.market.head().await.unwrap();
    let mut again = scene.open().await;
    scene.rest(&mut again).await;
    assert_eq!(scene.market.head().await.unwrap().number, before.number, "a restart sends nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_price_is_another_offer_also_when_it_comes_back() {
    let scene = Scene::new().await;
    let (provider, first) = scene.provider(&[]).await;
    drop(provider);
    let offer = |number: u8| {
        let mut salt = [0; 12];
        salt[11] = number;
        OfferId::new(first.provider(), salt)
    };
    for (number, price) in [(1, "0.60"), (2, "0.50")] {
        scene.reconfigure(&[("price_per_hour_usd", price)]);
        let mut provider = scene.open().await;
        scene.rest(&mut provider).await;
        let offers = [offer(number - 1), offer(number)];
        let found = scene.market.offers(&offers).await.unwrap();
        assert!(found[0].unwrap().withdrawn && !found[1].unwrap().withdrawn, "{price}");
    }
    assert_eq!(scene.market.account(first.provider()).await.unwrap().offered, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_that_was_lost_is_read_from_the_chain_again() {
    let scene = Scene::new().await;
    let (provider, offer) = scene.provider(&[]).await;
    drop(provider);
    std::fs::remove_file(scene.folder().path().join("state.json")).unwrap();
    std::fs::remove_file(scene.folder().path().join("sent.redb")).unwrap();
    let mut provider = scene.open().await;
    scene.rest(&mut provider).await;
    let account = scene.market.account(offer.provider()).await.unwrap();
    assert_eq!((account.offered, account.stake), (1, 5 * DOLLAR));
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_without_money_waits_for_it() {
    let scene = Scene::new().await;
    let address = provider::init(scene.folder().path(), &scene.given(&[]), &OsEntropy).unwrap();
    let mut provider = scene.open().await;
    let tick = provider.tick(scene.now()).await.unwrap();
    assert!(tick.next_due > scene.now());
    assert_eq!(scene.market.account(address).await.unwrap().offered, 0);
    scene.fund(address, 5).await;
    scene.rest(&mut provider).await;
    assert_eq!(scene.market.account(address).await.unwrap().offered, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_serves_one_daemon_and_one_provider() {
    let scene = Scene::new().await;
    let (provider, _) = scene.provider(&[]).await;
    assert!(matches!(scene.refused(scene.parts()).await, ProviderError::InUse { .. }));
    let again = provider::init(scene.folder().path(), &scene.given(&[]), &OsEntropy);
    assert!(matches!(again, Err(ProviderError::Present { .. })));
    drop(provider);
    drop(scene.open().await);
    let mut parts = scene.parts();
    parts.folder = Folder::at(&scene.dir.path().join("nothing"));
    assert!(matches!(scene.refused(parts).await, ProviderError::Absent { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_chain_or_market_is_said() {
    let scene = Scene::new().await;
    scene.init(&[]).await;
    scene.reconfigure(&[("market", "")]);
    assert!(matches!(scene.refused(scene.parts()).await, ProviderError::NoMarket));
    scene.reconfigure(&[("market", &scene.deployed.token.to_string())]);
    let refused = scene.refused(scene.parts()).await;
    assert!(matches!(refused, ProviderError::Read(_)) && refused.status() == RetryStatus::Permanent);
    scene.reconfigure(&[("rpc_url", "http://127.0.0.1:9")]);
    let refused = scene.refused(scene.parts()).await;
    assert_eq!(refused.status(), RetryStatus::Temporary, "{refused:?}");
    scene.reconfigure(&[("units", "none")]);
    assert!(matches!(scene.refused(scene.parts()).await, ProviderError::Config(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_refused_on_any_other_chain() {
    let scene = Scene::on_chain(1).await;
    scene.init(&[]).await;
    for fault in [Fault::Die { leaves: 3 }, Fault::Fabricate { segments: [2].into() }] {
        let mut parts = scene.parts();
        parts.fault = Some(fault);
        let refused = scene.refused(parts).await;
        assert!(matches!(refused, ProviderError::FaultRefused { chain_id: 1, .. }), "{refused:?}");
    }
    let mut parts = scene.parts();
    parts.fault = Some(Fault::Canary);
    drop(Provider::open(parts).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn drained_provider_withdraws_its_offer_and_ends() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    scene.folder().drain(true).unwrap();
    let late = scene.rest(&mut provider).await;
    assert!(!late.drained, "a lease runs");
    assert!(scene.market.offer(offer).await.unwrap().unwrap().withdrawn);
    assert_eq!(scene.state(&order).await, chain::market::State::Active);
    scene.by_consumer("end", &scene.market.calls().end(&order)).await;
    assert!(scene.rest(&mut provider).await.drained);
    drop(provider);
    let mut again = scene.open().await;
    assert!(scene.rest(&mut again).await.drained, "a restart goes on draining");
    scene.folder().drain(false).unwrap();
    scene.rest(&mut again).await;
    assert_eq!(scene.market.account(offer.provider()).await.unwrap().offered, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn earnings_leave_on_request_and_by_themselves() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let me = offer.provider();
    // Any money in the account will do.
    let give = async |provider: &mut provider::Provider, dollars: u64| {
        let (order, contact) = scene.order(offer, u8::try_from(dollars).unwrap());
        scene.create_with(&order, contact).await;
        scene.rest(provider).await;
        let (label, boot) = scene.agent();
        scene.agent_commits(&label, &boot, chain::B256::repeat_byte(1), 2);
        scene.clock.advance(1_700);
        scene.machine.die(&label);
        scene.rest(provider).await;
        scene.by_consumer(&format!("settle:{dollars}"), &scene.market.calls().settle(&order)).await;
        scene.market.account(me).await.unwrap().balance
    };
    let earned = give(&mut provider, 1).await;
    assert!(earned > 0);
    scene.rest(&mut provider).await;
    assert_eq!(scene.market.account(me).await.unwrap().balance, earned, "nobody asked");
    let to = Address::repeat_byte(0x77);
    let ask = |amount| scene.folder().ask_withdrawal(&Withdrawal::new(to, amount, &OsEntropy)).unwrap();
    for amount in [Some(1_000), Some(1_000), None] {
        ask(amount);
        scene.rest(&mut provider).await;
    }
    assert_eq!(scene.market.token_balance(to).await.unwrap(), earned);
    ask(None);
    scene.rest(&mut provider).await;
    assert!(!scene.folder().path().join("withdraw.json").exists(), "nothing is there, nothing is owed");
    drop(provider);
    scene.reconfigure(&[("withdraw_above_usd", "0.10"), ("withdraw_to", &to.to_string())]);
    let mut provider = scene.open().await;
    let more = give(&mut provider, 2).await;
    assert!(more > DOLLAR / 10);
    scene.rest(&mut provider).await;
    assert_eq!(scene.market.token_balance(to).await.unwrap(), earned + more);
}
