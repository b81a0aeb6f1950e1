//! What a provider can be trusted with: a lower bound of the chance that it keeps its next promise.
//!
//! Executions kept and failed are draws of an unknown chance. With weights `S` kept and `F` failed the posterior is
//! `Beta(PRIOR_KEPT + S, PRIOR_FAILED + F)` (Bayes 1763; Josang and Ismail, "The beta reputation system", 2002), and the bound
//! is its quantile at [`Rules::tail`]: 3 of 3 has a low bound because little was seen, 980 of 1000 a high one, and a new
//! identity starts lower than any that kept its promises, so that throwing one away gains nothing.
//!
//! A weight is `2^(-age / half-life) x min(1, value / full_value)`: old evidence fades, and small jobs count little,
//! so that a unit of evidence costs whoever buys from himself the fees on at least `full_value`, however he
//! slices it.
//!
//! What follows from the form, and is tested:
//! - More kept never lowers a bound, more failed never raises one; the quantile of a Beta falls in `F` and rises in `S`.
//! - Withholding never helps: an execution that was begun and stays silent beyond the time it owed a word counts as
//!   failed, and it was the buyer who recorded its begin. Age counts from the begin, so late reports gain nothing either.
//! - Identities of one controller share one bound, of all their evidence, which caps each member's own. Those that fail
//!   together without saying that they belong together also bear each other's failures, but not what the other kept, so
//!   that no merger raises a bound, and neither does a split into identities that declare it or fail together.

use std::collections::BTreeMap;

use domain::{Millis, ProviderName, Timestamp, Usd};

use super::beta;
use super::hours;
use super::together::{self, Span};

/// The weight of kept promises before anything was seen.
pub const PRIOR_KEPT: f64 = 1.0;
/// The weight of failed ones before anything was seen.
pub const PRIOR_FAILED: f64 = 1.0;

/// How evidence is weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Evidence counts half after this time.
    pub half_life: Millis,
    /// An execution of this value or more counts whole.
    pub full_value: Usd,
    /// The chance that the truth lies below the bound.
    pub tail: f64,
    /// Failures whose ends lie this close are one event.
    pub together: Millis,
    /// Two controllers that had so many failures together count as one.
    pub together_min: usize,
    /// Failures together count for this long.
    pub together_for: Millis,
}

impl Default for Rules {
    fn default() -> Self {
        let day = Millis::HOUR.times(24);
        Self {
            half_life: day.times(60),
            full_value: Usd::from_micros(1_000_000),
            tail: 0.05,
            together: Millis::from_secs(120),
            together_min: 3,
            together_for: day.times(90),
        }
    }
}

/// How an execution ended, as far as the provider answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ended {
    /// As promised.
    Kept,
    /// Lost, refused after purchase, or its proof failed.
    Failed {
        /// When it failed.
        at: Timestamp,
    },
    /// Nothing was heard of its outcome yet.
    Unknown {
        /// The last sign of life, or its begin.
        heard: Timestamp,
        /// When it owed another one, or an outcome, at the latest; silence beyond counts as failed.
        due: Timestamp,
    },
}

/// One execution on a provider. The buyer records it when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When it began.
    pub began: Timestamp,
    /// What it was worth: the price agreed for it.
    pub value: Usd,
    /// How it ended.
    pub ended: Ended,
}

/// A provider as reputation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name on its network.
    pub provider: ProviderName,
    /// Who controls it, where both have signed that.
    pub controller: Option<String>,
    /// Its executions, in any order.
    pub records: Vec<Record>,
}

/// Weights of kept and failed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Weights {
    kept: f64,
    failed: f64,
}

impl Rules {
    /// The lower bound of each identity, in their order: a probability.
    pub fn bounds(&self, identities: &[Identity], now: Timestamp) -> Vec<f64> {
        let own: Vec<Weights> = identities.iter().map(|one| self.weigh(&one.records, now)).collect();
        let controllers = controllers(identities);
        let groups = controllers.iter().max().map_or(0, |last| last + 1);
        let mut whole = vec![Weights::default(); groups];
        let mut failures: Vec<Vec<Span>> = vec![Vec::new(); groups];
        for ((identity, weights), group) in identities.iter().zip(&own).zip(&controllers) {
            whole[*group].kept += weights.kept;
            whole[*group].failed += weights.failed;
            failures[*group].extend(self.failures(&identity.records, now));
        }
        let clusters = together::clusters(&failures, self.together, self.together_min);
        let mut shared = vec![0.0; groups];
        for (group, cluster) in clusters.iter().enumerate() {
            shared[*cluster] += whole[group].failed;
        }
        let bound = |weights: Weights| {
            beta::quantile(self.tail, PRIOR_KEPT + weights.kept, PRIOR_FAILED + weights.failed)
        };
        let capped = |group: usize| bound(Weights { failed: shared[clusters[group]], ..whole[group] });
        let caps: Vec<f64> = (0..groups).map(capped).collect();
        own.into_iter().zip(controllers).map(|(weights, group)| bound(weights).min(caps[group])).collect()
    }

    /// The bound of one identity that stands alone.
    pub fn bound(&self, records: &[Record], now: Timestamp) -> f64 {
        let weights = self.weigh(records, now);
        beta::quantile(self.tail, PRIOR_KEPT + weights.kept, PRIOR_FAILED + weights.failed)
    }

    fn weigh(&self, records: &[Record], now: Timestamp) -> Weights {
        let mut weights = Weights::default();
        for record in records {
            let age = hours(now.since(record.began)) / hours(self.half_life);
            let worth = record.value.micros() as f64 / self.full_value.micros().max(1) as f64;
            let weight = (-age).exp2() * worth.clamp(0.0, 1.0);
            match record.ended {
                Ended::Kept => weights.kept += weight,
                Ended::Failed { .. } => weights.failed += weight,
                Ended::Unknown { due, .. } if due <= now => weights.failed += weight,
                Ended::Unknown { .. } => {}
            }
        }
        weights
    }

    /// When it failed, as far back as failures together count. One that fell silent failed at some moment of its silence, so
    /// that a report withheld hides no failure together.
    fn failures(&self, records: &[Record], now: Timestamp) -> impl Iterator<Item = Span> {
        let since = now - self.together_for;
        let spans = records.iter().filter_map(|record| match record.ended {
            Ended::Failed { at } => Some((at, at)),
            Ended::Unknown { heard, due } => Some((heard.min(due), due)),
            Ended::Kept => None,
        });
        spans.filter(move |(_, to)| *to >= since && *to <= now)
    }
}

/// The group of each identity: one for each declared controller, one for each identity that declares none.
fn controllers(identities: &[Identity]) -> Vec<usize> {
    let mut known = BTreeMap::new();
    let mut groups = 0;
    let mut fresh = || {
        groups += 1;
        groups - 1
    };
    identities
        .iter()
        .map(|identity| match &identity.controller {
            Some(controller) => *known.entry(controller.as_str()).or_insert_with(&mut fresh),
            None => fresh(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const RULES: fn() -> Rules = Rules::default;
    const DOLLAR: Usd = Usd::from_micros(1_000_000);

    fn record(days_ago: u64, kept: bool) -> Record {
        let began = NOW - Millis::HOUR.times(24 * days_ago);
        let ended = if kept { Ended::Kept } else { Ended::Failed { at: began + Millis::HOUR } };
        Record { began, value: DOLLAR, ended }
    }

    fn records(kept: usize, failed: usize) -> Vec<Record> {
        let (kept, failed) = (vec![record(1, true); kept], vec![record(1, false); failed]);
        [kept, failed].concat()
    }

    fn bound(records: &[Record]) -> f64 {
        RULES().bound(records, NOW)
    }

    fn identity(name: &str, controller: Option<&str>, records: Vec<Record>) -> Identity {
        Identity { provider: name.parse().unwrap(), controller: controller.map(str::to_owned), records }
    }

    #[test]
    fn three_of_three_is_not_better_than_980_of_1000() {
        assert!(bound(&records(3, 0)) + 0.4 < bound(&records(980, 20)));
        assert!((0.96..0.98).contains(&bound(&records(980, 20))));
    }

    #[test]
    fn a_new_identity_starts_low_and_an_old_record_fades_to_it() {
        let new = bound(&[]);
        assert!(new < 0.06);
        let old: Vec<Record> = (0..1000).map(|_| record(1000, true)).collect();
        assert!(bound(&old) < bound(&records(3, 0)) && bound(&old) >= new);
    }

    #[test]
    fn silence_beyond_the_time_a_word_was_owed_is_a_failure() {
        let due =
            |at| Record { ended: Ended::Unknown { heard: NOW - Millis::HOUR, due: at }, ..record(1, true) };
        let with = |last| [records(50, 0), vec![last]].concat();
        assert!((bound(&with(due(NOW))) - bound(&with(record(1, false)))).abs() < 1e-12);
        assert!((bound(&with(due(NOW + Millis(1)))) - bound(&records(50, 0))).abs() < 1e-12);
    }

    #[test]
    fn a_thousand_cheap_jobs_weigh_no_more_than_their_worth() {
        let cheap = Record { value: Usd::from_micros(1000), ..record(1, true) };
        assert!((bound(&vec![cheap; 1000]) - bound(&records(1, 0))).abs() < 0.01);
    }

    #[test]
    fn members_of_a_declared_controller_share_its_failures() {
        let bad = identity("bad", Some("c"), records(10, 40));
        let good = identity("good", Some("c"), records(200, 0));
        let alone = identity("alone", None, records(200, 0));
        let [bad, good, alone] = RULES().bounds(&[bad, good, alone], NOW)[..] else { panic!() };
        assert!(bad < good && good + 0.1 < alone, "{bad} {good} {alone}");
        let whole = bound(&records(210, 40));
        assert!((good - whole).abs() < 1e-12);
    }

    #[test]
    fn a_declared_group_of_good_members_is_as_good_as_one() {
        let members: Vec<Identity> = (0..20).map(|_| identity("m", Some("c"), records(980, 20))).collect();
        let bounds = RULES().bounds(&members, NOW);
        assert!((bounds[0] - bound(&records(980, 20))).abs() < 1e-12);
    }

    #[test]
    fn identities_that_fail_together_are_taken_for_one() {
        let at = |days: u64, kept| (0..3).map(move |n| record(days + n, kept)).collect::<Vec<_>>();
        let failing = |name, days| identity(name, None, [records(100, 0), at(days, false)].concat());
        let rules = RULES();
        let together = rules.bounds(&[failing("a", 2), failing("b", 2)], NOW);
        let apart = rules.bounds(&[failing("a", 2), failing("b", 10)], NOW);
        assert!(together[0] + 0.02 < apart[0], "{together:?} {apart:?}");
        let twice = [failing("a", 2), failing("b", 2)];
        let few = Rules { together_min: 4, ..rules };
        assert!((few.bounds(&twice, NOW)[0] - apart[0]).abs() < 0.01);
    }

    #[test]
    fn failures_together_are_neither_hidden_by_silence_nor_kept_for_ever() {
        let failing = |days: u64, silent: bool| {
            let fallen = (days..days + 3).map(move |day| {
                let failed = record(day, false);
                let (heard, due) = (failed.began, failed.began + Millis::HOUR.times(5));
                if silent { Record { ended: Ended::Unknown { heard, due }, ..failed } } else { failed }
            });
            identity("a", None, [records(100, 0), fallen.collect()].concat())
        };
        let both = |silent, days| RULES().bounds(&[failing(days, silent), failing(days, false)], NOW)[0];
        assert!((both(true, 2) - both(false, 2)).abs() < 1e-12);
        let alone = |days| RULES().bounds(&[failing(days, false)], NOW)[0];
        assert!(both(false, 2) < alone(2) - 0.01);
        assert!((both(false, 100) - alone(100)).abs() < 1e-12);
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let ended = (0u8..3, 0i64..400).prop_map(|(kind, hours)| match kind {
            0 => Ended::Kept,
            1 => Ended::Failed { at: NOW - Millis::HOUR.times(hours.unsigned_abs()) },
            _ => {
                let due = NOW + Millis::HOUR.times(100) - Millis::HOUR.times(hours.unsigned_abs());
                Ended::Unknown { heard: due - Millis::HOUR, due }
            }
        });
        (0u64..400, 0i64..3_000_000, ended).prop_map(|(hours, micros, ended)| Record {
            began: NOW - Millis::HOUR.times(hours),
            value: Usd::from_micros(micros),
            ended,
        })
    }

    fn any_identities() -> impl Strategy<Value = Vec<Identity>> {
        let one = (prop::collection::vec(any_record(), 0..25), 0u8..6).prop_map(|(records, controller)| {
            identity("p", (controller < 2).then_some(["x", "y"][usize::from(controller % 2)]), records)
        });
        prop::collection::vec(one, 1..6)
    }

    fn none_higher(after: &[f64], before: &[f64]) -> bool {
        after.iter().zip(before).all(|(after, before)| *after <= before + 1e-12)
    }

    proptest! {
        #[test]
        fn more_kept_never_lowers_and_more_failed_never_raises(mut all in any_identities(), more in any_record(), at in 0usize..6) {
            let rules = RULES();
            let before = rules.bounds(&all, NOW);
            let at = at % all.len();
            all[at].records.push(more);
            let after = rules.bounds(&all, NOW);
            match more.ended {
                Ended::Kept => prop_assert!(none_higher(&before, &after)),
                Ended::Failed { .. } | Ended::Unknown { .. } => prop_assert!(none_higher(&after, &before)),
            }
        }

        #[test]
        fn withholding_an_outcome_never_helps(mut all in any_identities(), at in 0usize..6, which in 0usize..25, owed in 1u64..100) {
            let rules = RULES();
            let before = rules.bounds(&all, NOW);
            let at = at % all.len();
            let records = &mut all[at].records;
            prop_assume!(!records.is_empty());
            let which = which % records.len();
            let silent = Millis::HOUR.times(owed);
            let (heard, due) = match records[which].ended {
                Ended::Failed { at } => (at - silent, (at + silent).min(NOW)),
                Ended::Kept => (NOW - silent, NOW),
                Ended::Unknown { heard, due } => (heard, due),
            };
            records[which].ended = Ended::Unknown { heard, due };
            prop_assert!(none_higher(&rules.bounds(&all, NOW), &before));
        }

        #[test]
        fn a_split_that_is_declared_never_helps(records in prop::collection::vec(any_record(), 0..40), mask in any::<u64>()) {
            let rules = RULES();
            let whole = rules.bounds(&[identity("p", Some("c"), records.clone())], NOW);
            let part = |want| {
                let chosen = records.iter().enumerate().filter(|(n, _)| (mask >> n & 1 == 1) == want);
                identity("q", Some("c"), chosen.map(|(_, record)| *record).collect())
            };
            for bound in rules.bounds(&[part(true), part(false)], NOW) {
                prop_assert!(bound <= whole[0] + 1e-12);
            }
        }

        #[test]
        fn a_higher_value_helps_the_kept_and_hurts_the_failed(records in prop::collection::vec(any_record(), 1..20), which in 0usize..20, more in 0i64..2_000_000) {
            let mut raised = records.clone();
            let which = which % records.len();
            raised[which].value = records[which].value + Usd::from_micros(more);
            let (before, after) = (bound(&records), bound(&raised));
            match records[which].ended {
                Ended::Kept => prop_assert!(after >= before - 1e-12),
                _ => prop_assert!(after <= before + 1e-12),
            }
        }

        #[test]
        fn sitting_still_helps_nobody_beyond_a_new_identity(records in prop::collection::vec(any_record(), 0..40), days in 1u64..2000) {
            let settled: Vec<Record> =
                records.into_iter().filter(|record| !matches!(record.ended, Ended::Unknown { .. })).collect();
            let later = RULES().bound(&settled, NOW + Millis::HOUR.times(24 * days));
            prop_assert!(later <= bound(&settled).max(bound(&[])) + 1e-9);
        }
    }
}
