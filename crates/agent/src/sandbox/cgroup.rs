//! A control group of one workload, version 1 or 2, below the agent's own where that can be.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::limits::OWN_PROCESSES;
use super::spec::Limits;

const CPU_PERIOD_US: u64 = 100_000;
/// The kernel refuses a quota below a millisecond.
const CPU_QUOTA_US_MIN: u64 = 1_000;
const PREFIX: &str = "waag-";
/// Groups of dead agents that one start removes.
const SWEEP_MAX: usize = 256;
const KILL_PASSES_MAX: usize = 1_000;

/// Which limits cgroups hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) memory: bool,
    pub(super) pids: bool,
    pub(super) cpu: bool,
}

/// A folder below which a group can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    version: u8,
    /// Of a version 1 hierarchy, the one that is used.
    controller: &'static str,
}

/// The groups of one workload; none where none can be made.
#[derive(Default)]
pub(super) struct Cgroup {
    folders: Vec<(Place, PathBuf)>,
}

/// Which version can be written here, and what it would hold. Changes nothing.
pub(super) fn available() -> Option<(u8, Held)> {
    let places = usable_places();
    let version = places.iter().map(|place| place.version).max()?;
    let has = |name| places.iter().any(|place| place.version == 2 || place.controller == name);
    Some((version, Held { memory: has("memory"), pids: has("pids"), cpu: has("cpu") }))
}

impl Cgroup {
    /// Makes groups with these limits, as far as this machine allows.
    pub(super) fn make(limits: &Limits) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut cgroup = Self::default();
        for place in usable_places() {
            remove_orphans(&place.folder);
            let folder = place.folder.join(&name);
            if (place.version == 2 && enable(&place.folder).is_err()) || fs::create_dir(&folder).is_err() {
                continue;
            }
            if set_limits(&place, &folder, limits).is_ok() {
                cgroup.folders.push((place, folder));
            } else {
                // A limit that was not taken is held otherwise.
                let _ = fs::remove_dir(&folder);
            }
        }
        cgroup
    }

    /// Moves a process, and with it all that it will start, into the groups. Says which limits hold it now.
    pub(super) fn add(&mut self, pid: u32) -> Held {
        let mut held = Held::default();
        self.folders.retain(|(place, folder)| {
            if fs::write(folder.join("cgroup.procs"), pid.to_string()).is_err() {
                let _ = fs::remove_dir(folder);
                return false;
            }
            held.memory |= place.version == 2 || place.controller == "memory";
            held.pids |= place.version == 2 || place.controller == "pids";
            held.cpu |= place.version == 2 || place.controller == "cpu";
            true
        });
        held
    }

    /// Whether the kernel killed a process of it for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        self.folders.iter().any(|(place, folder)| {
            let file = if place.version == 2 { "memory.events" } else { "memory.oom_control" };
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            text.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
        })
    }

    /// Kills what is left in the groups and removes them. A group that something still dying in the kernel holds is
    /// removed at a later start.
    pub(super) fn remove(&mut self) {
        for (_, folder) in std::mem::take(&mut self.folders) {
            for _ in 0..KILL_PASSES_MAX {
                if fs::remove_dir(&folder).is_ok() || !folder.exists() {
                    break;
                }
                kill_members(&folder);
            }
        }
    }
}

fn kill_members(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let pids = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in pids.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn set_limits(place: &Place, folder: &Path, limits: &Limits) -> io::Result<()> {
    let memory = limits.memory_bytes.to_string();
    let pids = limits.pids.saturating_add(OWN_PROCESSES).to_string();
    let quota = (u64::from(limits.cpus_milli) * CPU_PERIOD_US / 1000).max(CPU_QUOTA_US_MIN);
    let set = |file: &str, value: &str| fs::write(folder.join(file), value);
    let with_swap =
        |file: &str, value: &str| if folder.join(file).exists() { set(file, value) } else { Ok(()) };
    if place.version == 2 {
        set("memory.max", &memory)?;
        with_swap("memory.swap.max", "0")?;
        set("pids.max", &pids)?;
        return with_swap("cpu.max", &format!("{quota} {CPU_PERIOD_US}"));
    }
    match place.controller {
        "memory" => {
            set("memory.limit_in_bytes", &memory)?;
            with_swap("memory.memsw.limit_in_bytes", &memory)
        }
        "pids" => set("pids.max", &pids),
        _ => {
            set("cpu.cfs_period_us", &CPU_PERIOD_US.to_string())?;
            set("cpu.cfs_quota_us", &quota.to_string())
        }
    }
}

/// Groups of agents that were killed. Those of a living one may be about to be used, so they stay.
fn remove_orphans(parent: &Path) {
    let names =
        fs::read_dir(parent).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
    for name in names.filter(|name| name.starts_with(PREFIX)).take(SWEEP_MAX) {
        let agent = name.trim_start_matches(PREFIX).split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(agent).exists() {
            // One that is not empty cannot be removed.
            let _ = fs::remove_dir(parent.join(name));
        }
    }
}

fn usable_places() -> Vec<Place> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let writable = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    let mut places = places(&own, &mounts);
    places.retain(|place| {
        writable(&place.folder)
            && writable(&place.folder.join("cgroup.procs"))
            && (place.version == 1 || can_enable(&place.folder))
    });
    // One group of version 2 does all; of those that could be its parent, the nearest comes first.
    let mut seen = false;
    places.retain(|place| place.version == 1 || !std::mem::replace(&mut seen, true));
    places
}

/// Where groups could be made, from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo` (cgroups(7), proc(5)).
fn places(own: &str, mounts: &str) -> Vec<Place> {
    let own_path = |controller: &str| {
        own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let names = fields.next()?;
            names.split(',').any(|name| name == controller).then(|| fields.next()).flatten()
        })
    };
    let mut places = Vec::new();
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (left, right): (Vec<&str>, Vec<&str>) = (left.split(' ').collect(), right.split(' ').collect());
        let (Some(root), Some(at), Some(kind)) = (left.get(3), left.get(4), right.first()) else { continue };
        let below = |path: &str| {
            let path = Path::new(path).strip_prefix(root).map(Path::to_owned).unwrap_or_default();
            let folder = Path::new(at).join(path);
            if folder.is_dir() { folder } else { PathBuf::from(at) }
        };
        if *kind == "cgroup2" {
            let folder = below(own_path("").unwrap_or("/"));
            let up = folder.ancestors().take_while(|path| path.starts_with(at));
            let nearest: Vec<&Path> = up.take(2).chain([Path::new(at)]).collect();
            places.extend(nearest.into_iter().map(|folder| Place {
                folder: folder.to_owned(),
                version: 2,
                controller: "",
            }));
        } else if *kind == "cgroup" {
            let options = right.get(2).copied().unwrap_or_default();
            for controller in ["memory", "pids", "cpu"] {
                if options.split(',').any(|option| option == controller) {
                    let folder = below(own_path(controller).unwrap_or("/"));
                    places.push(Place { folder, version: 1, controller });
                }
            }
        }
    }
    places
}

fn words(file: PathBuf) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn enabled(parent: &Path) -> bool {
    let on = words(parent.join("cgroup.subtree_control"));
    ["memory", "pids"].iter().all(|name| on.iter().any(|on| on == name))
}

/// Children of a group that has processes of its own can have no limits, unless it is the root (which has no type).
fn can_enable(parent: &Path) -> bool {
    let there = words(parent.join("cgroup.controllers"));
    let is_root = !parent.join("cgroup.type").exists();
    enabled(parent)
        || (["memory", "pids"].iter().all(|name| there.iter().any(|there| there == name))
            && access(parent.join("cgroup.subtree_control"), Access::WRITE_OK).is_ok()
            && (is_root || words(parent.join("cgroup.procs")).is_empty()))
}

fn enable(parent: &Path) -> io::Result<()> {
    if enabled(parent) {
        return Ok(());
    }
    let file = parent.join("cgroup.subtree_control");
    // The processor's is worth having and not worth failing for.
    fs::write(&file, "+memory +pids +cpu").or_else(|_| fs::write(&file, "+memory +pids"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &str, version: u8, controller: &'static str) -> Place {
        Place { folder: PathBuf::from(folder), version, controller }
    }

    #[test]
    fn cgroup_places_version_1_follow_the_mount_of_each_controller() {
        let own = "3:memory:/docker/abc\n2:cpu,cpuacct:/\n1:pids:/docker/abc\n0::/\n";
        let mounts = "30 20 0:26 /docker/abc /nowhere/memory rw - cgroup cgroup rw,memory\n\
                      31 20 0:27 / /nowhere/cpu rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n\
                      33 20 0:29 / / rw - ext4 /dev/vda rw\n";
        assert_eq!(
            places(own, mounts),
            [place("/nowhere/memory", 1, "memory"), place("/nowhere/cpu", 1, "cpu")]
        );
    }

    #[test]
    fn cgroup_places_version_2_are_the_own_group_its_parent_and_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap().to_owned();
        fs::create_dir_all(dir.path().join("system.slice/waag.service")).unwrap();
        let mounts = format!("30 20 0:26 / {at} rw - cgroup2 cgroup2 rw\n");
        let found = places("0::/system.slice/waag.service\n", &mounts);
        let expected = [format!("{at}/system.slice/waag.service"), format!("{at}/system.slice"), at];
        assert_eq!(found, expected.map(|path| place(&path, 2, "")));
    }

    #[test]
    fn cgroup_version_2_is_not_offered_below_a_group_with_processes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("cgroup.type", "domain\n");
        write("cgroup.controllers", "cpu memory pids\n");
        write("cgroup.subtree_control", "\n");
        write("cgroup.procs", "12\n");
        assert!(!can_enable(dir.path()));
        write("cgroup.procs", "");
        assert!(can_enable(dir.path()));
        enable(dir.path()).unwrap();
        assert_eq!(words(dir.path().join("cgroup.subtree_control")), ["+memory", "+pids", "+cpu"]);
    }

    #[test]
    fn cgroup_version_2_limits_are_written_as_the_kernel_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cpu.max"), "max").unwrap();
        let limits =
            Limits { cpus_milli: 1500, memory_bytes: 1 << 20, pids: 10, disk_bytes: 0, open_files: 0 };
        set_limits(&place("", 2, ""), dir.path(), &limits).unwrap();
        let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(
            (read("memory.max"), read("pids.max"), read("cpu.max")),
            ("1048576".into(), "12".into(), "150000 100000".into())
        );
    }
}
