//! What can be typed. `party.rs`: the commands of the supply side.

mod audit;
mod bench;
mod catalog;
mod party;
mod receipt;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub(crate) use self::party::{Provider, ProviderCommand, Validator, ValidatorCommand};
pub(crate) use audit::{Audit, AuditCommand};
pub(crate) use bench::{Bench, BenchCommand, ForecastBench, PlacementBench, SpotBench};
pub(crate) use catalog::{Catalog, CatalogCheck, CatalogCommand, Offers, Sort};
pub(crate) use receipt::{Receipt, ReceiptCommand, ReceiptVerify};

/// Buys GPU compute on many networks, runs the work, pays for what passes, and keeps the evidence.
#[derive(Debug, Parser)]
#[command(
    name = "waag",
    version,
    after_help = "Examples:\n  waag demo                 a whole job on a simulated market, in one command\n  waag up                   start the control plane and stay\n  waag run job.yaml         find the best offer, run the job, settle it\n\n`waag help exit-codes` lists what exit codes mean.",
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Global {
    /// Data folder of the control plane [setting: data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file [default: ./waag.toml, else waag/waag.toml in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", env = "WAAG_CONFIG", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, help_heading = "Global options")]
    pub(crate) color: Color,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// What `waag up` adds to the settings.
#[derive(Debug, ClapArgs)]
pub(crate) struct Up {
    /// Folder with recorded spot capacity (`spot/index.csv`), which the simulated network sim-spot plays [setting: networks.simulated.trace]
    #[arg(long, value_name = "DIR")]
    pub(crate) trace: Option<PathBuf>,
    /// How many times as fast as recorded it is played [setting: networks.simulated.trace_pace]
    #[arg(long, value_name = "N", requires = "trace")]
    pub(crate) trace_pace: Option<u32>,
}

impl Up {
    /// Key, value and flag of each setting that is named.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String, &'static str)> {
        let trace =
            self.trace.as_ref().map(|at| ("networks.simulated.trace", at.display().to_string(), "--trace"));
        let pace =
            self.trace_pace.map(|pace| ("networks.simulated.trace_pace", pace.to_string(), "--trace-pace"));
        trace.into_iter().chain(pace).collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole job on a simulated market, with a provider that dies on the way
    #[command(
        after_help = "Examples:\n  waag demo\n  waag demo --json | jq .settlement\n\nEach run uses a data folder of its own, which is kept and named at the end."
    )]
    Demo,
    /// Start the control plane and stay until Ctrl-C
    #[command(
        after_help = "Examples:\n  waag up\n  waag up --data /srv/waag\n  waag up --trace traces --trace-pace 300\n\nWork goes on while it is away: the next `waag up` on the same folder adopts it."
    )]
    Up(Up),
    /// Run a job: find the best offer, buy it, watch it, settle it
    #[command(
        after_help = "Examples:\n  waag run job.yaml\n  waag run job.yaml --detach --key nightly-2026-11-22\n  waag run job.yaml --json > result.json\n\nOn a terminal the plan is shown first and asked about. The job's budget is the most it can cost."
    )]
    Run(Run),
    /// List offers, rank them for a job file without running it, or look through a price catalogue
    #[command(
        after_help = "Examples:\n  waag offers\n  waag offers job.yaml --json\n  waag offers --catalog prices.csv.gz --gpu H100:8 --regions EU --max-price 3.0 --sort total"
    )]
    Offers(Offers),
    /// Check or import a price catalogue
    Catalog(Catalog),
    /// List jobs; show or remove one
    #[command(after_help = "Examples:\n  waag jobs\n  waag jobs show digits-train\n  waag jobs rm j_8h2k")]
    Jobs(Jobs),
    /// Print the log of a job
    #[command(after_help = "Examples:\n  waag logs digits-train\n  waag logs j_8h2k -f")]
    Logs {
        /// Job: its id, the beginning of it, or its name
        job: String,
        /// Go on until the job has ended
        #[arg(short, long)]
        follow: bool,
    },
    /// Say why this offer was taken, why not the others, and what happens if its provider dies
    #[command(after_help = "Examples:\n  waag explain digits-train\n  waag explain j_8h2k --json")]
    Explain {
        /// Job: its id, the beginning of it, or its name
        job: String,
    },
    /// Fetch and open the outputs of a job
    #[command(after_help = "Examples:\n  waag outputs digits-train\n  waag outputs j_8h2k results/")]
    Outputs {
        /// Job: its id, the beginning of it, or its name
        job: String,
        /// Folder to put them into [default: waag-outputs/<job id>]
        folder: Option<PathBuf>,
    },
    /// Show how the work of a job was checked, attempt by attempt
    #[command(after_help = "Examples:\n  waag proof digits-train\n  waag proof j_8h2k --json")]
    Proof {
        /// Job: its id, the beginning of it, or its name
        job: String,
    },
    /// Get the receipt of a settled job, or verify one
    Receipt(Receipt),
    /// Cancel a job; what it used is paid, the rest of its hold comes back
    #[command(after_help = "Examples:\n  waag cancel digits-train\n  waag cancel j_8h2k --json")]
    Cancel {
        /// Job: its id, the beginning of it, or its name
        job: String,
    },
    /// Show offers, providers and leases of our own market, from its chain alone
    #[command(
        after_help = "Examples:\n  waag market\n  waag market --json --limit 5\n  waag market --rpc http://127.0.0.1:8545 --market 0x5FbDB2315678afecb367f032d93F642f64180aa3"
    )]
    Market(Market),
    /// Export, verify or watch the audit log: what happened, for who does not believe us
    Audit(Audit),
    /// Show the account that jobs spend from
    #[command(after_help = "Examples:\n  waag account\n  waag account --json")]
    Account,
    /// Say what this machine lacks, and how to mend it
    #[command(after_help = "Examples:\n  waag doctor\n  waag doctor --json")]
    Doctor,
    /// Show the configuration
    #[command(after_help = "Examples:\n  waag config show\n  waag config show --origin")]
    Config(Config),
    /// Sell this machine on the market: a process of its own, with its own folder and key
    Provider(Provider),
    /// Check the work of others by running parts of it again: a process of its own, with its own folder, key and stake
    Validator(Validator),
    /// Measure this machine: jobs per second, start, memory; or what is decided, on recorded traces
    #[command(
        after_help = "Examples:\n  waag bench\n  waag bench --json\n  waag bench --jobs 500\n  waag bench placement\n  waag bench spot --data traces\n  waag bench forecast --data traces"
    )]
    Bench(Bench),
    /// Run a workload that comes with Waag; meant for the `run` of a job file
    #[command(after_help = "Examples:\n  WAAG_OUTPUT_DIR=out waag example digits-train --epochs 3")]
    Example(Example),
    /// Print the OpenAPI document of the REST API
    #[command(after_help = "Examples:\n  waag openapi > openapi.json")]
    Openapi,
    /// Explain a command, or list exit codes
    #[command(after_help = "Examples:\n  waag help run\n  waag help exit-codes")]
    Help {
        /// A command, or `exit-codes`
        topic: Option<String>,
    },
    /// Live one execution; started by a network's machine, with the boot document on standard input
    #[command(hide = true)]
    Agent,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Run {
    /// Job file
    pub(crate) file: PathBuf,
    /// Return once the job is taken
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Do not ask on a terminal
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Show the plan and stop
    #[arg(long, conflicts_with_all = ["detach", "key"])]
    pub(crate) dry_run: bool,
    /// Idempotency key: repeated with the same key and file, it is the same job
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Folder for the outputs [default: waag-outputs/<job id>]
    #[arg(long, value_name = "DIR")]
    pub(crate) outputs: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Market {
    /// JSON-RPC of the chain [default: the one of the data folder]
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Address of the market [default: the one of the data folder]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) market: Option<String>,
    /// At most this many leases, newest first
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Jobs {
    /// At most this many, newest first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub(crate) limit: u32,
    #[command(subcommand)]
    pub(crate) command: Option<JobsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Show a job with its executions and what it cost
    #[command(after_help = "Examples:\n  waag jobs show digits-train\n  waag jobs show j_8h2k --json")]
    Show {
        /// Job: its id, the beginning of it, or its name
        job: String,
    },
    /// Remove a settled job with its log and objects; the ledger keeps what it cost
    #[command(after_help = "Examples:\n  waag jobs rm digits-train\n  waag jobs rm j_8h2k --yes")]
    Rm {
        /// Job: its id, the beginning of it, or its name
        job: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting, as a `waag.toml`
    #[command(after_help = "Examples:\n  waag config show > waag.toml\n  waag config show --origin")]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Example {
    #[command(subcommand)]
    pub(crate) command: ExampleCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExampleCommand {
    /// Train a classifier of handwritten digits, in segments that can be run again
    #[command(
        after_help = "Examples:\n  WAAG_OUTPUT_DIR=out waag example digits-train --epochs 3\n\nReads WAAG_SEGMENTS, WAAG_SEGMENT_FROM, WAAG_SEGMENT_TO, WAAG_CHECKPOINT_DIR, WAAG_OUTPUT_DIR, LEARNING_RATE."
    )]
    DigitsTrain {
        /// Passes over the training part
        #[arg(long, default_value_t = 30)]
        epochs: u32,
        /// Units of the hidden layer
        #[arg(long, default_value_t = 256)]
        hidden: u32,
        /// Step length [default: LEARNING_RATE, else 0.05]
        #[arg(long)]
        learning_rate: Option<digits::LearningRate>,
    },
}

/// Help and version are answers; anything else is a usage error.
pub(crate) fn refused(error: &clap::Error) -> ExitCode {
    // Nobody reads it when it cannot be written.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(crate::failure::Exit::Usage as u8) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn examples(command: &clap::Command, out: &mut Vec<String>) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = text.lines().skip_while(|line| *line != "Examples:").skip(1);
        out.extend(lines.take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()));
        let hidden = command.is_hide_set();
        assert!(
            hidden || command.has_subcommands() || text.contains("Examples:"),
            "{} has no example",
            command.get_name()
        );
        command.get_subcommands().for_each(|sub| examples(sub, out));
    }

    #[test]
    fn examples_in_help_texts_can_be_typed() {
        let mut found = Vec::new();
        examples(&Args::command(), &mut found);
        assert!(found.len() > 20, "{found:?}");
        for example in &found {
            // What is for the shell, and the remark behind two spaces, is not ours.
            let typed =
                example.split("  ").next().unwrap_or_default().split(['|', '>']).next().unwrap_or_default();
            let words =
                typed.split(' ').filter(|word| !word.is_empty()).skip_while(|word| word.contains('='));
            let words: Vec<&str> = words.collect();
            assert_eq!(words.first(), Some(&"waag"), "{example}");
            assert!(Args::try_parse_from(words).is_ok(), "{example}");
        }
    }

    #[test]
    fn short_help_fits_one_screen() {
        let mut command = Args::command();
        command.build();
        for sub in command.get_subcommands_mut() {
            let lines = sub.render_help().to_string().lines().count();
            assert!(lines <= 40, "{} has {lines} lines", sub.get_name());
        }
    }
}
