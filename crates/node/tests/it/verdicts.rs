//! What drawn validators find and say, and what comes of it.

use std::sync::atomic::Ordering;

use chain::B256;
use chain::market::{OfferId, OfferTerms, Order, Spec, State};
use chain::notary::{Phase, Planted};
use custody::{EvmSigner, OsEntropy};
use domain::{Finding, Hardware, Millis, Verdict};
use evidence::Canary;
use node::validator::{self, Fault};

use crate::common::{DOLLAR, sender};
use crate::plane::{FIRST, JOB, Manner, SAMPLE, SEGMENTS, Work};
use crate::scales::{EXCUSE_S, PER_PROOF, REVEAL_S, SHARE, STAKE, Scales, WINDOW_S};

#[tokio::test(flavor = "multi_thread")]
async fn honest_work_passes_and_all_who_checked_it_are_paid() {
    let scales = Scales::new(Work::new(&[])).await;
    let mut seated = scales.seated(&[None, None, None]).await;
    let (request, id) = scales.opened(3).await;
    let proof = scales.until(&mut seated, id, Phase::Closing).await;
    assert!(proof.drawn.iter().all(|drawn| drawn.finding == Some(Finding::Same)));
    assert_eq!(scales.ran(), 3 * (SAMPLE as usize + 2));
    assert_eq!(scales.plane.askers().len(), 3);
    let proof = scales.concluded(&request, id).await;
    assert_eq!((proof.verdict, proof.outcome.unwrap().fee_paid), (Some(Verdict::Passed), 3 * SHARE));
    for validator in &mut seated {
        assert_eq!(scales.money(validator.address()).await, (SHARE, STAKE));
        scales.rest(validator).await;
    }
    assert!(validator::status(&scales.path(0)).await.unwrap().proofs.is_empty(), "what is over is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn fabricated_work_fails_by_all_in_the_same_way() {
    let scales = Scales::new(Work::new(&[SEGMENTS - 1])).await;
    let mut seated = scales.seated(&[None, None, None]).await;
    let (request, id) = scales.opened(3).await;
    let proof = scales.until(&mut seated, id, Phase::Closing).await;
    assert!(proof.drawn.iter().all(|drawn| drawn.finding == Some(Finding::Differs)));
    assert_eq!(scales.concluded(&request, id).await.verdict, Some(Verdict::Failed));
}

#[tokio::test(flavor = "multi_thread")]
async fn validator_that_was_not_drawn_asks_for_nothing_and_forgets() {
    let scales = Scales::new(Work::new(&[])).await;
    let mut seated = scales.seated(&[None, None]).await;
    let (_, id) = scales.opened(1).await;
    let drawn = scales.until(&mut seated, id, Phase::Closing).await.drawn[0].validator;
    let other = seated.iter().position(|validator| validator.address() != drawn).unwrap();
    assert_eq!(scales.plane.askers().len(), 1);
    assert!(validator::status(&scales.path(other)).await.unwrap().proofs.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_back_or_of_another_job_is_said_to_be_when_the_time_is_nearly_over() {
    let of_another_job = [Manner::OtherWork, Manner::OtherInputs, Manner::NoInputs, Manner::MoreSegments];
    for manner in [Manner::Refuses(503), Manner::Empty, Manner::Lies].into_iter().chain(of_another_job) {
        let scales = Scales::new(Work::new(&[])).await;
        scales.plane.behave(manner);
        let mut seated = scales.seated(&[None]).await;
        let (_, id) = scales.opened(1).await;
        scales.until_asked(&mut seated).await;
        scales.clock.advance(WINDOW_S / 2);
        seated[0].tick(scales.now()).await.unwrap();
        assert_eq!(scales.committed(id).await, 0, "{manner:?}: they may still come");
        scales.clock.advance(WINDOW_S / 2 - 50);
        let proof = scales.until(&mut seated, id, Phase::Excusing).await;
        assert_eq!(proof.drawn[0].finding, Some(Finding::Withheld), "{manner:?}");
        assert_eq!(scales.ran(), 0);
        // Nobody has an excuse, and the consumer does not conclude.
        scales.clock.advance(EXCUSE_S + 5);
        seated[0].tick(scales.now()).await.unwrap();
        assert_eq!(scales.proof(id).await.phase, Phase::Excusing, "{manner:?}: it is the consumer's turn");
        scales.clock.advance(2);
        let proof = scales.until(&mut seated, id, Phase::Concluded).await;
        assert_eq!(proof.verdict, Some(Verdict::Unknown), "{manner:?}");
        assert_eq!(scales.money(seated[0].address()).await, (SHARE, STAKE), "who says so is paid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validator_whose_machine_fails_says_nothing_and_loses_stake() {
    let scales = Scales::new(Work::new(&[])).await;
    scales.mill.broken.store(true, Ordering::SeqCst);
    let mut seated = scales.seated(&[None]).await;
    let (request, id) = scales.opened(1).await;
    scales.until_asked(&mut seated).await;
    scales.clock.advance(WINDOW_S + 2 * REVEAL_S + 2);
    seated[0].tick(scales.now()).await.unwrap();
    let proof = scales.concluded(&request, id).await;
    assert_eq!((proof.verdict, proof.drawn[0].finding), (Some(Verdict::Unknown), Some(Finding::Silent)));
    assert_eq!(scales.money(seated[0].address()).await, (0, STAKE - PER_PROOF));
}

#[tokio::test(flavor = "multi_thread")]
async fn rubber_stamp_loses_stake_by_a_canary_and_honest_ones_are_paid() {
    let canary = Canary { salt: [5; 32], index: u64::from(FIRST + SEGMENTS), position: SEGMENTS };
    let scales = Scales::new(Work::new(&[]).planted(SEGMENTS as usize, canary.digest())).await;
    let mut seated = scales.seated(&[Some(Fault::RubberStamp), None]).await;
    let (request, id) = scales.opened(2).await;
    scales.until(&mut seated, id, Phase::Closing).await;
    let (careless, honest) = (seated[0].address(), seated[1].address());
    assert_eq!(scales.finding(id, careless).await, Some(Finding::Same));
    assert_eq!(scales.finding(id, honest).await, Some(Finding::Differs));
    assert_eq!(scales.plane.askers().len(), 1, "a rubber-stamper does not even ask");
    let siblings = evidence::tree::proof(&scales.plane.work().leaves, SEGMENTS as usize);
    let planted = Planted {
        out: B256::ZERO,
        salt: B256::from(canary.salt),
        index: canary.index,
        position: canary.position,
        siblings: siblings.into_iter().map(B256::from).collect(),
    };
    scales.by_consumer("canary", &scales.notary.calls().open_canary(&request, &planted)).await;
    assert_eq!(scales.concluded(&request, id).await.verdict, Some(Verdict::Canary));
    assert_eq!(scales.money(careless).await, (0, STAKE - PER_PROOF));
    assert_eq!(scales.money(honest).await, (SHARE, STAKE));
}

#[tokio::test(flavor = "multi_thread")]
async fn contrary_one_brings_a_dispute_and_silent_one_loses_stake() {
    let scales = Scales::new(Work::new(&[])).await;
    let mut seated = scales.seated(&[Some(Fault::Contrary), Some(Fault::Silent), None]).await;
    let (request, id) = scales.opened(3).await;
    scales.until_said(&mut seated, id, 2).await;
    // The others may reveal once the silent one has had its time.
    scales.clock.advance(WINDOW_S + 1);
    scales.until(&mut seated, id, Phase::Closing).await;
    assert_eq!(scales.concluded(&request, id).await.verdict, Some(Verdict::Disputed));
    assert_eq!(scales.money(seated[1].address()).await, (0, STAKE - PER_PROOF));
    assert_eq!(scales.money(seated[2].address()).await, (SHARE, STAKE));
}

/// A lease of the market whose provider has committed to the work.
async fn committed_lease(scales: &Scales) -> Order {
    let provider = EvmSigner::mint(&OsEntropy).unwrap();
    let provider = sender(&scales.chain, &provider, &scales.dir.path().join("provider.redb"));
    scales.fund(provider.address()).await;
    let (calls, offer) = (scales.market.calls(), OfferId::new(provider.address(), [0; 12]));
    let now = u64::try_from(scales.now().0 / 1000).unwrap();
    let spec = Spec {
        name: "mill".parse().unwrap(),
        region: "EU".parse().unwrap(),
        hardware: Hardware { cpus_milli: 1_000, memory_mib: 512, disk_mib: 100, accelerators: None },
        startup: Millis(1),
    };
    let terms =
        OfferTerms { price_per_hour: DOLLAR, units: 1, available_from: 0, available_until: now + 90_000 };
    let order = Order {
        consumer: scales.consumer.address(),
        offer,
        job_hash: B256::from(*JOB),
        contact_hash: chain::market::Contact::hash(&scales.contact()),
        max_price_per_hour: DOLLAR,
        units: 1,
        span: 1_800,
        accept_by: now + 600,
        salt: 1,
    };
    let by_provider = async |name: &str, call: chain::sender::Call| {
        provider.send(&chain::sender::IntentKey(name.to_owned()), &call).await.unwrap();
    };
    by_provider("approve", scales.market.token_calls().approve(scales.market.address(), u64::MAX)).await;
    by_provider("deposit", calls.deposit(100 * DOLLAR)).await;
    by_provider("stake", calls.stake(100 * DOLLAR)).await;
    by_provider("offer", calls.post_offer(offer, &terms, spec.to_bytes().unwrap())).await;
    scales.by_consumer("create", &calls.create_lease(&order, scales.contact())).await;
    by_provider("accept", calls.accept(&order)).await;
    scales.clock.advance(600);
    let work = scales.plane.work();
    by_provider("commit", calls.commit(&order, work.root, work.leaf_count())).await;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_bring_a_lease_to_its_end_where_its_consumer_does_not() {
    for (fabricated, verdict, end) in
        [(vec![], Verdict::Passed, State::Settled), (vec![0], Verdict::Failed, State::Slashed)]
    {
        let scales = Scales::new(Work::new(&fabricated)).await;
        let mut seated = scales.seated(&[None, None]).await;
        let order = committed_lease(&scales).await;
        let (request, id) = scales.opened_on_market(&order, 2).await;
        scales.until(&mut seated, id, Phase::Closing).await;
        scales.clock.advance(REVEAL_S + 6);
        let proof = scales.until(&mut seated, id, Phase::Concluded).await;
        assert_eq!(proof.verdict, Some(verdict));
        let lease = scales.market.lease(request.subject).await.unwrap().unwrap();
        assert_eq!(lease.state, end);
        let paid = scales.money(seated[0].address()).await.0;
        assert!(if verdict == Verdict::Failed { paid > SHARE } else { paid == SHARE }, "{verdict:?}: {paid}");
    }
}
