//! Tests of the masker: by example, by attack, and against a reference written for the eye.

use std::rc::Rc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use policy_compiler::automata::{DetectorChoice, built_in_names, detectors};
use sha2::Sha256;
use tracegate_bundle::policy::{MaskAction, MaskRule, MaskTarget, Path, Selector, Step};

use super::*;
use crate::masking::detect::Detectors;
use crate::masking::{ActionKind, PlanError};

mod allowed;
mod fields;
mod found;
mod nested;
mod properties;
mod reference;
mod tree;

pub(super) const KEY: &[u8] = b"a key for tests";

// === Writing policies ===

/// A path in the notation of RFC 9535, as far as the tests need it.
fn path(text: &str) -> Path {
    let mut steps = Vec::new();
    let mut rest = text.strip_prefix('$').unwrap();
    while !rest.is_empty() {
        let descendant = rest.starts_with("..");
        rest = rest.trim_start_matches('.');
        let bracket = rest.starts_with('[');
        let end = if bracket {
            rest.find(']').unwrap() + 1
        } else {
            rest.find(['.', '[']).unwrap_or(rest.len())
        };
        let (selector, tail) = rest.split_at(end);
        let selector = match selector.trim_matches(['[', ']']) {
            "*" => Selector::Wildcard,
            index if bracket => Selector::Index(index.parse().unwrap()),
            name => Selector::Name(name.to_owned()),
        };
        steps.push(Step {
            descendant,
            selectors: vec![selector],
        });
        rest = tail;
    }
    Path {
        text: text.to_owned(),
        steps,
    }
}

fn redact() -> MaskAction {
    MaskAction::Redact(None)
}

fn redact_with(text: &str) -> MaskAction {
    MaskAction::Redact(Some(text.to_owned()))
}

fn partial(keep_first: u8, keep_last: u8) -> MaskAction {
    MaskAction::Partial {
        keep_first,
        keep_last,
    }
}

fn rule(target: MaskTarget, action: MaskAction) -> MaskRule {
    MaskRule::new(target, action)
}

fn fields(paths: &[&str], action: MaskAction) -> MaskRule {
    let paths = paths.iter().map(|text| path(text)).collect();
    rule(MaskTarget::Fields(paths), action)
}

fn allow(paths: &[&str], action: MaskAction) -> MaskRule {
    let paths = paths.iter().map(|text| path(text)).collect();
    rule(MaskTarget::AllowFields(paths), action)
}

fn keeping_types(rule: MaskRule) -> MaskRule {
    MaskRule {
        keep_type: true,
        ..rule
    }
}

fn detect(names: &[&str], within: &[&str], action: MaskAction) -> MaskRule {
    let detectors = names
        .iter()
        .fold(0, |all, name| all | all_detectors().set().named(name));
    let within = within.iter().map(|text| path(text)).collect();
    rule(MaskTarget::Detect { detectors, within }, action)
}

thread_local! {
    static DETECTORS: Rc<Detectors> = {
        let choices: Vec<_> = built_in_names().map(DetectorChoice::BuiltIn).collect();
        Rc::new(Detectors::new(detectors(&choices).unwrap()))
    };
}

fn all_detectors() -> Rc<Detectors> {
    DETECTORS.with(Rc::clone)
}

fn plan(rules: &[MaskRule]) -> Rc<Plan> {
    Rc::new(Plan::new(rules, all_detectors(), Some(KEY.into())).unwrap())
}

fn hash(what: &str, value: &[u8]) -> String {
    hash_under(KEY, what, value)
}

fn hash_under(key: &[u8], what: &str, value: &[u8]) -> String {
    let hex = |text: &[u8], bytes: usize| {
        let mut hash = Hmac::<Sha256>::new_from_slice(key).unwrap();
        hash.update(text);
        let digest = hash.finalize().into_bytes();
        let digits = digest.iter().take(bytes).map(|byte| format!("{byte:02x}"));
        digits.collect::<String>()
    };
    let id = hex(b"tracegate hash key id", 4);
    format!(
        "hmac:{id}:{}",
        hex(&[what.as_bytes(), &[0], value].concat(), 16)
    )
}

// === Masking ===

type Outcome = (Result<(), MaskError>, String, Report);

fn mask_chunks<'a>(
    plan: &Rc<Plan>,
    active: u64,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut masker = DocumentMasker::new(Rc::clone(plan), active);
    let mut out = Vec::new();
    let mut chunks = chunks.into_iter();
    let result = chunks
        .try_for_each(|chunk| masker.push(chunk, &mut out))
        .and_then(|()| masker.finish(&mut out));
    let out = String::from_utf8(out).unwrap();
    (result, out, masker.report().clone())
}

/// Masks `body` whole, byte by byte and at every single cut; all must agree.
fn mask_every_way(rules: &[MaskRule], body: &str) -> Outcome {
    let plan = plan(rules);
    let bytes = body.as_bytes();
    let whole = mask_chunks(&plan, u64::MAX, [bytes]);
    assert_eq!(mask_chunks(&plan, u64::MAX, bytes.chunks(1)), whole);
    if bytes.len() < 400 {
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let cut = mask_chunks(&plan, u64::MAX, [left, right]);
            assert_eq!(cut, whole);
        }
    }
    whole
}

fn mask(rules: &[MaskRule], body: &str) -> String {
    let (result, out, _) = mask_every_way(rules, body);
    assert_eq!(result, Ok(()));
    let json = out.trim_start_matches('\u{feff}');
    assert!(
        serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok(),
        "valid JSON: {out}"
    );
    out
}

fn report(rules: &[MaskRule], body: &str) -> Vec<(String, String, ActionKind, u32)> {
    let (_, _, report) = mask_every_way(rules, body);
    let entries = report.entries.into_iter();
    entries
        .map(|entry| (entry.path, entry.what, entry.action, entry.count))
        .collect()
}
