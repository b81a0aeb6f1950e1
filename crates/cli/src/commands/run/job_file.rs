//! A job file read on the user's side: checked at once, its secrets and its local files gathered.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;
use domain::JobSpec;
use wire::jobfile::{FILE_BYTES_MAX, parse};

use crate::failure::{Done, Exit, Failure};

/// A job file that has been checked.
pub(crate) struct JobFile {
    pub(crate) text: String,
    pub(crate) name: String,
    pub(crate) spec: JobSpec,
    /// Values of the secrets that the file does not hold itself.
    pub(crate) secrets: BTreeMap<String, String>,
    folder: PathBuf,
}

/// Reads and checks a job file, without its secrets.
pub(crate) fn read(path: &Path) -> Done<JobFile> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    // One byte more than allowed is enough for the parser to refuse it.
    let taken =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    taken.map_err(|e| {
        Failure::new(Exit::Usage, "job_file_unreadable", format!("the job file {name} cannot be read"))
            .why(e)
            .next("name a YAML file; examples/ has some")
    })?;
    of_bytes(bytes, name, path.parent().unwrap_or(Path::new(".")))
}

/// A job file that is in memory already; its local files are looked for in `folder`.
pub(crate) fn of_bytes(bytes: Vec<u8>, name: String, folder: &Path) -> Done<JobFile> {
    let file = parse(&bytes, &name).map_err(|error| {
        Failure::new(Exit::Usage, "job_file_invalid", error.to_string())
            .next("mend the job file and run it again")
    })?;
    let from_here = file.secrets.iter().filter(|(_, inline)| inline.is_none()).map(|(name, _)| name);
    let secrets = from_here.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect();
    let text = String::from_utf8(bytes).context("the parser has read it as UTF-8")?;
    Ok(JobFile { text, name, spec: file.spec, secrets, folder: folder.to_owned() })
}

impl JobFile {
    /// The tar of `workdir/` and `mounts/<n>`, when the job has any.
    pub(crate) fn pack(&self) -> Done<Option<File>> {
        let mounts = self.spec.file_mounts.iter().enumerate();
        let mut sources: Vec<(String, &str, String)> = mounts
            .map(|(n, mount)| {
                (format!("mounts/{n}"), mount.source.as_str(), format!("file_mounts.{}", mount.inside))
            })
            .collect();
        if let Some(workdir) = &self.spec.workdir {
            sources.push(("workdir".to_owned(), workdir, "workdir".to_owned()));
        }
        if sources.is_empty() {
            return Ok(None);
        }
        let mut builder = tar::Builder::new(tempfile::tempfile().context("make a temporary file")?);
        builder.follow_symlinks(false);
        builder.mode(tar::HeaderMode::Deterministic);
        for (inside, source, field) in sources {
            append(&mut builder, &inside, &self.folder.join(source)).map_err(|e| {
                Failure::new(Exit::Usage, "input_unreadable", format!("{field}: `{source}` cannot be read"))
                    .why(e)
                    .next(format!("paths are relative to {}", self.folder.join(".").display()))
            })?;
        }
        let mut tar = builder.into_inner().context("finish the archive of inputs")?;
        tar.rewind().context("rewind the archive of inputs")?;
        Ok(Some(tar))
    }
}

fn append(builder: &mut tar::Builder<File>, inside: &str, source: &Path) -> std::io::Result<()> {
    // The named path itself may be a link; what it holds is packed as it is.
    let source = std::fs::canonicalize(source)?;
    if source.is_dir() {
        builder.append_dir_all(inside, source)
    } else {
        builder.append_path_with_name(source, inside)
    }
}
