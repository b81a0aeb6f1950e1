//! The agents' side of a simulation: whoever lives on the machine does, in real time, what its script says.

use agent::Delegate;
use bytes::Bytes;
use domain::{ExecutionId, Label};
use evidence::Leaf;
use futures::stream;
use market::Boot;
use waag_engine::{AgentRefusal, Engine};
use wire::agent::{
    BootDoc, Commitment, Finish, FinishResult, Heartbeat, Hello, Orders, PROTOCOL, SandboxKind,
    UploadReceipt, Welcome, bytes_of,
};

use crate::chance::{Dice, SeededEntropy};
use crate::parts::{died, wrapped_key};
use crate::story::Story;

/// Digest of a state that the work gave.
const HONEST: [u8; 32] = [1; 32];
/// Digest of one that it did not.
pub(crate) const FABRICATED: [u8; 32] = [0xfa; 32];

/// What an agent is going to do, beside its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    None,
    /// Ends by itself at this segment, in this way.
    Fails(u32, Failure),
    /// Says nothing for ever from this segment on.
    Hangs(u32),
    /// Says nothing for so long, but works.
    Mute(u32, i64),
    NeverConnects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Exit,
    OutOfMemory,
    GivesUp,
    /// Claims to have stopped as ordered, without an order.
    Stops,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Hello,
    /// Its first leaf is to be told.
    First,
    Work,
    Outputs,
    Over,
}

/// An agent that lives.
pub(crate) struct Agent {
    pub(crate) execution: ExecutionId,
    pub(crate) next: i64,
    token: String,
    delegate: Delegate,
    /// What it signs its leaves for.
    job_hash: [u8; 32],
    /// From this state on it puts its own bytes in the place of what the work gives.
    fabricates: Option<u32>,
    /// Digest of the state that it begins from.
    begins: [u8; 32],
    /// Who cheats follows from these.
    seed: u64,
    cheats: u64,
    /// Its word over its newest leaf, until that is known to be told.
    untold: Option<(u32, Option<Commitment>)>,
    instance: String,
    quirk: Quirk,
    /// Every call is made again, as if its reply had been lost.
    repeats: bool,
    /// A last call arrives after it is dead.
    pub(crate) lingers: bool,
    phase: Phase,
    segment: u32,
    segments: u32,
    segment_ms: i64,
    heartbeat_ms: i64,
    work_at: i64,
    beat_at: i64,
    stop: bool,
    /// Somebody would check its work.
    pub(crate) weighed: bool,
}

/// What came of an agent's call.
pub(crate) enum Did {
    /// It went on.
    Step(&'static str),
    /// It was welcomed to go on from this segment.
    Welcomed(u32),
    /// A state was taken.
    Stored(u32),
    /// It is to try again later.
    Wait,
    /// It was told to go, or is done.
    Gone(&'static str),
    /// The control plane died meanwhile.
    NoAnswer,
}

/// A call was answered in a way that no agent should see.
pub(crate) type Wrong = String;

impl Agent {
    pub(crate) fn new(story: &Story, label: &Label, boot: &Boot, now: i64) -> Self {
        let odd = story.odd_agents;
        let boot: BootDoc = serde_json::from_slice(boot.expose()).unwrap();
        let mut dice = Dice::of(story.seed, label.as_str());
        let drawn = if dice.percent(odd) { quirk(&mut dice) } else { Quirk::None };
        let quirk = story.quirk.unwrap_or(drawn);
        let mut instance = [0u8; 32];
        for part in instance.chunks_mut(8) {
            part.copy_from_slice(&dice.next().to_le_bytes());
        }
        let folder = std::path::Path::new("/nowhere");
        let delegate =
            Delegate::of(&boot, folder, &SeededEntropy::new(Dice::of(story.seed, label.as_str()))).unwrap();
        Self {
            delegate,
            job_hash: [0; 32],
            fabricates: fabricates(story.seed, story.cheats, boot.execution),
            begins: [0; 32],
            seed: story.seed,
            cheats: story.cheats,
            untold: None,
            execution: boot.execution,
            next: now + dice.millis(100, 2_000),
            token: boot.token().unwrap().to_owned(),
            instance: hex::encode(instance),
            quirk,
            repeats: dice.percent(odd / 2),
            lingers: dice.percent(odd),
            phase: Phase::Hello,
            segment: 0,
            segments: 0,
            segment_ms: dice.millis(story.segment_ms.0, story.segment_ms.1),
            heartbeat_ms: 0,
            work_at: 0,
            beat_at: 0,
            stop: false,
            weighed: false,
        }
    }

    /// Does what is due; `next` says when more is.
    pub(crate) async fn step(&mut self, engine: &Engine, now: i64) -> Result<Did, Wrong> {
        self.next = now + 1_000;
        match self.phase {
            Phase::Hello if self.quirk == Quirk::NeverConnects => Ok(self.over("never connects")),
            Phase::Hello => self.hello(engine, now).await,
            Phase::First => self.first(engine).await,
            Phase::Work => self.work(engine, now).await,
            Phase::Outputs => self.outputs(engine).await,
            Phase::Over => Ok(self.over("over")),
        }
    }

    fn over(&mut self, why: &'static str) -> Did {
        self.phase = Phase::Over;
        self.next = i64::MAX;
        Did::Gone(why)
    }

    async fn hello(&mut self, engine: &Engine, now: i64) -> Result<Did, Wrong> {
        let hello = Hello {
            protocol: PROTOCOL,
            instance_key: self.instance.clone(),
            sandbox: SandboxKind::Namespaces,
            introduction: None,
            agent: self.delegate.own_address(),
        };
        let mut answer = engine.agent_hello(&self.token, &hello).await;
        if self.repeats && answer.is_ok() {
            answer = engine.agent_hello(&self.token, &hello).await;
        }
        let welcome: Welcome = match self.judge("hello", answer)? {
            Ok(welcome) => welcome,
            Err(did) => return Ok(did),
        };
        self.delegate.told(welcome.subject.as_ref()).unwrap();
        self.job_hash = bytes_of(&welcome.job_hash).unwrap();
        if let Some(sealed) = &welcome.checkpoint {
            // What it begins from is what the one before left, who is named in its context.
            let before = sealed.context.split('|').next().unwrap().parse().unwrap();
            self.begins = state(fabricates(self.seed, self.cheats, before), welcome.from_segment);
        }
        self.weighed = welcome.subject.is_some();
        (self.segment, self.segments) = (welcome.from_segment, welcome.segments);
        self.heartbeat_ms = welcome.heartbeat_ms.cast_signed();
        (self.work_at, self.beat_at) = (now + self.segment_ms, now + self.heartbeat_ms);
        self.phase = Phase::First;
        self.next = now;
        Ok(Did::Welcomed(self.segment))
    }

    async fn first(&mut self, engine: &Engine) -> Result<Did, Wrong> {
        let leaf = Leaf::state(u64::from(self.segment), self.begins);
        if let Some(wait) = self.tell(engine, leaf).await? {
            return Ok(wait);
        }
        self.phase = Phase::Work;
        self.next = self.work_at.min(self.beat_at);
        Ok(Did::Step("has told its first leaf"))
    }

    /// Tells the control plane of a leaf that no upload brings.
    async fn tell(&mut self, engine: &Engine, leaf: Leaf) -> Result<Option<Did>, Wrong> {
        let Some(commitment) = self.signed(leaf) else { return Ok(None) };
        let answer = engine.agent_commitment(&self.token, &commitment).await;
        if let Err(did) = self.judge("commitment", answer)? {
            return Ok(Some(did));
        }
        self.untold = None;
        Ok(None)
    }

    /// Its word over one more leaf. Until it is known to be told, it is the same word.
    fn signed(&mut self, leaf: Leaf) -> Option<Commitment> {
        let place = u32::try_from(leaf.index).unwrap();
        if self.untold.as_ref().is_none_or(|(at, _)| *at != place) {
            self.untold = Some((place, self.delegate.commit(&self.job_hash, leaf).unwrap()));
        }
        self.untold.clone().and_then(|(_, commitment)| commitment)
    }

    async fn work(&mut self, engine: &Engine, now: i64) -> Result<Did, Wrong> {
        match self.quirk {
            Quirk::Hangs(at) if self.segment >= at => return Ok(self.over("hangs")),
            Quirk::Mute(at, span) if self.segment >= at => {
                self.quirk = Quirk::None;
                self.next = now + span;
                return Ok(Did::Step("falls silent"));
            }
            Quirk::Fails(at, how) if self.segment >= at => return self.fail(engine, how).await,
            _ => {}
        }
        if now < self.work_at && self.segment < self.segments {
            let beat = Heartbeat { seq: 1, segments_done: self.segment };
            let orders = match self.judge("heartbeat", engine.agent_heartbeat(&self.token, &beat).await)? {
                Ok(orders) => orders,
                Err(did) => return Ok(did),
            };
            self.stop |= orders == Orders::StopAtCheckpoint;
            self.beat_at = now + self.heartbeat_ms;
            self.next = self.work_at.min(self.beat_at);
            return Ok(Did::Step("beats"));
        }
        if self.segment < self.segments {
            return self.checkpoint(engine, now).await;
        }
        self.phase = Phase::Outputs;
        self.next = now;
        Ok(Did::Step("has done its work"))
    }

    async fn checkpoint(&mut self, engine: &Engine, now: i64) -> Result<Did, Wrong> {
        let next = self.segment + 1;
        let commitment = self.signed(Leaf::state(u64::from(next), state(self.fabricates, next)));
        let mut answer = self.upload(engine, next, commitment.as_ref()).await;
        if self.repeats && answer.is_ok() {
            answer = self.upload(engine, next, commitment.as_ref()).await;
        }
        if let Err(did) = self.judge("checkpoint", answer)? {
            return Ok(did);
        }
        self.untold = None;
        self.segment += 1;
        self.work_at = now + self.segment_ms;
        self.next = if self.segment == self.segments { now } else { self.work_at.min(self.beat_at) };
        if self.stop && self.segment < self.segments {
            return self.finish(engine, FinishResult::Stopped, "stopped as ordered").await;
        }
        Ok(Did::Stored(self.segment))
    }

    async fn upload(
        &self,
        engine: &Engine,
        segment: u32,
        commitment: Option<&Commitment>,
    ) -> Result<UploadReceipt, AgentRefusal> {
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"state"))]);
        engine.agent_checkpoint(&self.token, segment, &wrapped_key(), commitment, body).await
    }

    async fn outputs(&mut self, engine: &Engine) -> Result<Did, Wrong> {
        let leaf = Leaf::outputs(u64::from(self.segment) + 1, [2; 32]);
        if let Some(wait) = self.tell(engine, leaf).await? {
            return Ok(wait);
        }
        let body = || stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"outputs"))]);
        let mut answer = engine.agent_outputs(&self.token, &wrapped_key(), body()).await;
        if self.repeats && answer.is_ok() {
            answer = engine.agent_outputs(&self.token, &wrapped_key(), body()).await;
        }
        if let Err(did) = self.judge("outputs", answer)? {
            return Ok(did);
        }
        self.finish(engine, FinishResult::Completed, "completed").await
    }

    async fn fail(&mut self, engine: &Engine, how: Failure) -> Result<Did, Wrong> {
        let failed = |reason: &str| FinishResult::Failed { reason: reason.to_owned() };
        let (result, what) = match how {
            Failure::Exit => (failed("exit:1"), "failed"),
            Failure::OutOfMemory => (failed("out_of_memory"), "out of memory"),
            Failure::GivesUp => (FinishResult::GaveUp { why: "simulated".to_owned() }, "gave up"),
            Failure::Stops => (FinishResult::Stopped, "stopped unasked"),
        };
        self.finish(engine, result, what).await
    }

    async fn finish(
        &mut self,
        engine: &Engine,
        result: FinishResult,
        what: &'static str,
    ) -> Result<Did, Wrong> {
        let finish = Finish { result, segments_done: self.segment };
        if let Err(did) = self.judge("finish", engine.agent_finish(&self.token, &finish).await)? {
            return Ok(did);
        }
        if self.repeats {
            match engine.agent_finish(&self.token, &finish).await {
                Err(AgentRefusal::Ended) => {}
                other => return Err(format!("a repeated finish was answered with {other:?}")),
            }
        }
        Ok(self.over(what))
    }

    /// A call of a dead agent that was under way. Returns whether it was served.
    pub(crate) async fn late_call(&self, engine: &Engine) -> Result<bool, Wrong> {
        let segment = (self.segment + 1).min(self.segments);
        match self.upload(engine, segment, None).await {
            Ok(_) => Ok(true),
            Err(AgentRefusal::Ended | AgentRefusal::Unknown | AgentRefusal::Malformed(_)) => Ok(false),
            Err(AgentRefusal::Engine(error)) if died(&error) => Ok(false),
            Err(other) => Err(format!("a late call was answered with {other:?}")),
        }
    }

    fn judge<T>(&mut self, call: &str, answer: Result<T, AgentRefusal>) -> Result<Result<T, Did>, Wrong> {
        match answer {
            Ok(done) => Ok(Ok(done)),
            Err(AgentRefusal::NotYet) => Ok(Err(Did::Wait)),
            Err(AgentRefusal::Ended | AgentRefusal::Unknown) => Ok(Err(self.over("told to go"))),
            Err(AgentRefusal::Engine(error)) if died(&error) => Ok(Err(Did::NoAnswer)),
            Err(other) => Err(format!("{call} of execution {} was answered with {other:?}", self.execution)),
        }
    }
}

/// From which state on the agent of an execution cheats, if it does.
fn fabricates(seed: u64, cheats: u64, execution: ExecutionId) -> Option<u32> {
    let mut dice = Dice::of(seed, &format!("cheat {execution}"));
    (cheats > 0 && dice.percent(cheats)).then(|| u32::try_from(dice.between(1, 3)).unwrap())
}

/// Digest of a state that such an agent leaves.
fn state(fabricates: Option<u32>, number: u32) -> [u8; 32] {
    if fabricates.is_some_and(|from| number >= from) { FABRICATED } else { HONEST }
}

fn quirk(dice: &mut Dice) -> Quirk {
    let at = u32::try_from(dice.between(0, 3)).unwrap();
    match dice.between(0, 7) {
        0 => Quirk::Fails(at, Failure::Exit),
        1 => Quirk::Fails(at, Failure::OutOfMemory),
        2 => Quirk::Fails(at, Failure::GivesUp),
        3 => Quirk::Fails(at, Failure::Stops),
        4 => Quirk::NeverConnects,
        5 => Quirk::Hangs(at),
        _ => Quirk::Mute(at, dice.millis(5_000, 120_000)),
    }
}
