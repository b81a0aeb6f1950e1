//! `waag receipt`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  waag receipt digits-train -o receipt.json\n  waag receipt j_8h2k > receipt.json\n\nA receipt is checked by its file alone: see `waag receipt verify`. It can be had until the job is removed."
)]
pub(crate) struct Receipt {
    /// Job: its id, the beginning of it, or its name
    #[arg(required = true)]
    pub(crate) job: Option<String>,
    /// File to put it into [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<ReceiptCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Check a receipt by its file alone: no control plane, no network
    #[command(
        after_help = "Examples:\n  waag receipt verify receipt.json\n  waag receipt verify receipt.json --outputs waag-outputs/j_8h2k --json\n\nWithout --key and --audit-key the keys in the receipt are used: then it is shown to be whole, and not whose it is.\nWhat does not hold ends it with exit code 8."
    )]
    Verify(ReceiptVerify),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReceiptVerify {
    /// The receipt
    pub(crate) file: PathBuf,
    /// The control plane's key, got another way: `receipts.pub` beside its audit log
    #[arg(long, value_name = "HEX")]
    pub(crate) key: Option<String>,
    /// The audit log's key, got another way: `audit.vkey` beside it
    #[arg(long, value_name = "VKEY")]
    pub(crate) audit_key: Option<String>,
    /// Folder with the job's outputs, to be compared with what was committed to
    #[arg(long, value_name = "DIR")]
    pub(crate) outputs: Option<PathBuf>,
}
