//! What a job is expected to cost on an offer until it is done, and how likely it is done in time.
//!
//! ```text
//! work         = expected run x segments left / segments x 1000 / speed of the accelerators
//! saving       = work x share of time spent on saving states
//! span         = start-up + work + saving
//! compute      = price x what is billed of start-up and work
//! checkpoints  = price x saving
//! interruption = price x span x loss rate x (start-up + half a segment): work done again
//! verification = compute x share that validators get, of the job and of the network
//! slippage     = (compute + checkpoints + fees) x share lost by changing money
//! egress       = GiB moved x price per GiB
//! latency      = what the region's distance is worth
//! class        = compute x share that jobs of this class cost there beyond what was expected
//! total        = compute + fees + all of these
//! ```
//!
//! Every amount is rounded up to a micro-dollar, and none is negative, so `price x span` never exceeds the total: the index
//! searches by that bound. What is not known is nothing, and is in no plan.

use std::collections::BTreeMap;

use domain::{Estimate, Gpu, GpuModel, Millis, NetworkName, ProviderName, Region, Terms, Usd, WorkClass};

use crate::facts::Facts;
use crate::learning::classes::{self, Classes};
use crate::placement::Situation;

/// What was measured or is assumed beside job and offer. Empty where nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Knowledge {
    /// Work done in the time of 1,000 units by the hardware that the expected run time holds for. A model that is not named
    /// is as fast as that one.
    pub speeds_permille: BTreeMap<GpuModel, u32>,
    /// What each network is known for.
    pub networks: BTreeMap<NetworkName, NetworkFacts>,
    /// What each provider that we had is known for, by network and name.
    pub providers: BTreeMap<NetworkName, BTreeMap<ProviderName, ProviderFacts>>,
    /// What jobs of a class cost on a network beyond what was expected, in ten-thousandths; where nothing was measured the matrix of
    /// [`classes`] says.
    pub classes: BTreeMap<WorkClass, BTreeMap<NetworkName, u32>>,
    /// The lower bound of the chance that a provider of which nothing was seen keeps its promise, in ten-thousandths.
    pub newcomer_bps: u32,
    /// What each region's distance to the users is worth; an offer's region takes the longest name that holds it.
    pub latency: BTreeMap<Region, Usd>,
    /// What is moved out of the network, in MiB.
    pub egress_mib: u64,
    /// Time spent on saving states, in ten-thousandths of the work.
    pub checkpoint_bps: u32,
}

/// What is known about a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkFacts {
    /// Executions lost per million hours on machines that stay.
    pub losses_per_million_hours: u32,
    /// Machines taken away per million hours, of those that may be.
    pub taken_per_million_hours: u32,
    /// Price of a GiB moved out.
    pub egress_per_gib: Usd,
    /// What validators get, in ten-thousandths of the machine time they check.
    pub verification_bps: u32,
    /// What changing money into its token costs, in ten-thousandths.
    pub slippage_bps: u32,
}

/// What is known about a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderFacts {
    /// Executions lost per million hours on its machines that stay.
    pub losses_per_million_hours: u32,
    /// The lower bound of the chance that it keeps its next promise, in ten-thousandths.
    pub promise_bps: u32,
}

/// Nothing is known.
pub static NOTHING_KNOWN: Knowledge = Knowledge {
    speeds_permille: BTreeMap::new(),
    networks: BTreeMap::new(),
    providers: BTreeMap::new(),
    classes: BTreeMap::new(),
    newcomer_bps: 0,
    latency: BTreeMap::new(),
    egress_mib: 0,
    checkpoint_bps: 0,
};

/// One part in a million hours, in milliseconds.
const MILLION_HOURS_MS: u128 = 1_000_000 * Millis::HOUR.0 as u128;

impl Knowledge {
    fn network(&self, name: &NetworkName) -> NetworkFacts {
        self.networks.get(name).copied().unwrap_or_default()
    }

    fn provider(&self, network: &NetworkName, provider: &ProviderName) -> Option<&ProviderFacts> {
        self.providers.get(network)?.get(provider)
    }

    /// The lower bound of the chance that a provider keeps its next promise, in ten-thousandths.
    pub fn promise_bps(&self, network: &NetworkName, provider: &ProviderName) -> u32 {
        self.provider(network, provider).map_or(self.newcomer_bps, |known| known.promise_bps)
    }

    /// Losses in a million hours on an offer: its provider's where we had it, else its network's.
    fn losses_per_million_hours(&self, offer: &Facts<'_>) -> u32 {
        let network = self.network(offer.network);
        if offer.interruptible {
            return network.taken_per_million_hours;
        }
        let known = offer.provider.and_then(|provider| self.provider(offer.network, provider));
        known.map_or(network.losses_per_million_hours, |known| known.losses_per_million_hours)
    }

    fn class_bps(&self, class: WorkClass, network: &NetworkName) -> u32 {
        let measured = self.classes.get(&class).and_then(|networks| networks.get(network));
        measured.copied().unwrap_or_else(|| classes::surcharge_bps(&Classes::default(), class, network))
    }

    fn latency_of(&self, region: Option<&Region>) -> Usd {
        let Some(region) = region else {
            // It may be anywhere, so the worst is expected.
            return self.latency.values().copied().max().unwrap_or_default().max(Usd::ZERO);
        };
        let holding = self.latency.iter().filter(|(wide, _)| wide.holds(region));
        holding
            .max_by_key(|(wide, _)| wide.as_str().len())
            .map_or(Usd::ZERO, |(_, usd)| (*usd).max(Usd::ZERO))
    }

    /// `work` on the accelerators, rounded up.
    pub fn work_on(&self, gpu: Option<Gpu>, work: Millis) -> Millis {
        let speed = gpu.and_then(|gpu| self.speeds_permille.get(&gpu.model())).copied().unwrap_or(1_000);
        if speed == 1_000 {
            return work;
        }
        let scaled = (u128::from(work.0) * 1_000).div_ceil(u128::from(speed.max(1)));
        Millis(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    /// Time spent on saving states while `work` is done, rounded up.
    pub fn saving(&self, work: Millis) -> Millis {
        let saving = (u128::from(work.0) * u128::from(self.checkpoint_bps)).div_ceil(10_000);
        Millis(u64::try_from(saving).unwrap_or(u64::MAX))
    }
}

/// The rest of the job's work, on the hardware its expected run time holds for.
pub fn work_left(situation: &Situation<'_>) -> Millis {
    let segments = u64::from(situation.spec.verify.segments.max(1));
    let left = segments.saturating_sub(u64::from(situation.segments_done));
    Millis(situation.expected_run.0.saturating_mul(left).div_ceil(segments))
}

/// What the rest of the job is expected to cost on the offer, term by term.
///
/// The hold covers twice the span and the release margin, since a hold that is too small stops the job.
pub fn estimate(situation: &Situation<'_>, offer: &Facts<'_>) -> Estimate {
    let known = situation.knowledge;
    let network = known.network(offer.network);
    let work = known.work_on(offer.gpu(situation), work_left(situation));
    let saving = known.saving(work);
    let span = offer.startup + work + saving;
    let compute = offer.price.charge(offer.billing.billed(offer.startup + work));
    let checkpoints = offer.price.charge(saving);
    let spent = compute + checkpoints + offer.fee;
    let terms = Terms {
        egress: egress(network.egress_per_gib, known.egress_mib),
        checkpoints,
        interruption: interruption(situation, offer, work, span),
        verification: share(compute, network.verification_bps.saturating_add(situation.verification_bps)),
        slippage: share(spent, network.slippage_bps),
        latency: known.latency_of(offer.region),
        class: situation
            .spec
            .class
            .map_or(Usd::ZERO, |class| share(compute, known.class_bps(class, offer.network))),
    };
    let held_for = span.times(2) + situation.release_margin;
    let hold = offer.billing.ceiling(offer.price, held_for) + offer.fee;
    Estimate { span, compute, fees: offer.fee, terms, total: compute + offer.fee + terms.sum(), hold }
}

/// Most networks have no such fee, and a division that is not made costs nothing.
const fn share(of: Usd, basis_points: u32) -> Usd {
    if basis_points == 0 { Usd::ZERO } else { of.basis_points(basis_points) }
}

fn egress(per_gib: Usd, mib: u64) -> Usd {
    if per_gib <= Usd::ZERO { Usd::ZERO } else { per_gib.times(mib).share(1_024) }
}

/// Losses come at a constant rate here; the figure is an expectation, and short-lived machines die younger than that.
fn interruption(situation: &Situation<'_>, offer: &Facts<'_>, work: Millis, span: Millis) -> Usd {
    let rate = situation.knowledge.losses_per_million_hours(offer);
    if rate == 0 {
        return Usd::ZERO;
    }
    let again = u128::from(redo(situation, offer.startup, work).0);
    let lost =
        u128::from(span.0).saturating_mul(rate.into()).saturating_mul(again).div_ceil(MILLION_HOURS_MS);
    offer.price.charge(Millis(u64::try_from(lost).unwrap_or(u64::MAX)))
}

/// What a loss costs in time: another start and, on average, half a segment.
fn redo(situation: &Situation<'_>, startup: Millis, work: Millis) -> Millis {
    let left = situation.spec.verify.segments.saturating_sub(situation.segments_done).max(1);
    startup + Millis(work.0.div_ceil(u64::from(left) * 2))
}

/// How likely the job is done on this offer by its deadline, in ten-thousandths: the chance that losses, which come at the
/// network's rate, are no more than there is time to make up for (Poisson). `None` where no loss rate is known.
pub fn finish_chance_bps(situation: &Situation<'_>, offer: &Facts<'_>) -> Option<u32> {
    let known = situation.knowledge;
    let rate = known.losses_per_million_hours(offer);
    if rate == 0 {
        return None;
    }
    let work = known.work_on(offer.gpu(situation), work_left(situation));
    let span = offer.startup + work + known.saving(work);
    let time_left = situation.deadline_at.since(situation.now);
    if span > time_left {
        return Some(0);
    }
    let spare = time_left.0 - span.0;
    let again = redo(situation, offer.startup, work).0.max(1);
    #[expect(clippy::cast_precision_loss, reason = "a chance in ten-thousandths needs no more than 52 bits")]
    let mean = f64::from(rate) * span.0 as f64 / (1e6 * Millis::HOUR.0 as f64);
    let (mut term, mut chance) = ((-mean).exp(), 0.0);
    // Beyond so many losses nothing is left to add.
    for losses in 0..=(spare / again).min(1_000) {
        chance += term;
        #[expect(clippy::cast_precision_loss, reason = "at most 1,001")]
        let next = (losses + 1) as f64;
        term *= mean / next;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
    let bps = (chance.clamp(0.0, 1.0) * 10_000.0).floor() as u32;
    Some(bps)
}
