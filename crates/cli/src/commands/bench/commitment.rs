//! What committing to states costs an agent: their digests, leaves, roots and signatures, beside BLAKE3 of the same files alone.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::Delegate;
use agent::replay::digest_of;
use anyhow::Context;
use custody::OsEntropy;
use domain::ExecutionId;
use evidence::Leaf;
use wire::agent::{BootDoc, Credential, PROTOCOL, hex_of};

use crate::failure::Done;

const MIB: u64 = 1 << 20;
/// States on disk at a time, more than caches hold; they are gone through until a GiB was committed to.
const ON_DISK: u64 = 256 * MIB;
const PASSES: u32 = 4;
/// A state that no memory here is meant to hold; none of it is on the disk.
const SPARSE: u64 = 10 * 1024 * MIB;

/// What each run gave.
#[derive(Default)]
pub(super) struct Commitments {
    /// Throughput with states of 1 MiB, in percent of that of BLAKE3 alone.
    pub(super) small: Vec<f64>,
    /// With states of 64 MiB.
    pub(super) large: Vec<f64>,
    /// BLAKE3 alone, of the latter.
    pub(super) blake3_gib_per_s: Vec<f64>,
}

impl Commitments {
    /// One run. The files stay in the page cache, so that no disk is measured.
    pub(super) fn measure(&mut self, folder: &Path) -> Done {
        self.small.push(ratio(folder, MIB)?.0 * 100.0);
        let (large, alone) = ratio(folder, 64 * MIB)?;
        self.large.push(large * 100.0);
        let gib = ON_DISK as f64 * f64::from(PASSES) / (1u64 << 30) as f64;
        self.blake3_gib_per_s.push(gib / alone.as_secs_f64());
        Ok(())
    }
}

/// The ratio for states of so many bytes, and how long BLAKE3 alone took. Both take turns, so that a busy machine slows both.
fn ratio(folder: &Path, bytes: u64) -> Done<(f64, Duration)> {
    let folder = tempfile::tempdir_in(folder).context("make a folder for states")?;
    let states = states(folder.path(), bytes)?;
    let delegate = delegate(folder.path())?;
    let (mut alone, mut committing) = (Duration::ZERO, Duration::ZERO);
    for pass in 0..PASSES {
        let started = Instant::now();
        for state in &states {
            let file = File::open(state).context("open a state")?;
            blake3::Hasher::new().update_reader(file).context("read a state")?.finalize();
        }
        alone += started.elapsed();
        let started = Instant::now();
        for (at, state) in states.iter().enumerate() {
            commit(&delegate, u64::from(pass) * states.len() as u64 + at as u64, state)?;
        }
        committing += started.elapsed();
    }
    Ok((alone.as_secs_f64() / committing.as_secs_f64(), alone))
}

/// Peak of resident memory, in MiB, beyond what the process held before it committed to a state of 10 GiB.
pub(super) fn memory_mib(folder: &Path) -> Done<f64> {
    let folder = tempfile::tempdir_in(folder).context("make a folder for a state")?;
    let (state, delegate) = (folder.path().join("state"), delegate(folder.path())?);
    let file = File::create(&state).context("make a state")?;
    file.set_len(SPARSE).context("make a sparse file")?;
    // Forgets the peak so far, proc_pid_clear_refs(5).
    std::fs::write("/proc/self/clear_refs", "5").context("reset the peak of memory")?;
    let before = peak_kib()?;
    commit(&delegate, 0, &state)?;
    Ok((peak_kib()? - before).max(0.0) / 1024.0)
}

/// As the agent does with each new state.
fn commit(delegate: &Delegate, index: u64, state: &Path) -> Done {
    let digest = digest_of(&mut File::open(state).context("open a state")?).context("read a state")?;
    let commitment = delegate.commit(&[6; 32], Leaf::state(index, digest)).context("commit to a state")?;
    commitment.context("an agent with a delegation commits")?;
    Ok(())
}

pub(super) fn delegate(folder: &Path) -> Done<Delegate> {
    let boot = BootDoc {
        protocol: PROTOCOL,
        url: String::new(),
        pin: String::new(),
        execution: ExecutionId::from_bytes([1; 10]),
        credential: Credential::Delegated {
            lease: hex_of(&[2; 32]),
            domain: hex_of(&[3; 32]),
            agent_key: hex::encode([4; 32]),
            delegation: String::new(),
            receiver: None,
        },
        fault: None,
    };
    Ok(Delegate::of(&boot, folder, &OsEntropy).context("make an agent that commits")?)
}

/// Files of so many bytes, none like another.
fn states(folder: &Path, bytes: u64) -> Done<Vec<PathBuf>> {
    let mut part: Vec<u8> = (0..MIB).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let mut made = Vec::new();
    for n in 0..ON_DISK / bytes {
        let path = folder.join(n.to_string());
        let mut file = File::create(&path).context("make a state")?;
        for at in 0..bytes / MIB {
            part[..16].copy_from_slice(&[n.to_be_bytes(), at.to_be_bytes()].concat());
            file.write_all(&part).context("write a state")?;
        }
        made.push(path);
    }
    Ok(made)
}

/// `VmHWM`, proc_pid_status(5).
fn peak_kib() -> Done<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read our memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("find VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse().context("read VmHWM")?)
}
