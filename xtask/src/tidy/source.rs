//! Splits a Rust file into code and string literals, so that a rule about code never trips over text, and the other
//! way round. It knows just enough of the grammar for that: comments, literals, brackets.

/// A Rust file, taken apart.
pub(crate) struct Source {
    /// The file with comments and the insides of literals replaced by spaces, line breaks kept: same length, same lines.
    pub(crate) code: String,
    /// Every string literal, quotes included.
    pub(crate) strings: Vec<Literal>,
}

pub(crate) struct Literal {
    /// Where it starts, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A function with a body; both lines from 1, inclusive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
}

enum Token {
    Code,
    Blank,
    Text,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut code = text.as_bytes().to_vec();
        let mut strings = Vec::new();
        let (mut at, mut line) = (0, 1);
        while at < text.len() {
            let (token, length) = next_token(&text.as_bytes()[at..]);
            let end = (at + length).min(text.len());
            if !matches!(token, Token::Code) {
                blank(&mut code[at..end]);
            }
            let bytes = &text.as_bytes()[at..end];
            if matches!(token, Token::Text) {
                strings.push(Literal { line, text: String::from_utf8_lossy(bytes).into_owned() });
            }
            line += bytes.iter().filter(|byte| **byte == b'\n').count();
            at = end;
        }
        Self { code: String::from_utf8_lossy(&code).into_owned(), strings }
    }

    /// Every `fn` with a body, in the order in which they start. Declarations and function pointer types have none.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (at, keyword) in self.code.match_indices("fn ") {
            let name: String = self.code[at + keyword.len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let continues_a_word = self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if name.is_empty() || continues_a_word {
                continue;
            }
            if let Some(end) = body_end(&self.code, at) {
                functions.push(Function { name, first_line: self.line_of(at), last_line: self.line_of(end) });
            }
        }
        functions
    }

    /// The line, from 1, at which the test module starts that ends the file; `None` where it has none.
    pub(crate) fn test_module_line(&self) -> Option<usize> {
        let at = self.code.rfind("\n#[cfg(test)]\n")? + 1;
        let module = at + self.code[at..].find("\nmod ")?;
        let only_attributes = self.code[at..module].lines().all(|line| line.starts_with("#["));
        let end = body_end(&self.code, module)?;
        (only_attributes && self.code[end + 1..].trim().is_empty()).then(|| self.line_of(at))
    }

    fn line_of(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// What `rest` starts with, and its length in bytes, at least 1.
fn next_token(rest: &[u8]) -> (Token, usize) {
    match rest {
        [b'/', b'/', ..] => (Token::Blank, rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => (Token::Blank, block_comment_length(rest)),
        [b'"', ..] => (Token::Text, 1 + quoted_length(&rest[1..], b'"')),
        [b'\'', ..] => char_length(rest).map_or((Token::Code, 1), |length| (Token::Blank, length)),
        _ => {
            let word = rest.iter().take_while(|byte| is_word(**byte)).count();
            match raw_string_length(&rest[..word], &rest[word..]) {
                Some(length) => (Token::Text, word + length),
                None => (Token::Code, word.max(1)),
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// The length of a raw string after its prefix, where `prefix` is one and a string follows.
fn raw_string_length(prefix: &[u8], rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if !matches!(prefix, b"r" | b"br" | b"cr") || rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = [b'"'].into_iter().chain(std::iter::repeat_n(b'#', hashes)).collect();
    let inside = &rest[hashes + 1..];
    let end = inside.windows(close.len()).position(|window| window == close).unwrap_or(inside.len());
    Some(hashes + 1 + end + close.len())
}

/// The length of what follows an opening quote, the closing one included.
fn quoted_length(inside: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < inside.len() && inside[at] != quote {
        at += if inside[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a character literal; `None` where the quote starts a lifetime.
fn char_length(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(1 + quoted_length(&rest[1..], b'\''));
    }
    let bytes_in_char = rest.get(2..)?.iter().take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
    (rest.get(2 + bytes_in_char) == Some(&b'\'')).then_some(3 + bytes_in_char)
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where the body of the item at `from` closes; `None` where a semicolon ends the item without one.
fn body_end(code: &str, from: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b'{' => braces += 1,
            b'}' if braces <= 1 => return (braces == 1).then_some(at),
            b'}' => braces -= 1,
            b';' if brackets == 0 && braces == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, first_line: usize, last_line: usize) -> Function {
        Function { name: name.to_owned(), first_line, last_line }
    }

    #[test]
    fn code_keeps_its_lines_and_loses_comments_and_literals() {
        let source = Source::new("a // x\n/* y /* z */ */ b \"c\nd\" '{' '\\'' 'é' &'life r#type\n");
        let words: Vec<&str> = source.code.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "&'life", "r#type"]);
        assert_eq!(source.code.lines().count(), 3);
    }

    #[test]
    fn strings_of_every_form_are_found_with_their_line() {
        let source = Source::new("\"a\\\"b\"\nb\"c\" br#\"d\"e\"#\n\n r\"\\\" r##\"f\"# \"##");
        let found: Vec<(usize, &str)> =
            source.strings.iter().map(|found| (found.line, found.text.as_str())).collect();
        assert_eq!(
            found,
            [(1, "\"a\\\"b\""), (2, "\"c\""), (2, "br#\"d\"e\"#"), (4, "r\"\\\""), (4, "r##\"f\"# \"##")]
        );
    }

    #[test]
    fn unclosed_literals_end_with_the_file() {
        for text in ["\"a", "r#\"a", "/* a", "'\\", "// a", "\"a\\"] {
            assert_eq!(Source::new(text).code.len(), text.len(), "{text}");
        }
    }

    #[test]
    fn functions_have_their_first_and_last_line() {
        let text = "fn one() -> [u8; 3] { [0; 3] }\n\nimpl X {\n    pub const fn two<'a>(\n        f: fn(u8) -> u8,\n    ) where\n        A: B,\n    {\n        fn three() {\n            call('{', \"}\"); // }\n        }\n    }\n}\n";
        let expected = [function("one", 1, 1), function("two", 4, 12), function("three", 9, 11)];
        assert_eq!(Source::new(text).functions(), expected);
    }

    #[test]
    fn declarations_pointers_and_text_are_no_functions() {
        let text = "trait T {\n    fn a(&self);\n}\ntype F = fn (u8);\n// fn b() {}\nconst C: &str = \"fn c() {}\";\nmacro_rules! m { ($n:ident) => { fn $n() {} } }\n";
        assert_eq!(Source::new(text).functions(), []);
    }

    #[test]
    fn test_module_counts_only_at_the_end_of_the_file() {
        let at = |text: &str| Source::new(text).test_module_line();
        assert_eq!(at("fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n"), Some(3));
        assert_eq!(at("fn a() {}\n\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests {\n}\n"), Some(3));
        assert_eq!(at("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n\nfn c() {}\n"), None);
        assert_eq!(at("fn a() {}\n\n#[cfg(test)]\nmod tests;\n"), None);
        assert_eq!(at("fn a() {}\n\n#[cfg(test)]\nuse x;\nmod m {\n}\n"), None);
        assert_eq!(at("fn a() {}\n"), None);
    }
}
