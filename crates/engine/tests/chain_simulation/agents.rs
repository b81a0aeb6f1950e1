//! Agents played in memory: they introduce themselves and commit as real ones do, with the agent's own code, and do
//! whatever their script says.

use std::path::PathBuf;

use agent::Delegate;
use bytes::Bytes;
use custody::{OsEntropy, Secret};
use domain::ExecutionId;
use evidence::Leaf;
use futures::stream;
use market::Boot;
use waag_engine::{AgentRefusal, Engine};
use wire::agent::{
    BootDoc, Commitment, Credential, Finish, FinishResult, Heartbeat, Hello, Orders, PROTOCOL, SandboxKind,
    bytes_of, hex_of,
};

use crate::chance::{Dice, SeededEntropy};
use crate::stand::{died, wrapped_key};
use crate::story::Story;

/// What an agent is going to do, beside its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    None,
    NeverConnects,
    /// Its process is gone at this segment.
    Dies(u32),
    /// Says nothing for ever from this segment on, and lives.
    Hangs(u32),
    /// Says for ever that it works on this segment.
    Idles(u32),
    /// Its workload fails at this segment.
    Fails(u32),
    /// Leaves its provider another root than it told the control plane, from this segment on.
    Forges(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Hello,
    Begin,
    Work,
    Promise,
    Outputs,
    Over,
}

/// An agent that lives.
pub(crate) struct Agent {
    boot: BootDoc,
    folder: PathBuf,
    delegate: Delegate,
    forger: Delegate,
    pub(crate) next: i64,
    token: Secret,
    instance: String,
    quirk: Quirk,
    phase: Phase,
    job_hash: [u8; 32],
    /// Signed, and not known to be told.
    untold: Option<(Leaf, Commitment)>,
    segment: u32,
    segments: u32,
    segment_ms: i64,
    heartbeat_ms: i64,
    work_at: i64,
    beat_at: i64,
    stop: bool,
}

/// What came of an agent's turn.
pub(crate) enum Did {
    Step(&'static str),
    /// Its process has ended.
    Gone(&'static str),
    /// It lives, and will never say anything again.
    Silent(&'static str),
    /// It is to try again later.
    Wait,
    /// The control plane died meanwhile, or cannot be reached.
    NoAnswer,
}

impl Agent {
    pub(crate) fn new(story: &Story, boot: &Boot, folder: PathBuf, now: i64) -> Self {
        let boot: BootDoc = serde_json::from_slice(boot.expose()).unwrap();
        // A lease's name on the chain depends on the certificate, which no seed makes; an execution's does not.
        let name = boot.execution.to_string();
        let mut dice = Dice::of(story.seed, &name);
        let drawn = if dice.percent(story.odd_agents) { quirk(&mut dice) } else { Quirk::None };
        let mut instance = [0u8; 32];
        domain::Entropy::fill(&SeededEntropy::new(dice.clone()), &mut instance);
        std::fs::create_dir_all(&folder).unwrap();
        let delegate = || Delegate::of(&boot, &folder, &OsEntropy).unwrap();
        Self {
            delegate: delegate(),
            forger: delegate(),
            next: now + dice.millis(100, 2_000),
            token: Secret::mint(&SeededEntropy::new(Dice::of(story.seed, &format!("token {name}")))),
            instance: hex::encode(instance),
            quirk: story.quirk.unwrap_or(drawn),
            phase: Phase::Hello,
            job_hash: [0; 32],
            untold: None,
            segment: 0,
            segments: 0,
            segment_ms: dice.millis(story.segment_ms.0, story.segment_ms.1),
            heartbeat_ms: 0,
            work_at: 0,
            beat_at: 0,
            stop: false,
            boot,
            folder,
        }
    }

    pub(crate) fn execution(&self) -> ExecutionId {
        self.boot.execution
    }

    /// Does what is due; `next` says when more is.
    pub(crate) async fn step(&mut self, engine: &Engine, now: i64) -> Result<Did, String> {
        self.next = now + 1_000;
        let done = match self.phase {
            Phase::Hello if self.quirk == Quirk::NeverConnects => return Ok(self.silent("never connects")),
            Phase::Hello => {
                self.impostor(engine).await?;
                self.hello(engine).await
            }
            Phase::Begin => {
                self.announce(engine, Leaf::state(u64::from(self.segment), state(self.segment))).await
            }
            Phase::Work => return self.work(engine, now).await,
            Phase::Promise => {
                self.announce(engine, Leaf::outputs(u64::from(self.segment) + 1, [9; 32])).await
            }
            Phase::Outputs => self.outputs(engine).await,
            Phase::Over => return Ok(self.silent("over")),
        };
        let (next, what) = match self.phase {
            Phase::Hello => (Phase::Begin, "is welcomed"),
            Phase::Begin => (Phase::Work, "begins"),
            Phase::Promise => (Phase::Outputs, "promises its outputs"),
            _ => return self.judge(done).map(|done| self.over_or(done, "completed")),
        };
        match self.judge(done)? {
            Ok(()) => {
                self.phase = next;
                self.next = now;
                (self.work_at, self.beat_at) = (now + self.segment_ms, now + self.heartbeat_ms);
                Ok(Did::Step(what))
            }
            Err(did) => Ok(did),
        }
    }

    fn over_or(&mut self, done: Result<(), Did>, what: &'static str) -> Did {
        match done {
            Ok(()) => self.over(what),
            Err(did) => did,
        }
    }

    fn over(&mut self, why: &'static str) -> Did {
        (self.phase, self.next) = (Phase::Over, i64::MAX);
        Did::Gone(why)
    }

    fn silent(&mut self, why: &'static str) -> Did {
        (self.phase, self.next) = (Phase::Over, i64::MAX);
        Did::Silent(why)
    }

    /// Somebody with another key, and a delegation by another than the lease's provider, tries to be first.
    async fn impostor(&self, engine: &Engine) -> Result<(), String> {
        let Credential::Delegated { lease, domain, .. } = &self.boot.credential else { return Ok(()) };
        let (key, signed) = ([7; 32], hex_of(&[8; 65]));
        let credential = Credential::Delegated {
            lease: lease.clone(),
            domain: domain.clone(),
            agent_key: hex::encode(key),
            delegation: signed,
            receiver: None,
        };
        let boot = BootDoc { credential, ..self.boot.clone() };
        let other = Delegate::of(&boot, &self.folder, &OsEntropy).unwrap();
        let token = Secret::new("impostor".to_owned());
        let introduction = other.introduction(&boot, &self.instance, &token).unwrap();
        let hello = Hello {
            protocol: PROTOCOL,
            instance_key: self.instance.clone(),
            sandbox: SandboxKind::Namespaces,
            introduction,
            agent: None,
        };
        match engine.agent_hello(token.expose(), &hello).await {
            Ok(_) => Err("an agent that its provider never introduced was welcomed".to_owned()),
            Err(_) => Ok(()),
        }
    }

    async fn hello(&mut self, engine: &Engine) -> Result<(), AgentRefusal> {
        let introduction = self.delegate.introduction(&self.boot, &self.instance, &self.token).unwrap();
        let hello = Hello {
            protocol: PROTOCOL,
            instance_key: self.instance.clone(),
            sandbox: SandboxKind::Namespaces,
            introduction,
            agent: None,
        };
        let welcome = engine.agent_hello(self.token.expose(), &hello).await?;
        (self.segment, self.segments) = (welcome.from_segment, welcome.segments);
        self.heartbeat_ms = welcome.heartbeat_ms.cast_signed();
        self.job_hash = bytes_of(&welcome.job_hash).unwrap();
        Ok(())
    }

    /// The agent's word over one more leaf. Until it is known to be told, it is the same word.
    fn signed(&mut self, leaf: Leaf) -> Commitment {
        let (delegate, job) = (&self.delegate, &self.job_hash);
        let (_, commitment) =
            self.untold.get_or_insert_with(|| (leaf, delegate.commit(job, leaf).unwrap().unwrap()));
        commitment.clone()
    }

    /// It is told, so the provider may have it too, or something else.
    fn leave(&mut self) {
        let Some((leaf, commitment)) = self.untold.take() else { return };
        let forged = matches!(self.quirk, Quirk::Forges(at) if self.segment >= at);
        let leaf = if forged { Leaf::state(leaf.index, [0xff; 32]) } else { leaf };
        let said = self.forger.commit(&self.job_hash, leaf).unwrap().unwrap();
        std::fs::create_dir_all(&self.folder).unwrap();
        assert!(self.delegate.leave(if forged { &said } else { &commitment }, None, false).unwrap());
    }

    async fn announce(&mut self, engine: &Engine, leaf: Leaf) -> Result<(), AgentRefusal> {
        let commitment = self.signed(leaf);
        engine.agent_commitment(self.token.expose(), &commitment).await?;
        self.leave();
        Ok(())
    }

    async fn work(&mut self, engine: &Engine, now: i64) -> Result<Did, String> {
        match self.quirk {
            Quirk::Dies(at) if self.segment >= at => return Ok(self.over("dies")),
            Quirk::Hangs(at) if self.segment >= at => return Ok(self.silent("hangs")),
            Quirk::Fails(at) if self.segment >= at => {
                let result = FinishResult::Failed { reason: "exit:1".to_owned() };
                let done = self.finish(engine, result).await;
                return self.judge(done).map(|done| self.over_or(done, "failed"));
            }
            Quirk::Idles(at) if self.segment >= at => self.work_at = i64::MAX,
            _ => {}
        }
        if self.segment == self.segments {
            (self.phase, self.next) = (Phase::Promise, now);
            return Ok(Did::Step("has done its work"));
        }
        let done = if now < self.work_at {
            let beat = Heartbeat { seq: 1, segments_done: self.segment };
            let orders = engine.agent_heartbeat(self.token.expose(), &beat).await;
            self.beat_at = now + self.heartbeat_ms;
            orders.map(|orders| self.stop |= orders == Orders::StopAtCheckpoint)
        } else {
            let done = self.checkpoint(engine).await;
            if done.is_ok() {
                self.work_at = now + self.segment_ms;
                self.beat_at = now + self.heartbeat_ms;
            }
            done
        };
        if let Err(did) = self.judge(done)? {
            return Ok(did);
        }
        if self.stop && self.segment > 0 && self.segment < self.segments {
            let done = self.finish(engine, FinishResult::Stopped).await;
            return self.judge(done).map(|done| self.over_or(done, "stopped as ordered"));
        }
        self.next = if self.segment == self.segments { now } else { self.work_at.min(self.beat_at) };
        Ok(Did::Step("works"))
    }

    async fn checkpoint(&mut self, engine: &Engine) -> Result<(), AgentRefusal> {
        let next = self.segment + 1;
        let commitment = self.signed(Leaf::state(u64::from(next), state(next)));
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"state"))]);
        engine.agent_checkpoint(self.token.expose(), next, &wrapped_key(), Some(&commitment), body).await?;
        self.segment = next;
        self.leave();
        Ok(())
    }

    async fn outputs(&mut self, engine: &Engine) -> Result<(), AgentRefusal> {
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"outputs"))]);
        engine.agent_outputs(self.token.expose(), &wrapped_key(), body).await?;
        self.finish(engine, FinishResult::Completed).await
    }

    async fn finish(&mut self, engine: &Engine, result: FinishResult) -> Result<(), AgentRefusal> {
        let finish = Finish { result, segments_done: self.segment };
        engine.agent_finish(self.token.expose(), &finish).await.map(|_| ())
    }

    fn judge(&mut self, answer: Result<(), AgentRefusal>) -> Result<Result<(), Did>, String> {
        match answer {
            Ok(()) => Ok(Ok(())),
            Err(AgentRefusal::NotYet) => Ok(Err(Did::Wait)),
            Err(AgentRefusal::Ended | AgentRefusal::Unknown) => Ok(Err(self.over("told to go"))),
            Err(AgentRefusal::Engine(error)) if died(&error) => Ok(Err(Did::NoAnswer)),
            Err(other) => Err(format!("execution {} was answered with {other:?}", self.boot.execution)),
        }
    }
}

fn quirk(dice: &mut Dice) -> Quirk {
    let at = u32::try_from(dice.between(0, 3)).unwrap();
    match dice.between(0, 7) {
        0 => Quirk::NeverConnects,
        1 | 2 => Quirk::Dies(at),
        3 => Quirk::Hangs(at),
        4 => Quirk::Idles(at),
        5 => Quirk::Fails(at),
        _ => Quirk::Forges(at.min(1)),
    }
}

/// Digest of a state by its number; work begins from nothing.
fn state(number: u32) -> [u8; 32] {
    if number == 0 { [0; 32] } else { evidence::keccak(&[&number.to_be_bytes()]) }
}
