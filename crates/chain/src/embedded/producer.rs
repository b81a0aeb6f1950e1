//! The thread that makes blocks: when transactions have come, and each second while somebody asks for blocks.

use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::core::Core;

/// Time between empty blocks.
const BLOCK_INTERVAL: Duration = Duration::from_secs(1);
/// Senders that wait for one block send their next transactions together; without a pause the first of them would get a
/// block, and a write to disk, of its own. So a block waits for as many transactions as the block before it had, as long
/// as they keep coming: no longer than this for the next one,
const GATHER_PAUSE: Duration = Duration::from_millis(2);
/// and no longer than this in all.
const GATHER_MAX: Duration = Duration::from_millis(40);
/// More transactions than this are never waited for.
const GATHER_TXS_MAX: usize = 64;

enum Work {
    Stop,
    Transactions,
    EmptyBlock,
}

pub(super) fn start(core: Arc<Core>) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("waag-blocks".to_owned()).spawn(move || run(&core))
}

fn run(core: &Core) {
    let mut last_block = Instant::now();
    loop {
        let even_empty = match wait(core, last_block) {
            Work::Stop => return,
            Work::Transactions => false,
            Work::EmptyBlock => true,
        };
        match core.make_block(even_empty) {
            Ok(made) => {
                if let Some(transactions) = made {
                    last_block = Instant::now();
                    core.queue().wanted = transactions.clamp(1, GATHER_TXS_MAX);
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the embedded chain stops: it cannot write a block"
                );
                return;
            }
        }
    }
}

/// Waits until there is a reason for a block.
fn wait(core: &Core, last_block: Instant) -> Work {
    let mut queue = core.queue();
    // Since when it gathers, how many there were when it last looked, and when it gives up waiting for more.
    let mut gathering: Option<(Instant, usize, Instant)> = None;
    loop {
        if queue.stop {
            return Work::Stop;
        }
        let now = Instant::now();
        let mut wake: Option<Instant> = None;
        if !queue.paused && queue.pool.fresh > 0 {
            let fresh = queue.pool.fresh;
            let (since, seen, mut until) = gathering.unwrap_or((now, 0, now));
            if fresh > seen {
                until = (now + GATHER_PAUSE).min(since + GATHER_MAX);
            }
            if fresh >= queue.wanted || now >= until {
                return Work::Transactions;
            }
            gathering = Some((since, fresh.max(seen), until));
            wake = Some(until);
        }
        if !queue.paused && (queue.askers > 0 || queue.stuck) {
            let due = last_block + BLOCK_INTERVAL;
            if now >= due {
                return Work::EmptyBlock;
            }
            wake = Some(wake.map_or(due, |other| other.min(due)));
        }
        queue = match wake {
            None => core.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let left = at.saturating_duration_since(now);
                core.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}
