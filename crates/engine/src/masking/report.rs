//! What was hidden, and where: names of fields and counts, never a value.
//!
//! A body decides which paths it has, so their number is bounded, and so is their length. Names can
//! hold personal data too (`{"bob@example.com": …}`), whether or not the caller may see it; a name in
//! which any detector of the policy finds something is written with the detector's token.

use super::detect::{Found, Scanner};
use super::fill::escape;
use super::fold;
use super::plan::Plan;

/// Most paths per detector; what is hidden elsewhere is counted at [`ELSEWHERE`].
const MAX_PATHS: usize = 32;
/// The path of what is hidden at places for which a report has no room.
const ELSEWHERE: &str = "$..*";
/// Longest trail, in bytes.
const MAX_TRAIL: usize = 512;
/// Longest name that a trail holds, in bytes. A longer one is data, and cut it could not be checked.
const MAX_NAME: usize = 64;

/// What was hidden in one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry per path, detector and action, in the order in which they first occurred.
    pub entries: Vec<ReportEntry>,
    /// There were more paths than a report holds. The masking itself was complete, and the entries
    /// with the path `$..*` count what the others do not.
    pub truncated: bool,
}

/// How often something was hidden at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportEntry {
    /// A JSON path with the indices of arrays as `[*]`: `$.choices[*].message.content`.
    pub path: String,
    /// The name of the detector, or `field`.
    pub what: String,
    /// What was done to it.
    pub action: ActionKind,
    /// How many values.
    pub count: u32,
}

/// A mask action without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionKind {
    /// Replaced by a text.
    Redact,
    /// Shown in part.
    Partial,
    /// Replaced by a keyed hash.
    Hash,
    /// Removed.
    Drop,
    /// Replaced by `null`.
    Nullify,
    /// Replaced by a numbered token.
    Tokenize,
}

impl ActionKind {
    /// Its name in policies and on records: `redact`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Partial => "partial",
            Self::Hash => "hash",
            Self::Drop => "drop",
            Self::Nullify => "nullify",
            Self::Tokenize => "tokenize",
        }
    }
}

// Bytes that UTF-8 does not have tell the steps of a trail apart.
const MEMBER: u8 = 0xff;
const ELEMENT: u8 = 0xfe;
const LONG_NAME: u8 = 0xfd;
const CUT: u8 = 0xfc;

/// The way from the root to the value in hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    steps: Vec<u8>,
    /// The length of the trail of every open container.
    containers: Vec<usize>,
}

impl Trail {
    /// The way to the value in hand, as the root of a document of its own.
    pub(super) fn as_root(&self) -> Self {
        Self {
            steps: self.steps.clone(),
            containers: Vec::new(),
        }
    }

    /// Back at the root, for another document.
    pub(super) fn rewind(&mut self) {
        self.steps.clear();
        self.containers.clear();
    }

    /// The trail, to be [`Trail::set`] elsewhere.
    pub(super) fn steps(&self) -> &[u8] {
        &self.steps
    }

    /// Leads where another trail leads.
    pub(super) fn set(&mut self, steps: &[u8]) {
        self.steps.clear();
        self.steps.extend_from_slice(steps);
    }

    pub(super) fn open(&mut self) {
        self.containers.push(self.steps.len());
    }

    pub(super) fn close(&mut self) {
        if let Some(length) = self.containers.pop() {
            self.steps.truncate(length);
        }
    }

    pub(super) fn member(&mut self, name: &[u8]) {
        if name.len() > MAX_NAME {
            self.step(LONG_NAME, b"");
        } else {
            self.step(MEMBER, name);
        }
    }

    pub(super) fn element(&mut self) {
        self.step(ELEMENT, b"");
    }

    /// Whether it leads to that member of an element of a list at the root.
    pub(super) fn is_member_of_element(&self, name: &[u8]) -> bool {
        matches!(&*self.steps, [ELEMENT, MEMBER, member @ ..] if member == name)
    }

    fn step(&mut self, kind: u8, name: &[u8]) {
        self.steps
            .truncate(self.containers.last().copied().unwrap_or(0));
        if self.steps.len() + 1 + name.len() <= MAX_TRAIL {
            self.steps.push(kind);
            self.steps.extend_from_slice(name);
        } else if self.steps.last() != Some(&CUT) {
            self.steps.push(CUT);
        }
    }
}

/// A state of a [`Tally`] that can be gone back to.
#[derive(Debug)]
pub(super) struct Mark {
    entries: usize,
    known: usize,
    truncated: bool,
}

/// A report in the making.
#[derive(Debug, Default)]
pub(super) struct Tally {
    report: Report,
    /// Trails whose entry is known, so that their path is written once.
    known: Vec<(Vec<u8>, usize)>,
    /// The entries of what was counted since the last [`Tally::mark`].
    recent: Vec<usize>,
    scanner: Scanner,
    found: Vec<Found>,
}

impl Tally {
    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    /// What is counted from here on can be taken back.
    pub(super) fn mark(&mut self) -> Mark {
        self.recent.clear();
        Mark {
            entries: self.report.entries.len(),
            known: self.known.len(),
            truncated: self.report.truncated,
        }
    }

    /// Takes back what was counted since `mark` was made.
    pub(super) fn take_back(&mut self, mark: Mark) {
        for entry in self.recent.drain(..) {
            if let Some(entry) = self.report.entries.get_mut(entry) {
                entry.count = entry.count.saturating_sub(1);
            }
        }
        self.report.entries.truncate(mark.entries);
        self.known.truncate(mark.known);
        self.report.truncated = mark.truncated;
    }

    /// Counts something that was hidden at the end of `trail`.
    pub(super) fn count(&mut self, plan: &Plan, trail: &Trail, what: &str, action: ActionKind) {
        let entry = match self.find_known(trail, what, action) {
            Some(entry) => entry,
            None => {
                let path = self.path(plan, trail);
                let entry = self.entry(path, what, action);
                if self.known.len() < MAX_PATHS {
                    self.known.push((trail.steps.clone(), entry));
                }
                entry
            }
        };
        self.recent.push(entry);
        if let Some(entry) = self.report.entries.get_mut(entry) {
            entry.count = entry.count.saturating_add(1);
        }
    }

    /// Counts something that was hidden in a field of that section: `header.location`.
    pub(super) fn count_field(
        &mut self,
        plan: &Plan,
        section: &str,
        name: &str,
        what: &str,
        action: ActionKind,
    ) {
        let name = if name.len() > MAX_NAME {
            "*".to_owned()
        } else {
            self.name(plan, name.as_bytes())
        };
        let entry = self.entry(format!("{section}.{name}"), what, action);
        if let Some(entry) = self.report.entries.get_mut(entry) {
            entry.count = entry.count.saturating_add(1);
        }
    }

    fn find_known(&self, trail: &Trail, what: &str, action: ActionKind) -> Option<usize> {
        let mut entries = self.known.iter().filter(|(steps, _)| *steps == trail.steps);
        entries
            .find(|(_, index)| {
                let entry = self.report.entries.get(*index);
                entry.is_some_and(|entry| entry.what == what && entry.action == action)
            })
            .map(|(_, index)| *index)
    }

    /// The entry for a path; a new one while there is room.
    fn entry(&mut self, path: String, what: &str, action: ActionKind) -> usize {
        let entries = &mut self.report.entries;
        let position = |entries: &[ReportEntry], path: &str| {
            let same = |entry: &ReportEntry| {
                entry.path == path && entry.what == what && entry.action == action
            };
            entries.iter().position(same)
        };
        if let Some(index) = position(entries, &path) {
            return index;
        }
        let of_this = entries.iter().filter(|entry| entry.what == what).count();
        let path = if of_this < MAX_PATHS {
            path
        } else {
            self.report.truncated = true;
            if let Some(index) = position(entries, ELSEWHERE) {
                return index;
            }
            ELSEWHERE.to_owned()
        };
        entries.push(ReportEntry {
            path,
            what: what.to_owned(),
            action,
            count: 0,
        });
        entries.len() - 1
    }

    fn path(&mut self, plan: &Plan, trail: &Trail) -> String {
        let mut path = String::from("$");
        let is_step = |byte: u8| byte >= CUT;
        for step in trail.steps.chunk_by(|_, &next| !is_step(next)) {
            match step {
                [ELEMENT] => path.push_str("[*]"),
                [LONG_NAME] => path.push_str(".*"),
                [MEMBER, name @ ..] => {
                    let name = self.name(plan, name);
                    if is_shorthand(&name) {
                        path.push('.');
                        path.push_str(&name);
                    } else {
                        quote(&name, &mut path);
                    }
                }
                _ => path.push_str("..*"),
            }
        }
        path
    }

    /// A name as it may be shown: folded where something is found in it.
    fn name(&mut self, plan: &Plan, name: &[u8]) -> String {
        let folded = fold::folded(name);
        let original = name;
        let name = folded.as_deref().unwrap_or(name);
        self.found.clear();
        let detectors = plan.all_detectors();
        if detectors != 0 {
            self.scanner
                .scan(&plan.detectors, detectors, name, &mut self.found);
        }
        if self.found.is_empty() {
            return String::from_utf8_lossy(original).into_owned();
        }
        let mut shown = Vec::with_capacity(name.len());
        let mut from = 0;
        for found in &self.found {
            let index = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
            shown.extend_from_slice(name.get(from..index(found.start)).unwrap_or_default());
            shown.extend_from_slice(plan.token(found.detector).as_bytes());
            from = index(found.end);
        }
        shown.extend_from_slice(name.get(from..).unwrap_or_default());
        String::from_utf8_lossy(&shown).into_owned()
    }
}

/// Whether a name may follow a dot (RFC 9535 §2.5.1.1).
fn is_shorthand(name: &str) -> bool {
    let first = |character: char| character == '_' || character.is_ascii_alphabetic();
    name.starts_with(first)
        && name
            .chars()
            .all(|character| first(character) || character.is_ascii_digit())
}

/// Writes a name as a normalized path does (RFC 9535 §2.7).
fn quote(name: &str, path: &mut String) {
    path.push_str("['");
    let mut escaped = Vec::new();
    escape(name.as_bytes(), &mut escaped);
    let escaped = String::from_utf8_lossy(&escaped);
    path.push_str(&escaped.replace("\\\"", "\"").replace('\'', "\\'"));
    path.push_str("']");
}
