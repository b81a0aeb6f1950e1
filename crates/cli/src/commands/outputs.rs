//! `waag outputs`: a job's outputs, opened into a folder.

use std::path::{Path, PathBuf};

use anyhow::Context;
use domain::JobId;

use super::Session;
use crate::client::Client;
use crate::failure::{Done, Exit, Failure};

pub(crate) async fn run(session: &Session<'_>, job: &str, folder: Option<PathBuf>) -> Done {
    let doc = session.client.job_show(job).await?;
    if !doc.outputs {
        let next = match doc.outcome {
            None => "wait until it has ended: `waag logs -f`",
            Some(_) => "name a folder in waag.outputs.path, and see how the job ended with `waag jobs show`",
        };
        return Err(Failure::new(
            Exit::NotFound,
            "no_outputs",
            format!("{} {} has no outputs", doc.id, doc.name),
        )
        .next(next));
    }
    let folder = folder.unwrap_or_else(|| default_folder(doc.id));
    let files = fetch(&session.client, doc.id, &folder).await?;
    let answer = serde_json::json!({ "job": doc.id, "folder": folder, "files": files });
    session.out.either(&answer, || format!("{} files in {}", files.len(), folder.display()));
    Ok(())
}

/// Where outputs go when nobody says.
pub(crate) fn default_folder(job: JobId) -> PathBuf {
    Path::new("waag-outputs").join(job.to_string())
}

/// Fetches and opens the outputs into `folder`, which is made. Returns the files, relative to it.
pub(crate) async fn fetch(client: &Client, job: JobId, folder: &Path) -> Done<Vec<PathBuf>> {
    let tar = tempfile::tempfile().context("make a temporary file")?;
    let mut receiving = tokio::fs::File::from_std(tar.try_clone().context("use a temporary file")?);
    client.job_outputs(job, &mut receiving).await?;
    let to = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || unpack(tar, &to)).await.context("open the outputs")?;
    Ok(opened.with_context(|| format!("open the outputs into {}", folder.display()))?)
}

/// The archive holds one folder, `outputs`. It was packed by an agent on a machine that nobody trusts, so only plain
/// files and folders below that folder are taken.
fn unpack(mut tar: std::fs::File, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    use std::io::Seek;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Component;
    tar.rewind()?;
    std::fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Ok(below) = path.strip_prefix("outputs") else { continue };
        let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        if below.as_os_str().is_empty() || !plain {
            continue;
        }
        let target = folder.join(below);
        if entry.header().entry_type().is_dir() {
            std::fs::create_dir_all(&target)?;
        } else if entry.header().entry_type().is_file() {
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
            }
            // A link that stands there already is replaced and not followed.
            let _ = std::fs::remove_file(&target);
            // Whether a file can be run is part of what was committed to.
            let runs = entry.header().mode()? & 0o100 != 0;
            std::io::copy(&mut entry, &mut std::fs::File::create_new(&target)?)?;
            let mode = if runs { 0o755 } else { 0o644 };
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode))?;
            files.push(below.to_owned());
        }
    }
    files.sort();
    Ok(files)
}
