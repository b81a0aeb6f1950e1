//! How many offers fit a job, and how many each rule refuses.

use domain::{Accelerators, RefusalCounts};

use super::Index;
use crate::eligibility::broken_rule;
use crate::objective;
use crate::placement::Situation;

/// What became of all offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// How many may be taken.
    pub admissible: u32,
    /// How many may not, by the first rule they break.
    pub refused: RefusalCounts,
}

impl Index {
    /// Applies the rules to every offer. Takes time in proportion to their number.
    pub fn survey(&self, situation: &Situation<'_>) -> Survey {
        let wanted = situation.spec.resources.accelerators.as_ref();
        let fits = |have: Option<&Accelerators>| {
            wanted.is_none_or(|wanted| have.is_some_and(|have| have.meet(wanted)))
        };
        let fitting: Vec<bool> = self.classes.iter().map(|class| fits(class.accelerators.as_ref())).collect();
        let mut survey = Survey::default();
        for record in self.records.iter().flatten() {
            let facts = self.facts(record, fitting[record.class as usize]);
            let estimate = objective::estimate(situation, &facts);
            match broken_rule(situation, &facts, &estimate) {
                None => survey.admissible += 1,
                Some(refusal) => *survey.refused.entry(refusal).or_default() += 1,
            }
        }
        survey
    }
}
