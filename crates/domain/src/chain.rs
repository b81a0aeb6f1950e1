//! Errors on one line, for the edge where one is shown or logged.

/// An error and what caused it, joined by colons. Messages of ours never repeat their source.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
