//! `waag audit`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, ClapArgs)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Copy the log with its public keys into a folder that stands alone
    #[command(
        after_help = "Examples:\n  waag audit export --to audit-2026-11\n  waag audit export --to audit-2026-11 --json"
    )]
    Export {
        /// A new or empty folder
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Check a log from its folder alone: signature, tree, every record, and that it continues an older checkpoint
    #[command(
        after_help = "Examples:\n  waag audit verify audit-2026-11\n  waag audit verify audit-2026-11 --key waag.vkey --from checkpoint-2026-10"
    )]
    Verify {
        /// Folder of a log
        folder: PathBuf,
        /// File with the log's public key, got another way than the folder [default: audit.vkey in it]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// An older checkpoint that the log must continue
        #[arg(long, value_name = "CHECKPOINT")]
        from: Option<PathBuf>,
    },
    /// Compare what a log shows now, here and elsewhere, with what it showed before
    #[command(
        after_help = "Examples:\n  waag audit monitor --state seen.json audit-2026-11\n  waag audit monitor --state seen.json here/audit there/audit there/checkpoint\n\nTwo signed heads that cannot both be true end it with exit code 8; run it again and again."
    )]
    Monitor {
        /// File in which the last heads are remembered; made at first
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
        /// File with the log's public key [default: the one remembered, else audit.vkey in the folder]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Folders of logs, or files with checkpoints
        #[arg(required = true)]
        folders: Vec<PathBuf>,
    },
    /// Print the newest records
    #[command(after_help = "Examples:\n  waag audit show\n  waag audit show --limit 5 --json")]
    Show {
        /// At most this many, newest first
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
}
