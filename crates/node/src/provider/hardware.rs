//! What this machine has, as the kernel says. Configuration may lower it, never raise it.

use std::fs;
use std::io;
use std::path::Path;

use domain::{Accelerators, Hardware};

use super::config::Config;

const MIB: u64 = 1024 * 1024;
/// Part of the free disk that is offered: the rest is for logs, and for others on the machine.
const DISK_OFFERED_PERCENT: u64 = 80;
const ACCELERATORS_MAX: usize = 64;
const MODEL_CHARS_MAX: usize = 40;
/// Where a container's own limits stand, for both versions of cgroups.
const MEMORY_LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The whole machine. `folder` lies on the disk that leases will use.
///
/// # Errors
/// When the kernel does not tell the memory or the disk.
pub(crate) fn measure(proc: &Path, folder: &Path) -> io::Result<Hardware> {
    let cores = std::thread::available_parallelism()?.get();
    let disk = rustix::fs::statvfs(folder)?;
    Ok(Hardware {
        cpus_milli: u32::try_from(cores * 1000).unwrap_or(u32::MAX),
        memory_mib: memory(proc)? / MIB,
        disk_mib: disk.f_bavail.saturating_mul(disk.f_frsize) / MIB,
        accelerators: accelerators(proc),
    })
}

fn memory(proc: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(proc.join("meminfo"))?;
    let kib = text.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    let total = kib.ok_or_else(|| io::Error::other("meminfo tells no MemTotal"))?.saturating_mul(1024);
    let limits = MEMORY_LIMITS.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    Ok(limits.fold(total, u64::min))
}

/// NVIDIA's driver lists each device with a file. No driver is no accelerator. One offer has one model, so of several
/// models the first counts.
fn accelerators(proc: &Path) -> Option<Accelerators> {
    let devices = fs::read_dir(proc.join("driver/nvidia/gpus")).ok()?;
    let mut paths: Vec<_> = devices.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let models: Vec<String> = paths
        .iter()
        .take(ACCELERATORS_MAX)
        .filter_map(|path| {
            let text = fs::read_to_string(path.join("information")).ok()?;
            text.lines().find_map(|line| model(line.strip_prefix("Model:")?))
        })
        .collect();
    let first = models.first()?.clone();
    let count = models.iter().filter(|model| **model == first).count();
    Some(Accelerators { model: first, count: u32::try_from(count).ok()? })
}

/// `NVIDIA H100 80GB HBM3` is what people call H100, `NVIDIA GeForce RTX 4090` is RTX4090.
fn model(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().filter(|word| !matches!(*word, "NVIDIA" | "Tesla" | "GeForce"));
    let mut name = words.next()?.to_owned();
    if matches!(name.as_str(), "RTX" | "GTX") {
        name += words.next().unwrap_or_default();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.chars().filter(|c| plain(*c)).take(MODEL_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

/// What one unit has, of a machine that is divided as the configuration says. The greatest promise that is made of it.
pub(crate) fn unit(machine: &Hardware, config: &Config) -> Hardware {
    let units = config.units.max(1);
    let most = |has: u64, limit: Option<u64>| has.min(limit.unwrap_or(u64::MAX)) / u64::from(units);
    let accelerators = machine.accelerators.as_ref().filter(|_| config.accelerators).and_then(|all| {
        let count = all.count / units;
        (count > 0).then(|| Accelerators { model: all.model.clone(), count })
    });
    Hardware {
        cpus_milli: machine.cpus_milli.min(config.cpus_milli.unwrap_or(u32::MAX)) / units,
        memory_mib: most(machine.memory_mib, config.memory_mib),
        disk_mib: most(machine.disk_mib, config.disk_mib),
        accelerators,
    }
}

/// What is offered: less disk than there is, so that the promise still holds when some of it is used.
pub(crate) fn offered(unit: &Hardware) -> Hardware {
    Hardware { disk_mib: unit.disk_mib * DISK_OFFERED_PERCENT / 100, ..unit.clone() }
}

/// Whether a promise made earlier can still be kept and is not far below what could be promised.
pub(crate) fn still_fits(promised: &Hardware, unit: &Hardware) -> bool {
    let fits = |promised: u64, has: u64| promised <= has && promised >= has / 2;
    promised.cpus_milli == unit.cpus_milli
        && promised.accelerators == unit.accelerators
        && fits(promised.memory_mib, unit.memory_mib)
        && fits(promised.disk_mib, unit.disk_mib)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        Config::of(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
            .unwrap()
    }

    fn machine() -> Hardware {
        let accelerators = Some(Accelerators { model: "H100".to_owned(), count: 3 });
        Hardware { cpus_milli: 8_000, memory_mib: 16_000, disk_mib: 100_000, accelerators }
    }

    #[test]
    fn machine_is_measured_with_and_without_accelerators() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert!(measure(dir.path(), dir.path()).is_err(), "no memory told");
        write("meminfo", "MemTotal:        2097152 kB\nMemFree: 1 kB\n");
        let measured = measure(dir.path(), dir.path()).unwrap();
        assert!(measured.cpus_milli >= 1_000 && measured.memory_mib <= 2_048 && measured.memory_mib > 0);
        assert_eq!(measured.accelerators, None);
        for device in 0..2 {
            let path = format!("driver/nvidia/gpus/0000:0{device}:00.0/information");
            write(&path, "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n");
        }
        let found = measure(dir.path(), dir.path()).unwrap().accelerators.unwrap();
        assert_eq!((found.model.as_str(), found.count), ("H100", 2));
    }

    #[test]
    fn models_have_the_names_that_people_use() {
        for (text, name) in [
            (" NVIDIA H100 80GB HBM3", Some("H100")),
            ("NVIDIA GeForce RTX 4090", Some("RTX4090")),
            ("Tesla V100-SXM2-16GB", Some("V100-SXM2-16GB")),
            ("NVIDIA", None),
            (" \u{1b}[2J", Some("2J")),
        ] {
            assert_eq!(model(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn configuration_lowers_and_never_raises() {
        let whole = unit(&machine(), &config(&[]));
        assert_eq!(whole, machine());
        let raised = config(&[("cpus_milli", "64000"), ("memory_mib", "999999"), ("disk_mib", "999999")]);
        assert_eq!(unit(&machine(), &raised), machine());
        let lowered = config(&[("cpus_milli", "4000"), ("units", "2"), ("accelerators", "false")]);
        let half = unit(&machine(), &lowered);
        assert_eq!((half.cpus_milli, half.memory_mib, half.accelerators), (2_000, 8_000, None));
        let shared = unit(&machine(), &config(&[("units", "2")])).accelerators.unwrap();
        assert_eq!(shared.count, 1, "what cannot be divided is not offered twice");
        assert_eq!(unit(&machine(), &config(&[("units", "4")])).accelerators, None);
    }

    #[test]
    fn promise_is_kept_while_it_is_true_and_near() {
        let now = unit(&machine(), &config(&[]));
        let promised = offered(&now);
        assert_eq!(promised.disk_mib, 80_000);
        assert!(still_fits(&promised, &now));
        assert!(still_fits(&promised, &Hardware { disk_mib: 80_000, ..now.clone() }));
        assert!(!still_fits(&promised, &Hardware { disk_mib: 79_999, ..now.clone() }));
        assert!(!still_fits(&promised, &Hardware { disk_mib: 170_000, ..now.clone() }));
        assert!(!still_fits(&promised, &Hardware { cpus_milli: 9_000, ..now.clone() }));
        assert!(!still_fits(&promised, &Hardware { accelerators: None, ..now }));
    }
}
