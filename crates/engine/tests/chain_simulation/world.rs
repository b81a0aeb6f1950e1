//! A chain, a control plane, its providers with their agents, and its users, all in one thread and in simulated time.

mod events;
mod parties;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use domain::{Clock, JobId, JobState, Label, Millis, Usd};
use market::Registry;
use store::Store;
use tempfile::TempDir;
use waag_engine::{Config, Engine, Parts, Planted};
use waag_network::{Parts as NetworkParts, WaagNetwork};

use crate::agents::Agent;
use crate::chance::{Dice, SeededEntropy};
use crate::line::{Line, Trap, Wire};
use crate::mills::Mill;
use crate::place::{FUND, Place, WINDOW};
use crate::rules::{Scene, Violation};
use crate::stand::{SimTime, Up, died, keys};
use crate::story::{DEADLINE, Event, Story, config};
use crate::truth::Truth;

pub(crate) const NETWORK: &str = "waag";
/// More rounds at one moment mean that somebody never comes to rest.
const ROUNDS_MAX: u32 = 200;
/// The control plane is not started again before this.
const DOWN_MAX: i64 = 20_000;
/// A step that failed is tried again after this, as the product does.
const AFTER_ERROR: i64 = 500;
/// Time goes on by at most this much at once.
const STRIDE: i64 = 600_000;
/// After its deadline a job is settled within this: an acceptance, a commitment, a verdict, and what troubles may take.
const PATIENCE: i64 = 60_000 + 2 * (WINDOW as i64) * 1_000 + 240_000;

/// What became of a submission.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    pub(crate) job: Option<JobId>,
    pub(crate) refused: bool,
    submitted_at: i64,
    pub(crate) outcome: Option<&'static str>,
}

/// How a world ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) digest: u64,
    pub(crate) lives: u64,
    pub(crate) counts: BTreeMap<String, u64>,
}

pub(crate) struct World {
    pub(crate) story: Story,
    pub(crate) config: Config,
    pub(crate) time: Arc<SimTime>,
    pub(crate) place: Place,
    pub(crate) truth: Truth,
    pub(crate) mills: Vec<Mill>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) trap: Arc<Trap>,
    pub(crate) store: Store,
    pub(crate) up: Option<Up>,
    pub(crate) lives: Vec<Life>,
    pub(crate) talk: bool,
    bug: Option<Planted>,
    entropy: Arc<SeededEntropy>,
    dice: Dice,
    agents: BTreeMap<(usize, Label), Agent>,
    up_at: i64,
    starts: u32,
    next_event: usize,
    waiting: Vec<Event>,
    /// Moments at which something that was cut is mended.
    mends: Vec<(i64, Mend)>,
    stalled: bool,
    trace: DefaultHasher,
    counts: BTreeMap<String, u64>,
    _root: TempDir,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mend {
    Mill(usize),
    Consumer,
    Blocks,
}

impl World {
    pub(crate) async fn new(story: Story, bug: Option<Planted>) -> Self {
        let seed = story.seed;
        let time = Arc::new(SimTime::new());
        let place = Place::new(seed, story.lossy_sends, &time).await;
        let root = tempfile::tempdir().unwrap();
        let mut mills = Vec::new();
        for (n, price) in story.prices.iter().enumerate() {
            mills.push(Mill::open(&place, root.path(), seed, n, price).await);
        }
        let mut world = Self {
            truth: Truth::of(&place.market),
            wire: Arc::new(Wire::new(story.lossy_calls, Dice::of(seed, "wire"))),
            trap: Arc::new(Trap::new()),
            store: Store::memory("start-0").await.unwrap(),
            up: None,
            lives: vec![Life::default(); story.jobs.len()],
            talk: false,
            bug,
            entropy: Arc::new(SeededEntropy::new(Dice::of(seed, "entropy"))),
            dice: Dice::of(seed, "world"),
            agents: BTreeMap::new(),
            up_at: 0,
            starts: 0,
            next_event: 0,
            waiting: Vec::new(),
            mends: Vec::new(),
            stalled: false,
            trace: DefaultHasher::new(),
            counts: BTreeMap::new(),
            config: config(),
            _root: root,
            time,
            place,
            mills,
            story,
        };
        // Their offers are there before anybody looks for them.
        world.mills().await.unwrap();
        world.start().await.unwrap();
        let fund = Usd::from_micros(i64::try_from(FUND).unwrap());
        world.up.as_ref().unwrap().engine.fund(fund).await.unwrap();
        world
    }

    /// Notes what happened: it is part of the digest, and printed where somebody wants to read along.
    pub(crate) fn note(&mut self, what: impl Display) {
        let line = format!("{:>9.3} {what}", self.time.real() as f64 / 1_000.0);
        line.hash(&mut self.trace);
        if self.talk {
            println!("{line}");
        }
    }

    pub(crate) fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn parts(&self) -> Parts {
        let network = Arc::new(WaagNetwork::new(NetworkParts {
            name: NETWORK.parse().unwrap(),
            market: self.place.consumers.clone(),
            notary: None,
            from_block: self.place.deployed.block,
            confirmations: 0,
            sender: Arc::new(self.place.sender(self.trap.clone())),
            signer: self.place.consumer.clone(),
            clock: self.time.clone(),
            simulated: true,
            heartbeat: self.place.heartbeat(),
        }));
        let line = Arc::new(Line {
            network,
            store: self.store.clone(),
            wire: Arc::clone(&self.wire),
            trap: Arc::clone(&self.trap),
            time: Arc::clone(&self.time),
        });
        let networks: [Arc<dyn market::Network>; 1] = [line.clone()];
        Parts {
            store: self.store.clone(),
            registry: Registry::new(networks).with_escrow(NETWORK.parse().unwrap(), line),
            keys: keys(),
            clock: self.time.clone(),
            entropy: self.entropy.clone(),
            probe: self.trap.clone(),
            config: self.config.clone(),
            agent_url: "https://127.0.0.1:1".to_owned(),
        }
    }

    /// Starts the control plane on what the one before left: everything but store, journal and chain is made anew.
    pub(crate) async fn start(&mut self) -> Result<(), Violation> {
        self.starts += 1;
        self.trap.revive();
        if self.starts > 1 {
            self.store = self.store.take_over(&format!("start-{}", self.starts)).await.unwrap();
        }
        self.up = Some(Up::start(self.parts(), self.bug).await?);
        self.note(format!("start {}", self.starts));
        Ok(())
    }

    /// The control plane is dead, as a killed process is.
    pub(crate) fn crash(&mut self, why: impl Display) {
        if self.up.take().is_some() {
            self.note(format_args!("the control plane dies: {why}"));
            self.count("restart");
            self.up_at = self.up_at.max(self.time.real() + self.dice.millis(0, DOWN_MAX));
        }
    }

    pub(crate) async fn check(&mut self) -> Result<(), Violation> {
        self.truth.sync(&self.place.market).await?;
        self.scene().check().await
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        let Self { store, place, truth, mills, wire, .. } = self;
        Scene { store, place, truth, mills, wire }
    }

    /// Lets everybody do what is to be done now, until nobody has anything to do. Whether anything moved.
    pub(crate) async fn come_to_rest(&mut self) -> Result<(), Violation> {
        let mut moved = false;
        for _ in 0..ROUNDS_MAX {
            let now = self.time.now();
            let mut order = self.up.as_ref().map(|up| up.to_tick(now)).unwrap_or_default();
            self.dice.shuffle(&mut order);
            let mut busy = false;
            for n in order {
                busy = true;
                moved |= self.tick(n).await?;
            }
            let turned = self.mills().await?;
            moved |= turned;
            if !busy && !turned {
                return if moved { self.check().await } else { Ok(()) };
            }
        }
        Err("somebody does not come to rest".to_owned())
    }

    /// One tick of the step, unless the control plane is down. Whether it changed anything.
    async fn tick(&mut self, n: usize) -> Result<bool, Violation> {
        let now = self.time.now();
        let Some(up) = &mut self.up else { return Ok(false) };
        let (name, before) = (up.steps[n].name(), up.changes());
        let answer = self.trap.alive(up.steps[n].tick(now)).await;
        up.due[n] = match answer {
            Some(Ok(due)) => due,
            Some(Err(error)) if !died(&error) => {
                return Err(format!("step {name} could not be finished: {error:?}"));
            }
            None | Some(Err(_)) => {
                self.crash(format_args!("in {name}"));
                return Ok(true);
            }
        };
        let changed = up.changes() != before;
        // What a step changed itself it has seen; it says by its due time whether there is more.
        up.seen[n] = Some(up.changes());
        if changed {
            self.note(format_args!("{name} moved"));
        }
        Ok(changed)
    }

    /// When anything happens next, in real time.
    fn next_moment(&self) -> i64 {
        let now = self.time.real();
        let mut next = vec![now + STRIDE];
        match &self.up {
            Some(up) => next.extend(up.due.iter().flatten().map(|due| self.time.real_of(*due))),
            None => next.push(self.up_at),
        }
        next.extend(self.mills.iter().filter_map(Mill::next_moment));
        next.extend(self.agents.values().map(|agent| agent.next));
        next.extend(self.story.events.get(self.next_event).map(|(at, _)| *at));
        next.extend(self.mends.iter().map(|(at, _)| *at));
        if !self.waiting.is_empty() {
            next.push(now + AFTER_ERROR);
        }
        next.into_iter().min().unwrap_or(now).max(now + 1)
    }

    /// Goes on to the next moment at which anything happens, and lets it happen.
    pub(crate) async fn go_on(&mut self) -> Result<(), Violation> {
        self.time.go_on_to(self.next_moment());
        if self.up.is_none() && self.time.real() >= self.up_at {
            self.start().await?;
        }
        self.mend().await;
        if !self.stalled {
            self.place.beat(self.time.real());
        }
        self.events().await?;
        self.agents().await?;
        self.come_to_rest().await
    }

    /// Lives until every job is settled.
    pub(crate) async fn live(&mut self) -> Result<Report, Violation> {
        self.come_to_rest().await?;
        loop {
            self.go_on().await?;
            if self.ends().await? {
                break;
            }
        }
        self.rest_in_peace().await?;
        Ok(self.report().await)
    }

    /// Looks which jobs are settled. Returns whether all are.
    async fn ends(&mut self) -> Result<bool, Violation> {
        let now = self.time.real();
        for n in 0..self.lives.len() {
            let Some(id) = self.lives[n].job.filter(|_| self.lives[n].outcome.is_none()) else { continue };
            let job = self.store.job_get(id).await.unwrap().unwrap();
            if let JobState::Settled(outcome) = &job.state {
                let code = outcome.code();
                self.lives[n].outcome = Some(code);
                self.note(format_args!("job {n} is settled: {code}"));
                self.count(format!("job {code}"));
                let hold = self.store.hold_get(job.hold).await.unwrap().unwrap();
                if hold.open || hold.posted > self.story.jobs[n].cap {
                    return Err(format!("job {n} spent {} of its budget", hold.posted));
                }
                if self.story.calm && code != "completed" {
                    return Err(format!("job {n} ended {code} though nothing went wrong"));
                }
            } else if now - self.lives[n].submitted_at > DEADLINE.0.cast_signed() + PATIENCE {
                return Err(format!("job {n} is not settled after {} s", now / 1_000));
            }
        }
        let unsent = self.next_event < self.story.events.len() || !self.waiting.is_empty();
        Ok(!unsent && self.lives.iter().all(|life| life.outcome.is_some() || life.refused))
    }

    /// Long after the last job nothing may be left.
    async fn rest_in_peace(&mut self) -> Result<(), Violation> {
        let until = self.time.real() + STRIDE;
        while self.time.real() < until || self.up.is_none() || !self.mends.is_empty() {
            self.go_on().await?;
        }
        self.check().await?;
        self.scene().is_over().await?;
        let account = self.store.account_get(self.config.account).await.unwrap().unwrap();
        if account.held > Usd::ZERO {
            return Err(format!("{} is held though every job is settled", account.held));
        }
        let engine = Engine::new(Parts { probe: Arc::new(domain::NoProbe), ..self.parts() });
        crate::audit::whole(&engine, &self.store).await?;
        crate::receipts::hold(&engine, &self.store).await?;
        Ok(())
    }

    pub(crate) async fn report(&mut self) -> Report {
        for row in self.store.outbox_list(0, 10_000).await.unwrap() {
            (row.seq, row.at.0, row.kind, row.subject, row.body).hash(&mut self.trace);
        }
        let mut paid: Vec<_> = self
            .truth
            .leases
            .values()
            .map(|known| (&known.label, known.paid.map(|(paid, _)| paid)))
            .collect();
        paid.sort();
        paid.hash(&mut self.trace);
        let mut counts = std::mem::take(&mut self.counts);
        for (point, (_, died)) in self.trap.reached_points() {
            counts.insert(format!("died at {point}"), died);
        }
        for known in self.truth.leases.values() {
            let how = known.paid.map_or("unpaid".to_owned(), |(_, cause)| format!("paid by {cause:?}"));
            *counts.entry(format!("lease {how}")).or_default() += 1;
        }
        counts.insert("calls cut".to_owned(), *crate::stand::lock(&self.wire.cuts));
        counts.insert("hours".to_owned(), Millis(self.time.real().unsigned_abs()).0 / 3_600_000);
        let lives = self.lives.iter().filter(|life| life.outcome.is_some()).count();
        Report { digest: self.trace.finish(), lives: u64::try_from(lives).unwrap(), counts }
    }
}
