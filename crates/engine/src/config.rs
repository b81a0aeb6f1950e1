//! What can be set, with its defaults.

use std::path::PathBuf;

use domain::{AccountId, Level, Millis, Usd};

/// Settings of the engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// The account that jobs spend from.
    pub account: AccountId,
    /// Levels that can be kept here.
    pub levels: Vec<Level>,
    /// Time between heartbeats.
    pub heartbeat: Millis,
    /// So many missed heartbeats make an agent lost.
    pub heartbeat_misses: u32,
    /// An agent that has not connected so long after its lease went live counts as lost.
    pub connect_patience: Millis,
    /// An agent that hears nothing for so long gives up.
    pub give_up: Millis,
    /// Offers are asked for again after this.
    pub offers_every: Millis,
    /// Older offers are not relied on.
    pub offers_stale: Millis,
    /// An offer that could not be had is not tried again for so long.
    pub stock_memory: Millis,
    /// Without an admissible offer a job waits this long.
    pub no_offer_patience: Millis,
    /// And looks again after this.
    pub no_offer_retry: Millis,
    /// How long a job is assumed to run until it has been measured.
    pub assumed_run: Millis,
    /// How many times as fast as it was recorded the networks' spot capacity is played; 1 where it is real.
    pub spot_pace: u32,
    /// A live lease is looked at after this.
    pub observe_every: Millis,
    /// A lease that is not live after this is given up.
    pub startup_patience: Millis,
    /// What noticing, stopping and releasing may take; a hold covers it beyond the present.
    pub release_margin: Millis,
    /// A hold is extended by this much running.
    pub hold_step: Millis,
    /// Networks are asked what is ours after this.
    pub sweep_every: Millis,
    /// The first wait after a failed call; it doubles up to `backoff_max`.
    pub backoff: Millis,
    /// The longest wait after failed calls.
    pub backoff_max: Millis,
    /// A lease whose release is not confirmed after this raises an alert.
    pub release_alert: Millis,
    /// Billing up to this long after our close request is accepted.
    pub close_grace: Millis,
    /// Escrows are asked what has moved after this.
    pub escrow_every: Millis,
    /// A provider whose lease has ended has this long to commit to its work; then its agent's word is brought for it.
    pub commit_patience: Millis,
    /// What happened is published in the audit log at most this often.
    pub audit_every: Millis,
    /// The head of the audit log is written down at the notary at most this often.
    pub anchor_every: Millis,
    /// Validators drawn for each proof.
    pub validators: u32,
    /// What a validator gets for replaying a segment, in ten-thousandths of what the provider gets for one.
    pub replay_bps: u32,
    /// What it gets at least.
    pub replay_min: Usd,
    /// Where `waag provider run --canary` leaves what it planted, one file for each lease: it is shown once validators have spoken.
    pub canaries: Option<PathBuf>,
    /// A proof that the notary refuses is given up after this.
    pub proof_patience: Millis,
    /// The most log bytes kept of one execution.
    pub log_bytes_max: u64,
    /// The largest sealed upload.
    pub upload_bytes_max: u64,
    /// Memory a workload gets when its job names none, MiB.
    pub default_memory_mib: u64,
    /// Disk a workload gets when its job names none, MiB.
    pub default_disk_mib: u64,
    /// Uploaded inputs that no job names are removed after this.
    pub unnamed_keep: Millis,
    /// So many purchases and leases are worked on at a time; with one, a run can be played again call by call.
    pub calls: usize,
}

impl Config {
    /// Rows loaded in one tick.
    pub(crate) const BATCH: u32 = 64;
    /// Open executions watched.
    pub(crate) const WATCHED_MAX: u32 = 10_000;
}

impl Default for Config {
    fn default() -> Self {
        let secs = Millis::from_secs;
        Self {
            account: AccountId::from_bytes([0; 10]),
            levels: vec![Level::Standard],
            heartbeat: secs(5),
            heartbeat_misses: 3,
            connect_patience: secs(120),
            give_up: secs(1800),
            offers_every: secs(15),
            offers_stale: secs(60),
            stock_memory: secs(60),
            no_offer_patience: secs(600),
            no_offer_retry: secs(5),
            assumed_run: secs(600),
            spot_pace: 1,
            observe_every: secs(10),
            startup_patience: secs(600),
            release_margin: secs(60),
            hold_step: secs(600),
            sweep_every: secs(30),
            backoff: Millis(250),
            backoff_max: secs(30),
            release_alert: secs(120),
            close_grace: secs(5),
            escrow_every: Millis(500),
            commit_patience: secs(30),
            audit_every: secs(1),
            anchor_every: secs(60),
            validators: 3,
            replay_bps: 12_000,
            replay_min: Usd::from_micros(10),
            canaries: None,
            proof_patience: secs(600),
            log_bytes_max: 16 * 1024 * 1024,
            upload_bytes_max: 16 * 1024 * 1024 * 1024,
            default_memory_mib: 1024,
            default_disk_mib: 4096,
            unnamed_keep: Millis::HOUR,
            calls: 16,
        }
    }
}
