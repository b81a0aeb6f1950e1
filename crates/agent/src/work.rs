//! The agent's folder: inputs unpacked, states and outputs packed. Archives come from elsewhere, so every entry is
//! checked.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use wire::agent::Bundle;

use crate::sandbox::{Bind, Mode};

const ENTRIES_MAX: usize = 1_000_000;

/// The folders of one execution.
pub(crate) struct Work {
    pub(crate) root: PathBuf,
}

impl Work {
    /// Makes the agent's own folders, empty.
    pub(crate) fn make(root: PathBuf) -> io::Result<Self> {
        let work = Self { root };
        work.clear();
        fs::create_dir_all(work.path("seal"))?;
        // Where the workload sees the host's paths under a user of its own, it has to pass through here.
        fs::set_permissions(&work.root, fs::Permissions::from_mode(0o711))?;
        Ok(work)
    }

    /// Makes the folders that this job needs, and no other: an agent that starts often makes many.
    pub(crate) fn furnish(&self, bundle: &Bundle, mode: Mode) -> io::Result<()> {
        let fence = if mode == Mode::Namespaces { "newroot" } else { "bin" };
        for name in jobs_own(bundle, mode).chain([fence]) {
            fs::create_dir_all(self.path(name))?;
        }
        if mode == Mode::Landlock {
            fs::set_permissions(self.path(fence), fs::Permissions::from_mode(0o711))?;
        }
        Ok(())
    }

    /// The executable under a path that the workload can reach. It may stand where the job's user may not look, so it
    /// is linked or copied and not pointed to.
    pub(crate) fn own_executable(&self, executable: &Path) -> io::Result<PathBuf> {
        let own = self.path("bin").join("waag");
        if !own.exists() && fs::hard_link(executable, &own).is_err() {
            fs::copy(executable, &own)?;
            fs::set_permissions(&own, fs::Permissions::from_mode(0o755))?;
        }
        Ok(own)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Removes everything; what cannot be removed is left to the machine's owner.
    pub(crate) fn clear(&self) {
        let _ = fs::remove_dir_all(&self.root);
    }

    /// The job's folders as the workload sees them, and where it finds states and outputs.
    pub(crate) fn binds(&self, bundle: &Bundle, mode: Mode) -> io::Result<Vec<Bind>> {
        let mut binds = vec![(self.path("workdir"), "/workdir".to_owned())];
        for (n, inside) in bundle.mounts.iter().enumerate() {
            let host = self.path("mounts").join(n.to_string());
            if !host.exists() {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("the inputs lack the mount {inside}"),
                ));
            }
            binds.push((host, inside.clone()));
        }
        if let Some(inside) = &bundle.checkpoint_path {
            binds.push((self.path("checkpoint"), inside.clone()));
        }
        if let Some(inside) = &bundle.outputs_path {
            binds.push((self.path("outputs"), inside.clone()));
        }
        if mode == Mode::Landlock {
            binds.push((self.path("tmp"), "/tmp".to_owned()));
        }
        let bind =
            |(host, inside): (PathBuf, String)| Bind { host, inside: PathBuf::from(inside), writable: true };
        Ok(binds.into_iter().map(bind).collect())
    }

    /// Gives the job's folders to the user it runs as.
    pub(crate) fn give_to(&self, uid: u32, bundle: &Bundle, mode: Mode) -> io::Result<()> {
        jobs_own(bundle, mode).try_for_each(|name| give(&self.path(name), uid))
    }
}

/// The folders that belong to the job's user.
fn jobs_own(bundle: &Bundle, mode: Mode) -> impl Iterator<Item = &'static str> {
    let needed = [
        ("workdir", true),
        ("mounts", !bundle.mounts.is_empty()),
        ("checkpoint", bundle.checkpoint_path.is_some()),
        ("outputs", bundle.outputs_path.is_some()),
        ("tmp", mode == Mode::Landlock),
    ];
    needed.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name)
}

fn give(path: &Path, uid: u32) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(uid), Some(uid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), uid)?;
        }
    }
    Ok(())
}

/// Unpacks a tar into a folder. Refuses whatever could reach outside it: absolute paths, `..`, links that leave, devices.
pub(crate) fn unpack(tar: &mut File, into: &Path, bytes_max: u64) -> io::Result<()> {
    let refuse = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    let mut archive = tar::Archive::new(tar);
    let mut total = 0u64;
    for (n, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let kind = entry.header().entry_type();
        total = total.saturating_add(entry.size());
        if n > ENTRIES_MAX || total > bytes_max {
            return refuse("the archive holds more than the job's disk may".to_owned());
        }
        if !plain(&path) || !(kind.is_file() || kind.is_dir() || kind.is_symlink()) {
            return refuse(format!(
                "the archive's entry {} is neither a plain file nor a folder",
                path.display()
            ));
        }
        if kind.is_symlink() && entry.link_name()?.is_none_or(|link| !plain(&link)) {
            return refuse(format!("the archive's link {} leads outside", path.display()));
        }
        // `unpack_in` checks once more that no link on the way leaves the folder.
        if !entry.unpack_in(into)? {
            return refuse(format!("the archive's entry {} leads outside", path.display()));
        }
    }
    Ok(())
}

fn plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Packs one file or folder under a name into a new temporary tar.
///
/// # Errors
/// A file could not be read or written.
pub fn pack(source: &Path, name: &str, seal_dir: &Path) -> io::Result<File> {
    let mut builder = tar::Builder::new(tempfile::tempfile_in(seal_dir)?);
    builder.follow_symlinks(false);
    builder.mode(tar::HeaderMode::Deterministic);
    // Where a file has holes is the machine's affair and not part of the state.
    builder.sparse(false);
    append(&mut builder, source, Path::new(name))?;
    builder.into_inner()
}

/// Folders before what is in them and everything by name, so that equal files make equal archives.
fn append(builder: &mut tar::Builder<File>, source: &Path, name: &Path) -> io::Result<()> {
    builder.append_path_with_name(source, name)?;
    if !fs::symlink_metadata(source)?.is_dir() {
        return Ok(());
    }
    let mut inside: Vec<_> =
        fs::read_dir(source)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<_>>()?;
    inside.sort();
    inside.iter().try_for_each(|entry| append(builder, &source.join(entry), &name.join(entry)))
}

/// The states in the checkpoint folder beyond `done`, in order without a gap.
pub(crate) fn new_states(folder: &Path, done: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|n| *n > done)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, SeekFrom};

    fn archive(build: impl FnOnce(&mut tar::Builder<File>)) -> File {
        let mut builder = tar::Builder::new(tempfile::tempfile().unwrap());
        build(&mut builder);
        let mut file = builder.into_inner().unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn entry(kind: tar::EntryType, name: &str, link: &str) -> File {
        archive(|builder| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mode(0o644);
            // Written as bytes, since the library refuses such names itself.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            if !link.is_empty() {
                header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
            }
            header.set_cksum();
            builder.append(&header, std::io::empty()).unwrap();
        })
    }

    #[test]
    fn an_archive_that_reaches_outside_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("in");
        fs::create_dir(&into).unwrap();
        use tar::EntryType as T;
        for (kind, name, link) in [
            (T::Regular, "../outside", ""),
            (T::Regular, "/outside", ""),
            (T::Symlink, "link", "../outside"),
            (T::Symlink, "link", "/etc/passwd"),
            (T::Link, "hard", "/etc/passwd"),
            (T::Char, "device", ""),
            (T::Fifo, "fifo", ""),
        ] {
            assert!(unpack(&mut entry(kind, name, link), &into, 1000).is_err(), "{name} {link}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_packed_unpacks_and_the_disk_limit_holds() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("sub/file"), b"state").unwrap();
        let mut tar = pack(&from, "7", dir.path()).unwrap();
        tar.seek(SeekFrom::Start(0)).unwrap();
        assert!(unpack(&mut tar.try_clone().unwrap(), &to, 3).is_err());
        tar.seek(SeekFrom::Start(0)).unwrap();
        unpack(&mut tar, &to, 1000).unwrap();
        assert_eq!(fs::read(to.join("7/sub/file")).unwrap(), b"state");
    }

    #[test]
    fn only_whole_states_beyond_what_is_stored_are_found() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["1", "2", "3", ".4.tmp", "x", "10"] {
            fs::write(dir.path().join(name), b"").unwrap();
        }
        assert_eq!(new_states(dir.path(), 1), [2, 3, 10]);
    }
}
