//! What comes after a setback.

use domain::{EndReason, FailReason, FailoverRule, JobSpec, Millis, Outcome, Targets, Timestamp};
use waag_policy::failover::{Next, PURCHASES_PER_ATTEMPT_MAX, Setback, after_loss, next, without_offers};

use crate::support::spec;

fn rule(attempts: u32) -> JobSpec {
    JobSpec { failover: FailoverRule { attempts, to: Targets::Any }, ..spec("1") }
}

#[test]
fn a_job_runs_once_and_then_as_often_as_its_rule_says() {
    let spent = Next::End(Outcome::AttemptsSpent);
    assert_eq!(after_loss(&rule(0), 1), spent);
    assert_eq!(after_loss(&rule(2), 1), Next::Replan { attempt: 2 });
    assert_eq!(after_loss(&rule(2), 2), Next::Replan { attempt: 3 });
    assert_eq!(after_loss(&rule(2), 3), spent);
}

#[test]
fn a_workload_that_failed_by_itself_is_never_tried_elsewhere() {
    let reasons = [
        FailReason::ExitCode(2),
        FailReason::Signal(11),
        FailReason::OutOfMemory,
        FailReason::OutOfDisk,
        FailReason::BadInputs,
    ];
    for reason in reasons {
        let after = next(&rule(20), 1, 0, Setback::Failed(reason));
        assert_eq!(after, Next::End(Outcome::Failed(reason)));
    }
}

#[test]
fn a_lost_execution_uses_up_an_attempt() {
    assert_eq!(next(&rule(1), 1, 1, Setback::Lost), Next::Replan { attempt: 2 });
    assert_eq!(next(&rule(1), 2, 1, Setback::Lost), Next::End(Outcome::AttemptsSpent));
}

#[test]
fn a_lease_that_could_not_be_had_uses_up_no_attempt_but_only_so_often() {
    let not_bought = |purchases, reason| next(&rule(1), 1, purchases, Setback::NotBought(reason));
    let never_bought = [
        EndReason::NoCapacity,
        EndReason::NoBids,
        EndReason::Ineligible,
        EndReason::Refused,
        EndReason::TooSlow,
    ];
    for reason in never_bought {
        assert_eq!(not_bought(1, reason), Next::Replan { attempt: 1 });
        assert_eq!(not_bought(PURCHASES_PER_ATTEMPT_MAX - 1, reason), Next::Replan { attempt: 1 });
        assert_eq!(not_bought(PURCHASES_PER_ATTEMPT_MAX, reason), Next::Replan { attempt: 2 });
    }
    for reason in [EndReason::Finished, EndReason::Lost, EndReason::Cancelled, EndReason::Expired] {
        assert_eq!(not_bought(1, reason), Next::Replan { attempt: 2 }, "{}", reason.code());
    }
    let last = next(&rule(0), 1, PURCHASES_PER_ATTEMPT_MAX, Setback::NotBought(EndReason::NoBids));
    assert_eq!(last, Next::End(Outcome::AttemptsSpent));
}

#[test]
fn setbacks_of_every_kind_come_to_an_end() {
    let spec = rule(3);
    let (mut attempt, mut purchases) = (1, 0);
    let mut steps = 0;
    while let Next::Replan { attempt: following } = {
        purchases += 1;
        next(&spec, attempt, purchases, Setback::NotBought(EndReason::NoCapacity))
    } {
        purchases = if following == attempt { purchases } else { 0 };
        attempt = following;
        steps += 1;
        assert!(steps <= 4 * PURCHASES_PER_ATTEMPT_MAX, "the job is planned for ever");
    }
    assert_eq!((attempt, purchases), (4, PURCHASES_PER_ATTEMPT_MAX));
}

#[test]
fn a_job_without_offers_waits_as_long_as_its_patience() {
    let at = |now| without_offers(Timestamp(1_000), Timestamp(now), Millis(500));
    assert_eq!(at(1_000), None);
    assert_eq!(at(1_499), None);
    assert_eq!(at(1_500), Some(Outcome::NoOffers));
    assert_eq!(at(0), None, "a clock set back ends no job");
}
