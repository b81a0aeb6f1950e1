//! Looking again and again, until told to stop.

use domain::{Clock, Millis, RetryStatus, Timestamp};
use tokio::sync::watch;

/// The wait after an error doubles from the poll up to this.
const ERROR_WAIT_MAX: Millis = Millis(30_000);

/// What is left after one look.
pub(crate) enum Next<E> {
    /// Look again then.
    At(Timestamp),
    /// It is over.
    Over(E),
}

/// A party that is looked after.
pub(crate) trait Ticks: Send {
    /// How it may end by itself.
    type Ended: Send;
    /// What stops it.
    type Error: std::error::Error + Send + 'static;

    /// Looks, decides and does what is due.
    fn step(&mut self, now: Timestamp)
    -> impl Future<Output = Result<Next<Self::Ended>, Self::Error>> + Send;

    /// Whether the same may succeed later without a person.
    fn status(error: &Self::Error) -> RetryStatus;

    /// The time between two looks.
    fn poll(&self) -> Millis;
}

/// Ticks until it is over, or told to stop (`None`). What fails and may succeed later is tried again with growing waits.
pub(crate) async fn run<T: Ticks>(
    party: &mut T,
    clock: &dyn Clock,
    mut stopped: watch::Receiver<bool>,
) -> Result<Option<T::Ended>, T::Error> {
    let mut failures = 0u32;
    while !*stopped.borrow() {
        let next_due = match party.step(clock.now()).await {
            Ok(Next::Over(ended)) => return Ok(Some(ended)),
            Ok(Next::At(next_due)) => {
                failures = 0;
                next_due
            }
            Err(error) if T::status(&error) == RetryStatus::Permanent => return Err(error),
            Err(error) => {
                tracing::warn!(error = domain::chain(&error), "the daemon waits");
                failures = failures.saturating_add(1);
                clock.now() + party.poll().times(1 << failures.min(10)).min(ERROR_WAIT_MAX)
            }
        };
        let pause = next_due.since(clock.now()).duration();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = stopped.changed() => {
                if changed.is_err() {
                    break;
                }
            }
        }
    }
    Ok(None)
}
