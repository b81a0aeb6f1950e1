//! Whether a job is taken.

use domain::{JobSpec, Level, Millis, SpecError, Usd, Window};
use waag_policy::admission::{Admission, AdmissionRefusal, Limits, admit, in_time};

use crate::support::{NOW, spec};

fn at(level: Level) -> JobSpec {
    JobSpec { level, ..spec("1") }
}

fn standard() -> Limits {
    Limits { levels: vec![Level::Standard] }
}

#[test]
fn a_job_that_fits_to_the_last_micro_dollar_is_taken_and_its_whole_budget_held() {
    let job = spec("2.00");
    let exact = "2.00".parse().unwrap();
    assert_eq!(admit(&job, exact, &standard()), Ok(Admission { hold: exact }));
    let available = "1.999999".parse().unwrap();
    let refusal = admit(&job, available, &standard()).unwrap_err();
    assert_eq!(refusal, AdmissionRefusal::BudgetExceedsAccount { asked: exact, available });
}

#[test]
fn a_level_whose_requirements_cannot_be_met_is_refused_and_never_downgraded() {
    let money = "10".parse().unwrap();
    for level in [Level::High, Level::Critical] {
        let refusal = admit(&at(level), money, &standard()).unwrap_err();
        assert_eq!(refusal, AdmissionRefusal::LevelUnsupported(level));
        let text = refusal.to_string();
        assert!(text.contains(level.as_str()) && text.contains("not connected"), "{text}");
        let able = Limits { levels: vec![level] };
        assert!(admit(&at(level), money, &able).is_ok());
        assert!(admit(&at(Level::Standard), money, &able).is_err());
    }
}

#[test]
fn a_job_whose_window_leaves_no_time_is_refused() {
    let after = |span: Millis| Some(NOW + span);
    let job = |start_after, finish_by| JobSpec { window: Window { start_after, finish_by }, ..spec("1") };
    let (hour, year) = (Millis::HOUR, Millis::HOUR.times(24 * 365));
    for open in [
        job(None, None),
        job(None, after(Millis(1))),
        job(after(year), None),
        job(Some(NOW - hour), after(hour)),
    ] {
        assert_eq!(in_time(&open, NOW), Ok(()), "{:?}", open.window);
    }
    for shut in [job(None, Some(NOW)), job(after(hour), after(hour)), job(after(year + Millis(1)), None)] {
        assert_eq!(in_time(&shut, NOW).unwrap_err().code(), "window_shut", "{:?}", shut.window);
    }
}

#[test]
fn a_deadline_counts_from_the_opening_and_ends_with_the_window() {
    let (hour, two) = (Millis::HOUR, Millis::HOUR.times(2));
    let end = |start_after, finish_by| {
        JobSpec { window: Window { start_after, finish_by }, ..spec("1") }.deadline_at(NOW)
    };
    assert_eq!(end(None, None), NOW + two);
    assert_eq!(end(Some(NOW + hour), None), NOW + hour + two);
    assert_eq!(end(Some(NOW - hour), None), NOW + two);
    assert_eq!(end(Some(NOW + hour), Some(NOW + two)), NOW + two);
    assert_eq!(end(None, Some(NOW + hour.times(9))), NOW + two);
}

#[test]
fn the_spec_is_judged_before_the_level_and_the_level_before_the_money() {
    let mut job = at(Level::High);
    job.run = " ".to_owned();
    let codes = |job: &JobSpec, limits: &Limits| admit(job, Usd::ZERO, limits).unwrap_err().code();
    assert_eq!(codes(&job, &standard()), "spec_invalid");
    job.run = "true".to_owned();
    assert_eq!(codes(&job, &standard()), "level_unsupported");
    job.level = Level::Standard;
    assert_eq!(codes(&job, &standard()), "budget_exceeds_account");
}

#[test]
fn every_refusal_says_what_to_do_next_and_leaves_its_source_to_the_chain() {
    let spec_error = SpecError { field: "run", problem: "there is nothing to run".to_owned() };
    let refusals = [
        AdmissionRefusal::Spec(spec_error),
        AdmissionRefusal::BudgetExceedsAccount { asked: Usd::from_micros(1), available: Usd::ZERO },
        AdmissionRefusal::LevelUnsupported(Level::Critical),
    ];
    for refusal in refusals {
        assert!(!refusal.next().is_empty());
        assert!(refusal.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        assert!(!refusal.to_string().contains("nothing to run"));
    }
}
