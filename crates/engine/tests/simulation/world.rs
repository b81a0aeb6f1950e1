//! A control plane, its networks, its agents and its users, all in one thread and in simulated time.

mod events;
mod hosts;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use domain::{Clock, ExecutionId, JobId, JobState, Label, Millis, Probe, Usd};
use evidence::log::{Reader, Wrong, log_id};
use market::sim::{SimConfig, SimNetwork};
use market::{MemoryMachine, Network, Registry};
use store::Store;
use waag_engine::{Config, Engine, Parts, Planted};

use crate::agents::Agent;
use crate::chance::{Dice, SeededEntropy};
use crate::notary::MemoryNotary;
use crate::parts::{Build, Line, SimTime, Site, Trap, Wire, died, keys, lock, spare};
use crate::rules::{Scene, Seen, Violation};
use crate::stand::Up;
use crate::story::{DEADLINE, Event, Story};

/// More rounds of ticks at one moment mean that the reconcilers never come to rest.
const ROUNDS_MAX: u32 = 200;
/// The control plane is not started again before this.
const DOWN_MAX: i64 = 20_000;
/// After its deadline a job may take this long until it is settled, beside what the clock was set back.
const PATIENCE: i64 = 1_200_000;
/// A step that failed is tried again after this, as the product does.
const AFTER_ERROR: i64 = 500;
/// Time goes on by at most this much at once, as the product looks again after it.
const STRIDE: i64 = 600_000;

/// What is done with one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TickHarm {
    /// The control plane dies after it.
    Dies,
    /// It is done again at once.
    Twice,
    /// The same step ticks at the same time elsewhere, on the same rows.
    Beside,
}

/// What became of a submission.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    pub(crate) job: Option<JobId>,
    pub(crate) refused: Option<&'static str>,
    submitted_at: i64,
    pub(crate) settled: bool,
    cancelled: bool,
    /// An agent was told that its finish is taken.
    completed: bool,
    /// The highest state for which an agent has a receipt, and which was not refuted since.
    stored: u32,
    /// Some of its work did not pass.
    refuted: bool,
}

/// How a world ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) digest: u64,
    pub(crate) lives: u64,
    pub(crate) counts: BTreeMap<String, u64>,
    /// How often each point was reached, and how often the control plane died there.
    pub(crate) points: BTreeMap<&'static str, (u64, u64)>,
    pub(crate) days: u64,
}

pub(crate) struct World {
    pub(crate) story: Story,
    pub(crate) config: Config,
    pub(crate) time: Arc<SimTime>,
    pub(crate) machine: Arc<MemoryMachine>,
    pub(crate) sites: Vec<Site>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) trap: Arc<Trap>,
    pub(crate) notary: Arc<MemoryNotary>,
    pub(crate) store: Store,
    pub(crate) up: Option<Up>,
    /// Another engine on the same store, which does nothing unless it is asked to.
    pub(crate) beside: Option<Engine>,
    pub(crate) lives: Vec<Life>,
    pub(crate) talk: bool,
    bug: Option<Planted>,
    entropy: Arc<SeededEntropy>,
    dice: Dice,
    agents: BTreeMap<Label, Agent>,
    up_at: i64,
    starts: u32,
    next_event: usize,
    waiting: Vec<Event>,
    set_back: i64,
    jumped: bool,
    seen: Seen,
    jobs_of: Mutex<BTreeMap<ExecutionId, JobId>>,
    /// Some job may have been settled since it was looked.
    look: bool,
    ticks: u64,
    /// The ticks that changed something, counted from 1, each with its step.
    pub(crate) moved: Vec<(u64, &'static str)>,
    pub(crate) harm_tick: Option<(u64, TickHarm)>,
    trace: DefaultHasher,
    counts: BTreeMap<String, u64>,
}

impl World {
    pub(crate) async fn new(story: Story, config: Config, bug: Option<Planted>) -> Self {
        Self::on(Store::memory("start-0").await.unwrap(), story, config, bug).await
    }

    pub(crate) async fn on(store: Store, story: Story, config: Config, bug: Option<Planted>) -> Self {
        let seed = story.seed;
        let (time, machine) = (Arc::new(SimTime::new()), Arc::new(MemoryMachine::default()));
        let kinds: [(&str, Build); 4] = [
            ("sim-auction", SimNetwork::auction),
            ("sim-cloud", SimNetwork::cloud),
            ("sim-queue", SimNetwork::queue),
            ("sim-spot", spare),
        ];
        let site = |((name, build), habits): ((&str, Build), _)| {
            let plain = SimConfig::new(name.parse().unwrap(), seed);
            Site::open(build, SimConfig { habits, capacity: story.capacity, ..plain }, &time, &machine)
        };
        // The cloud's habits are those of its spare machines too.
        let habits = story.habits.into_iter().chain([story.habits[1]]);
        let sold = if story.spare { 4 } else { 3 };
        let sites = kinds.into_iter().zip(habits).take(sold).map(site).collect();
        let mut world = Self {
            time: time.clone(),
            machine: machine.clone(),
            sites,
            wire: Arc::default(),
            trap: Arc::default(),
            notary: Arc::new(MemoryNotary::new(time.clone(), seed, !story.calm && !story.jobs.is_empty())),
            store,
            up: None,
            beside: None,
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
            set_back: 0,
            jumped: false,
            seen: Seen::default(),
            jobs_of: Mutex::default(),
            look: false,
            ticks: 0,
            moved: Vec::new(),
            harm_tick: None,
            trace: DefaultHasher::new(),
            counts: BTreeMap::new(),
            story,
            config,
        };
        world.wire.lies.store(world.story.lies, SeqCst);
        world.start().await.unwrap();
        world.up.as_ref().unwrap().engine.fund(world.story.funds).await.unwrap();
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

    /// What a control plane is made of, here.
    pub(crate) fn parts(&self, probe: Arc<dyn Probe>) -> Parts {
        let line = |site: &Site| -> Arc<dyn Network> {
            Arc::new(Line {
                network: Arc::clone(&site.network),
                store: self.store.clone(),
                wire: Arc::clone(&self.wire),
                time: Arc::clone(&self.time),
            })
        };
        let mut registry = Registry::new(self.sites.iter().map(line));
        if self.story.weighed {
            registry = registry.with_notary(self.notary.clone());
        }
        Parts {
            store: self.store.clone(),
            registry,
            keys: keys(),
            clock: self.time.clone(),
            entropy: self.entropy.clone(),
            probe,
            config: self.config.clone(),
            agent_url: "https://127.0.0.1:1".to_owned(),
        }
    }

    /// Starts the control plane on what the one before left.
    pub(crate) async fn start(&mut self) -> Result<(), Violation> {
        self.starts += 1;
        self.trap.revive();
        if self.starts > 1 {
            self.store = self.store.take_over(&format!("start-{}", self.starts)).await.unwrap();
        }
        self.beside = Some(Engine::new(self.parts(Arc::new(domain::NoProbe))));
        self.up = Some(Up::start(self.parts(self.trap.clone()), self.bug).await?);
        let starts = self.starts;
        self.note(format_args!("start {starts}"));
        Ok(())
    }

    /// The control plane is dead, as a killed process is.
    pub(crate) fn crash(&mut self, why: impl Display) {
        lock(&self.wire.cancel).take();
        self.beside = None;
        if self.up.take().is_some() {
            self.note(format_args!("the control plane dies: {why}"));
            self.count("restart");
            self.up_at = self.time.real() + self.dice.millis(0, DOWN_MAX);
        }
    }

    /// Checks the rules, all of them.
    pub(crate) async fn check(&mut self) -> Result<(), Violation> {
        self.seen = self.scene().check().await?;
        Ok(())
    }

    /// Checks them again when time went on, but nobody wrote anything down.
    async fn check_world(&mut self) -> Result<(), Violation> {
        let open = std::mem::take(&mut self.seen.open);
        self.seen = self.scene().check_world(open).await?;
        Ok(())
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            store: &self.store,
            sites: &self.sites,
            machine: &self.machine,
            wire: &self.wire,
            jobs_of: &self.jobs_of,
        }
    }

    /// Ticks the reconcilers, one at a time and in any order, until none has anything to do now.
    pub(crate) async fn come_to_rest(&mut self) -> Result<(), Violation> {
        self.check_world().await?;
        for _ in 0..ROUNDS_MAX {
            let now = self.time.now();
            let mut order = self.up.as_ref().map(|up| up.to_tick(now)).unwrap_or_default();
            if order.is_empty() {
                return Ok(());
            }
            self.dice.shuffle(&mut order);
            for n in order {
                self.tick(n).await?;
            }
        }
        Err("the reconcilers do not come to rest".to_owned())
    }

    /// One tick of the step, unless the control plane is down.
    pub(crate) async fn tick(&mut self, n: usize) -> Result<(), Violation> {
        let now = self.time.now();
        let Some(up) = &mut self.up else { return Ok(()) };
        let (name, before) = (up.steps[n].name(), up.changes());
        self.ticks += 1;
        let this = up.steps[n].as_ref();
        let answer = match self.harm_tick {
            Some((at, TickHarm::Twice)) if at == self.ticks => this.tick(now).await.and(this.tick(now).await),
            Some((at, TickHarm::Beside)) if at == self.ticks => {
                let other = self.beside.as_ref().unwrap().reconcilers();
                let (this, other) = futures::join!(this.tick(now), other[n].tick(now));
                other.and(this)
            }
            _ => this.tick(now).await,
        };
        let due_before = up.due[n];
        up.due[n] = match answer {
            Ok(due) => due,
            Err(error) if died(&error) => {
                self.crash(error);
                self.check().await?;
                return Ok(());
            }
            Err(error) => return Err(format!("step {name} could not be finished: {error:?}")),
        };
        let changed = up.changes() != before;
        let swept = name == "sweep" && up.due[n] != due_before;
        // What a step changed itself it has seen; it says by its due time whether there is more.
        up.seen[n] = Some(up.changes());
        if changed {
            self.note(format_args!("{name} moved"));
            self.look |= name == "jobs";
            self.moved.push((self.ticks, name));
        }
        if self.harm_tick == Some((self.ticks, TickHarm::Dies)) {
            self.crash("killed after a tick");
        }
        // Without a change everything that the rules speak of is as it was, but for what a sweep closed.
        if changed || swept {
            self.check().await?;
        }
        Ok(())
    }

    /// When anything happens next, in real time.
    async fn next_moment(&self) -> i64 {
        let now = self.time.real();
        let mut next = vec![now + STRIDE];
        match &self.up {
            Some(up) => next.extend(up.due.iter().flatten().map(|due| self.time.real_of(*due))),
            None => next.push(self.up_at),
        }
        for site in &self.sites {
            next.extend(site.network.next_due().await.map(|due| self.time.real_of(due)));
        }
        next.extend(self.agents.values().map(|agent| agent.next));
        next.extend(self.notary.next_due());
        next.extend(self.story.events.get(self.next_event).map(|(at, _)| *at));
        if !self.waiting.is_empty() {
            next.push(now + AFTER_ERROR);
        }
        next.into_iter().min().unwrap_or(now).max(now + 1)
    }

    /// Goes on to the next moment at which anything happens, and lets it happen.
    pub(crate) async fn go_on(&mut self) -> Result<(), Violation> {
        self.time.go_on_to(self.next_moment().await);
        for site in &self.sites {
            site.network.catch_up().await.unwrap();
        }
        if self.up.is_none() && self.time.real() >= self.up_at {
            if self.dice.percent(25) {
                let n = usize::try_from(self.dice.between(0, 2)).unwrap();
                self.sites[n].restart(&self.time, &self.machine);
            }
            self.start().await?;
        }
        self.events().await?;
        self.agents().await?;
        let engine = self.up.as_ref().map(|up| up.engine.clone());
        if self.notary.look(engine.as_ref()).await? > 0 {
            self.count("proof concluded");
        }
        self.come_to_rest().await?;
        let honest = self.story.habits.iter().all(|habits| habits.overbilling == 0);
        if honest && !self.jumped && self.up.is_some() {
            self.scene().bills_are_held(&self.seen).await?;
        }
        Ok(())
    }

    /// Lives until every job is settled, and no longer.
    pub(crate) async fn settle(&mut self) -> Result<(), Violation> {
        self.come_to_rest().await?;
        loop {
            self.go_on().await?;
            if self.ends().await? {
                return Ok(());
            }
        }
    }

    /// Lives until every job is settled.
    pub(crate) async fn live(&mut self) -> Result<Report, Violation> {
        self.settle().await?;
        lock(&self.wire.out).clear();
        lock(&self.wire.cancel).take();
        self.rest_in_peace().await?;
        Ok(self.report().await)
    }

    /// Looks which jobs are settled. Returns whether all are.
    async fn ends(&mut self) -> Result<bool, Violation> {
        let now = self.time.real();
        let longest = DEADLINE.0.cast_signed() + PATIENCE + self.set_back;
        let open = |life: &Life| life.job.is_some() && !life.settled;
        let late = self.lives.iter().position(|life| open(life) && now - life.submitted_at > longest);
        if self.look || late.is_some() {
            self.look = false;
            self.look_at_jobs().await?;
        }
        if let Some(n) = late
            && !self.lives[n].settled
        {
            return Err(format!(
                "job {n} is not settled after {} s",
                (now - self.lives[n].submitted_at) / 1_000
            ));
        }
        let unsent = self.next_event < self.story.events.len() || !self.waiting.is_empty();
        Ok(!unsent && self.lives.iter().all(|life| life.settled || life.refused.is_some()))
    }

    async fn look_at_jobs(&mut self) -> Result<(), Violation> {
        self.check().await?;
        self.went_back().await;
        for n in 0..self.lives.len() {
            let Some(id) = self.lives[n].job.filter(|_| !self.lives[n].settled) else { continue };
            let job = self.store.job_get(id).await.unwrap().unwrap();
            let JobState::Settled(outcome) = &job.state else { continue };
            self.scene().job_is_over(&self.seen, &job, self.story.jobs[n].cap).await?;
            self.lives[n].settled = true;
            self.note(format_args!("job {n} is settled: {}", outcome.code()));
            self.count(format!("job {}", outcome.code()));
            if self.lives[n].completed && !self.lives[n].refuted && outcome.code() != "completed" {
                return Err(format!("job {n} ended {} after its agent's finish was taken", outcome.code()));
            }
            if self.story.calm && outcome.code() != "completed" {
                return Err(format!("job {n} ended {} though nothing went wrong", outcome.code()));
            }
        }
        Ok(())
    }

    /// Long after the last job nothing may be left.
    async fn rest_in_peace(&mut self) -> Result<(), Violation> {
        // What is still armed, or another that took over, may end it once more while it does what was left.
        loop {
            if self.up.is_none() {
                self.start().await?;
            }
            self.time.go_on_to(self.time.real() + STRIDE);
            self.come_to_rest().await?;
            if self.up.is_some() {
                break;
            }
        }
        self.check().await?;
        if let Some(left) = self.seen.truth.iter().find(|one| one.open) {
            return Err(format!("{} is left though every job is settled", left.label));
        }
        if let Some((label, _)) = self.machine.alive().first() {
            return Err(format!("an agent is left on {label} though every job is settled"));
        }
        let account = self.store.account_get(self.config.account).await.unwrap().unwrap();
        if account.held > Usd::ZERO {
            return Err(format!("{} is held though every job is settled", account.held));
        }
        let engine = Engine::new(self.parts(Arc::new(domain::NoProbe)));
        let size = crate::audit::whole(&engine, &self.store).await?;
        for gap in crate::common_receipts::hold(&engine, &self.store).await? {
            self.count(format!("unproven {gap}"));
        }
        self.is_anchored(&engine, size)
    }

    /// What was written down at the notary is how the log began.
    fn is_anchored(&self, engine: &Engine, size: u64) -> Result<(), Violation> {
        if !self.story.weighed || size == 0 {
            return Ok(());
        }
        let origin = engine.audit_key().unwrap().split('+').next().unwrap().to_owned();
        let anchor = self.notary.anchor_of(&log_id(&origin)).ok_or("the audit log was never anchored")?;
        let files = |path: &str| Ok::<_, Wrong>(self.store.audit().read(path).unwrap());
        if Reader::new(size, files).root(anchor.size) != Ok(anchor.root) {
            return Err(format!("the audit log at {} records is not what was anchored", anchor.size));
        }
        Ok(())
    }

    async fn report(&mut self) -> Report {
        let mut seq = 0;
        loop {
            let rows = self.store.outbox_list(seq, 1_000).await.unwrap();
            let Some(last) = rows.last() else { break };
            seq = last.seq;
            for row in rows {
                (row.seq, row.at.0, row.kind, row.subject, row.body).hash(&mut self.trace);
            }
        }
        Report {
            digest: self.trace.finish(),
            lives: u64::try_from(self.lives.iter().filter(|life| life.settled).count()).unwrap(),
            counts: self.counts.clone(),
            points: self.trap.reached_points(),
            days: Millis(self.time.real().unsigned_abs()).0 / 86_400_000,
        }
    }
}
