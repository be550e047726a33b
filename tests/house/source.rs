//! A Rust file as the rules see it: its code without comments, strings and tests, and whom it names.
//!
//! It reads text, not grammar: good for files that rustfmt has written. What it cannot see is a path that a
//! macro puts together, and `super` inside an inline module that is not a test.

#[path = "source_tests.rs"]
mod tried;

use std::{collections::HashMap, ops::Range};

/// One file.
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// With comments, strings and tests blanked out; every byte where it was.
    pub(crate) code: String,
    /// The strings of the code that is no test.
    pub(crate) strings: Vec<Literal>,
}

/// A string in the source.
pub(crate) struct Literal {
    pub(crate) line: usize,
    /// Between the quotes, escapes as written.
    pub(crate) text: String,
    at: usize,
}

/// A path that the code names, from the crate's root: `["product", "model", "Product"]`.
pub(crate) struct Reference {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let (mut code, mut strings) = without_comments(&text);
        if is_test(&path) {
            (code, strings) = (blank(&code, 0..code.len()), Vec::new());
        }
        for test in tests(&code) {
            code = blank(&code, test.clone());
            strings.retain(|literal| !test.contains(&literal.at));
        }
        Self { path, text, code, strings }
    }

    /// The file's module, from the crate's root: empty for `lib.rs`, `["main"]` for the binary.
    pub(crate) fn module(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path).trim_end_matches(".rs");
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
    }

    /// The file's name without its folders.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The lines of the code on which `word` stands with no letter, digit or underscore around it.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        let whole = |at: usize| {
            let (before, after) =
                (self.code[..at].bytes().last(), self.code[at + word.len()..].bytes().next());
            let ends =
                |byte: Option<u8>, edge: Option<u8>| !edge.is_some_and(is_name) || !byte.is_some_and(is_name);
            ends(before, word.bytes().next()) && ends(after, word.bytes().last())
        };
        let found = self.code.match_indices(word).filter(|(at, _)| whole(*at));
        found.map(|(at, _)| line_of(&self.code, at)).collect()
    }

    /// Every path into this crate that the code names, imported or spelt out, in order.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let tokens = tokens(&self.code);
        let module = self.module();
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        // `mod store;` makes `store::…` a path of this crate.
        for pair in tokens.windows(2) {
            if pair[0].text == "mod" {
                names.insert(pair[1].text.clone(), [module.as_slice(), &[pair[1].text.clone()]].concat());
            }
        }
        let mut references = Vec::new();
        let mut imports = Vec::new();
        let mut spelt = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            // `use<'a>` in a type imports nothing.
            if tokens[at].text == "use" && tokens.get(at + 1).is_none_or(|next| next.text != "<") {
                at += 1;
                read_tree(&tokens, &mut at, &[], &mut imports);
            } else if tokens[at].is_name() {
                let visibility = at > 1 && tokens[at - 1].text == "in" && tokens[at - 2].text == "(";
                let path = read_path(&tokens, &mut at);
                if path.len() > 1 && !visibility {
                    spelt.push((tokens[at - 1].line, path));
                }
            } else {
                at += 1;
            }
        }
        for import in imports {
            if let Some(path) = resolve(&import.path, &module, &names) {
                names.insert(import.name, path.clone());
                references.push(Reference { line: import.line, path });
            }
        }
        for (line, path) in spelt {
            references.extend(resolve(&path, &module, &names).map(|path| Reference { line, path }));
        }
        references
    }
}

/// Whether the whole file is a test.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.starts_with("tests/")
        || path.starts_with("benches/")
}

fn resolve(path: &[String], module: &[String], names: &HashMap<String, Vec<String>>) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len().saturating_sub(1)].to_vec(),
        name => names.get(name)?.clone(),
    };
    for segment in rest {
        match segment.as_str() {
            "super" => drop(base.pop()),
            "self" | "*" => {}
            name => base.push(name.to_owned()),
        }
    }
    Some(base)
}

// Tokens and use trees ---------------------------------------------------------------------------------------

struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_name(&self) -> bool {
        self.text.bytes().next().is_some_and(is_name)
    }
}

/// One leaf of a `use`.
struct Import {
    line: usize,
    path: Vec<String>,
    /// What this file calls it.
    name: String,
}

fn tokens(code: &str) -> Vec<Token> {
    let (mut tokens, mut line, mut rest) = (Vec::new(), 1, code);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\n' => {
                line += 1;
                1
            }
            ':' if rest.starts_with("::") => 2,
            _ if first.is_ascii() && is_name(first as u8) => {
                rest.bytes().position(|byte| !is_name(byte)).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(Token { text: rest[..length].to_owned(), line });
        }
        rest = &rest[length..];
    }
    tokens
}

/// `a::b::c`, from its first name; stands behind it afterwards.
fn read_path(tokens: &[Token], at: &mut usize) -> Vec<String> {
    let mut path = vec![tokens[*at].text.clone()];
    *at += 1;
    while tokens.get(*at).is_some_and(|token| token.text == "::")
        && tokens.get(*at + 1).is_some_and(Token::is_name)
    {
        path.push(tokens[*at + 1].text.clone());
        *at += 2;
    }
    path
}

/// One branch of a use tree, leaves into `imports`.
fn read_tree(tokens: &[Token], at: &mut usize, prefix: &[String], imports: &mut Vec<Import>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*at) {
        match token.text.as_str() {
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| token.text != "}") {
                    read_tree(tokens, at, &path, imports);
                    if tokens.get(*at).is_some_and(|token| token.text == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "," | ";" | "}" => break,
            "::" => {}
            "as" => {
                let name = tokens.get(*at + 1).map(|token| token.text.clone()).unwrap_or_default();
                imports.push(Import { line: token.line, path, name });
                *at += 2;
                return;
            }
            segment => path.push(segment.to_owned()),
        }
        *at += 1;
    }
    if path.len() > prefix.len() {
        let line = tokens[*at - 1].line;
        let name = path.iter().rev().find(|segment| *segment != "self").cloned().unwrap_or_default();
        imports.push(Import { line, path, name });
    }
}

// Text -------------------------------------------------------------------------------------------------------

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The line of a byte, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The same text with spaces in the range; line breaks stay.
fn blank(text: &str, range: Range<usize>) -> String {
    let spaces = text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' });
    let spaces: String = spaces.collect();
    [&text[..range.start], &spaces, &text[range.end..]].concat()
}

/// The code with comments and what is between quotes blanked out, and the strings.
fn without_comments(text: &str) -> (String, Vec<Literal>) {
    let bytes = text.as_bytes();
    let (mut blanks, mut strings) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let fresh = at == 0 || !is_name(bytes[at - 1]);
        let end = if rest.starts_with("//") {
            at + rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            at + block_comment(rest)
        } else if let Some((open, close)) = string(rest, fresh) {
            let end = close_of(text, at + open, &close);
            let inner = at + open..end.saturating_sub(close.len());
            strings.push(Literal { line: line_of(text, at), text: text[inner].to_owned(), at });
            end
        } else if let Some(length) = char_literal(rest) {
            at + length
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        blanks.push(at..end);
        at = end;
    }
    let code = blanks.into_iter().fold(text.to_owned(), |code, range| blank(&code, range));
    (code, strings)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a string's opening and what closes it, if one opens here.
fn string(text: &str, fresh: bool) -> Option<(usize, String)> {
    if text.starts_with('"') {
        return Some((1, "\"".to_owned()));
    }
    let raw = text.strip_prefix('b').unwrap_or(text).strip_prefix('r').filter(|_| fresh)?;
    let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
    raw[hashes..]
        .starts_with('"')
        .then(|| (text.len() - raw.len() + hashes + 1, format!("\"{}", "#".repeat(hashes))))
}

/// The end of the string whose content begins at `at`.
fn close_of(text: &str, mut at: usize, close: &str) -> usize {
    let plain = close == "\"" && !text[..at].ends_with("r\"");
    while at < text.len() {
        if plain && text[at..].starts_with('\\') {
            at += 1;
        } else if text[at..].starts_with(close) {
            return at + close.len();
        }
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
    text.len()
}

/// The length of a character literal, if one stands here: a lifetime has no second quote.
fn char_literal(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let mut chars = inner.char_indices();
    match chars.next()?.1 {
        '\\' => inner[2..].find('\'').map(|close| close + 4),
        '\'' => None,
        _ => chars.next().filter(|(_, next)| *next == '\'').map(|(at, _)| at + 2),
    }
}

/// The items under `#[cfg(test)]`.
fn tests(code: &str) -> Vec<Range<usize>> {
    let items = code.match_indices("#[cfg(test)]").map(|(start, attribute)| {
        let (mut depth, mut end) = (0_i32, start + attribute.len());
        for (at, c) in code[end..].char_indices() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (c == ';' || c == '}') {
                return start..end + at + 1;
            }
        }
        end = code.len();
        start..end
    });
    items.collect()
}
