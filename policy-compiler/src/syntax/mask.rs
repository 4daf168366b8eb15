//! Mask rules: what to hide, and how.

use tracegate_bundle::limits::{MAX_REPLACEMENT, is_replacement};
use tracegate_bundle::policy::{Direction, MaskMode, Path};

use super::Condition;
use super::decode::{
    Decode, Field, Fields, List, Mapping, Presence, Shape, Spanned, choice, choices_shape, mapping,
    text, wrong_type,
};
use super::matching::HeaderPattern;
use super::scalar::{Name, Text};
use crate::automata::{self, Score};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::{Node, Scalar, Value};

mapping! {
    /// What is hidden: whole values (`fields`), all values but some (`allowFields`), or text that is
    /// found (`detect`).
    struct MaskRule = "mask" {
        /// The values at these paths, whatever they are.
        either fields: Option<Spanned<List<Path>>> = "fields";
        /// All values but those at these paths and below. Objects and lists that lead to them stay,
        /// with the names of what is hidden beside them.
        either allow_fields: Option<Spanned<List<Path>>> = "allowFields";
        /// Text that these detectors find.
        either detect: Option<Spanned<List<Spanned<Detect>>>> = "detect";
        /// Where `detect` looks: in the values at these paths and below. Default: everywhere.
        either within: Option<Spanned<List<Path>>> = "in";
        /// How certain a detector must be. Default: 0.5. See [detectors.md](detectors.md#how-certain).
        optional min_score: Option<Spanned<Score>> = "minScore";
        /// What is found and shown nevertheless: texts, or `{pattern: …}` for whole matches.
        list ignore: List<Spanned<Ignored>> = "ignore";
        /// Response headers and trailers, by name (`location`, `x-*`), in which `detect` looks too, and
        /// which `in` does not narrow. Those that frame a message (`content-type`, `connection`) cannot
        /// be named.
        list headers: List<HeaderPattern> = "headers";
        /// How it is hidden.
        default("redact") with: Spanned<MaskAction> = "with";
        /// Whether a hidden value keeps its type: numbers become `0`, booleans `false`, objects `{}`,
        /// lists `[]`, and `null` stays. Strings are hidden as `with` says.
        default("false") keep_type: Spanned<bool> = "keepType";
        /// In which message: `request` is what goes to the back end, `response` what the caller gets.
        default("response") direction: Direction = "direction";
        /// `enforce`, or `observe`: nothing is changed, and records and metrics say what would have
        /// been hidden by this rule alone.
        default("enforce") mode: MaskMode = "mode";
        /// Callers for whom all of these hold see the original. The key cannot be `request.body`.
        list unless: List<Condition> = "unless";
        /// Only for callers for whom all of these hold is anything hidden. As `unless`.
        list only: List<Condition> = "only";
    }

    /// A detector of the catalogue, set up for one rule.
    struct Tuned = "detector" {
        /// Its name.
        required detector: Spanned<Text> = "detector";
        /// How certain it must be, in place of what the rule says.
        optional min_score: Option<Spanned<Score>> = "minScore";
        /// What it finds and is shown nevertheless, besides what the rule says.
        list ignore: List<Spanned<Ignored>> = "ignore";
    }

    /// Texts to be ignored.
    struct IgnoredPattern = "ignored" {
        /// A regular expression that must match all that was found.
        required pattern: Spanned<Text> = "pattern";
    }

    /// A detector of the author's own.
    struct Pattern = "pattern" {
        /// A regular expression, without anchors and look-around.
        required pattern: Spanned<Text> = "pattern";
        /// Its name, on records.
        required name: Spanned<Name> = "name";
        /// What stands in place of a match. Default: the name in brackets and upper case.
        optional token: Option<Spanned<Replacement>> = "token";
        /// Longest match in bytes, for a pattern that has no bound of its own.
        optional max_length: Option<Spanned<u64>> = "maxLength";
        /// What it finds and is shown nevertheless, besides what the rule says.
        list ignore: List<Spanned<Ignored>> = "ignore";
    }

    /// Keeps that many characters at the ends, and never more than half of them.
    struct Partial = "partial" {
        /// Characters kept at the start.
        default("0") keep_first: Spanned<u64> = "keepFirst";
        /// Characters kept at the end.
        default("0") keep_last: Spanned<u64> = "keepLast";
    }

    /// The forms of `with` that have a parameter; one of them.
    struct ActionMapping = "with" {
        /// Replace it with this text.
        either redact: Option<Spanned<Replacement>> = "redact";
        /// Put `*` for all but a few characters.
        either partial: Option<Spanned<Partial>> = "partial";
    }
}

/// A detector: one of the catalogue or one of the author's.
#[derive(Clone, Debug)]
pub(crate) enum Detect {
    Named(String),
    Tuned(Box<Tuned>),
    Pattern(Box<Pattern>),
}

impl Decode for Detect {
    fn shape() -> Shape {
        Shape {
            words: "name of a detector, `{detector: …}` or `{pattern: …}`".to_owned(),
            mappings: vec![Tuned::MAPPING, Pattern::MAPPING],
        }
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Mapping(fields) if fields.iter().any(|(key, _)| key.name == "detector") => {
                Tuned::decode(node, out).map(|tuned| Self::Tuned(Box::new(tuned)))
            }
            Value::Mapping(_) => Pattern::decode(node, out).map(|own| Self::Pattern(Box::new(own))),
            _ => text(node, out).map(|name| Self::Named(name.to_owned())),
        }
    }
}

/// What is found and shown nevertheless.
#[derive(Clone, Debug)]
pub(crate) struct Ignored(pub(crate) automata::Ignored);

impl Decode for Ignored {
    fn shape() -> Shape {
        Shape {
            words: "text, or `{pattern: …}`".to_owned(),
            mappings: vec![IgnoredPattern::MAPPING],
        }
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        Some(Self(match &node.value {
            Value::Mapping(_) => {
                let pattern = IgnoredPattern::decode(node, out)?.pattern;
                automata::Ignored::Pattern(pattern.value.0)
            }
            _ => automata::Ignored::Literal(Text::decode(node, out)?.0),
        }))
    }
}

impl Decode for Score {
    fn shape() -> Shape {
        Shape::words("number from 0 to 1")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let score = match &node.value {
            Value::Scalar(Scalar { text, plain: true }) => Self::parse(text),
            _ => None,
        };
        if score.is_none() {
            out.push(
                wrong_type(node, "a number from 0 to 1")
                    .help("write at most two digits behind the point, such as `0.75`"),
            );
        }
        score
    }
}

impl Decode for Direction {
    fn shape() -> Shape {
        choices_shape(DIRECTIONS)
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        choice(node, DIRECTIONS, out)
    }
}

const DIRECTIONS: &[(&str, Direction)] = &[
    ("request", Direction::Request),
    ("response", Direction::Response),
];

impl Decode for MaskMode {
    fn shape() -> Shape {
        choices_shape(MODES)
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        choice(node, MODES, out)
    }
}

const MODES: &[(&str, MaskMode)] = &[
    ("enforce", MaskMode::Enforce),
    ("observe", MaskMode::Observe),
];

/// A text that takes the place of a value.
#[derive(Clone, Debug)]
pub(crate) struct Replacement(pub(crate) String);

impl Decode for Replacement {
    fn shape() -> Shape {
        Shape::words("text without `\"` and `\\`")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let text = text(node, out)?;
        if !is_replacement(text) {
            let message = "the replacement would need an escape in some documents";
            out.push(
                Diagnostic::new(Code::Replacement, node.span, message).help(format!(
                    "use at most {MAX_REPLACEMENT} printable ASCII characters without `\"` and `\\`"
                )),
            );
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

/// How a value is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MaskAction {
    Redact(Option<String>),
    Partial { keep_first: u8, keep_last: u8 },
    Hash,
    Drop,
    Nullify,
    Tokenize,
}

/// The forms of `with` that are one word.
const WORDS: &[(&str, MaskAction)] = &[
    ("redact", MaskAction::Redact(None)),
    ("hash", MaskAction::Hash),
    ("drop", MaskAction::Drop),
    ("nullify", MaskAction::Nullify),
    ("tokenize", MaskAction::Tokenize),
];

impl Decode for MaskAction {
    fn shape() -> Shape {
        Shape {
            words: "`redact`, `{redact: text}`, `{partial: …}`, `hash`, `tokenize` or, for fields, `drop` or `nullify`"
                .to_owned(),
            mappings: vec![ActionMapping::MAPPING],
        }
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) if scalar.text == "partial" => {
                let message = "`partial` does not say how much stays";
                out.push(
                    Diagnostic::new(Code::MissingField, node.span, message)
                        .help("write `with: {partial: {keepLast: 4}}`"),
                );
                None
            }
            Value::Scalar(scalar) if is_null(&scalar.text) => {
                let message = "`null` means nothing at all in YAML, and is no action";
                out.push(
                    Diagnostic::new(Code::InvalidValue, node.span, message)
                        .help("write `with: nullify` to put a JSON `null` in place of a value"),
                );
                None
            }
            Value::Scalar(_) => choice(node, WORDS, out),
            Value::Mapping(_) => action(node, out),
            Value::Sequence(_) => {
                out.push(wrong_type(node, "one action"));
                None
            }
        }
    }
}

/// Whether a reader of YAML takes the word for nothing, or a person might mean that.
fn is_null(text: &str) -> bool {
    text == "~" || text.eq_ignore_ascii_case("null")
}

fn action(node: &Node, out: &mut Diagnostics) -> Option<MaskAction> {
    let before = out.len();
    let ActionMapping { redact, partial } = ActionMapping::decode(node, out)?;
    match (redact, partial) {
        (Some(text), None) => Some(MaskAction::Redact(Some(text.value.0))),
        (None, Some(partial)) => Some(MaskAction::Partial {
            keep_first: kept(&partial.value.keep_first, out)?,
            keep_last: kept(&partial.value.keep_last, out)?,
        }),
        // What is wrong has been said already.
        _ if out.len() > before => None,
        _ => {
            let message = "`with` needs exactly one action";
            out.push(
                Diagnostic::new(Code::FieldConflict, node.span, message)
                    .help("write `{redact: TEXT}` or `{partial: {keepLast: 4}}`"),
            );
            None
        }
    }
}

fn kept(count: &Spanned<u64>, out: &mut Diagnostics) -> Option<u8> {
    let kept = u8::try_from(count.value).ok();
    if kept.is_none() {
        let message = "more than 255 characters cannot be kept";
        out.push(
            Diagnostic::new(Code::InvalidValue, count.span, message)
                .help("never more than half of a value is shown; write a small number"),
        );
    }
    kept
}
