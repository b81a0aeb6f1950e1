//! Each layer does one thing and leaves the rest alone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{World, label};
use async_trait::async_trait;
use domain::{Label, Millis, NetworkName, Offer};
use waag_market::layers::{Faults, Limit, Observe, Retry, Timeout};
use waag_market::sim::{Habits, SimNetwork};
use waag_market::{
    Balance, Capability, Error, ErrorKind, Intent, Listed, Network, Observation, Operation, RetryStatus,
    Terms,
};

/// A network that fails as it is told, one status for each call, and succeeds after that.
struct Line {
    inner: Arc<SimNetwork>,
    failures: Mutex<VecDeque<RetryStatus>>,
    hangs: bool,
    calls: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Line {
    fn failing(failures: &[RetryStatus]) -> Arc<Self> {
        Self::new(failures, false)
    }

    fn hanging() -> Arc<Self> {
        Self::new(&[], true)
    }

    fn new(failures: &[RetryStatus], hangs: bool) -> Arc<Self> {
        Arc::new(Self {
            inner: World::new(SimNetwork::cloud, Habits::default()).network,
            failures: Mutex::new(failures.iter().copied().collect()),
            hangs,
            calls: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn call(&self, operation: Operation) -> Result<(), Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let failure = self.failures.lock().unwrap().pop_front();
        let error = |status| Error::new(self.name(), operation, ErrorKind::Unavailable, status, "as told");
        failure.map_or(Ok(()), |status| Err(error(status)))
    }
}

#[async_trait]
impl Network for Line {
    fn name(&self) -> &NetworkName {
        self.inner.name()
    }
    fn capability(&self) -> Capability {
        self.inner.capability()
    }
    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        self.call(Operation::Offers).await?;
        self.inner.offers().await
    }
    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error> {
        self.call(Operation::Prepare).await?;
        self.inner.prepare(offer, terms).await
    }
    async fn submit(&self, intent: &Intent) -> Result<(), Error> {
        self.call(Operation::Submit).await?;
        self.inner.submit(intent).await
    }
    async fn observe(&self, label: &Label) -> Result<Observation, Error> {
        self.call(Operation::Observe).await?;
        self.inner.observe(label).await
    }
    async fn list_ours(&self) -> Result<Vec<Listed>, Error> {
        self.call(Operation::ListOurs).await?;
        self.inner.list_ours().await
    }
    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error> {
        self.call(Operation::Extend).await?;
        self.inner.extend(label, span).await
    }
    async fn release(&self, label: &Label) -> Result<Observation, Error> {
        self.call(Operation::Release).await?;
        self.inner.release(label).await
    }
    async fn balance(&self) -> Result<Balance, Error> {
        self.call(Operation::Balance).await?;
        self.inner.balance().await
    }
}

/// The error of every call that can be made without an offer.
async fn failures(network: &dyn Network) -> Vec<Error> {
    let intent = Intent { label: label(1), bytes: zeroize::Zeroizing::new(Vec::new()) };
    vec![
        network.submit(&intent).await.unwrap_err(),
        network.extend(&label(1), Millis(1)).await.unwrap_err(),
        network.release(&label(1)).await.unwrap_err(),
        network.offers().await.unwrap_err(),
        network.observe(&label(1)).await.unwrap_err(),
        network.list_ours().await.unwrap_err(),
        network.balance().await.unwrap_err(),
    ]
}

fn effects_are_unknown_and_reads_temporary(failures: &[Error]) {
    for error in failures {
        let effect = matches!(error.operation, Operation::Submit | Operation::Extend | Operation::Release);
        let expected = if effect { RetryStatus::UnknownOutcome } else { RetryStatus::Temporary };
        assert_eq!(error.status, expected, "{error}");
    }
}

#[tokio::test]
async fn after_a_timeout_an_effect_is_unknown_and_a_read_may_be_repeated() {
    let network = Timeout::new(Line::hanging(), Millis(1));
    effects_are_unknown_and_reads_temporary(&failures(&network).await);
    let network = Timeout::new(Line::failing(&[]), Millis(60_000));
    assert_eq!(network.observe(&label(1)).await.unwrap(), Observation::Absent);
}

#[tokio::test]
async fn a_retry_repeats_what_failed_for_now_and_nothing_else() {
    const FOR_NOW: RetryStatus = RetryStatus::Temporary;
    let retry = |line: &Arc<Line>| Retry::new(line.clone(), 3, |_| Millis::ZERO);
    let line = Line::failing(&[FOR_NOW; 2]);
    assert_eq!(retry(&line).observe(&label(1)).await.unwrap(), Observation::Absent);
    assert_eq!(line.calls(), 3);
    let line = Line::failing(&[FOR_NOW; 2]);
    assert_eq!(retry(&line).release(&label(1)).await.unwrap(), Observation::Absent);
    let line = Line::failing(&[FOR_NOW; 9]);
    assert_eq!(retry(&line).list_ours().await.unwrap_err().status, FOR_NOW);
    assert_eq!(line.calls(), 3, "attempts are bounded");
    for status in [RetryStatus::UnknownOutcome, RetryStatus::Permanent] {
        let line = Line::failing(&[status]);
        assert_eq!(retry(&line).release(&label(1)).await.unwrap_err().status, status);
        assert_eq!(line.calls(), 1);
    }
    let intent = Intent { label: label(1), bytes: zeroize::Zeroizing::new(Vec::new()) };
    let line = Line::failing(&[FOR_NOW; 2]);
    assert_eq!(retry(&line).submit(&intent).await.unwrap_err().status, FOR_NOW);
    assert_eq!(retry(&line).extend(&label(1), Millis(1)).await.unwrap_err().status, FOR_NOW);
    assert_eq!(line.calls(), 2, "a purchase is for its caller to repeat");
}

#[tokio::test]
async fn the_backoff_is_asked_before_each_further_call() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let backoff = move |n: u32| {
        log.lock().unwrap().push(n);
        Millis(n.into())
    };
    let network = Retry::new(Line::failing(&[RetryStatus::Temporary; 9]), 4, backoff);
    assert!(network.offers().await.is_err());
    assert_eq!(*asked.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_limit_lets_only_so_many_through_and_all_in_the_end() {
    let line = Line::failing(&[]);
    let network = Limit::new(line.clone(), 3);
    let one = label(1);
    let answers = futures::future::join_all((0..20).map(|_| network.observe(&one))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((line.calls(), line.most_under_way.load(Ordering::SeqCst)), (20, 3));
}

#[tokio::test]
async fn a_call_given_up_leaves_its_turn_to_others() {
    let network = Timeout::new(Arc::new(Limit::new(Line::hanging(), 1)), Millis(1));
    for _ in 0..3 {
        assert!(network.observe(&label(1)).await.is_err());
    }
    let line = Line::hanging();
    let network = Limit::new(Arc::new(Timeout::new(line.clone(), Millis(1))), 1);
    for n in 1..4 {
        assert!(network.observe(&label(1)).await.is_err());
        assert_eq!(line.calls(), n);
    }
}

#[tokio::test]
async fn faults_strike_before_or_after_the_effect_as_the_seed_says() {
    let line = Line::failing(&[]);
    let network = Faults::new(line.clone(), 1, 10_000, 0);
    effects_are_unknown_and_reads_temporary(&failures(&network).await);
    assert_eq!(line.calls(), 0);
    let network = Faults::new(line.clone(), 1, 0, 10_000);
    effects_are_unknown_and_reads_temporary(&failures(&network).await);
    assert_eq!(line.calls(), 7);
    async fn struck(seed: u64) -> Vec<bool> {
        let network = Faults::new(Line::failing(&[]), seed, 3_000, 0);
        let mut struck = Vec::new();
        for _ in 0..50 {
            struck.push(network.observe(&label(1)).await.is_err());
        }
        struck
    }
    let first = struck(1).await;
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(first, struck(1).await);
    assert_ne!(first, struck(2).await);
}

/// Keeps the fields of the events it is shown.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Lines {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("waag_market::layers")
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn every_call_leaves_one_line_with_its_outcome() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let network = Observe::new(Line::failing(&[RetryStatus::Temporary]));
    assert!(network.observe(&label(1)).await.is_err());
    assert!(network.observe(&label(1)).await.is_ok());
    let text = lines.0.lock().unwrap().join(" ");
    assert_eq!(text.matches("network=sim-test").count(), 2, "{text}");
    for part in
        ["operation=\"Observe\"", "outcome=Unavailable status=Temporary", "outcome=\"ok\"", "elapsed_ms"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}
