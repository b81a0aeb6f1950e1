//! How fast and in how much memory offers are chosen, on one core.

use std::time::{Duration, Instant};

use domain::{Offer, OfferRef, PlacementId};
use policy::index::Index;
use policy::placement::{RANKED_MAX, place};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::catalog::Dice;
use super::peer::Beside;
use super::questions::Question;
use crate::commands::bench::start::resident_mib;
use crate::failure::{Done, Exit, Failure};

const FOR: Duration = Duration::from_millis(2_000);
/// With updates, long enough that a share of the offers has changed.
const FOR_UPDATED: Duration = Duration::from_millis(5_000);
const UPDATES_PER_S: f64 = 10_000.0;
/// Offers that brute force looks at together.
const CHUNK: u64 = 8_192;
/// Beyond so many offers brute force answers only every fifth question.
const CHECK_ALL_MAX: u64 = 200_000;

/// The figures of one size.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    pub(super) offers: u64,
    /// In a second of one core's time; a machine that does other work too gives less in a second of the clock.
    pub(super) decisions_per_s: f64,
    pub(super) decisions_per_clock_s: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Of this process, with the index in it.
    pub(super) rss_mib: f64,
    /// Putting the offers in, one by one.
    pub(super) inserts_per_s: f64,
    /// Questions whose whole answer brute force gave too.
    pub(super) checked: usize,
    /// While offers change, come and go.
    pub(super) updating: Updating,
    /// SkyPilot's optimizer on the same rows, where it was asked.
    pub(super) peer: Option<Beside>,
}

/// The same while offers change.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Updating {
    /// By the clock.
    pub(super) updates_per_s: f64,
    /// In a second of one core's time that is left beside the updates.
    pub(super) decisions_per_s: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) update_p99_us: f64,
}

/// Where offers come from: the `n`th, after so many changes.
pub(super) type Source<'a> = &'a dyn Fn(u64, u64) -> Done<Offer>;

pub(super) fn size(offers: u64, source: Source<'_>, questions: &[Question]) -> Done<Figures> {
    let (mut index, started) = (Index::default(), Instant::now());
    let mut making = Duration::ZERO;
    for n in 0..offers {
        let at = Instant::now();
        let offer = source(n, 0)?;
        making += at.elapsed();
        index.upsert(&offer);
    }
    let inserting = started.elapsed().saturating_sub(making);
    let every = if offers > CHECK_ALL_MAX { 5 } else { 1 };
    let mut checked = 0;
    for question in questions.iter().step_by(every) {
        check(&index, offers, source, question)?;
        checked += 1;
    }
    let rss_mib = resident_mib(std::process::id())?;
    let mut times = Vec::new();
    let (started, busy) = (Instant::now(), core_time());
    while started.elapsed() < FOR {
        for question in questions {
            times.push(decide(&index, question));
        }
    }
    let decisions_per_clock_s = per_s(times.len(), started.elapsed());
    let decisions_per_s = per_s(times.len(), core_time().saturating_sub(busy));
    let (p50_us, p99_us) = percentiles(&mut times);
    let updating = updated(&mut index, offers, source, questions)?;
    let inserts_per_s = per_s(usize::try_from(offers).unwrap_or(0), inserting);
    let peer = None;
    Ok(Figures {
        offers,
        decisions_per_s,
        decisions_per_clock_s,
        p50_us,
        p99_us,
        rss_mib,
        inserts_per_s,
        checked,
        updating,
        peer,
    })
}

/// Decisions one after the other; before each, the updates that are due by then.
fn updated(index: &mut Index, offers: u64, source: Source<'_>, questions: &[Question]) -> Done<Updating> {
    let (mut times, mut updates) = (Vec::new(), Vec::new());
    let mut dice = Dice(99);
    let (started, busy) = (Instant::now(), core_time());
    let mut making = Duration::ZERO;
    'all: loop {
        for question in questions {
            let elapsed = started.elapsed();
            if elapsed > FOR_UPDATED {
                break 'all;
            }
            let due = (elapsed.as_secs_f64() * UPDATES_PER_S) as usize;
            while updates.len() < due {
                let (n, kind, change) = (dice.below(offers), dice.below(20), dice.next());
                let began = core_time();
                let offer = source(n, if kind < 4 { 0 } else { change | 1 })?;
                making += core_time().saturating_sub(began);
                let at = Instant::now();
                apply(index, &offer, kind);
                updates.push(at.elapsed());
            }
            times.push(decide(index, question));
        }
    }
    // What it takes to make up offers is no part of it.
    let took = core_time().saturating_sub(busy).saturating_sub(making);
    let (updates_per_s, decisions_per_s) =
        (per_s(updates.len(), started.elapsed()), per_s(times.len(), took));
    let (p50_us, p99_us) = percentiles(&mut times);
    let (_, update_p99_us) = percentiles(&mut updates);
    Ok(Updating { updates_per_s, decisions_per_s, p50_us, p99_us, update_p99_us })
}

/// One in ten goes, the others come, change or are seen again.
fn apply(index: &mut Index, offer: &Offer, kind: u64) {
    if kind >= 18 {
        let id = OfferRef { network: offer.id.network.clone(), reference: offer.id.reference.clone() };
        index.remove(&id);
    } else {
        index.upsert(offer);
    }
}

pub(super) fn decide(index: &Index, question: &Question) -> Duration {
    let situation = question.situation();
    let at = Instant::now();
    std::hint::black_box(index.best(std::hint::black_box(&situation), RANKED_MAX));
    at.elapsed()
}

/// Compares the whole answer with that of plain `place`, which looks at every offer.
fn check(index: &Index, offers: u64, source: Source<'_>, question: &Question) -> Done {
    let situation = question.situation();
    let mut best: Vec<Offer> = Vec::new();
    let mut from = 0;
    while from < offers {
        let to = offers.min(from + CHUNK);
        for n in from..to {
            best.push(source(n, 0)?);
        }
        let (plan, _) = place(PlacementId::from_bytes([0; 10]), &situation, &best, 0);
        best = plan.ranked.into_iter().map(|ranked| ranked.offer).collect();
        from = to;
    }
    let found = index.best(&situation, RANKED_MAX);
    let same = found.len() == best.len()
        && found
            .iter()
            .zip(&best)
            .all(|(hit, offer)| *hit.network == offer.id.network && hit.reference == offer.id.reference);
    if same {
        return Ok(());
    }
    let what = format!("the index and brute force disagree about `{}` of {offers} offers", question.asked);
    Err(Failure::new(Exit::Failed, "bench_differs", what))
}

/// What this thread has had of a core.
fn core_time() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
pub(super) fn per_s(n: usize, took: Duration) -> f64 {
    n as f64 / took.as_secs_f64().max(1e-9)
}

/// The median and the 99th percentile in microseconds.
pub(super) fn percentiles(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: usize| {
        let n = (times.len() * share / 100).min(times.len().saturating_sub(1));
        times.get(n).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    (at(50), at(99))
}
