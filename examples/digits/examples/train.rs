//! Runs the training by hand: `cargo run --release -p waag-digits --example train [EPOCHS [HIDDEN]]`, with the
//! variables of `Env::from_vars`.

use std::error::Error;
use std::io;

use waag_digits::{Args, Env, run};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = Args::default();
    let mut given = std::env::args().skip(1);
    if let Some(epochs) = given.next() {
        args.epochs = epochs.parse()?;
    }
    if let Some(hidden) = given.next() {
        args.hidden = hidden.parse()?;
    }
    let env = Env::from_vars(|name| std::env::var(name).ok())?;
    run(&args, &env, &mut io::stdout())?;
    Ok(())
}
