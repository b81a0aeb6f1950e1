//! How the work of an execution is checked: whether at all, how much of it, and for what fee.

use domain::{JobSpec, Unchecked, Usd, VerifyMethod};

/// How proofs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Validators drawn for each.
    pub validators: u32,
    /// What a validator gets for replaying a segment, in ten-thousandths of what the provider gets for a segment.
    pub replay_bps: u32,
    /// What it gets at least.
    pub replay_min: Usd,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Segments drawn beside the first and the last.
    pub sample: u32,
    /// Validators drawn.
    pub validators: u32,
    /// For one validator and one segment.
    pub fee: Usd,
    /// For all validators and all segments that they replay.
    pub total: Usd,
}

/// Whether the work of a job can be checked at all.
///
/// # Errors
/// Why not.
pub const fn checkable(spec: &JobSpec, notary: bool) -> Result<(), Unchecked> {
    match spec.verify.method {
        VerifyMethod::None => Err(Unchecked::NotAsked),
        VerifyMethod::Replay if spec.checkpoint_path.is_none() => Err(Unchecked::NoStates),
        VerifyMethod::Replay if !notary => Err(Unchecked::NoNotary),
        VerifyMethod::Replay => Ok(()),
    }
}

/// Segments replayed out of so many: the first, the last, and the sample between them.
pub fn replayed(segments: u32, sample: u32) -> u32 {
    segments.min(sample.min(segments.saturating_sub(2)) + 2)
}

/// What checking all of a job's work is expected to cost, in ten-thousandths of its machine time, the least fee aside.
pub fn share_bps(rules: &Rules, spec: &JobSpec) -> u32 {
    let segments = u64::from(spec.verify.segments.max(1));
    let replays = u64::from(rules.validators) * u64::from(replayed(spec.verify.segments, spec.verify.sample));
    u32::try_from((replays * u64::from(rules.replay_bps)).div_ceil(segments)).unwrap_or(u32::MAX)
}

/// What is asked for about work of so many segments that costs `price`. Work that was not brought to its end is replayed whole:
/// its provider may have left because it would be found out.
pub fn terms(rules: &Rules, spec: &JobSpec, segments: u32, whole: bool, price: Usd) -> Terms {
    let sample = if whole { segments } else { spec.verify.sample };
    let fee = price.share(segments).basis_points(rules.replay_bps).max(rules.replay_min);
    let replays = u64::from(rules.validators) * u64::from(replayed(segments, sample));
    let total = fee.times(replays);
    Terms { sample, validators: rules.validators, fee, total }
}
