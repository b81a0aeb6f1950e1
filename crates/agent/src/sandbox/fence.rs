//! Landlock: which files a process may touch, whom it may signal.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictSelf, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::root::{DEVICES, ETC_HOST, ETC_OWN, SYSTEM};
use super::spec::{Mode, SandboxSpec};

/// The newest rights that are asked for; an older kernel enforces those it knows.
const NEWEST: ABI = ABI::V9;
/// The oldest version on which the weaker mode may rest: from it on, a file outside cannot be truncated.
pub(super) const OLDEST: u32 = 3;
/// Signals and abstract sockets stay within the fence from this version on.
pub(super) const SCOPES: u32 = 6;
/// Sockets that have a path stay within the fence from this version on.
pub(super) const UNIX_PATHS: u32 = 9;

const INFORMATION: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/proc/filesystems",
    "/proc/self",
    "/sys/devices/system/cpu",
];

/// The Landlock version of this kernel, 0 for none.
pub(super) fn version() -> u32 {
    // Applying no flag restricts nothing and tells the version.
    match RestrictSelf::default().no_new_privs(false).apply().map(|status| status.landlock) {
        Ok(LandlockStatus::Available { effective_abi, kernel_abi }) => {
            kernel_abi.unwrap_or(effective_abi as i32).unsigned_abs()
        }
        _ => 0,
    }
}

/// Rules that are ready to be enforced.
pub(super) struct Fence {
    rules: RulesetCreated,
    needed: bool,
}

impl Fence {
    /// Collects the rules. Needs the rights to reach the job's folders, so it comes before giving them up.
    pub(super) fn build(spec: &SandboxSpec) -> io::Result<Self> {
        let all = AccessFs::from_all(NEWEST);
        let rules = Ruleset::default()
            .handle_access(all)
            .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
            .and_then(Ruleset::create)
            .map_err(io::Error::other)?;
        let mut fence = Self { rules, needed: spec.mode == Mode::Landlock };
        match spec.mode {
            Mode::Namespaces => fence.own_tree(spec)?,
            Mode::Landlock => fence.host_tree(spec)?,
        }
        Ok(fence)
    }

    fn own_tree(&mut self, spec: &SandboxSpec) -> io::Result<()> {
        self.allow(Path::new("/"), AccessFs::from_read(NEWEST))?;
        self.allow(Path::new("/dev"), AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev)?;
        self.allow(Path::new("/proc"), AccessFs::from_read(NEWEST) | AccessFs::WriteFile)?;
        for path in ["/tmp", "/dev/shm"] {
            self.allow(Path::new(path), AccessFs::from_all(NEWEST))?;
        }
        for bind in spec.binds.iter().filter(|bind| bind.writable) {
            self.allow(&bind.inside, AccessFs::from_all(NEWEST))?;
        }
        Ok(())
    }

    fn host_tree(&mut self, spec: &SandboxSpec) -> io::Result<()> {
        let read = AccessFs::from_read(NEWEST);
        let etc =
            ETC_HOST.iter().chain(ETC_OWN).chain(&["resolv.conf"]).map(|name| Path::new("/etc").join(name));
        let system = SYSTEM.iter().map(|name| Path::new("/").join(name));
        let paths: Vec<PathBuf> = etc.chain(system).chain(INFORMATION.iter().map(PathBuf::from)).collect();
        for path in paths.iter().filter(|path| path.exists()) {
            self.allow(path, read)?;
        }
        for name in DEVICES.iter().copied().chain(spec.devices.iter().map(String::as_str)) {
            let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
            self.allow(&Path::new("/dev").join(name), access)?;
        }
        self.allow(&spec.executable, read)?;
        for bind in &spec.binds {
            self.allow(&bind.host, if bind.writable { AccessFs::from_all(NEWEST) } else { read })?;
        }
        Ok(())
    }

    fn allow(&mut self, path: &Path, access: BitFlags<AccessFs>) -> io::Result<()> {
        let say = |error: String| io::Error::other(format!("{}: {error}", path.display()));
        let is_dir = path.metadata().map_err(|error| say(error.to_string()))?.is_dir();
        let access = if is_dir { access } else { access & AccessFs::from_file(NEWEST) };
        let fd = PathFd::new(path).map_err(|error| say(error.to_string()))?;
        (&mut self.rules).add_rule(PathBeneath::new(fd, access)).map_err(|error| say(error.to_string()))?;
        Ok(())
    }

    /// Confines this process and all it starts, for ever.
    pub(super) fn close(self) -> io::Result<()> {
        let status = self.rules.restrict_self().map_err(io::Error::other)?;
        if self.needed && (status.ruleset == RulesetStatus::NotEnforced || version() < OLDEST) {
            return Err(io::Error::other("the kernel enforces no Landlock of version 3 or later"));
        }
        Ok(())
    }
}
