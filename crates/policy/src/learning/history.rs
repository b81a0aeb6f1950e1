//! What is known of networks and providers after what became of leases on them.
//!
//! A network's losses are those of [`losses`]. A provider's are shrunk towards its network's: it counts as having run
//! [`losses::UNSEEN`] at the network's rate before anything was seen of itself, the mean of a Gamma posterior whose prior is the
//! network. Machines that may be taken away are counted apart: that they were is no broken promise.

use std::collections::BTreeMap;

use domain::{JobId, LeaseRecord, Millis, NetworkName, ProviderName, Timestamp, Usd};

use super::classes::Classes;
use super::losses;
use super::reputation::{Ended, Identity, Record, Rules};
use crate::objective::{Knowledge, NetworkFacts, ProviderFacts};

/// Losses, and the time in which they came.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    lost: u64,
    ran: Millis,
}

impl Count {
    fn add(&mut self, lived: &LeaseRecord, now: Timestamp) {
        self.lost += u64::from(lived.lost);
        self.ran = self.ran + lived.ended_at.unwrap_or(now).since(lived.live_at);
    }

    fn per_million_hours(self) -> u32 {
        losses::per_million_hours(self.lost, self.ran)
    }
}

type Providers<'a> = BTreeMap<(&'a NetworkName, &'a ProviderName), (Count, Vec<Record>)>;

/// What all leases that lived come to. Nothing that is not theirs is in it.
pub fn sum_up(lived: &[LeaseRecord], rules: &Rules, now: Timestamp) -> Knowledge {
    let mut stayed: BTreeMap<&NetworkName, Count> = BTreeMap::new();
    let mut taken: BTreeMap<&NetworkName, Count> = BTreeMap::new();
    let mut providers = Providers::new();
    for one in lived {
        let counts = if one.interruptible { &mut taken } else { &mut stayed };
        counts.entry(&one.network).or_default().add(one, now);
        if let Some(provider) = &one.provider {
            let (count, records) = providers.entry((&one.network, provider)).or_default();
            if !one.interruptible {
                count.add(one, now);
            }
            records.extend(record(one));
        }
    }
    let rate = |counts: &BTreeMap<&NetworkName, Count>, name: &NetworkName| {
        counts.get(name).copied().unwrap_or_default().per_million_hours()
    };
    let networks = stayed.keys().chain(taken.keys()).map(|name| {
        let facts = NetworkFacts {
            losses_per_million_hours: rate(&stayed, name),
            taken_per_million_hours: rate(&taken, name),
            ..NetworkFacts::default()
        };
        ((*name).clone(), facts)
    });
    Knowledge {
        networks: networks.collect(),
        providers: known(&providers, |name| rate(&stayed, name), rules, now),
        classes: classes(lived).surcharges_bps(),
        newcomer_bps: bps(rules.bound(&[], now)),
        ..Knowledge::default()
    }
}

/// What jobs cost beside what was expected, failed attempts included: those that were done on one network, by their first
/// expectation.
fn classes(lived: &[LeaseRecord]) -> Classes {
    let mut jobs: BTreeMap<JobId, Vec<&LeaseRecord>> = BTreeMap::new();
    for one in lived.iter().filter(|one| one.class.is_some()) {
        jobs.entry(one.job).or_default().push(one);
    }
    let mut classes = Classes::default();
    for leases in jobs.values() {
        let Some(first) = leases.iter().min_by_key(|one| one.live_at) else { continue };
        let done = leases.iter().any(|one| one.ended_at.is_some() && !one.lost && !one.refuted);
        let alone = leases.iter().all(|one| one.network == first.network);
        if let (Some(class), Some(expected), true) = (first.class, first.expected, done && alone)
            && expected > Usd::ZERO
        {
            let billed: Usd = leases.iter().filter_map(|one| one.billed).sum();
            let multiple = billed.micros() as f64 / expected.micros() as f64;
            classes.observe(class, &first.network, multiple);
        }
    }
    classes
}

/// Those on one network share its failures together; who controls whom is not known here.
fn known(
    providers: &Providers<'_>,
    rate: impl Fn(&NetworkName) -> u32,
    rules: &Rules,
    now: Timestamp,
) -> BTreeMap<NetworkName, BTreeMap<ProviderName, ProviderFacts>> {
    let identity = |((_, provider), (_, records)): (&(_, &ProviderName), &(_, Vec<Record>))| Identity {
        provider: (*provider).clone(),
        controller: None,
        records: records.clone(),
    };
    let identities: Vec<Identity> = providers.iter().map(identity).collect();
    let mut known: BTreeMap<NetworkName, BTreeMap<ProviderName, ProviderFacts>> = BTreeMap::new();
    for (((network, provider), (count, _)), bound) in providers.iter().zip(rules.bounds(&identities, now)) {
        let facts = ProviderFacts {
            losses_per_million_hours: shrunk(*count, rate(network)),
            promise_bps: bps(bound),
        };
        known.entry((*network).clone()).or_default().insert((*provider).clone(), facts);
    }
    known
}

/// What the provider answers for: nothing while it runs, and nothing where its machine was taken away as agreed.
fn record(lived: &LeaseRecord) -> Option<Record> {
    let ended_at = lived.ended_at?;
    if lived.interruptible && lived.lost && !lived.refuted {
        return None;
    }
    let failed = lived.lost || lived.refuted;
    let ended = if failed { Ended::Failed { at: ended_at } } else { Ended::Kept };
    Some(Record { began: lived.live_at, value: lived.billed.unwrap_or_default(), ended })
}

/// A provider's own losses with its network's rate as prior.
fn shrunk(count: Count, network: u32) -> u32 {
    let hours_in_million = 1_000_000 * u128::from(Millis::HOUR.0);
    let own = u128::from(count.lost) * hours_in_million;
    let seen = u128::from(count.ran.0) + u128::from(losses::UNSEEN.0);
    let all = own + u128::from(network) * u128::from(losses::UNSEEN.0);
    u32::try_from(all / seen).unwrap_or(u32::MAX)
}

/// Rounded down, as a lower bound is.
fn bps(chance: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
    let bps = (chance.clamp(0.0, 1.0) * 10_000.0).floor() as u32;
    bps
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::WorkClass;

    const NOW: Timestamp = Timestamp(1_772_366_400_000);
    const HOUR: Millis = Millis::HOUR;

    fn lived(provider: &str, lost: bool) -> LeaseRecord {
        LeaseRecord {
            job: JobId::from_bytes([1; 10]),
            class: None,
            expected: None,
            network: "akash".parse().unwrap(),
            provider: Some(provider.parse().unwrap()),
            interruptible: false,
            live_at: NOW - HOUR.times(2),
            ended_at: Some(NOW - HOUR),
            billed: Some("1.00".parse().unwrap()),
            lost,
            refuted: false,
        }
    }

    fn facts(knowledge: &Knowledge, provider: &str) -> ProviderFacts {
        let network: NetworkName = "akash".parse().unwrap();
        knowledge.providers[&network][&provider.parse::<ProviderName>().unwrap()]
    }

    fn of(all: &[LeaseRecord]) -> Knowledge {
        sum_up(all, &Rules::default(), NOW)
    }

    #[test]
    fn provider_that_loses_work_is_told_from_its_network() {
        let all: Vec<LeaseRecord> =
            (0..40).flat_map(|n| [lived("good", false), lived("bad", n % 2 == 0)]).collect();
        let known = of(&all);
        let (good, bad) = (facts(&known, "good"), facts(&known, "bad"));
        let network = known.networks.values().next().unwrap().losses_per_million_hours;
        // 20 losses in 80 hours and the 24 that every network is given.
        assert_eq!(network, 20 * 1_000_000 / 104);
        assert_eq!(bad.losses_per_million_hours, (20_000_000 + 24 * network) / 64);
        assert_eq!(good.losses_per_million_hours, 24 * network / 64);
        assert!(bad.promise_bps < 4_000 && good.promise_bps > 9_000 && known.newcomer_bps < 600);
        assert_eq!(known.promise_bps(&"akash".parse().unwrap(), &"new".parse().unwrap()), known.newcomer_bps);
    }

    #[test]
    fn machine_that_was_taken_away_breaks_no_promise_and_is_counted_apart() {
        let taken = || LeaseRecord { interruptible: true, ..lived("spare", true) };
        let kept = || LeaseRecord { interruptible: true, ..lived("spare", false) };
        let known = of(&[taken(), taken(), kept()]);
        let network = known.networks.values().next().unwrap();
        assert_eq!(network.losses_per_million_hours, 0);
        assert_eq!(network.taken_per_million_hours, 2 * 1_000_000 / 27);
        assert_eq!(facts(&known, "spare").promise_bps, facts(&of(&[kept()]), "spare").promise_bps);
        let refuted = LeaseRecord { refuted: true, ..kept() };
        assert!(facts(&of(&[refuted]), "spare").promise_bps < known.newcomer_bps, "what is fabricated is");
    }

    #[test]
    fn job_that_costs_more_than_expected_makes_its_network_dearer_for_its_class() {
        let (class, akash) = (WorkClass::Training, "akash".parse::<NetworkName>().unwrap());
        let job = |n: u8, billed: &str, lost| LeaseRecord {
            job: JobId::from_bytes([n; 10]),
            class: Some(class),
            expected: Some("1.00".parse().unwrap()),
            billed: Some(billed.parse().unwrap()),
            ..lived("p", lost)
        };
        let measured = |all: &[LeaseRecord]| of(all).classes.get(&class).map(|networks| networks[&akash]);
        assert_eq!(measured(&[lived("p", false)]), None, "it does not say what it is");
        assert_eq!(measured(&[job(1, "2.00", true)]), None, "it was not done");
        // A lost attempt and one that was done: twice what was expected. (5 x 0.95 + 2) / 6 over 0.95.
        assert_eq!(measured(&[job(1, "0.50", true), job(1, "1.50", false)]), Some(1_842));
        let elsewhere = LeaseRecord { network: "golem".parse().unwrap(), ..job(1, "0.50", true) };
        assert_eq!(measured(&[elsewhere, job(1, "1.50", false)]), None, "whose fault it was is not known");
        assert_eq!(measured(&[LeaseRecord { expected: None, ..job(1, "1.50", false) }]), None);
    }

    #[test]
    fn lease_that_runs_counts_its_time_and_tells_nothing_else() {
        let running = LeaseRecord { ended_at: None, ..lived("p", false) };
        let known = of(&[running.clone(), lived("q", true)]);
        assert_eq!(known.networks.values().next().unwrap().losses_per_million_hours, 1_000_000 / 27);
        assert_eq!(facts(&known, "p").promise_bps, known.newcomer_bps);
    }
}
