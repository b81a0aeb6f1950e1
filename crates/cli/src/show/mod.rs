//! What a person or a program reads: the answer on standard output, the talk on standard error.

pub(crate) mod table;
pub(crate) mod text;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::args::{Args, Color, Command};
use crate::failure::{Exit, Failure};

const BOLD_RED: &str = "\x1b[1;31m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Where output goes.
pub(crate) struct Out {
    /// Whether the answer is one JSON document.
    pub(crate) json: bool,
    color: ColorChoice,
    /// Whether the talk is the answer: a demo is read, not piped.
    talk_is_answer: bool,
}

impl Out {
    pub(crate) fn new(args: &Args) -> Self {
        let color = match args.global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let json = args.global.json;
        let talk_is_answer = !json && matches!(args.command, Command::Demo | Command::Bench(_));
        Self { json, color, talk_is_answer }
    }

    /// A line of the answer. A reader that went away has seen enough.
    pub(crate) fn answer(&self, text: &str) {
        let mut stdout = AutoStream::new(std::io::stdout().lock(), self.color);
        let _ = writeln!(stdout, "{text}");
    }

    /// A piece of the answer, as it is.
    pub(crate) fn answer_raw(&self, text: &str) {
        let mut stdout = AutoStream::new(std::io::stdout().lock(), self.color);
        let _ = write!(stdout, "{text}").and_then(|()| stdout.flush());
    }

    /// A line for whoever watches.
    pub(crate) fn say(&self, text: &str) {
        if self.talk_is_answer {
            return self.answer(text);
        }
        let mut stderr = AutoStream::new(std::io::stderr().lock(), self.color);
        let _ = writeln!(stderr, "{text}");
    }

    /// A document, as the whole answer.
    pub(crate) fn document(&self, document: &impl Serialize) {
        // Our own documents have string keys and finite numbers, so they can always be written.
        self.answer(&serde_json::to_string_pretty(document).unwrap_or_default());
    }

    /// The document with `--json`, else the text.
    pub(crate) fn either(&self, document: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            self.document(document);
        } else {
            self.answer(text().trim_end());
        }
    }

    /// The next step, for people only.
    pub(crate) fn next(&self, text: &str) {
        if !self.json && std::io::stderr().is_terminal() {
            self.say(&format!("{DIM}next: {text}{RESET}"));
        }
    }

    /// Whether whoever watches sits at a terminal.
    pub(crate) fn is_watched(&self) -> bool {
        let terminal = if self.talk_is_answer {
            std::io::stdout().is_terminal()
        } else {
            std::io::stderr().is_terminal()
        };
        !self.json && terminal
    }

    /// Where a progress bar is drawn.
    pub(crate) fn draw_target(&self) -> indicatif::ProgressDrawTarget {
        match (self.is_watched(), self.talk_is_answer) {
            (false, _) => indicatif::ProgressDrawTarget::hidden(),
            (true, true) => indicatif::ProgressDrawTarget::stdout(),
            (true, false) => indicatif::ProgressDrawTarget::stderr(),
        }
    }

    /// Says what failed, and gives the exit code.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        if self.json {
            self.document(&failure.document());
        } else {
            let body = &failure.body;
            let mut text = format!("{BOLD_RED}error[{}]{RESET}: {}", body.code, body.message.trim_end());
            for (label, line) in [("why", &body.why), ("next", &body.next)] {
                if let Some(line) = line.as_deref().filter(|line| !line.is_empty()) {
                    text.push_str(&format!("\n{label}: {}", line.trim_end()));
                }
            }
            let mut stderr = AutoStream::new(std::io::stderr().lock(), self.color);
            let _ = writeln!(stderr, "{text}");
        }
        ExitCode::from(failure.exit as u8)
    }

    /// Asks for yes or no. Needs a terminal on standard input.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
    }
}

/// Whether a question can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// A question that cannot be asked is a usage error that names the flag.
pub(crate) fn must_ask(what: &str, flag: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        "confirmation_needed",
        format!("{what} needs a yes, and there is no terminal to ask on"),
    )
    .next(format!("repeat it with {flag}"))
}
