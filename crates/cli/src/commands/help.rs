//! `waag help`.

use clap::CommandFactory;

use crate::args::Args;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;

pub(crate) fn run(topic: Option<&str>, out: &Out) -> Done {
    let mut command = Args::command();
    command.build();
    match topic {
        None => out.answer(&command.render_long_help().ansi().to_string()),
        Some("exit-codes") => {
            let mut text = String::from("  0  done");
            for (exit, meaning) in Exit::MEANINGS {
                text.push_str(&format!("\n{:>3}  {meaning}", exit as u8));
            }
            out.answer(&text);
        }
        Some(name) => match command.find_subcommand_mut(name) {
            Some(found) => out.answer(&found.render_long_help().ansi().to_string()),
            None => {
                return Err(Failure::new(
                    Exit::Usage,
                    "no_such_topic",
                    format!("there is no help on `{name}`"),
                )
                .next("`waag help` lists the commands; `waag help exit-codes` the exit codes"));
            }
        },
    }
    Ok(())
}
