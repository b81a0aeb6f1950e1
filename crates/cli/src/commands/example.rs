//! `waag example`: workloads that come with Waag, run inside a lease or by hand.

use digits::{Args, Env};

use crate::args::{Example, ExampleCommand};
use crate::failure::{Done, Exit, Failure};

pub(crate) fn run(example: &Example) -> Done {
    let ExampleCommand::DigitsTrain { epochs, hidden, learning_rate } = example.command;
    let failed = |error: digits::Error| {
        let failure = Failure::new(Exit::Failed, "example_failed", error.to_string());
        match std::error::Error::source(&error) {
            Some(source) => failure.why(source.to_string()),
            None => failure,
        }
    };
    let env = Env::from_vars(|name| std::env::var(name).ok()).map_err(failed)?;
    digits::run(&Args { epochs, hidden, learning_rate }, &env, &mut std::io::stdout()).map_err(failed)?;
    Ok(())
}
