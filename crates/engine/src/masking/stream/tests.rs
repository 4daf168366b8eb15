//! Tests of streams: by attack, and against a reference that joins each text and masks it whole.

mod attacks;
mod dialects;
mod properties;

use std::rc::Rc;

use policy_compiler::automata::{DetectorChoice, built_in_names, detectors};
use tracegate_bundle::policy::{AtLimit, StreamRules};
use tracegate_bundle::policy::{MaskAction, MaskRule, MaskTarget, Path, Selector, Step};

use super::*;
use crate::masking::detect::Detectors;

// === Writing policies ===

/// A path of names and `[*]`, with `..` before a name.
fn path(text: &str) -> Path {
    let spelled = text.trim_start_matches('$').replace("[*]", ".*");
    let mut descendant = false;
    let mut steps = Vec::new();
    for part in spelled.split('.').skip(1) {
        if part.is_empty() {
            descendant = true;
            continue;
        }
        let selector = match part {
            "*" => Selector::Wildcard,
            name => Selector::Name(name.to_owned()),
        };
        let selectors = vec![selector];
        steps.push(Step {
            descendant: std::mem::take(&mut descendant),
            selectors,
        });
    }
    let text = text.to_owned();
    Path { text, steps }
}

fn fields(paths: &[&str], action: MaskAction) -> MaskRule {
    let paths = paths.iter().map(|text| path(text)).collect();
    MaskRule::new(MaskTarget::Fields(paths), action)
}

fn detect_in(within: &[&str]) -> MaskRule {
    let detectors = ["email", "credit-card", "aws-access-key", "private-key"]
        .iter()
        .fold(0, |all, name| {
            all | DETECTORS.with(|it| it.set().named(name))
        });
    let within = within.iter().map(|text| path(text)).collect();
    MaskRule::new(
        MaskTarget::Detect { detectors, within },
        MaskAction::Redact(None),
    )
}

fn streams(channels: &[&str], at_limit: AtLimit) -> StreamRules {
    StreamRules {
        channels: channels.iter().map(|text| path(text)).collect(),
        at_limit,
    }
}

fn detect() -> MaskRule {
    detect_in(&[])
}

thread_local! {
    static DETECTORS: Rc<Detectors> = {
        let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
        Rc::new(Detectors::new(detectors(&choices).unwrap()))
    };
}

fn plan(rules: &[MaskRule]) -> Rc<Plan> {
    let detectors = DETECTORS.with(Rc::clone);
    let key: Rc<[u8]> = Rc::from(&b"key"[..]);
    Rc::new(Plan::new(rules, detectors, Some(key)).unwrap())
}

// === Masking ===

/// What came out of a stream before its end, what at its end, and what was hidden.
type Outcome = (Result<(), MaskError>, String, String, Report);

fn mask_chunks<'a>(
    framing: Framing,
    plan: &Rc<Plan>,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut masker = StreamMasker::new(framing, Rc::clone(plan), u64::MAX);
    let mut out = Vec::new();
    let mut chunks = chunks.into_iter();
    let mut result = chunks.try_for_each(|chunk| masker.push(chunk, &mut out));
    let early = String::from_utf8(std::mem::take(&mut out)).unwrap();
    if result.is_ok() {
        result = masker.finish(&mut out);
    }
    let late = String::from_utf8(out).unwrap();
    (result, early, late, masker.report().clone())
}

/// Masks a stream whole, byte by byte and cut at every place; all must agree.
fn mask_every_way(framing: Framing, plan: &Rc<Plan>, stream: &str) -> Outcome {
    let bytes = stream.as_bytes();
    let whole = mask_chunks(framing, plan, [bytes]);
    assert_eq!(mask_chunks(framing, plan, bytes.chunks(1)), whole);
    if bytes.len() < 600 {
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let cut = mask_chunks(framing, plan, [left, right]);
            assert_eq!(cut, whole, "{stream}");
        }
    }
    whole
}

/// Masks events every way; they pass.
fn mask_events(rules: &[MaskRule], stream: &str) -> String {
    let (result, early, late, _) = mask_every_way(Framing::Events, &plan(rules), stream);
    assert_eq!(result, Ok(()), "{stream}");
    early + &late
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// A chat completion delta.
fn chat(choice: usize, content: &str) -> String {
    let content = serde_json::to_string(content).unwrap();
    event(&format!(
        r#"{{"id":"c-1","choices":[{{"index":{choice},"delta":{{"content":{content}}}}}]}}"#
    ))
}

/// The text of all deltas of a choice.
fn content_of(stream: &str, choice: u64) -> String {
    let mut all = String::new();
    for event in stream.split("\n\n").filter(|event| !event.is_empty()) {
        let data = event.strip_prefix("data: ").unwrap();
        if data == "[DONE]" {
            continue;
        }
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        for one in data["choices"].as_array().unwrap() {
            if one["index"] == choice {
                all.push_str(one["delta"]["content"].as_str().unwrap_or_default());
            }
        }
    }
    all
}
