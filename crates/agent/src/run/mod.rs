//! The life of an agent: connect, fetch, run, save, finish.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use custody::{InstanceKey, OsEntropy, PublicKey, Secret};
use domain::{FailReason, Interrupted, Probe, chain};
use evidence::Leaf;
use tokio::sync::watch;
use wire::agent::{
    Acknowledgement, BootDoc, Bundle, Commitment, Fault, Finish, FinishResult, Heartbeat, Hello, Orders,
    PROTOCOL, SandboxKind, Welcome, bytes_of, checkpoint_context, outputs_context,
};

use crate::bound::{OtherJob, bundle_of, inputs_must_be_of};
use crate::client::{Client, ClientError};
use crate::commit::Delegate;
use crate::faults;
use crate::logs::Logs;
use crate::place::{Place, PlaceError, Range, commands};
use crate::sandbox::{Exit, Mode, Running};
use crate::upload::{Destination, ObjectError, fetch, packed, send};
use crate::work::new_states;

/// Every point that a [`Probe`] is told of. An agent killed at any of them loses only work since its last checkpoint.
pub const POINTS: &[&str] = &[
    "agent.hello.before",
    "agent.inputs.opened",
    "agent.workload.started",
    "agent.checkpoint.uploaded",
    "agent.outputs.before",
    "agent.finish.before",
    "agent.finish.after",
];

const FIRST_PATIENCE: Duration = Duration::from_secs(600);
const SCAN_EVERY: Duration = Duration::from_millis(20);
const DISK_EVERY: Duration = Duration::from_secs(1);

/// The agent cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("the control plane could not be served")]
    Client(#[from] ClientError),
    #[error("an object could not be moved")]
    Object(#[from] ObjectError),
    #[error("the workload could not be run here")]
    Place(#[from] PlaceError),
    #[error(
        "the control plane does not say that it has what its {0} leaves name, so nobody might be paid for it"
    )]
    NotAcknowledged(u32),
    #[error("what came is of another job: {0}")]
    OtherJob(#[from] OtherJob),
    #[error("the agent's folder could not be used")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// How the work came to its end.
enum Verdict {
    /// The control plane is to be told.
    Finished(FinishResult),
    /// It knows, or has given the execution up.
    Over,
}

struct Agent {
    boot: BootDoc,
    client: Client,
    key: InstanceKey,
    place: Place,
    probe: Arc<dyn Probe>,
    token: Secret,
    delegate: Delegate,
}

/// What runs beside the workload shares this.
struct Shared {
    welcome: Welcome,
    customer: PublicKey,
    job: [u8; 32],
    done: Cell<u32>,
    orders: watch::Sender<Orders>,
}

/// Runs one execution to its end. `Ok` when the control plane knows how it ended or has given it up.
pub(crate) async fn run(
    boot: BootDoc,
    dir: &Path,
    exe: PathBuf,
    probe: Arc<dyn Probe>,
) -> Result<(), AgentError> {
    let token = boot.token().map_or_else(|| Secret::mint(&OsEntropy), |token| Secret::new(token.to_owned()));
    let agent = Agent {
        client: Client::new(&boot.url, &boot.pin, token.clone(), FIRST_PATIENCE)?,
        delegate: Delegate::of(&boot, dir, &OsEntropy)?,
        token,
        boot,
        key: InstanceKey::mint(&OsEntropy),
        place: Place::make(dir.join("work"), exe)?,
        probe,
    };
    let lived = agent.live().await;
    agent.place.work.clear();
    match lived {
        Err(
            AgentError::Client(ClientError::Over)
            | AgentError::Object(ObjectError::Client(ClientError::Over)),
        ) => Ok(()),
        Err(AgentError::Interrupted(point)) => Err(point.into()),
        Err(error) => agent.give_up(&error).await,
        Ok(()) => Ok(()),
    }
}

impl Agent {
    async fn live(&self) -> Result<(), AgentError> {
        self.probe.reached("agent.hello.before")?;
        let sandbox = match self.place.mode {
            Mode::Namespaces => SandboxKind::Namespaces,
            Mode::Landlock => SandboxKind::Landlock,
        };
        let instance_key = self.key.public().to_string();
        let introduction = self.delegate.introduction(&self.boot, &instance_key, &self.token)?;
        let agent = self.delegate.own_address();
        let hello = Hello { protocol: PROTOCOL, instance_key, sandbox, introduction, agent };
        let welcome: Welcome = self.client.post("hello", &hello).await?;
        self.delegate.told(welcome.subject.as_ref())?;
        let client = self.client.with_give_up(Duration::from_millis(welcome.give_up_ms));
        let malformed = |what: &str| ClientError::Refused(format!("the {what} is malformed"));
        let customer = welcome.customer_key.parse().map_err(|_| malformed("customer's key"))?;
        let job = bytes_of(&welcome.job_hash).ok_or_else(|| malformed("job's hash"))?;
        let shared = Rc::new(Shared {
            done: Cell::new(welcome.from_segment),
            orders: watch::Sender::new(Orders::Continue),
            customer,
            job,
            welcome,
        });
        let beats = tokio::task::spawn_local(heartbeats(client.clone(), Rc::clone(&shared)));
        let finished = self.work_through(&client, &shared).await;
        beats.abort();
        finished
    }

    async fn work_through(&self, client: &Client, shared: &Rc<Shared>) -> Result<(), AgentError> {
        let bundle = match self.inputs(client, shared).await {
            Ok(bundle) => bundle,
            Err(error @ (AgentError::Object(ObjectError::Seal(_)) | AgentError::OtherJob(_))) => {
                tracing::error!(error = %chain(&error), "the inputs are not the job's");
                return self.finish(client, shared, failed(FailReason::BadInputs)).await;
            }
            Err(error) => return Err(error),
        };
        self.probe.reached("agent.inputs.opened")?;
        let logs = Logs::new(shared.welcome.log_bytes_max);
        let sending = {
            let (logs, client) = (logs.clone(), client.clone());
            tokio::task::spawn_local(async move { logs.send(&client).await })
        };
        let verdict = self.workload(client, shared, &bundle, &logs).await;
        let Verdict::Finished(result) = verdict? else {
            sending.abort();
            return Ok(());
        };
        tokio::select! {
            () = logs.flushed() => {}
            ended = sending => if let Ok(Err(error)) = ended { return Err(error.into()) },
        }
        if result == FinishResult::Completed && bundle.outputs_path.is_some() {
            self.probe.reached("agent.outputs.before")?;
            let seal_dir = self.place.work.path("seal");
            let packed = packed(self.place.work.path("outputs"), "outputs".to_owned(), &seal_dir).await?;
            let leaf = Leaf::outputs(u64::from(shared.done.get()) + 1, packed.digest);
            self.announce(client, self.commit(shared, leaf)?).await?;
            let context = outputs_context(self.boot.execution);
            let to = Destination { path: "outputs".to_owned(), context, commitment: None };
            send(client, &to, packed, shared.customer, &seal_dir).await?;
        }
        self.finish(client, shared, result).await
    }

    async fn inputs(&self, client: &Client, shared: &Shared) -> Result<Bundle, AgentError> {
        let seal_dir = self.place.work.path("seal");
        let mut sealed = fetch(client, &shared.welcome.bundle, &self.key, &seal_dir).await?;
        let bundle = bundle_of(&mut sealed, &shared.welcome.job_terms, &shared.job)?;
        if bundle.segments != shared.welcome.segments {
            return Err(OtherJob::Segments.into());
        }
        let mut inputs = match &shared.welcome.inputs {
            Some(inputs) => Some(fetch(client, inputs, &self.key, &seal_dir).await?),
            None => None,
        };
        inputs_must_be_of(&bundle, inputs.as_mut())?;
        self.place.furnish(&bundle, inputs.as_mut())?;
        let mut first = [0; 32];
        if let Some(checkpoint) = &shared.welcome.checkpoint {
            let mut tar = fetch(client, checkpoint, &self.key, &seal_dir).await?;
            first = self.place.put_state(&bundle, &mut tar)?;
        }
        let leaf = Leaf::state(u64::from(shared.done.get()), first);
        self.announce(client, self.commit(shared, leaf)?).await?;
        Ok(bundle)
    }

    /// A state's leaf; in the place of one of them stands the canary, where the provider asked for one.
    fn leaf_of(&self, shared: &Shared, state: u32, digest: [u8; 32]) -> std::io::Result<Leaf> {
        let Welcome { from_segment, segments, .. } = shared.welcome;
        let planted = faults::canary(self.boot.fault.as_ref(), from_segment, segments)
            .filter(|canary| canary.index == u64::from(state));
        if let Some(canary) = &planted {
            self.delegate.leave_canary(canary)?;
        }
        Ok(Leaf::state(u64::from(state), planted.map_or(digest, |canary| canary.digest())))
    }

    /// Commits to one more leaf, where somebody would check it.
    fn commit(&self, shared: &Shared, leaf: Leaf) -> Result<Option<Commitment>, AgentError> {
        Ok(self.delegate.commit(&shared.job, leaf)?)
    }

    /// Tells the control plane, then leaves it to the provider: what a provider stands by is known on both sides.
    async fn announce(&self, client: &Client, commitment: Option<Commitment>) -> Result<(), AgentError> {
        let Some(commitment) = commitment else { return Ok(()) };
        let Acknowledgement { signature } = client.post("commitment", &commitment).await?;
        self.leave(&commitment, signature.as_deref())
    }

    /// Nobody has a state that is planted, so whoever plants one needs no word.
    fn leave(&self, commitment: &Commitment, word: Option<&str>) -> Result<(), AgentError> {
        let plants = matches!(self.boot.fault, Some(Fault::Canary { .. }));
        match self.delegate.leave(commitment, word, plants)? {
            true => Ok(()),
            false => Err(AgentError::NotAcknowledged(commitment.leaf_count)),
        }
    }

    /// Runs `setup`, then `run`, saving states meanwhile.
    async fn workload(
        &self,
        client: &Client,
        shared: &Rc<Shared>,
        bundle: &Bundle,
        logs: &Logs,
    ) -> Result<Verdict, AgentError> {
        self.place.hand_over(bundle)?;
        let of = shared.welcome.segments;
        for command in commands(bundle) {
            let range = Range { of, from: shared.done.get(), to: of };
            let mut running = self.place.start(bundle, command, range)?;
            self.probe.reached("agent.workload.started")?;
            let (out, err) = running.output();
            let readers = [out.map(|pipe| follow(logs, pipe)), err.map(|pipe| follow(logs, pipe))];
            let verdict = self.watch(client, shared, bundle, &mut running).await;
            running.kill();
            for reader in readers.into_iter().flatten() {
                // The pipes end with the processes; a reader that was aborted has nothing more to say.
                let _ = reader.await;
            }
            match verdict? {
                Verdict::Finished(FinishResult::Completed) => {}
                other => return Ok(other),
            }
        }
        Ok(Verdict::Finished(FinishResult::Completed))
    }

    async fn watch(
        &self,
        client: &Client,
        shared: &Rc<Shared>,
        bundle: &Bundle,
        running: &mut Running,
    ) -> Result<Verdict, AgentError> {
        let mut scan = tokio::time::interval(SCAN_EVERY);
        let mut disk = tokio::time::interval(DISK_EVERY);
        let mut orders = shared.orders.subscribe();
        loop {
            if *orders.borrow() == Orders::Stop {
                return Ok(Verdict::Over);
            }
            tokio::select! {
                exit = running.wait() => {
                    let exit = exit?;
                    self.save_states(client, shared).await?;
                    return Ok(Verdict::Finished(result_of(exit, running.refusal())));
                }
                _ = orders.changed() => {}
                _ = scan.tick() => {
                    let before = shared.done.get();
                    self.save_states(client, shared).await?;
                    let stop = *orders.borrow() == Orders::StopAtCheckpoint;
                    if stop && (bundle.checkpoint_path.is_none() || shared.done.get() > before) {
                        return Ok(Verdict::Finished(FinishResult::Stopped));
                    }
                }
                _ = disk.tick() => {
                    if self.place.is_full(bundle) {
                        return Ok(Verdict::Finished(failed(FailReason::OutOfDisk)));
                    }
                }
            }
        }
    }

    /// Uploads new states in order, and drops local ones that are no longer needed.
    async fn save_states(&self, client: &Client, shared: &Shared) -> Result<(), AgentError> {
        let folder = self.place.work.path("checkpoint");
        let seal_dir = self.place.work.path("seal");
        for state in new_states(&folder, shared.done.get()) {
            let source = folder.join(state.to_string());
            if faults::is_fabricated(self.boot.fault.as_ref(), state) {
                faults::fabricate(&source)?;
            }
            let packed = packed(source, state.to_string(), &seal_dir).await?;
            let leaf = self.leaf_of(shared, state, packed.digest)?;
            let to = Destination {
                path: format!("checkpoints/{state}"),
                context: checkpoint_context(self.boot.execution, state),
                commitment: self.commit(shared, leaf)?,
            };
            let receipt = send(client, &to, packed, shared.customer, &seal_dir).await?;
            if let Some(commitment) = &to.commitment {
                self.leave(commitment, receipt.acknowledgement.as_deref())?;
            }
            let before = shared.done.replace(state);
            self.probe.reached("agent.checkpoint.uploaded")?;
            let old = folder.join(before.to_string());
            // The workload goes on from its newest state; an older one is only in the way.
            let _ = if old.is_dir() { std::fs::remove_dir_all(old) } else { std::fs::remove_file(old) };
        }
        Ok(())
    }

    async fn finish(&self, client: &Client, shared: &Shared, result: FinishResult) -> Result<(), AgentError> {
        self.probe.reached("agent.finish.before")?;
        let finish = Finish { result, segments_done: shared.done.get() };
        let _: Orders = client.post("finish", &finish).await?;
        self.probe.reached("agent.finish.after")?;
        Ok(())
    }

    /// Says why, so that the job goes on elsewhere without waiting for silence.
    async fn give_up(&self, error: &AgentError) -> Result<(), AgentError> {
        tracing::error!(error = %chain(error), "the agent gives up");
        let result = FinishResult::GaveUp { why: chain(error) };
        let finish = Finish { result, segments_done: 0 };
        let client = self.client.with_give_up(Duration::from_secs(10));
        match client.post::<Orders>("finish", &finish).await {
            Ok(_) | Err(ClientError::Over) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn result_of(exit: Exit, refusal: Option<&str>) -> FinishResult {
    match exit {
        Exit::Code(0) => FinishResult::Completed,
        Exit::Code(n) => failed(FailReason::ExitCode(n)),
        Exit::Signal(n) => failed(FailReason::Signal(n)),
        Exit::OutOfMemory => failed(FailReason::OutOfMemory),
        Exit::NotStarted => {
            let why = refusal.unwrap_or("the sandbox gave no reason");
            FinishResult::GaveUp { why: format!("the workload was not started: {why}") }
        }
    }
}

fn failed(reason: FailReason) -> FinishResult {
    FinishResult::Failed { reason: reason.code() }
}

fn follow(logs: &Logs, pipe: impl tokio::io::AsyncRead + Unpin + 'static) -> tokio::task::JoinHandle<()> {
    let logs = logs.clone();
    tokio::task::spawn_local(async move { logs.follow(pipe).await })
}

/// Sends heartbeats and passes on what is ordered; silence for too long, or the end of the execution, is an order to stop.
async fn heartbeats(client: Client, shared: Rc<Shared>) {
    let mut every = tokio::time::interval(Duration::from_millis(shared.welcome.heartbeat_ms.max(10)));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seq = 0;
    loop {
        every.tick().await;
        seq += 1;
        let beat = Heartbeat { seq, segments_done: shared.done.get() };
        let orders = client.post("heartbeat", &beat).await.unwrap_or(Orders::Stop);
        shared.orders.send_if_modified(|now| std::mem::replace(now, orders) != orders);
        if orders == Orders::Stop {
            return;
        }
    }
}
