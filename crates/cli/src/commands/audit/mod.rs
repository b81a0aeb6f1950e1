//! `waag audit`: the log of all that happened, for who does not believe us. Nothing here speaks to a control plane: a log
//! is a folder.
//!
//! - `folder.rs`: a folder with a log, its keys, and what is wrong with it.
//! - `export.rs`, `verify.rs`, `monitor.rs`, `show.rs`: the commands.

mod export;
mod folder;
mod monitor;
mod show;
mod verify;

use std::path::Path;

use anyhow::Context;
use engine::Engine;
use evidence::log::Key;

use crate::args::{Audit, AuditCommand};
use crate::failure::Done;
use crate::settings::Settings;
use crate::show::Out;
use folder::Folder;

/// Where a control plane has its log.
const FOLDER: &str = "audit";

pub(crate) fn run(settings: impl FnOnce() -> Done<Settings>, audit: &Audit, out: &Out) -> Done {
    match &audit.command {
        AuditCommand::Export { to } => export::run(&Folder::at(settings()?.data.join(FOLDER)), to, out),
        AuditCommand::Verify { folder, key, from } => {
            verify::run(&Folder::at(folder), key.as_deref(), from.as_deref(), out)
        }
        AuditCommand::Monitor { state, key, folders } => monitor::run(state, key.as_deref(), folders, out),
        AuditCommand::Show { limit } => show::run(&Folder::at(settings()?.data.join(FOLDER)), *limit, out),
    }
}

/// Publishes what a running control plane has, verifies its whole log from the bytes in its data folder, and says how many
/// records it has.
pub(crate) async fn verified(engine: &Engine, data: &Path) -> Done<u64> {
    let size = engine.audit_publish().await.context("publish the audit log")?;
    let key = engine.audit_key().context("read the key of the audit log")?;
    let key = Key::parse(&key).context("read the key of the audit log")?;
    let verified = verify::whole(&Folder::at(data.join(FOLDER)), &key)?;
    // Others may have added records in between.
    Ok(verified.head.size.max(size))
}
