//! Whether, and by how many validators, one job is audited.

use domain::Usd;

use super::{Checks, Money, Panel, audit_rate};

/// What the work costs an honest provider, as a share of the price. An assumption: nobody knows another's costs; a provider with
/// lower ones has less to gain by cheating.
pub const COST: f64 = 0.8;
/// The share of the validators' stake that may be corrupt without cheating beginning to pay.
pub const CORRUPT: f64 = 1.0 / 3.0;
/// Each of a new provider's first jobs is audited, so that a burned identity costs as much.
pub const PROBATION_JOBS: u32 = 20;
/// So is each of the jobs after a soft failure: states that were not there, findings that did not agree.
pub const SOFT_FAILURE_JOBS: u32 = 50;
/// At least so many validators where a wrong result is worth more than the stake outweighs at the usual rate.
pub const RISK_VALIDATORS: u32 = 3;
/// What rates are parts of.
pub const MILLION: u32 = 1_000_000;

/// A job as this decision sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// What it pays.
    pub price: Usd,
    /// What a failed verdict would take from its provider: the lease's reserve on our market, nothing elsewhere. Stake that is free
    /// but that a verdict cannot reach does not count.
    pub slash: Usd,
    /// What a wrong result may be worth to somebody.
    pub value_at_risk: Usd,
    /// Segments that its commitment covers.
    pub segments: u32,
    /// Segments sampled beside the first and the last.
    pub sample: u32,
    /// Validators drawn at the usual rate.
    pub validators: u32,
}

/// What is known of a provider; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record {
    /// Jobs of it that were audited.
    pub audited: u32,
    /// How many of them came after its last soft failure; `None` where it had none.
    pub since_soft_failure: Option<u32>,
}

/// What is done with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// Probability of an audit in millionths, rounded up.
    pub rate_ppm: u32,
    /// Validators to draw.
    pub validators: u32,
    /// What the rate follows from.
    pub why: Why,
}

/// What a rate follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Too few of the provider's jobs were audited yet.
    Probation,
    /// Its last soft failure is not long ago.
    SoftFailure,
    /// A wrong result is worth more than the stake outweighs at the usual rate.
    ValueAtRisk,
    /// Price and slash.
    Stake,
}

/// A wrong result is worth more than an audit of every such job outweighs: more samples, a greater slash or another kind of
/// proof are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a wrong result may be worth {covered} here, and no more")]
pub struct Uncovered {
    /// The most that it may be worth.
    pub covered: Usd,
}

impl Audit {
    /// Whether the job is audited, by a number drawn evenly below [`MILLION`] after the provider has committed.
    pub const fn hits(&self, drawn: u32) -> bool {
        drawn < self.rate_ppm
    }
}

/// How one job is audited. With price `P`, slash `S`, a share `c` = [`COST`] of costs and a share `a` = [`CORRUPT`] of corrupt stake
/// among `m` validators:
///
/// - the rate `q` is 1 for a new provider and after a soft failure, else `MARGIN * c * P / [(1 - a^m) * P + (1-a)^m * S]`, at most 1;
/// - a value at risk is covered up to `q * d * [(1 - a^m) * P + (1-a)^m * S] - f * c * P`, `d` being the probability that a share
///   `f` of faked segments is hit; the smaller of the two counts that a single segment and all of them give;
/// - beyond that, `q` = 1 and `m` at least [`RISK_VALIDATORS`].
///
/// # Errors
/// [`Uncovered`] where even that does not cover the value at risk.
pub fn audit(job: &Job, record: &Record) -> Result<Audit, Uncovered> {
    let money = Money { price: amount(job.price), cost: COST, slash: amount(job.slash), outside: 0.0 };
    let panel = |validators| Panel { validators, corrupt: CORRUPT, miss: 0.0 };
    let covered = |rate_ppm, validators| {
        let audit = f64::from(rate_ppm) / f64::from(MILLION);
        let checks = Checks { audit, sample: job.sample, panel: panel(validators) };
        micros(checks.value_covered(job.segments, &money))
    };
    let (rate_ppm, why) = match record {
        Record { audited: ..PROBATION_JOBS, .. } => (MILLION, Why::Probation),
        Record { since_soft_failure: Some(..SOFT_FAILURE_JOBS), .. } => (MILLION, Why::SoftFailure),
        _ => (ppm(audit_rate(&money, &panel(job.validators))), Why::Stake),
    };
    if job.value_at_risk <= covered(rate_ppm, job.validators) {
        return Ok(Audit { rate_ppm, validators: job.validators, why });
    }
    let validators = job.validators.max(RISK_VALIDATORS);
    let covered = covered(MILLION, validators);
    if job.value_at_risk > covered {
        return Err(Uncovered { covered });
    }
    Ok(Audit { rate_ppm: MILLION, validators, why: Why::ValueAtRisk })
}

fn amount(usd: Usd) -> f64 {
    usd.micros() as f64
}

/// Rounded down, and nothing where it is less than nothing.
fn micros(amount: f64) -> Usd {
    Usd::from_micros(amount.max(0.0) as i64)
}

/// Rounded up, so that rounding never audits too little.
fn ppm(rate: f64) -> u32 {
    ((rate * f64::from(MILLION)).ceil() as u32).min(MILLION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUSTED: Record = Record { audited: PROBATION_JOBS, since_soft_failure: None };

    fn job(price: i64, slash: i64, value_at_risk: i64) -> Job {
        let usd = Usd::from_micros;
        Job {
            price: usd(price),
            slash: usd(slash),
            value_at_risk: usd(value_at_risk),
            segments: 32,
            sample: 8,
            validators: 3,
        }
    }

    #[test]
    fn rate_follows_from_price_and_slash() {
        // 1.2 / (26/27 + 8/27 * S/P), to the millionth above.
        for (slash, rate_ppm) in [
            (0, 1_000_000),
            (500_000, 1_000_000),
            (1_000_000, 952_942),
            (2_000_000, 771_429),
            (10_000_000, 305_661),
            (100_000_000, 39_226),
        ] {
            let found = audit(&job(1_000_000, slash, 0), &TRUSTED);
            assert_eq!(found, Ok(Audit { rate_ppm, validators: 3, why: Why::Stake }), "slash {slash}");
        }
        // One alone is never of two minds: 1.2 / (2/3 + 2/3 * 10).
        let alone = Job { validators: 1, ..job(1_000_000, 10_000_000, 0) };
        assert_eq!(audit(&alone, &TRUSTED).map(|audit| audit.rate_ppm), Ok(163_637));
    }

    #[test]
    fn rates_do_not_depend_on_the_unit_of_the_price() {
        let rates: Vec<_> = [1, 100, 1_000_000, 1_000_000_000_000]
            .into_iter()
            .map(|price| audit(&job(price, price * 20, 0), &TRUSTED).map(|audit| audit.rate_ppm))
            .collect();
        assert!(rates.iter().all(|rate| *rate == rates[0] && rate.is_ok()), "{rates:?}");
        assert_eq!(audit(&job(0, 0, 0), &TRUSTED).map(|audit| audit.rate_ppm), Ok(MILLION));
    }

    #[test]
    fn every_job_is_audited_at_first_and_after_a_soft_failure() {
        let rich = job(1_000_000, 100_000_000, 0);
        let rate = |audited, since_soft_failure| {
            audit(&rich, &Record { audited, since_soft_failure }).map(|audit| (audit.rate_ppm, audit.why))
        };
        assert_eq!(rate(0, None), Ok((MILLION, Why::Probation)));
        assert_eq!(rate(19, None), Ok((MILLION, Why::Probation)));
        assert_eq!(rate(20, None), Ok((39_226, Why::Stake)));
        assert_eq!(rate(90, Some(0)), Ok((MILLION, Why::SoftFailure)));
        assert_eq!(rate(90, Some(49)), Ok((MILLION, Why::SoftFailure)));
        assert_eq!(rate(90, Some(50)), Ok((39_226, Why::Stake)));
    }

    #[test]
    fn value_at_risk_is_audited_always_or_refused() {
        // Covered at the usual rate, by a single segment among 30 of which 8 are drawn:
        // q * 8/30 * (26/27 + 8/27 * 10) - 0.8/32 = 1.2 * 8/30 - 0.025 = 0.295.
        let rich = |value| audit(&job(1_000_000, 10_000_000, value), &TRUSTED);
        assert_eq!(rich(295_000).map(|audit| audit.why), Ok(Why::Stake));
        assert_eq!(
            rich(295_010),
            Ok(Audit { rate_ppm: MILLION, validators: RISK_VALIDATORS, why: Why::ValueAtRisk })
        );
        // At rate 1: 8/30 * 3.925926 - 0.025.
        let covered = Usd::from_micros(1_021_913);
        assert_eq!(rich(1_021_913).map(|audit| audit.why), Ok(Why::ValueAtRisk));
        assert_eq!(rich(1_021_914), Err(Uncovered { covered }));
        assert!(Uncovered { covered }.to_string().contains("worth 1.021913 here"));
        // With every segment replayed, faking all of them is what saves the most: 3.925926 - 0.8.
        let all = Job { sample: 30, ..job(1_000_000, 10_000_000, i64::MAX) };
        assert_eq!(audit(&all, &TRUSTED), Err(Uncovered { covered: Usd::from_micros(3_125_925) }));
        // A panel that was larger stays so.
        let many = Job { validators: 5, sample: 30, ..job(1_000_000, 10_000_000, 1_000_000) };
        assert_eq!(audit(&many, &TRUSTED).map(|audit| audit.validators), Ok(5));
        let one = Job { validators: 1, sample: 30, ..job(1_000_000, 1_000_000, 450_000) };
        assert_eq!(
            audit(&one, &TRUSTED).map(|audit| (audit.validators, audit.why)),
            Ok((3, Why::ValueAtRisk))
        );
    }

    #[test]
    fn nothing_at_risk_is_never_refused() {
        for (slash, sample, segments) in [(0, 0, 32), (0, 8, 1), (0, 0, 0), (1, 1, 10_000)] {
            let job = Job { sample, segments, ..job(1_000_000, slash, 0) };
            assert_eq!(audit(&job, &TRUSTED).map(|audit| audit.rate_ppm), Ok(MILLION), "{job:?}");
        }
    }

    #[test]
    fn a_job_is_audited_where_the_number_drawn_is_below_the_rate() {
        let audit = Audit { rate_ppm: 500, validators: 3, why: Why::Stake };
        assert!(audit.hits(499) && !audit.hits(500));
        assert!(Audit { rate_ppm: MILLION, ..audit }.hits(MILLION - 1));
    }
}
