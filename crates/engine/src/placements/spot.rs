//! Machines that may be taken away, or machines that stay: what each job that may be on both holds next.
//!
//! A job waits for spot only where it is known how long it runs: because it says so, or because some of it ran already. All others take
//! what costs least now. What was seen of spot is in memory: after a restart each job begins to learn anew, from the same prior.

use std::collections::{BTreeSet, HashMap};

use domain::{JobId, Offer, OfferRef, Timestamp};
use policy::placement::{Situation, Tenure};
use policy::spot::{Broker, Seen, look};

use crate::context::Context;

/// The jobs that may choose.
#[derive(Default)]
pub(crate) struct Brokers(HashMap<JobId, Followed>);

#[derive(Clone)]
struct Followed {
    broker: Broker,
    /// What would do for it, to be had or not.
    zones: BTreeSet<OfferRef>,
    tenure: Tenure,
    until: Timestamp,
}

impl Brokers {
    /// What was chosen for a job.
    pub(crate) fn tenure(&self, job: JobId) -> Tenure {
        self.0.get(&job).map_or(Tenure::Any, |followed| followed.tenure)
    }

    /// Learns from what is offered now.
    pub(crate) fn see(&mut self, offers: &[Offer], now: Timestamp) {
        self.0.retain(|_, followed| followed.until > now);
        for followed in self.0.values_mut() {
            let there = |offer: &&Offer| offer.interruptible && offer.stock != Some(0);
            let up = offers.iter().filter(there).any(|offer| followed.zones.contains(&offer.id));
            followed.broker.see(up, now);
        }
    }

    /// A job's broker, which has seen what is there now.
    fn broker(&mut self, situation: &Situation<'_>, seen: &Seen, pace: u32) -> Broker {
        let now = situation.now;
        let followed = self.0.entry(situation.job).or_insert_with(|| Followed {
            broker: Broker::new(seen.market.zones, pace, now),
            zones: BTreeSet::new(),
            tenure: Tenure::Any,
            until: situation.deadline_at,
        });
        followed.zones.extend(seen.zones.iter().cloned());
        followed.broker.see(seen.up, now);
        followed.broker.clone()
    }

    fn choose(&mut self, job: JobId, tenure: Tenure) {
        if let Some(followed) = self.0.get_mut(&job) {
            followed.tenure = tenure;
        }
    }
}

impl Context {
    /// Which machines a job that holds nothing may buy now, and when to ask again if none.
    pub(crate) async fn choose_tenure(
        &self,
        situation: &Situation<'_>,
        known_run: bool,
        offers: &[Offer],
    ) -> (Tenure, Option<Timestamp>) {
        let noticed = self.config.heartbeat.times(u64::from(self.config.heartbeat_misses) + 1);
        let free = situation.spec.use_spot.is_none() && known_run;
        let Some(seen) = free.then(|| look(situation, offers, noticed)).flatten() else {
            self.brokers().choose(situation.job, Tenure::Any);
            return (Tenure::Any, None);
        };
        let broker = self.brokers().broker(situation, &seen, self.config.spot_pace);
        let again = broker.next_look(situation.now);
        // Solving takes a while, so other steps go on meanwhile.
        let solved = tokio::task::spawn_blocking(move || broker.choose(&seen.market, &seen.need)).await;
        let tenure = solved.ok().and_then(Result::ok).unwrap_or_default();
        self.brokers().choose(situation.job, tenure);
        (tenure, Some(again))
    }
}
