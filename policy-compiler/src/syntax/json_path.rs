//! JSON paths: the subset of RFC 9535 that can be decided while a document streams by.
//!
//! What is left out needs the document as a whole: an index from the end needs its length, a filter
//! needs what comes later. The messages say so, because the author will have seen such paths work
//! elsewhere.

use std::ops::Range;

use tracegate_bundle::limits::{MAX_SELECTORS, MAX_STEPS};
use tracegate_bundle::policy::{Path, Selector, Step};

use super::decode::{Decode, Shape, text};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::Node;

/// Largest index (RFC 9535 §2.1: I-JSON integers).
const MAX_INDEX: u64 = (1 << 53) - 1;

/// Why a text is not a path, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathError {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

const SUBSET: &str = "paths are made of names, `*`, `..`, indices from 0, slices and unions: \
                      `$.choices[*].message['content','reasoning']`";

/// Parses a path.
pub(crate) fn parse(text: &str) -> Result<Path, PathError> {
    let mut parser = Parser { text, at: 0 };
    if !parser.eat("$") {
        return Err(PathError {
            at: 0..text.len(),
            message: "a JSON path begins with `$`".to_owned(),
            help: format!(
                "did you mean `$.{}`?",
                text.trim_start_matches(['.', '@', ' '])
            ),
        });
    }
    let mut steps = Vec::new();
    loop {
        let before_space = parser.at;
        parser.space();
        if parser.rest().is_empty() {
            if before_space != parser.at {
                return Err(parser.error(before_space, "white space after the path", SUBSET));
            }
            break;
        }
        let start = parser.at;
        let step = parser.step()?;
        if steps.len() >= MAX_STEPS {
            let message = format!("a path has at most {MAX_STEPS} segments");
            return Err(parser.error(start, &message, "shorten it with `..`"));
        }
        steps.push(step);
    }
    let text = text.to_owned();
    Ok(Path { text, steps })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    /// `S` of RFC 9535 §2.1.1.
    fn space(&mut self) {
        let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
        self.at += self.rest().len() - self.rest().trim_start_matches(blank).len();
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches(accept).len();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// An error about what stands from `start` to the next character.
    fn error(&self, start: usize, message: &str, help: &str) -> PathError {
        let end = self.at + self.peek().map_or(0, char::len_utf8);
        PathError {
            at: start..end.max(start),
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }

    /// One segment (RFC 9535 §2.5).
    fn step(&mut self) -> Result<Step, PathError> {
        let descendant = self.eat("..");
        if self.eat("[") {
            let selectors = self.bracketed()?;
            return Ok(Step {
                descendant,
                selectors,
            });
        }
        if !descendant && !self.eat(".") {
            let help = match self.peek() {
                Some('-') => "a name with other characters stands in brackets: `['a-b']`",
                _ => SUBSET,
            };
            return Err(self.error(self.at, "expected `.`, `..` or `[`", help));
        }
        let selector = if self.eat("*") {
            Selector::Wildcard
        } else {
            Selector::Name(self.shorthand()?)
        };
        Ok(Step {
            descendant,
            selectors: vec![selector],
        })
    }

    /// `member-name-shorthand` of RFC 9535 §2.5.1.1.
    fn shorthand(&mut self) -> Result<String, PathError> {
        let start = self.at;
        let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        if !self.peek().is_some_and(first) {
            let help = "a name that begins otherwise stands in brackets: `['2nd']`";
            return Err(self.error(start, "expected a name or `*`", help));
        }
        let name = self.take_while(|c| first(c) || c.is_ascii_digit());
        if self.peek() == Some('(') {
            let message = format!("`{name}()` is a function, and a path that streams by has none");
            return Err(self.error(start, &message, SUBSET));
        }
        Ok(name.to_owned())
    }

    fn bracketed(&mut self) -> Result<Vec<Selector>, PathError> {
        let mut selectors = Vec::new();
        loop {
            self.space();
            let start = self.at;
            let selector = self.selector()?;
            if selectors.len() >= MAX_SELECTORS {
                let message = format!("a segment has at most {MAX_SELECTORS} selectors");
                return Err(self.error(start, &message, "split the path into several"));
            }
            selectors.push(selector);
            self.space();
            if self.eat("]") {
                return Ok(selectors);
            }
            if !self.eat(",") {
                return Err(self.error(self.at, "expected `,` or `]`", SUBSET));
            }
        }
    }

    fn selector(&mut self) -> Result<Selector, PathError> {
        let start = self.at;
        match self.peek() {
            Some('*') => {
                self.next();
                Ok(Selector::Wildcard)
            }
            Some(quote @ ('\'' | '"')) => self.quoted(quote).map(Selector::Name),
            Some('?') => Err(self.error(
                start,
                "a filter cannot be decided while the document streams by",
                "name the members instead, or mask all of them with `[*]`",
            )),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | ':') => self.index_or_slice(),
            _ => Err(self.error(
                start,
                "expected a name in quotes, an index, a slice or `*`",
                SUBSET,
            )),
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector, PathError> {
        let begin = self.at;
        let first = self.integer()?;
        self.space();
        if !self.eat(":") {
            return first
                .map(Selector::Index)
                .ok_or_else(|| self.error(begin, "expected an index", SUBSET));
        }
        self.space();
        let end = self.integer()?;
        self.space();
        let mut step = None;
        if self.eat(":") {
            self.space();
            step = self.integer()?;
        }
        let (start, step) = (first.unwrap_or(0), step.unwrap_or(1));
        if step == 0 || end.is_some_and(|end| end <= start) {
            let found = self.text.get(begin..self.at).unwrap_or_default();
            return Err(PathError {
                at: begin..self.at,
                message: format!("the slice `{found}` selects nothing"),
                help: "a slice is `start:end:step`; `end` lies after `start`, `step` is at least 1"
                    .to_owned(),
            });
        }
        Ok(Selector::Slice { start, end, step })
    }

    /// An integer without sign, if there is one here.
    fn integer(&mut self) -> Result<Option<u64>, PathError> {
        let start = self.at;
        let negative = self.eat("-");
        let digits = self.take_while(|c| c.is_ascii_digit());
        if negative {
            return Err(PathError {
                at: start..self.at,
                message: "an index from the end is only known when the array is over, and by then \
                          it has passed"
                    .to_owned(),
                help: "count from the start, or select all with `[*]`".to_owned(),
            });
        }
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse().ok().filter(|&number| number <= MAX_INDEX);
        match number {
            Some(number) if digits == "0" || !digits.starts_with('0') => Ok(Some(number)),
            _ => Err(PathError {
                at: start..self.at,
                message: format!("`{digits}` is not an index"),
                help: "an index has no leading zeros and is at most 2^53 - 1".to_owned(),
            }),
        }
    }

    /// `string-literal` of RFC 9535 §2.3.1.1.
    fn quoted(&mut self, quote: char) -> Result<String, PathError> {
        let start = self.at;
        self.next();
        let mut name = String::new();
        loop {
            let at = self.at;
            match self.next() {
                None => return Err(self.error(start, "the name has no closing quote", SUBSET)),
                Some(c) if c == quote => return Ok(name),
                Some('\\') => name.push(self.escape(quote).ok_or_else(|| {
                    self.error(
                        at,
                        "not an escape of JSON",
                        "escapes are `\\\\`, `\\'`, `\\u00e9` …",
                    )
                })?),
                Some(c) if c < ' ' => {
                    return Err(self.error(at, "a control character in a name", "escape it"));
                }
                Some(c) => name.push(c),
            }
        }
    }

    fn escape(&mut self, quote: char) -> Option<char> {
        Some(match self.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(),
            c @ ('/' | '\\') => c,
            c if c == quote => c,
            _ => return None,
        })
    }

    fn unicode_escape(&mut self) -> Option<char> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        let low = self.eat("\\u").then(|| self.hex4())??;
        let low = (0xdc00..0xe000).contains(&low).then(|| low - 0xdc00)?;
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = hexadecimal.then(|| u32::from_str_radix(digits, 16).ok())??;
        self.at += 4;
        Some(value)
    }
}

impl Decode for Path {
    fn shape() -> Shape {
        Shape::words("JSON path (`$.choices[*].message.content`)")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        match parse(text) {
            Ok(path) => Some(path),
            Err(PathError { at, message, help }) => {
                let span = out.within(node.span, text, at);
                out.push(Diagnostic::new(Code::JsonPath, span, message).help(help));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Selector {
        Selector::Name(text.to_owned())
    }

    fn steps(text: &str) -> Vec<(bool, Vec<Selector>)> {
        let path = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(path.text, text);
        path.steps
            .into_iter()
            .map(|step| (step.descendant, step.selectors))
            .collect()
    }

    #[test]
    fn every_form_of_the_subset_is_read() {
        let slice = |start, end, step| Selector::Slice { start, end, step };
        let cases = [
            ("$", vec![]),
            (
                "$.a.b",
                vec![(false, vec![name("a")]), (false, vec![name("b")])],
            ),
            ("$..content", vec![(true, vec![name("content")])]),
            ("$..*", vec![(true, vec![Selector::Wildcard])]),
            ("$..[0]", vec![(true, vec![Selector::Index(0)])]),
            (
                "$[*].ü_1",
                vec![
                    (false, vec![Selector::Wildcard]),
                    (false, vec![name("ü_1")]),
                ],
            ),
            (
                "$['a',\"b\", 3]",
                vec![(false, vec![name("a"), name("b"), Selector::Index(3)])],
            ),
            ("$[:]", vec![(false, vec![slice(0, None, 1)])]),
            ("$[1:]", vec![(false, vec![slice(1, None, 1)])]),
            ("$[:5:2]", vec![(false, vec![slice(0, Some(5), 2)])]),
            ("$[ 1 : 9 : 3 ]", vec![(false, vec![slice(1, Some(9), 3)])]),
            (
                "$ .a [0]",
                vec![(false, vec![name("a")]), (false, vec![Selector::Index(0)])],
            ),
            (
                r#"$['\'\\\u00e9\ud83d\ude00\n"']"#,
                vec![(false, vec![name("'\\é😀\n\"")])],
            ),
            ("$['']", vec![(false, vec![name("")])]),
        ];
        for (text, expected) in cases {
            assert_eq!(steps(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_stream_is_refused_with_the_reason_and_the_place() {
        let cases = [
            ("choices[0]", 0..10, "begins with `$`"),
            ("$.a[-1]", 4..6, "an index from the end"),
            ("$[-3:]", 2..4, "an index from the end"),
            ("$[::-1]", 4..6, "an index from the end"),
            ("$[?@.a]", 2..3, "a filter cannot be decided"),
            ("$.a.length()", 4..11, "`length()` is a function"),
            ("$.a-b", 3..4, "expected `.`, `..` or `[`"),
            ("$.", 2..2, "expected a name or `*`"),
            ("$...a", 3..4, "expected a name or `*`"),
            ("$[01]", 2..4, "`01` is not an index"),
            ("$[9007199254740992]", 2..18, "is not an index"),
            ("$[2:2]", 2..5, "selects nothing"),
            ("$[::0]", 2..5, "selects nothing"),
            ("$[a]", 2..3, "expected a name in quotes"),
            ("$['a]", 2..5, "no closing quote"),
            (r"$['\x']", 3..6, "not an escape"),
            (r"$['\ud800']", 3..10, "not an escape"),
            ("$['a' 'b']", 6..7, "expected `,` or `]`"),
            ("$[]", 2..3, "expected a name in quotes"),
            ("$.a ", 3..4, "white space"),
        ];
        for (text, at, message) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert_eq!(error.at, at, "{text}: {}", error.message);
        }
    }

    #[test]
    fn the_number_of_segments_and_selectors_is_bounded() {
        assert!(parse(&format!("${}", ".a".repeat(MAX_STEPS))).is_ok());
        assert!(parse(&format!("${}", ".a".repeat(MAX_STEPS + 1))).is_err());
        assert!(parse(&format!("$[0{}]", ",0".repeat(MAX_SELECTORS - 1))).is_ok());
        assert!(parse(&format!("$[0{}]", ",0".repeat(MAX_SELECTORS))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_errors_lie_in_the_text(
            text in "\\$?[\\[\\]\\.\\*:,'\"\\\\u0-9a-fé ?@()-]{0,24}",
        ) {
            if let Err(error) = parse(&text) {
                prop_assert!(text.get(error.at).is_some());
            }
        }
    }
}
