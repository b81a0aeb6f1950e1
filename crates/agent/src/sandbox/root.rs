//! The file tree that a workload sees: the system's folders read-only, the job's folders, and nothing else of the host.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};

use super::spec::{Bind, SandboxSpec, WAAG_INSIDE};

pub(super) const SYSTEM: &[&str] = &["usr", "bin", "sbin", "lib", "lib64", "lib32"];
/// What programs need of the host's `/etc`; nothing with keys in it.
pub(super) const ETC_HOST: &[&str] = &[
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "ca-certificates",
    "localtime",
    "mime.types",
];
/// What the tree has its own version of.
pub(super) const ETC_OWN: &[&str] = &["passwd", "group", "hosts", "nsswitch.conf"];
pub(super) const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
/// Inside a user namespace.
pub(super) const INNER_UID: u32 = 1000;

const TREE_BYTES: u64 = 16 * 1024 * 1024;
const BYTES_PER_FILE_MIN: u64 = 4096;
const FILES_MIN: u64 = 1024;

/// Builds the tree on `spec.root` and makes it this process's root. Needs mount and process namespaces of its own.
pub(super) fn enter(spec: &SandboxSpec) -> io::Result<()> {
    let tree = Tree { root: &spec.root };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    tmpfs(tree.root, TREE_BYTES, 0o755).map_err(naming(tree.root))?;
    for name in SYSTEM {
        tree.system_folder(name)?;
    }
    tree.etc(spec)?;
    let proc = tree.make_dir(Path::new("/proc"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", &proc, "proc", flags, None).map_err(naming(&proc))?;
    // Its pages count as the job's memory, so more than half of that would kill it instead of telling it.
    let tmp = tree.make_dir(Path::new("/tmp"))?;
    tmpfs(&tmp, spec.limits.disk_bytes.min(spec.limits.memory_bytes / 2), 0o1777)?;
    tree.devices(&tmp, &spec.devices)?;
    let mut binds: Vec<&Bind> = spec.binds.iter().collect();
    // An outer folder comes before what lies in it.
    binds.sort_by_key(|bind| bind.inside.components().count());
    for bind in binds {
        tree.place(&bind.host, &bind.inside, bind.writable)?;
    }
    tree.place(&spec.executable, Path::new(WAAG_INSIDE), false)?;
    rustix::process::chdir(tree.root)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount_remount("/", flags, "")?)
}

fn naming(path: &Path) -> impl Fn(rustix::io::Errno) -> io::Error {
    move |error| io::Error::other(format!("{}: {error}", path.display()))
}

fn tmpfs(at: &Path, bytes: u64, mode: u32) -> rustix::io::Result<()> {
    let files = (bytes / BYTES_PER_FILE_MIN).max(FILES_MIN);
    let data = std::ffi::CString::new(format!("size={bytes},nr_inodes={files},mode={mode:o}"))
        .map_err(|_| rustix::io::Errno::INVAL)?;
    mount("tmpfs", at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(data.as_c_str()))
}

struct Tree<'a> {
    root: &'a Path,
}

impl Tree<'_> {
    fn system_folder(&self, name: &str) -> io::Result<()> {
        let host = Path::new("/").join(name);
        match fs::symlink_metadata(&host) {
            Err(_) => Ok(()),
            Ok(meta) if meta.is_symlink() => symlink(fs::read_link(&host)?, self.root.join(name)),
            Ok(_) => {
                let inside = self.make_dir(&host)?;
                // Recursive, as a driver's libraries may be mounts of their own, and a user namespace may not part them.
                mount_bind_recursive(&host, &inside).map_err(naming(&host))?;
                mounts_below(&inside)?.iter().try_for_each(|mount| restrict(mount, false))
            }
        }
    }

    fn etc(&self, spec: &SandboxSpec) -> io::Result<()> {
        let etc = self.make_dir(Path::new("/etc"))?;
        let id = spec.uid.unwrap_or(INNER_UID);
        let home = spec.workdir.display();
        fs::write(etc.join("passwd"), format!("job:x:{id}:{id}:job:{home}:/bin/sh\n"))?;
        fs::write(etc.join("group"), format!("job:x:{id}:\n"))?;
        fs::write(etc.join("hosts"), "127.0.0.1 localhost waag-job\n::1 localhost\n")?;
        fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")?;
        let resolver = ["resolv.conf"];
        for name in ETC_HOST.iter().chain(resolver.iter().filter(|_| spec.network)) {
            let name = Path::new("/etc").join(name);
            // A link may lead outside what is seen here, so what it leads to is shown.
            if let Ok(host) = fs::canonicalize(&name) {
                self.place(&host, &name, false)?;
            }
        }
        Ok(())
    }

    fn devices(&self, tmp: &Path, more: &[String]) -> io::Result<()> {
        let dev = self.make_dir(Path::new("/dev"))?;
        for name in DEVICES.iter().copied().chain(more.iter().map(String::as_str)) {
            let node = dev.join(name);
            fs::write(&node, b"")?;
            mount_bind(Path::new("/dev").join(name), &node).map_err(naming(&node))?;
        }
        for (name, to) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
        {
            symlink(to, dev.join(name))?;
        }
        let shared = self.make_dir(Path::new("/dev/shm"))?;
        Ok(mount_bind(tmp, &shared)?)
    }

    fn place(&self, host: &Path, inside: &Path, writable: bool) -> io::Result<()> {
        let at = if host.is_dir() {
            self.make_dir(inside)?
        } else {
            let parent = self.make_dir(inside.parent().unwrap_or(Path::new("/")))?;
            let at = parent.join(inside.file_name().unwrap_or_default());
            fs::OpenOptions::new().write(true).create_new(true).open(&at)?;
            at
        };
        mount_bind(host, &at).map_err(naming(host))?;
        restrict(&at, writable)
    }

    /// Makes a folder of the tree and those above it. Refuses to pass a link: one that an earlier command of the job left
    /// in a folder of its own would lead into the host.
    fn make_dir(&self, inside: &Path) -> io::Result<PathBuf> {
        let mut at = self.root.to_owned();
        for part in inside.components() {
            match part {
                Component::RootDir => continue,
                Component::Normal(name) => at.push(name),
                _ => {
                    return Err(io::Error::other(format!(
                        "{} is not a plain absolute path",
                        inside.display()
                    )));
                }
            }
            match fs::symlink_metadata(&at) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => {
                    return Err(io::Error::other(format!("{} passes what is no folder", inside.display())));
                }
                Err(_) => fs::create_dir(&at)
                    .map_err(|error| io::Error::other(format!("{}: {error}", inside.display())))?,
            }
        }
        Ok(at)
    }
}

/// Takes rights from a mount. Those that it lacks already stay away: in a user namespace they cannot be given back.
fn restrict(at: &Path, writable: bool) -> io::Result<()> {
    let has = statvfs(at)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
    if has.contains(StatVfsMountFlags::NOEXEC) {
        flags |= MountFlags::NOEXEC;
    }
    if !writable || has.contains(StatVfsMountFlags::RDONLY) {
        flags |= MountFlags::RDONLY;
    }
    mount_remount(at, flags, "").map_err(naming(at))
}

/// Mount points at and below a path, from `/proc/self/mountinfo`.
fn mounts_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    // Blanks in paths are written as octal numbers.
    let plain = |field: &str| {
        PathBuf::from(field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
    };
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(plain);
    Ok(points.filter(|point| point.starts_with(path)).collect())
}
