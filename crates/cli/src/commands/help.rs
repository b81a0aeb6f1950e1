//! `waag help`.

use clap::CommandFactory;
use serde_json::json;

use crate::args::Args;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;

pub(crate) fn run(topic: Option<&str>, out: &Out) -> Done {
    let mut command = Args::command();
    command.build();
    let (topic, text) = match topic {
        None => ("waag", command.render_long_help().ansi().to_string()),
        Some("exit-codes") => return exit_codes(out),
        Some(name) => match command.find_subcommand_mut(name) {
            Some(found) => (name, found.render_long_help().ansi().to_string()),
            None => {
                return Err(Failure::new(
                    Exit::Usage,
                    "no_such_topic",
                    format!("there is no help on `{name}`"),
                )
                .next("`waag help` lists the commands; `waag help exit-codes` the exit codes"));
            }
        },
    };
    let plain = anstream::adapter::strip_str(&text).to_string();
    out.either(&json!({ "topic": topic, "text": plain }), || text);
    Ok(())
}

fn exit_codes(out: &Out) -> Done {
    let all = std::iter::once((0, "done"))
        .chain(Exit::MEANINGS.into_iter().map(|(exit, meaning)| (exit as u8, meaning)));
    let rows: Vec<_> =
        all.clone().map(|(code, meaning)| json!({ "code": code, "meaning": meaning })).collect();
    out.either(&rows, || all.map(|(code, meaning)| format!("{code:>3}  {meaning}\n")).collect());
    Ok(())
}
