//! One file per command. Each takes what was typed and speaks to the control plane over its API.

mod account;
pub(crate) mod agent;
pub(crate) mod audit;
mod bench;
mod cancel;
mod catalog;
mod config;
mod demo;
mod doctor;
mod example;
mod explain;
mod help;
mod jobs;
mod logs;
mod market;
mod offers;
mod outputs;
mod party;
mod proof;
mod provider;
mod receipt;
mod run;
mod up;
mod validator;

use crate::args::{Args, Command, ReceiptCommand};
use crate::client::Client;
use crate::failure::Done;
use crate::settings::{Flags, Settings};
use crate::show::Out;

/// What most commands need.
pub(crate) struct Session<'a> {
    pub(crate) out: &'a Out,
    pub(crate) client: Client,
}

pub(crate) async fn dispatch(args: Args, out: &Out) -> Done {
    let named = match &args.command {
        Command::Up(up) => up.settings(),
        _ => Vec::new(),
    };
    let flags = Flags { data: args.global.data.clone(), config: args.global.config.clone(), named };
    let settings = || Settings::load(&flags);
    let session =
        || -> Done<Session<'_>> { Ok(Session { out, client: Client::of_folder(&settings()?.data)? }) };
    match args.command {
        Command::Demo => demo::run(settings()?, out).await,
        Command::Up(_) => up::run(settings()?, out).await,
        Command::Run(run) => run::run(&session()?, &run).await,
        Command::Offers(args) if args.listed() => catalog::offers(settings, &args, out),
        Command::Offers(args) => offers::run(&session()?, args.file.as_deref()).await,
        Command::Catalog(args) => catalog::run(settings, &args.command, out),
        Command::Jobs(jobs) => jobs::run(&session()?, &jobs).await,
        Command::Logs { job, follow } => logs::run(&session()?, &job, follow).await,
        Command::Explain { job } => explain::run(&session()?, &job).await,
        Command::Outputs { job, folder } => outputs::run(&session()?, &job, folder).await,
        Command::Proof { job } => proof::run(&session()?, &job).await,
        Command::Receipt(args) => match &args.command {
            Some(ReceiptCommand::Verify(verify)) => receipt::verify(verify, out),
            None => receipt::run(&session()?, args.job.as_deref().unwrap_or_default(), args.output).await,
        },
        Command::Cancel { job } => cancel::run(&session()?, &job).await,
        Command::Market(args) => market::run(&settings()?, &args, out).await,
        Command::Audit(audit) => audit::run(settings, &audit, out),
        Command::Account => account::run(&session()?).await,
        Command::Doctor => doctor::run(settings(), out).await,
        Command::Config(config) => config::run(&settings()?, &config, out),
        Command::Provider(provider) => provider::run(&provider, out).await,
        Command::Validator(validator) => validator::run(&validator, out).await,
        Command::Bench(bench) => bench::run(&bench, out).await,
        Command::Example(example) => example::run(&example, out),
        Command::Openapi => {
            out.answer(&server::openapi());
            Ok(())
        }
        Command::Help { topic } => help::run(topic.as_deref(), out),
        Command::Agent => Ok(()),
    }
}
