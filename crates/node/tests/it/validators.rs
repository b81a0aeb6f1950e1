//! Folder, seat and stake of a validator, and what becomes of one that is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chain::notary::Phase;
use custody::OsEntropy;
use domain::{Finding, Interrupted, NoProbe, Probe, Verdict};
use node::validator::{self, Fault, Folder, Parts, SeatStatus, Validator, ValidatorError, points};

use crate::common::DOLLAR;
use crate::plane::Work;
use crate::scales::{SHARE, STAKE, Scales};

#[tokio::test(flavor = "multi_thread")]
async fn validator_takes_a_seat_with_its_stake_and_keeps_it_over_a_restart() {
    let scales = Scales::new(Work::new(&[])).await;
    let seated = scales.seated(&[None]).await;
    let me = seated[0].address();
    assert_eq!(scales.money(me).await, (0, STAKE));
    let status = validator::status(&scales.path(0)).await.unwrap();
    assert!(status.running && !status.leaving && status.seat == SeatStatus::Taken);
    assert_eq!((status.address, status.tokens), (me, 900 * DOLLAR));
    drop(seated);
    let before = scales.notary.head().await.unwrap().number;
    let mut again = scales.open(0, None, Arc::new(NoProbe)).await;
    scales.rest(&mut again).await;
    assert_eq!(scales.notary.head().await.unwrap().number, before, "a restart sends nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_serves_one_daemon_of_one_notary() {
    let scales = Scales::new(Work::new(&[])).await;
    let seated = scales.seated(&[None]).await;
    let refused = async |parts: Parts| Validator::open(parts).await.err().unwrap();
    assert!(matches!(refused(scales.parts(0)).await, ValidatorError::InUse { .. }));
    let again = validator::init(&scales.path(0), &scales.given(&[]), &OsEntropy);
    assert!(matches!(again, Err(ValidatorError::Present { .. })));
    drop(seated);
    let nowhere = Folder::at(&scales.path(9));
    assert!(matches!(
        refused(Parts { folder: nowhere, ..scales.parts(0) }).await,
        ValidatorError::Absent { .. }
    ));
    let market = scales.market.address().to_string();
    for (change, is_right) in [
        (("notary", ""), (|error| matches!(error, ValidatorError::NoNotary)) as fn(&ValidatorError) -> bool),
        (("notary", &market), |error| matches!(error, ValidatorError::Read(_))),
        (("units", "none"), |error| matches!(error, ValidatorError::Config(_))),
    ] {
        let text = validator::Config::file(&scales.given(&[change]));
        std::fs::write(Folder::at(&scales.path(0)).config(), text).unwrap();
        let error = refused(scales.parts(0)).await;
        assert!(is_right(&error), "{change:?}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_refused_on_any_other_chain() {
    let scales = Scales::on_chain(1, Work::new(&[])).await;
    scales.init(0).await;
    for fault in [Fault::RubberStamp, Fault::Silent, Fault::Contrary] {
        let parts = Parts { fault: Some(fault), ..scales.parts(0) };
        let refused = Validator::open(parts).await.err().unwrap();
        assert!(matches!(refused, ValidatorError::FaultRefused { chain_id: 1, .. }), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validator_that_leaves_has_its_stake_back_once_no_draw_can_fall_on_it() {
    let scales = Scales::new(Work::new(&[])).await;
    let mut seated = scales.seated(&[None]).await;
    let me = seated[0].address();
    Folder::at(&scales.path(0)).leave(true).unwrap();
    assert!(scales.rest(&mut seated[0]).await, "nothing is open");
    assert_eq!(validator::status(&scales.path(0)).await.unwrap().seat, SeatStatus::Left);
    assert!(scales.rest(&mut seated[0]).await);
    assert_eq!(scales.money(me).await.1, STAKE, "a draw may still fall on it");
    for _ in 0..260 {
        scales.block().await;
    }
    assert!(scales.rest(&mut seated[0]).await, "its stake is on its way");
    assert_eq!(scales.money(me).await, (0, 0));
    scales.clock.advance(3_700);
    assert!(scales.rest(&mut seated[0]).await);
    assert_eq!(scales.market.token_balance(me).await.unwrap(), 1_000 * DOLLAR);
}

/// Stops a validator at one point, once.
struct Once(&'static str, AtomicBool);

impl Probe for Once {
    fn reached(&self, point: &'static str) -> Result<(), Interrupted> {
        if point == self.0 && !self.1.swap(true, Ordering::SeqCst) {
            return Err(Interrupted { point });
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validator_killed_at_each_point_says_one_thing_and_is_paid() {
    for point in points::ALL {
        let scales = Scales::new(Work::new(&[])).await;
        let me = scales.init(0).await;
        let probe = Arc::new(Once(point, AtomicBool::new(false)));
        let mut validator = scales.open(0, None, probe.clone()).await;
        scales.rest(&mut validator).await;
        let (request, id) = scales.opened(1).await;
        let mut deaths = 0;
        for _ in 0..2_000 {
            if scales.proof(id).await.phase == Phase::Closing {
                break;
            }
            match validator.tick(scales.now()).await {
                Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                Err(ValidatorError::Interrupted(_)) => {
                    deaths += 1;
                    drop(validator);
                    // The next one may find otherwise; what was written stands.
                    validator = scales.open(0, None, probe.clone()).await;
                }
                Err(error) => panic!("{point}: {error:?}"),
            }
        }
        assert_eq!(deaths, 1, "{point}");
        let proof = scales.concluded(&request, id).await;
        assert_eq!(proof.verdict, Some(Verdict::Passed), "{point}");
        assert_eq!(scales.finding(id, me).await, Some(Finding::Same), "{point}");
        assert_eq!(scales.money(me).await, (SHARE, STAKE), "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_stands_though_another_replay_would_find_otherwise() {
    let scales = Scales::new(Work::new(&[])).await;
    let me = scales.init(0).await;
    let probe = Arc::new(Once(points::KEEP_AFTER, AtomicBool::new(false)));
    // It says that something differs, writes that down, and dies.
    let mut validator = scales.open(0, Some(Fault::Contrary), probe).await;
    scales.rest(&mut validator).await;
    let (_, id) = scales.opened(1).await;
    let died = validator.tick(scales.now()).await;
    assert!(matches!(died, Err(ValidatorError::Interrupted(_))), "{died:?}");
    drop(validator);
    let mut honest = [scales.open(0, None, Arc::new(NoProbe)).await];
    scales.until(&mut honest, id, Phase::Closing).await;
    assert_eq!(scales.finding(id, me).await, Some(Finding::Differs));
}
