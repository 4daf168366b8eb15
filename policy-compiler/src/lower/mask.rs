//! Mask rules.

use tracegate_bundle::limits::{MAX_CHANNEL_ELEMENTS, MAX_CHANNELS, MAX_ENTRIES, is_channel};
use tracegate_bundle::policy::{
    self, Attribute, Direction, MaskRule, MaskTarget, Path, StreamRules,
};

use super::connection::{bounded, conditions, entries};
use super::patterns::Patterns;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::syntax::decode::{List, Spanned};
use crate::syntax::{self, Detect, MaskAction};

/// Lowers a mask rule; `None` if it hides nothing, with the reason among the diagnostics.
pub(super) fn mask(
    rule: &Spanned<syntax::MaskRule>,
    patterns: &mut Patterns,
    out: &mut Diagnostics,
) -> Option<MaskRule> {
    let target = target(rule, patterns, out);
    let rule = &rule.value;
    for condition in rule.unless.items.iter().chain(&rule.only.items) {
        if matches!(condition.key.value, Attribute::Body(_)) {
            let message = "who sees the original cannot depend on the request body";
            out.push(
                Diagnostic::new(Code::UnlessBody, condition.key.span, message)
                    .help("use a claim, a header or the principal"),
            );
        }
    }
    let unless = conditions(&rule.unless, patterns, out);
    let only = conditions(&rule.only, patterns, out);
    let action = action(&rule.with.value);
    if rule.keep_type.value && action.leaves_no_text() {
        let message = "what is removed has no type to keep";
        out.push(
            Diagnostic::new(Code::FieldConflict, rule.keep_type.span, message)
                .help("delete `keepType`, or use `with: redact`"),
        );
    }
    if rule.direction == Direction::Request && !rule.headers.items.is_empty() {
        let message = "the headers of requests are not looked into";
        out.push(
            Diagnostic::new(Code::FieldConflict, rule.headers.span, message)
                .help("delete `headers`, or add a rule for responses"),
        );
    }
    Some(MaskRule {
        target: target?,
        action,
        keep_type: rule.keep_type.value,
        headers: entries(&rule.headers, out, |header| header.0.clone()),
        direction: rule.direction,
        mode: rule.mode,
        unless,
        only,
    })
}

/// Lowers the rules about streams.
pub(super) fn stream(stream: &syntax::Stream, out: &mut Diagnostics) -> StreamRules {
    bounded(&stream.channels, MAX_CHANNELS, "channels", out);
    for channel in &stream.channels.items {
        if !is_channel(&channel.value) {
            let message = "text of a stream cannot be looked for at this path";
            out.push(
                Diagnostic::new(Code::ChannelPath, channel.span, message).help(format!(
                    "write the names that lead to the text, and `[*]` for the elements of at most \
                     {MAX_CHANNEL_ELEMENTS} lists, such as `$.outputs[*].token.text`"
                )),
            );
        }
    }
    StreamRules {
        channels: stream
            .channels
            .items
            .iter()
            .map(|channel| channel.value.clone())
            .collect(),
        at_limit: stream.at_limit,
    }
}

fn target(
    Spanned { value: rule, span }: &Spanned<syntax::MaskRule>,
    patterns: &mut Patterns,
    out: &mut Diagnostics,
) -> Option<MaskTarget> {
    match (&rule.fields, &rule.allow_fields, &rule.detect) {
        (Some(fields), None, None) => {
            no_use_beside("fields", rule, out);
            paths(fields, out).map(MaskTarget::Fields)
        }
        (None, Some(fields), None) => {
            no_use_beside("allowFields", rule, out);
            paths(fields, out).map(MaskTarget::AllowFields)
        }
        (None, None, Some(detect)) => {
            let message = match rule.with.value {
                MaskAction::Drop => {
                    Some("what a detector finds cannot be dropped, only whole fields can")
                }
                MaskAction::Nullify => {
                    Some("what a detector finds cannot become `null`, only whole fields can")
                }
                _ => None,
            };
            if let Some(message) = message {
                out.push(
                    Diagnostic::new(Code::DropDetector, rule.with.span, message)
                        .help("use `with: {redact: \"[REDACTED]\"}`, or `fields` with the paths"),
                );
            }
            let within = match &rule.within {
                Some(within) => paths(within, out)?,
                None => Vec::new(),
            };
            let detectors = detectors(rule, detect, patterns, out)?;
            Some(MaskTarget::Detect { detectors, within })
        }
        (None, None, None) => {
            let message = "the mask rule does not say what to hide";
            out.push(
                Diagnostic::new(Code::MissingField, *span, message)
                    .help("add `fields` with paths, or `detect` with names of detectors"),
            );
            None
        }
        (Some(_), _, Some(detect)) | (None, Some(_), Some(detect)) => {
            let message = "a mask rule has one of `fields`, `allowFields` and `detect`";
            out.push(
                Diagnostic::new(Code::FieldConflict, detect.span, message)
                    .help("split it into two rules"),
            );
            None
        }
        (Some(_), Some(allowed), None) => {
            let message = "a mask rule has one of `fields`, `allowFields` and `detect`";
            out.push(
                Diagnostic::new(Code::FieldConflict, allowed.span, message)
                    .help("delete `fields`: what `allowFields` does not list is hidden anyway"),
            );
            None
        }
    }
}

/// What says something about `detect` alone.
fn no_use_beside(beside: &str, rule: &syntax::MaskRule, out: &mut Diagnostics) {
    let ignore = (!rule.ignore.items.is_empty()).then_some(rule.ignore.span);
    let headers = (!rule.headers.items.is_empty()).then_some(rule.headers.span);
    for (name, span) in [
        ("in", rule.within.as_ref().map(|it| it.span)),
        ("minScore", rule.min_score.as_ref().map(|it| it.span)),
        ("ignore", ignore),
        ("headers", headers),
    ] {
        if let Some(span) = span {
            let message = format!("`{name}` has no use beside `{beside}`");
            out.push(
                Diagnostic::new(Code::FieldConflict, span, message)
                    .help("delete it; it says how `detect` looks"),
            );
        }
    }
}

fn paths(list: &Spanned<List<Path>>, out: &mut Diagnostics) -> Option<Vec<Path>> {
    bounded(&list.value, MAX_ENTRIES, "paths", out);
    if list.value.is_empty() {
        out.push(empty(list.span, "add a path, such as `$..content`"));
        return None;
    }
    Some(list.value.items.clone())
}

fn empty(span: crate::Span, help: &str) -> Diagnostic {
    Diagnostic::new(Code::EmptyList, span, "the list has no entry").help(help)
}

/// The bits of the detectors.
fn detectors(
    rule: &syntax::MaskRule,
    list: &Spanned<List<Spanned<Detect>>>,
    patterns: &mut Patterns,
    out: &mut Diagnostics,
) -> Option<u64> {
    if list.value.is_empty() {
        out.push(empty(list.span, "add a detector, such as `email`"));
        return None;
    }
    let mut bits = 0u64;
    for detect in &list.value.items {
        let bit = patterns.detector(rule, detect, out);
        if bit != 0 && bits & bit != 0 {
            let message = "the detector is listed twice";
            out.push(
                Diagnostic::new(Code::RepeatedDetector, detect.span, message)
                    .help("delete one of the two"),
            );
        }
        bits |= bit;
    }
    Some(bits)
}

fn action(action: &MaskAction) -> policy::MaskAction {
    match action {
        MaskAction::Redact(text) => policy::MaskAction::Redact(text.clone()),
        &MaskAction::Partial {
            keep_first,
            keep_last,
        } => policy::MaskAction::Partial {
            keep_first,
            keep_last,
        },
        MaskAction::Hash => policy::MaskAction::Hash,
        MaskAction::Drop => policy::MaskAction::Drop,
        MaskAction::Nullify => policy::MaskAction::Nullify,
        MaskAction::Tokenize => policy::MaskAction::Tokenize,
    }
}
