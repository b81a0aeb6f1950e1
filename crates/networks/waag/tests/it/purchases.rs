//! What is for sale, what an intent holds, and why a purchase is refused.

use domain::{Offer, RetryStatus, Usd, UsdPerHour};
use market::{Boot, ErrorKind, Intent, Network, Observation, Terms};
use zeroize::Zeroizing;

use crate::common::{DOLLAR, PRICE, Party, SPAN_S, Scene, TOKEN, UNITS, label, price, terms};

fn usd(micros: u64) -> Usd {
    chain::market::usd(micros)
}

async fn stock(scene: &Scene) -> Option<u32> {
    scene.offer().await.stock
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_as_their_providers_posted_them() {
    let scene = Scene::new().await;
    let offers = scene.network.offers().await.unwrap();
    let [offer] = &offers[..] else { panic!("{offers:?}") };
    assert_eq!(offer.price.per_hour(), usd(PRICE));
    assert_eq!((offer.quote.amount.as_str(), offer.quote.unit.as_str()), ("1.00", "USD/h"));
    assert_eq!(offer.provider.as_ref().unwrap().to_string(), format!("{:#x}", scene.provider.address()));
    assert_eq!((offer.region.as_ref().unwrap().as_str(), offer.stock), ("EU-DE", Some(UNITS)));
    assert!(offer.simulated && offer.fee == Usd::ZERO);
    let label = scene.accepted(1).await;
    assert_eq!(stock(&scene).await, Some(UNITS - 1));
    scene.network.release(&label).await.unwrap();
    assert_eq!(stock(&scene).await, Some(UNITS - 1), "it backs a lease until that is final");
    scene.commit(&label).await;
    market::Escrow::post(&*scene.network, &label).await.unwrap();
    assert_eq!(stock(&scene).await, Some(UNITS));
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_that_cannot_be_taken_or_read_are_left_out() {
    let scene = Scene::new().await;
    let good = scene.offer().await;
    let withdrawn = scene.post_offer(2, PRICE, 1).await;
    scene.provider.send(&scene.calls().withdraw_offer(withdrawn)).await;
    for (number, spec) in [(3, &b"\x1b[2J"[..]), (4, b"{\"v\":2}"), (5, &[b' '; 2_000])] {
        scene.post(number, 1, 1, spec.to_vec()).await;
    }
    assert_eq!(scene.network.offers().await.unwrap(), [Offer { seen_at: scene.now(), ..good }]);
    scene.pass(30 * 24 * 3_600);
    assert_eq!(scene.network.offers().await.unwrap(), [], "their time is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn intent_holds_the_contact_and_no_token() {
    let scene = Scene::new().await;
    let intent = scene.intent(&label(1)).await;
    let text = String::from_utf8_lossy(&intent.bytes);
    assert!(!text.contains(TOKEN), "{text}");
    scene.network.submit(&intent).await.unwrap();
    let order = scene.order(&label(1)).await;
    assert_eq!((order.job_hash, order.units, order.span), ([7; 32].into(), 1, SPAN_S));
    assert_eq!(order.consumer, scene.consumer.address());
    let on_chain: Vec<_> = scene.transactions().await.into_iter().map(|tx| tx.input).collect();
    let seen = |part: &[u8]| on_chain.iter().any(|input| input.windows(part.len()).any(|w| w == part));
    assert!(seen(b"https://127.0.0.1:7443/conformance"), "an agent has to find us");
    assert!(!seen(TOKEN.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_make_no_order_are_refused() {
    let scene = Scene::new().await;
    let offer = scene.offer().await;
    let good = terms(&label(1), offer.price);
    let boot = |text: &str| Terms { boot: Boot::new(text.as_bytes().to_vec()), ..good.clone() };
    let https = r#"{"url":"http://127.0.0.1","pin":"PIN","execution":"e_2222222222222222"}"#;
    let pin = https.replace("http:", "https:");
    let foreign = Terms { label: "other.thing".parse().unwrap(), ..good.clone() };
    for terms in
        [boot("conformance"), boot("{}"), boot(&https.replace("PIN", &"7f".repeat(32))), boot(&pin), foreign]
    {
        let error = scene.network.prepare(&offer, &terms).await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::InvalidInput, RetryStatus::Permanent));
    }
    let mut other = offer.clone();
    other.id.reference = "c2.forge-10".to_owned();
    let error = scene.network.prepare(&other, &good).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::InvalidInput, RetryStatus::Permanent));
}

/// Each refusal is for good, costs nothing, and leaves nothing under the label.
#[tokio::test(flavor = "multi_thread")]
async fn purchase_that_the_contract_refuses_bought_nothing() {
    let scene = Scene::new().await;
    let offer = scene.offer().await;
    let before = scene.balance_of(&scene.consumer).await;
    let cheap = UsdPerHour::new(usd(PRICE - 1));
    let too_dear = scene.network.prepare(&offer, &terms(&label(1), cheap)).await.unwrap();
    refused(&scene, &too_dear, ErrorKind::LostRace, "PriceTooHigh").await;

    let late = scene.intent(&label(2)).await;
    scene.pass(181);
    refused(&scene, &late, ErrorKind::Refused, "TooLate").await;

    let one = scene.post_offer(2, PRICE - 1, 1).await;
    let taken = scene.intent(&label(3)).await;
    scene.accepted(4).await;
    refused(&scene, &taken, ErrorKind::NoCapacity, "NotEnoughUnits").await;
    let gone = scene.intent(&label(5)).await;
    let gone = scene
        .network
        .prepare(&scene_offer(&scene, one).await, &terms(&gone.label, offer.price))
        .await
        .unwrap();
    scene.provider.send(&scene.calls().withdraw_offer(one)).await;
    refused(&scene, &gone, ErrorKind::LostRace, "OfferNotAvailable").await;

    let long = Terms { span: domain::Millis::HOUR.times(24 * 31), ..terms(&label(6), offer.price) };
    let long = scene.network.prepare(&offer, &long).await.unwrap();
    refused(&scene, &long, ErrorKind::Refused, "OutsideWindow").await;

    scene.owner.send(&scene.calls().pause()).await;
    let paused = scene.intent(&label(7)).await;
    refused(&scene, &paused, ErrorKind::Refused, "EnforcedPause").await;
    let spent = chain::market::charge(PRICE - 1, SPAN_S).unwrap();
    assert_eq!(scene.balance_of(&scene.consumer).await, before - spent, "one lease was bought, for the test");
}

async fn scene_offer(scene: &Scene, id: chain::market::OfferId) -> Offer {
    let mut offer = scene.offer().await;
    offer.id.reference = id.to_string();
    offer
}

async fn refused(scene: &Scene, intent: &Intent, kind: ErrorKind, why: &str) {
    let error = scene.network.submit(intent).await.unwrap_err();
    assert_eq!((error.kind, error.status), (kind, RetryStatus::Permanent), "{error:?}");
    assert!(error.context.starts_with(why), "{error}");
    assert_eq!(scene.observe(&intent.label).await, Observation::Absent, "{why}");
    assert_eq!(scene.network.release(&intent.label).await.unwrap(), Observation::Absent, "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn purchase_is_paid_from_the_account_then_from_the_allowance() {
    let scene = Scene::new().await;
    let all = |dollars| usd(dollars * DOLLAR);
    assert_eq!(scene.network.balance().await.unwrap().available, Some(all(1_000)));
    let out = scene.balance_of(&scene.consumer).await - 1;
    scene.consumer.send(&scene.calls().withdraw(out, scene.consumer.address())).await;
    assert_eq!(scene.network.balance().await.unwrap().available, Some(all(1_000)), "it only moved");
    scene.opened(1).await;
    let left = all(1_000) - usd(price(SPAN_S));
    assert_eq!(scene.network.balance().await.unwrap().available, Some(left));
    let approve = scene.market.token_calls().approve(scene.deployed.market, 0);
    scene.consumer.send(&approve).await;
    assert_eq!(scene.network.balance().await.unwrap().available, Some(Usd::ZERO));
    let intent = scene.intent(&label(2)).await;
    let error = scene.network.submit(&intent).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status),
        (ErrorKind::InsufficientFunds, RetryStatus::Permanent),
        "{error:?}"
    );
    assert_eq!(scene.observe(&label(2)).await, Observation::Absent);
}

/// An intent of another account buys nothing for it, and nothing for us.
#[tokio::test(flavor = "multi_thread")]
async fn intent_of_another_account_is_refused() {
    let mut scene = Scene::new().await;
    let intent = scene.intent(&label(1)).await;
    let other = Party::new(&scene.chain, custody::EvmSigner::mint(&custody::OsEntropy).unwrap());
    scene.fund(&other, 10, 10).await;
    scene.consumer = other;
    scene.restart();
    let error = scene.network.submit(&intent).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Refused, RetryStatus::Permanent), "{error:?}");
    let nonsense = Intent { label: label(1), bytes: Zeroizing::new(intent.bytes[1..].to_vec()) };
    let error = scene.network.submit(&nonsense).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::InvalidInput, RetryStatus::Permanent), "{error:?}");
}
