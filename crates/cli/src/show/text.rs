//! Small texts.

use std::time::Duration;

/// Shows control characters as escapes: names and logs of others must not write to the reader's terminal.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || c == '\t' || !c.is_control() { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out
}

/// A short length of time: `840 ms`, `3.1 s`, `2m 5s`.
pub(crate) fn short(span: Duration) -> String {
    match span.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms @ 1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        ms => format!("{}m {}s", ms / 60_000, ms / 1000 % 60),
    }
}

/// How old something is: `3s`, `2m`.
pub(crate) fn age(ms: u64) -> String {
    match ms / 1000 {
        secs @ 0..120 => format!("{secs}s"),
        secs => format!("{}m", secs / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_others_are_shown_and_not_obeyed() {
        assert_eq!(clean("a\x1b[31mb\r\n\tc\u{7}"), "a\\u{1b}[31mb\\r\n\tc\\u{7}");
    }

    #[test]
    fn lengths_of_time_are_short() {
        assert_eq!(short(Duration::from_millis(840)), "840 ms");
        assert_eq!(short(Duration::from_millis(3_190)), "3.1 s");
        assert_eq!(short(Duration::from_secs(125)), "2m 5s");
        assert_eq!(age(119_000), "119s");
    }
}
