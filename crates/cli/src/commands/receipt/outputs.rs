//! The digest of a folder with outputs, as an agent makes it: of a tar with folders before what is in them, everything by name,
//! and nothing of owner and time.

use std::fs;
use std::io;
use std::path::Path;

use evidence::StateHasher;

/// BLAKE3 of the outputs in a folder.
pub(super) fn digest(folder: &Path) -> io::Result<[u8; 32]> {
    let mut builder = tar::Builder::new(StateHasher::default());
    builder.follow_symlinks(false);
    builder.mode(tar::HeaderMode::Deterministic);
    append(&mut builder, folder, Path::new("outputs"))?;
    Ok(builder.into_inner()?.finish())
}

fn append(builder: &mut tar::Builder<StateHasher>, source: &Path, name: &Path) -> io::Result<()> {
    builder.append_path_with_name(source, name)?;
    if !fs::symlink_metadata(source)?.is_dir() {
        return Ok(());
    }
    let entries = fs::read_dir(source)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut inside: Vec<_> = entries.collect::<io::Result<_>>()?;
    inside.sort();
    inside.iter().try_for_each(|entry| append(builder, &source.join(entry), &name.join(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_hangs_on_names_and_bytes_and_not_on_time() {
        let make = |name: &str, bytes: &[u8]| {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("sub")).unwrap();
            fs::write(folder.path().join("sub").join(name), bytes).unwrap();
            let file = fs::File::options().write(true).open(folder.path().join("sub").join(name)).unwrap();
            let days = u64::from(name.len() as u32 + u32::from(bytes[0])) * 86_400;
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(days)).unwrap();
            digest(folder.path()).unwrap()
        };
        assert_eq!(make("a", b"1"), make("a", b"1"));
        assert_ne!(make("a", b"1"), make("b", b"1"));
        assert_ne!(make("a", b"1"), make("a", b"2"));
    }
}
