//! The masker once more, written for the eye: reads the whole document into a tree that keeps every
//! byte, decides about each value by the words of the policy, and writes the tree back.

use std::collections::BTreeMap;

use tracegate_bundle::policy::{DetectorSet, MaskAction, MaskRule, MaskTarget, Path, Selector};

use crate::masking::ActionKind;
use crate::masking::detect::{Detectors, Found, Scanner};
use crate::masking::fill::escape;

use super::tree::{Character, Child, Node, Reader, write};

// === Masking ===

pub(super) struct Reference<'a> {
    pub(super) rules: &'a [MaskRule],
    pub(super) active: u64,
    pub(super) set: &'a DetectorSet,
    pub(super) detectors: &'a Detectors,
    /// What a hash is, given the name and the value.
    pub(super) hash: &'a dyn Fn(&str, &[u8]) -> String,
    pub(super) masked_names: u32,
    pub(super) named: u64,
    pub(super) counts: BTreeMap<(String, String, ActionKind), u32>,
}

/// Where in the paths a value is: rule, path, step.
type Live = Vec<(usize, usize, usize)>;

/// What becomes of a value: its new bytes, or nothing.
type Masked = Option<String>;

fn decoded(characters: &[Character]) -> String {
    characters
        .iter()
        .map(|character| character.decoded)
        .collect()
}

impl Reference<'_> {
    pub(super) fn mask(&mut self, body: &str) -> String {
        let mut reader = Reader(body);
        let before = reader.gap();
        let value = reader.value();
        let live = (0..self.rules.len())
            .filter(|rule| self.active >> rule & 1 == 1)
            .flat_map(|rule| (0..self.paths(rule).len()).map(move |path| (rule, path, 0)))
            .collect();
        let masked = self.value(&value, &live, "$").unwrap_or("null".to_owned());
        format!("{before}{masked}{}", reader.0)
    }

    fn paths(&self, rule: usize) -> &[Path] {
        match &self.rules[rule].target {
            MaskTarget::Fields(paths) | MaskTarget::AllowFields(paths) => paths,
            MaskTarget::Detect { within, .. } => within,
        }
    }

    /// The places in the paths of a child.
    fn child(&self, live: &Live, name: Option<&str>, index: u64) -> Live {
        let mut next = Vec::new();
        for &(rule, path, step) in live {
            let Some(what) = self.paths(rule)[path].steps.get(step) else {
                if !matches!(self.rules[rule].target, MaskTarget::Fields(_)) {
                    next.push((rule, path, step));
                }
                continue;
            };
            if what.descendant {
                next.push((rule, path, step));
            }
            let selected = what.selectors.iter().any(|selector| match selector {
                Selector::Wildcard => true,
                Selector::Name(wanted) => Some(&**wanted) == name,
                Selector::Index(wanted) => name.is_none() && *wanted == index,
                Selector::Slice { start, end, step } => {
                    name.is_none()
                        && (*start..end.unwrap_or(100))
                            .step_by(usize::try_from(*step).unwrap())
                            .any(|wanted| wanted == index)
                }
            });
            if selected {
                next.push((rule, path, step + 1));
            }
        }
        next.sort_unstable();
        next.dedup();
        next
    }

    fn accepted(&self, live: &Live) -> Vec<usize> {
        live.iter()
            .filter(|&&(rule, path, step)| step == self.paths(rule)[path].steps.len())
            .map(|&(rule, ..)| rule)
            .collect()
    }

    /// The rule that hides a value as a whole: one that names it, or one that lists others.
    fn field_rule(&self, live: &Live, node: &Node) -> Option<usize> {
        let accepted = self.accepted(live);
        let mut active = (0..self.rules.len()).filter(|rule| self.active >> rule & 1 == 1);
        active.find(|rule| match &self.rules[*rule].target {
            MaskTarget::Fields(_) => accepted.contains(rule),
            MaskTarget::AllowFields(_) => {
                let leads_on = live.iter().any(|(of, ..)| of == rule);
                let is_container = matches!(node, Node::Container { .. });
                !(accepted.contains(rule) || leads_on && is_container)
            }
            MaskTarget::Detect { .. } => false,
        })
    }

    /// The rules that hide text in a value, with their detectors.
    fn text_rules(&self, live: &Live) -> Vec<(usize, u64)> {
        let accepted = self.accepted(live);
        (0..self.rules.len())
            .filter(|rule| self.active >> rule & 1 == 1)
            .filter_map(|rule| match &self.rules[rule].target {
                MaskTarget::Detect { detectors, within } => {
                    (within.is_empty() || accepted.contains(&rule)).then_some((rule, *detectors))
                }
                MaskTarget::Fields(_) | MaskTarget::AllowFields(_) => None,
            })
            .collect()
    }

    fn count(&mut self, path: &str, what: &str, action: &MaskAction) {
        let kind = match action {
            MaskAction::Redact(_) => ActionKind::Redact,
            MaskAction::Partial { .. } => ActionKind::Partial,
            MaskAction::Hash => ActionKind::Hash,
            MaskAction::Drop => ActionKind::Drop,
            MaskAction::Nullify => ActionKind::Nullify,
            MaskAction::Tokenize => ActionKind::Tokenize,
        };
        let key = (path.to_owned(), what.to_owned(), kind);
        *self.counts.entry(key).or_default() += 1;
    }

    fn value(&mut self, node: &Node, live: &Live, path: &str) -> Masked {
        if let Some(rule) = self.field_rule(live, node) {
            let rule = &self.rules[rule];
            self.count(path, "field", &rule.action);
            return self.substitute(rule, "field", "[REDACTED]", node);
        }
        match node {
            Node::String(characters) => Some(self.string(characters, live, path)),
            Node::Scalar(text) if text.starts_with(|c: char| c.is_ascii_lowercase()) => {
                Some(text.clone())
            }
            Node::Scalar(text) => {
                let (masked, _) = self.whole(text, live, path);
                let keeps = self
                    .find(text, &self.text_rules(live))
                    .first()
                    .is_some_and(|found| {
                        let rules = self.text_rules(live);
                        let mut runs = rules
                            .iter()
                            .filter(|(_, all)| all >> found.detector & 1 == 1);
                        self.rules[runs.next().unwrap().0].keep_type
                    });
                Some(match masked {
                    Some(_) if keeps => "0".to_owned(),
                    Some(masked) => format!("\"{masked}\""),
                    None => text.clone(),
                })
            }
            Node::Container {
                object,
                children,
                inside,
            } => Some(self.container(*object, children, inside, live, path)),
        }
    }

    fn container(
        &mut self,
        object: bool,
        children: &[Child],
        inside: &str,
        live: &Live,
        path: &str,
    ) -> String {
        let mut out = String::from(if object { "{" } else { "[" });
        out.push_str(inside);
        let mut kept = false;
        for (index, child) in children.iter().enumerate() {
            let name = child.name.as_deref().map(decoded);
            let live = self.child(live, name.as_deref(), index as u64);
            let path = match &name {
                Some(name) => format!("{path}{}", self.shown(name)),
                None => format!("{path}[*]"),
            };
            let masked = self.member(child, name.as_deref(), &live, &path);
            if index == 0 {
                out.push_str(&child.before);
            }
            if let Some(masked) = masked {
                if index > 0 {
                    out.push_str(if kept { "," } else { "" });
                    out.push_str(&child.before);
                }
                out.push_str(&masked);
                kept = true;
            }
            out.push_str(&child.after);
        }
        out.push(if object { '}' } else { ']' });
        out
    }

    /// A member with its name, or an element.
    fn member(&mut self, child: &Child, name: Option<&str>, live: &Live, path: &str) -> Masked {
        let drops = self
            .field_rule(live, &child.value)
            .is_some_and(|rule| self.rules[rule].action == MaskAction::Drop);
        let mut out = String::new();
        // Words of context in the name count for the value and what is listed in it.
        let outer = self.named;
        if name.is_some() {
            self.named = 0;
        }
        if let (Some(name), false) = (name, drops) {
            let raw: String = child.name.iter().flatten().map(|c| &*c.raw).collect();
            out = match self.whole(name, live, path) {
                (None, _) => format!("\"{raw}\""),
                (Some(masked), true) => format!("\"{masked}\""),
                (Some(masked), false) => {
                    self.masked_names += 1;
                    format!("\"{masked}#{}\"", self.masked_names)
                }
            };
        }
        out.push_str(&child.between);
        if let Some(name) = name {
            self.named = self.detectors.context_in(name.as_bytes(), u64::MAX);
        }
        let value = self.value(&child.value, live, path);
        self.named = outer;
        out.push_str(&value?);
        Some(out)
    }

    fn substitute(&self, rule: &MaskRule, what: &str, token: &str, node: &Node) -> Masked {
        let action = &rule.action;
        let quoted = |text: &str| Some(format!("\"{}\"", escaped(text)));
        let text = match node {
            Node::String(characters) => decoded(characters),
            Node::Scalar(text) => text.clone(),
            Node::Container { .. } => write(node),
        };
        let opaque = match node {
            Node::String(_) => false,
            Node::Scalar(text) => text.starts_with(|c: char| c.is_ascii_lowercase()),
            Node::Container { .. } => true,
        };
        let blank = match node {
            Node::String(_) => None,
            Node::Scalar(text) if text.starts_with(['t', 'f']) => Some("false"),
            Node::Scalar(text) if text.starts_with('n') => Some("null"),
            Node::Scalar(_) => Some("0"),
            Node::Container { object: true, .. } => Some("{}"),
            Node::Container { object: false, .. } => Some("[]"),
        };
        match action {
            MaskAction::Drop => None,
            MaskAction::Nullify => Some("null".to_owned()),
            _ if rule.keep_type && blank.is_some() => blank.map(str::to_owned),
            MaskAction::Redact(fixed) => quoted(fixed.as_deref().unwrap_or(token)),
            MaskAction::Partial { .. } | MaskAction::Tokenize if opaque => quoted(token),
            _ => quoted(&self.text_substitute(action, what, token, &text)),
        }
    }

    /// What stands in place of `text`, before escaping.
    fn text_substitute(&self, action: &MaskAction, what: &str, token: &str, text: &str) -> String {
        match action {
            MaskAction::Drop | MaskAction::Nullify => String::new(),
            // Without an exchange there are no numbers.
            MaskAction::Tokenize => token.to_owned(),
            MaskAction::Redact(fixed) => fixed.as_deref().unwrap_or(token).to_owned(),
            MaskAction::Hash => (self.hash)(what, text.as_bytes()),
            MaskAction::Partial {
                keep_first,
                keep_last,
            } => {
                let count = text.chars().count();
                let (first, last) = (usize::from(*keep_first), usize::from(*keep_last));
                let shown = |at| 2 * (first + last) <= count && (at < first || at + last >= count);
                let one = |(at, character)| if shown(at) { character } else { '*' };
                text.chars().enumerate().map(one).collect()
            }
        }
    }

    fn find(&self, text: &str, rules: &[(usize, u64)]) -> Vec<Found> {
        let active = rules.iter().fold(0, |all, (_, detectors)| all | detectors);
        let mut found = Vec::new();
        if active != 0 {
            let mut scanner = Scanner::new();
            scanner.in_member(self.named);
            scanner.scan(self.detectors, active, text.as_bytes(), &mut found);
        }
        // A match that goes on is one match.
        let mut whole: Vec<Found> = Vec::new();
        for one in found {
            match whole.last_mut() {
                Some(last) if last.open => (last.end, last.open) = (one.end, one.open),
                _ => whole.push(one),
            }
        }
        whole
    }

    /// Replaces what is found in `text`: the pieces between matches and in their place, in order, and
    /// whether all that is replaced is hashed.
    fn pieces(&mut self, text: &str, live: &Live, path: &str) -> (Vec<Piece>, bool) {
        let rules = self.text_rules(live);
        let mut pieces = Vec::new();
        let mut unique = true;
        let mut from = 0;
        for found in self.find(text, &rules) {
            let (start, end) = (found.start as usize, found.end as usize);
            let bit = 1 << found.detector;
            let rule = rules
                .iter()
                .find(|(_, detectors)| detectors & bit != 0)
                .unwrap()
                .0;
            let detector = self.set.detectors[usize::from(found.detector)].clone();
            let action = self.rules[rule].action.clone();
            self.count(path, &detector.name, &action);
            unique &= action == MaskAction::Hash;
            pieces.push(Piece::Kept(from..start));
            pieces.push(Piece::Masked(self.text_substitute(
                &action,
                &detector.name,
                &detector.token,
                text.get(start..end).unwrap(),
            )));
            from = end;
        }
        if pieces.is_empty() {
            return (pieces, false);
        }
        pieces.push(Piece::Kept(from..text.len()));
        (pieces, unique)
    }

    /// A name or number: its new text, if it changes, and whether all in it that changed is hashed.
    fn whole(&mut self, text: &str, live: &Live, path: &str) -> (Masked, bool) {
        let (pieces, unique) = self.pieces(text, live, path);
        if pieces.is_empty() {
            return (None, unique);
        }
        let masked = pieces.into_iter().map(|piece| match piece {
            Piece::Kept(range) => escaped(text.get(range).unwrap()),
            Piece::Masked(text) => escaped(&text),
        });
        (Some(masked.collect()), unique)
    }

    fn string(&mut self, characters: &[Character], live: &Live, path: &str) -> String {
        let text = decoded(characters);
        let (pieces, _) = self.pieces(&text, live, path);
        let raw = |range: std::ops::Range<usize>| {
            let mut at = 0;
            let mut out = String::new();
            for character in characters {
                if range.contains(&at) {
                    out.push_str(&character.raw);
                }
                at += character.decoded.len_utf8();
            }
            out
        };
        if pieces.is_empty() {
            return format!("\"{}\"", raw(0..text.len()));
        }
        let masked = pieces.into_iter().map(|piece| match piece {
            Piece::Kept(range) => raw(range),
            Piece::Masked(text) => escaped(&text),
        });
        format!("\"{}\"", masked.collect::<String>())
    }

    /// A name as a report shows it.
    fn shown(&self, name: &str) -> String {
        let all = self.rules.iter().enumerate();
        let all: Vec<(usize, u64)> = all
            .filter_map(|(index, rule)| match &rule.target {
                MaskTarget::Detect { detectors, .. } => Some((index, *detectors)),
                MaskTarget::Fields(_) | MaskTarget::AllowFields(_) => None,
            })
            .collect();
        let mut shown = name.to_owned();
        for found in self.find(name, &all).into_iter().rev() {
            let token = &self.set.detectors[usize::from(found.detector)].token;
            shown.replace_range(found.start as usize..found.end as usize, token);
        }
        let plain = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if shown.starts_with(|c: char| plain(c) && !c.is_ascii_digit()) && shown.chars().all(plain)
        {
            format!(".{shown}")
        } else {
            let quoted = escaped(&shown).replace("\\\"", "\"").replace('\'', "\\'");
            format!("['{quoted}']")
        }
    }
}

enum Piece {
    Kept(std::ops::Range<usize>),
    Masked(String),
}

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    escape(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}
