//! Reading a regular expression, for conditions and detectors alike.

use std::ops::Range;

use regex_automata::dfa::dense;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

/// Most memory for the intermediate automata of one build, in bytes. Hostile patterns end here.
const WORK_MEMORY: usize = 32 << 20;

/// A pattern that is not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) reason: String,
    pub(super) span: Option<Range<usize>>,
}

/// Parses `pattern` as bytes in ASCII mode: what the proxy sees are bytes, and a class of all of
/// Unicode's letters would need hundreds of states.
pub(super) fn parse(pattern: &str) -> Result<Hir, SyntaxError> {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern)
        .map_err(|error| SyntaxError::new(&error))?;
    let unicode_word = [
        Look::WordUnicode,
        Look::WordUnicodeNegate,
        Look::WordStartUnicode,
        Look::WordEndUnicode,
        Look::WordStartHalfUnicode,
        Look::WordEndHalfUnicode,
    ];
    let looks = hir.properties().look_set();
    if unicode_word.into_iter().any(|look| looks.contains(look)) {
        return Err(SyntaxError {
            reason: "a word boundary cannot be Unicode; leave `(?u)` out".to_owned(),
            span: None,
        });
    }
    Ok(hir)
}

impl SyntaxError {
    fn half_character() -> Self {
        Self {
            reason: "a byte above `\\x7F` is only a part of a character; write the character"
                .to_owned(),
            span: None,
        }
    }

    fn new(error: &regex_syntax::Error) -> Self {
        let (reason, span) = match error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
            other => {
                return Self {
                    reason: other.to_string(),
                    span: None,
                };
            }
        };
        Self {
            reason,
            span: Some(span.start.offset..span.end.offset),
        }
    }
}

/// Makes `.` and negated classes stand for whole UTF-8 characters, so that what a match leaves behind
/// is still UTF-8.
pub(super) fn in_whole_characters(hir: &Hir) -> Result<Hir, SyntaxError> {
    let all = |parts: &[Hir]| -> Result<Vec<Hir>, SyntaxError> {
        parts.iter().map(in_whole_characters).collect()
    };
    Ok(match hir.kind() {
        HirKind::Literal(literal) if std::str::from_utf8(&literal.0).is_err() => {
            return Err(SyntaxError::half_character());
        }
        HirKind::Class(class) => Hir::class(whole_character_class(class)?),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(in_whole_characters(&repetition.sub)?),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => in_whole_characters(&capture.sub)?,
        HirKind::Concat(parts) => Hir::concat(all(parts)?),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)?),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => hir.clone(),
    })
}

fn whole_character_class(class: &Class) -> Result<Class, SyntaxError> {
    let Class::Bytes(bytes) = class else {
        return Ok(class.clone());
    };
    let mut ranges = Vec::new();
    for range in bytes.iter() {
        let end = match range.end() {
            0..=0x7f => char::from(range.end()),
            0xff if range.start() <= 0x80 => char::MAX,
            _ => return Err(SyntaxError::half_character()),
        };
        ranges.push(ClassUnicodeRange::new(char::from(range.start()), end));
    }
    Ok(Class::Unicode(ClassUnicode::new(ranges)))
}

/// Whether the pattern matches nothing at all, such as `[a&&b]`.
pub(super) fn is_empty_language(hir: &Hir) -> bool {
    hir.properties().minimum_len().is_none()
}

/// Builds the automaton of all `patterns` together; `None` if it would be too large.
pub(super) fn determinize(
    patterns: &[&Hir],
    config: dense::Config,
) -> Option<dense::DFA<Vec<u32>>> {
    let nfa = thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(WORK_MEMORY));
    let nfa: NFA = thompson::Compiler::new()
        .configure(nfa)
        .build_many_from_hir(patterns)
        .ok()?;
    let config = config
        .dfa_size_limit(Some(WORK_MEMORY))
        .determinize_size_limit(Some(WORK_MEMORY));
    dense::Builder::new()
        .configure(config)
        .build_from_nfa(&nfa)
        .ok()
}
