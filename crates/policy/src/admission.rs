//! Whether a job is taken at all.

use domain::{JobSpec, Level, Millis, SpecError, Timestamp, Usd};

/// A window may open at most so far ahead, as long as a deadline may be: a job's money is held from its admission on.
const OPENS_WITHIN: Millis = Millis::HOUR.times(24 * 365);

/// What this control plane can promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The levels whose every requirement can be met here.
    pub levels: Vec<Level>,
}

/// The job is taken and this much is held for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// The job's whole budget.
    pub hold: Usd,
}

/// Why a job is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionRefusal {
    /// A field has a value that no job can have.
    #[error("the job file asks for something no job can have")]
    Spec(#[source] SpecError),
    /// The account cannot cover the budget.
    #[error("the job may cost ${asked}, but only ${available} is available")]
    BudgetExceedsAccount {
        /// The job's budget.
        asked: Usd,
        /// What is free.
        available: Usd,
    },
    /// There is no time in its window.
    #[error("no time is left in the job's window: {0}")]
    WindowShut(&'static str),
    /// The level's requirements cannot all be met.
    #[error("level {0} cannot be kept here: {why}", why = lacking(*.0))]
    LevelUnsupported(Level),
}

impl AdmissionRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Spec(_) => "spec_invalid",
            Self::BudgetExceedsAccount { .. } => "budget_exceeds_account",
            Self::WindowShut(_) => "window_shut",
            Self::LevelUnsupported(_) => "level_unsupported",
        }
    }

    /// What to do about it.
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Spec(_) => "mend the field and submit again",
            Self::BudgetExceedsAccount { .. } => {
                "lower waag.budget.max_total_usd, or wait until a running job ends and frees its hold"
            }
            Self::WindowShut(_) => "move waag.window.start_after or waag.window.finish_by, both in UTC",
            Self::LevelUnsupported(_) => {
                "use level standard, or connect providers and keys that the level demands"
            }
        }
    }
}

/// What a control plane that does not list the level is without.
const fn lacking(level: Level) -> &'static str {
    match level {
        Level::Standard => "its operator has switched it off",
        Level::High => "keys held by the customer and audited providers are not connected",
        Level::Critical => {
            "keys released only to attested enclaves and providers on attested hardware are not connected"
        }
    }
}

/// Decides on a job with this much money free. Nothing is downgraded: a requirement that cannot be met is a refusal.
///
/// # Errors
/// The first reason against it.
pub fn admit(spec: &JobSpec, available: Usd, limits: &Limits) -> Result<Admission, AdmissionRefusal> {
    spec.check().map_err(AdmissionRefusal::Spec)?;
    if !limits.levels.contains(&spec.level) {
        return Err(AdmissionRefusal::LevelUnsupported(spec.level));
    }
    let asked = spec.budget.max_total;
    if asked > available {
        return Err(AdmissionRefusal::BudgetExceedsAccount { asked, available });
    }
    Ok(Admission { hold: asked })
}

/// Whether a job taken at `now` has any time to run in.
///
/// # Errors
/// Its window is shut already, or opens too far ahead.
pub fn in_time(spec: &JobSpec, now: Timestamp) -> Result<(), AdmissionRefusal> {
    let opens = spec.window.opens(now);
    if spec.deadline_at(now) <= opens {
        return Err(AdmissionRefusal::WindowShut("it closes before it could begin"));
    }
    if opens.since(now) > OPENS_WITHIN {
        return Err(AdmissionRefusal::WindowShut("it opens more than 365 days from now"));
    }
    Ok(())
}
