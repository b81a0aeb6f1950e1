//! `waag example`: workloads that come with Waag, run inside a lease or by hand.

use digits::{Args, Env};

use crate::args::{Example, ExampleCommand};
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;

pub(crate) fn run(example: &Example, out: &Out) -> Done {
    let ExampleCommand::DigitsTrain { epochs, hidden, learning_rate } = example.command;
    let failed = |error: digits::Error| {
        let failure = Failure::new(Exit::Failed, "example_failed", error.to_string());
        match std::error::Error::source(&error) {
            Some(source) => failure.why(source.to_string()),
            None => failure,
        }
    };
    let env = Env::from_vars(|name| std::env::var(name).ok()).map_err(failed)?;
    let args = Args { epochs, hidden, learning_rate };
    if !out.json {
        digits::run(&args, &env, &mut std::io::stdout()).map_err(failed)?;
        return Ok(());
    }
    let report = digits::run(&args, &env, &mut std::io::stderr()).map_err(failed)?;
    out.document(&serde_json::json!({
        "steps": report.steps,
        "test_correct": report.test_correct,
        "test_images": report.test_images,
        "finished": report.finished,
    }));
    Ok(())
}
