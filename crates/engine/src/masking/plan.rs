//! The mask rules of a connection, prepared once per policy.

use std::rc::Rc;

use tracegate_bundle::policy::{
    AtLimit, Direction, MaskAction, MaskMode, MaskRule, MaskTarget, StreamRules, StringMatch,
    is_maskable_header,
};

use super::detect::Detectors;
use super::fill::{Fill, HashKey, Partial};
use super::json::Container;
use super::paths::{Cursor, PathSet, Positions, Reach, Standing};
use super::report::ActionKind;
use super::stream::places::{Places, steps};
use super::tokens::Tokens;
use crate::decision::matching;

/// Most rules of a connection: the bits of a set of rules.
const MAX_RULES: usize = 64;

/// What a value hidden as a field is called in reports and hashes.
pub(super) const FIELD: &str = "field";

/// The mask rules of one connection, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    rules: Rc<[Rule]>,
    /// The paths of all rules, in the order of the rules.
    pub(super) paths: Rc<PathSet>,
    /// The rule of each path.
    path_rules: Rc<[usize]>,
    /// The rules that list what is shown, with the positions of their paths.
    allowing: Rc<[(usize, std::ops::Range<usize>)]>,
    /// The rules on requests, and those that only watch.
    on_requests: u64,
    observing: u64,
    pub(super) detectors: Rc<Detectors>,
    hash: Option<HashKey>,
    /// The table of stream formats.
    pub(super) places: Rc<Places>,
    /// For each alias of the table, the paths that lead to what it stands for; `None` if none does.
    aliases: Rc<[Option<Positions>]>,
    /// For each copy of the table, the rules that hold for the text that it repeats.
    copies: Rc<[u64]>,
    /// Whether a stream that reaches a bound ends, rather than losing what is held.
    ends_at_limit: bool,
    /// Whether an event that is no JSON passes where a rule names paths.
    scans_text: bool,
    /// Those of the exchange that the plan is for.
    tokens: Option<Tokens>,
}

#[derive(Debug)]
struct Rule {
    /// The detectors it runs; `None` for a rule on fields.
    detectors: Option<u64>,
    /// A rule on text that has no paths.
    everywhere: bool,
    /// The headers and trailers that its detectors look into.
    headers: Vec<StringMatch>,
    /// A rule that lists what is shown.
    allows: bool,
    action: MaskAction,
    keep_type: bool,
}

/// The rules that hold for one message. Bit `i` stands for rule `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Active {
    /// Those that hide.
    pub enforced: u64,
    /// Those that only watch: what they would hide, were they alone, is recorded.
    pub observed: u64,
}

impl Active {
    /// Whether no rule holds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.enforced | self.observed == 0
    }
}

/// Why mask rules cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// More rules than a caller's set of rules has bits: 64.
    TooManyRules,
    /// The paths of all rules together have more steps than the automaton has positions: 512.
    TooManySteps,
    /// A rule uses `hash` and the deployment has no key for it.
    HashKeyMissing,
    /// A rule names a detector that the bundle does not hold.
    UnknownDetector,
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooManyRules => "a connection has more than 64 mask rules; join some of them",
            Self::TooManySteps => {
                "the paths of a connection's mask rules have more than 512 steps; use fewer or \
                 shorter paths"
            }
            Self::HashKeyMissing => "a mask rule uses `hash`, but no hash key is configured",
            Self::UnknownDetector => "a mask rule names a detector that the bundle does not hold",
        })
    }
}

impl std::error::Error for PlanError {}

/// What the rules say about one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// The rule that hides it as a whole.
    field: Option<usize>,
    /// The rule that hides it as a whole unless it is an object or a list.
    scalar: Option<usize>,
    /// The rules that hide what they do not list.
    allowing: u64,
    /// The rules that hide text in it.
    rules: u64,
    /// The detectors of those rules.
    pub(super) detectors: u64,
    /// The detectors of which a word of context stands in the name of the member.
    pub(super) named: u64,
}

impl Scope {
    /// The same in a member whose name has words of context of these detectors.
    pub(super) fn in_member(self, named: u64) -> Self {
        Self { named, ..self }
    }

    /// The rule that hides an object or a list here.
    pub(super) fn container(self) -> Option<usize> {
        self.field
    }

    /// The rule that hides any other value here.
    pub(super) fn scalar(self) -> Option<usize> {
        first(self.field, self.scalar)
    }
}

/// The rule that comes first in the policy.
fn first(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    [one, other].into_iter().flatten().min()
}

/// How something is hidden: by which rule, under which name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hiding<'p> {
    /// The name of the detector, or [`FIELD`].
    pub(super) what: &'p str,
    action: &'p MaskAction,
    keep_type: bool,
    text: &'p str,
    hash: Option<&'p HashKey>,
    tokens: Option<&'p Tokens>,
}

/// The types of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Number,
    Boolean,
    Null,
    Object,
    Array,
}

impl Type {
    /// The type of a number or literal.
    pub(super) fn of_scalar(text: &[u8]) -> Self {
        match text.first() {
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }

    /// The value of this type that says nothing; a string has none.
    fn blank(self) -> Option<&'static [u8]> {
        match self {
            Self::String => None,
            Self::Number => Some(b"0"),
            Self::Boolean => Some(b"false"),
            Self::Null => Some(b"null"),
            Self::Object => Some(b"{}"),
            Self::Array => Some(b"[]"),
        }
    }
}

impl From<Container> for Type {
    fn from(container: Container) -> Self {
        match container {
            Container::Object => Self::Object,
            Container::Array => Self::Array,
        }
    }
}

impl Plan {
    /// Prepares `rules`, in the order of the policy.
    ///
    /// # Errors
    ///
    /// [`PlanError`] tells what the rules need that is not there, or which bound they exceed.
    pub fn new(
        rules: &[MaskRule],
        detectors: Rc<Detectors>,
        hash_key: Option<Rc<[u8]>>,
    ) -> Result<Self, PlanError> {
        if rules.len() > MAX_RULES {
            return Err(PlanError::TooManyRules);
        }
        let hash = hash_key.and_then(|key| HashKey::new(&key));
        if hash.is_none() && rules.iter().any(|rule| rule.action == MaskAction::Hash) {
            return Err(PlanError::HashKeyMissing);
        }
        let known = detectors.set().detectors.len();
        if rules.iter().any(|rule| names_more_than(rule, known)) {
            return Err(PlanError::UnknownDetector);
        }
        let paths = || {
            rules.iter().enumerate().flat_map(|(index, rule)| {
                let (paths, reach) = match &rule.target {
                    MaskTarget::Fields(paths) => (paths, Reach::Node),
                    MaskTarget::AllowFields(paths) => (paths, Reach::Subtree),
                    MaskTarget::Detect { within, .. } => (within, Reach::Subtree),
                };
                paths.iter().map(move |path| (index, path, reach))
            })
        };
        let set = PathSet::new(paths().map(|(_, path, reach)| (path, reach)));
        let set = set.map_err(|_| PlanError::TooManySteps)?;
        let path_rules: Vec<usize> = paths().map(|(rule, ..)| rule).collect();
        let those = |which: &dyn Fn(&MaskRule) -> bool| {
            let numbered = (0..).zip(rules).filter(|(_, rule)| which(rule));
            numbered.fold(0, |all, (index, _): (u32, _)| all | 1u64 << index)
        };
        let plan = Self {
            rules: rules.iter().map(Rule::new).collect(),
            allowing: allowing(rules, &set, &path_rules).into(),
            on_requests: those(&|rule| rule.direction == Direction::Request),
            observing: those(&|rule| rule.mode == MaskMode::Observe),
            paths: Rc::new(set),
            path_rules: path_rules.into(),
            detectors,
            hash,
            places: Rc::new(Places::new(&[])),
            aliases: Rc::default(),
            copies: Rc::default(),
            ends_at_limit: false,
            scans_text: false,
            tokens: None,
        };
        Ok(plan.with_table())
    }

    /// The same, for streams as `rules` say. `scan_text`: an event that is no JSON passes, scanned, even
    /// where a rule names paths.
    #[must_use]
    pub fn with_streams(mut self, rules: &StreamRules, scan_text: bool) -> Self {
        self.places = Rc::new(Places::new(&rules.channels));
        self.ends_at_limit = rules.at_limit == AtLimit::End;
        self.scans_text = scan_text;
        self.with_table()
    }

    /// Works out what the paths of the rules mean for the places of the table.
    fn with_table(mut self) -> Self {
        let aliases = self.places.aliases.iter();
        self.aliases = aliases
            .map(|alias| self.paths.follow(steps(alias.whole)))
            .collect();
        let everywhere = (0..)
            .zip(self.rules.iter())
            .filter(|(_, rule)| rule.everywhere);
        let everywhere = everywhere.fold(0, |all, (index, _): (u32, _)| all | 1 << index);
        let rules_at = |path| {
            let positions = self.paths.follow(steps(path));
            let ends = positions.iter().flat_map(|at| self.paths.ending_at(at));
            let rules = ends.filter_map(|path| self.path_rules.get(path));
            rules.fold(everywhere, |all, rule| all | 1 << rule)
        };
        let copies = self.places.copies.iter();
        self.copies = copies
            .map(|copy| {
                copy.of
                    .iter()
                    .fold(everywhere, |all, at| all | rules_at(at))
            })
            .collect();
        self
    }

    /// The plan for one exchange, which numbers the values that it tokenizes. `None`: none of the
    /// rules that hold for the caller does.
    #[must_use]
    pub fn for_exchange(&self, holding: u64) -> Option<Rc<Self>> {
        let mut rules = self.rules.iter().enumerate();
        let tokenizes = rules
            .any(|(index, rule)| holding >> index & 1 == 1 && rule.action == MaskAction::Tokenize);
        tokenizes.then(|| {
            Rc::new(Self {
                tokens: Some(Tokens::default()),
                ..self.clone()
            })
        })
    }

    /// Whether an event that is no JSON passes where a rule names paths.
    pub(super) fn scans_text(&self) -> bool {
        self.scans_text
    }

    /// Whether a stream in which too much is held ends.
    pub(super) fn ends_at_limit(&self) -> bool {
        self.ends_at_limit
    }

    /// The copies of the table that repeat text for which an `active` rule holds.
    pub(super) fn copies(&self, active: u64) -> u64 {
        let copies = (0..).zip(self.copies.iter());
        copies.fold(0, |all, (index, rules): (u32, _)| {
            all | u64::from(rules & active != 0) << (index & 63)
        })
    }

    /// Whether any alias that holds in some events only leads to a path that `cursor` follows.
    pub(super) fn needs_kind(&self, cursor: &Cursor) -> bool {
        let mut aliases = self.places.aliases.iter().zip(self.aliases.iter());
        aliases.any(|(alias, to)| {
            alias.has_types() && to.as_ref().is_some_and(|to| cursor.follows(to))
        })
    }

    /// The aliases that hold in events of that `$.type`.
    pub(super) fn aliases(&self, kind: &[u8]) -> u64 {
        let aliases = (0..).zip(&self.places.aliases);
        aliases.fold(0, |all, (index, alias): (u32, _)| {
            all | u64::from(alias.holds(kind)) << (index & 63)
        })
    }

    /// What holds for the value that an alias stands for holds for the one at `cursor`, too.
    pub(super) fn join(&self, alias: u8, cursor: &mut Cursor) {
        if let Some(Some(to)) = self.aliases.get(usize::from(alias)) {
            cursor.join(to);
        }
    }

    /// How text is hidden that nobody can wait for any longer.
    pub(super) fn held(&self) -> Hiding<'_> {
        self.hiding(None, "held", "[REDACTED]")
    }

    /// Whether there is a rule for messages of that direction.
    #[must_use]
    pub fn is_about(&self, direction: Direction) -> bool {
        let all = u32::try_from(self.rules.len()).ok();
        let all = all.and_then(|count| 1u64.checked_shl(count));
        !self
            .active(all.map_or(u64::MAX, |bit| bit - 1), direction)
            .is_empty()
    }

    /// Which of the rules that hold for a caller hold for messages of that direction.
    #[must_use]
    pub fn active(&self, holding: u64, direction: Direction) -> Active {
        let holding = match direction {
            Direction::Request => holding & self.on_requests,
            Direction::Response => holding & !self.on_requests,
        };
        Active {
            enforced: holding & !self.observing,
            observed: holding & self.observing,
        }
    }

    /// Whether any of the `active` rules hides all that it does not list: without paths, everything.
    #[must_use]
    pub fn lists_what_is_shown(&self, active: u64) -> bool {
        self.allowing
            .iter()
            .any(|(rule, _)| active >> rule & 1 == 1)
    }

    /// A cursor at the root that follows the paths of the `active` rules.
    pub(super) fn cursor(&self, active: u64) -> Cursor {
        Cursor::new(&self.paths, |path| {
            let rule = self.path_rules.get(path);
            rule.is_some_and(|rule| active >> rule & 1 == 1)
        })
    }

    /// What holds everywhere: the rules among `active` that hide text and have no paths.
    pub(super) fn everywhere(&self, active: u64) -> Scope {
        let mut scope = Scope {
            allowing: self
                .allowing
                .iter()
                .fold(0, |all, (index, _)| all | active & 1 << index),
            ..Scope::default()
        };
        for (index, rule) in self.rules.iter().enumerate() {
            if active >> index & 1 == 1 && rule.everywhere {
                self.add(&mut scope, index);
            }
        }
        scope
    }

    /// What holds in a body that has no paths: all of the `active` rules that hide text, since where
    /// they look says nothing there.
    pub(super) fn without_paths(&self, active: u64) -> Scope {
        let mut scope = Scope::default();
        for (index, rule) in self.rules.iter().enumerate() {
            if active >> index & 1 == 1 && rule.detectors.is_some() {
                self.add(&mut scope, index);
            }
        }
        scope
    }

    /// Whether one of the `active` rules names paths. What it says about a body without them nobody
    /// knows.
    #[must_use]
    pub fn has_paths(&self, active: u64) -> bool {
        (0..)
            .zip(self.rules.iter())
            .any(|(index, rule): (u32, _)| active >> index & 1 == 1 && !rule.everywhere)
    }

    /// What holds for the value at `cursor`.
    #[inline]
    pub(super) fn scope(&self, cursor: &Cursor, everywhere: Scope) -> Scope {
        let mut scope = everywhere;
        for path in cursor.accepted(&self.paths) {
            if let Some(&rule) = self.path_rules.get(path) {
                self.add(&mut scope, rule);
            }
        }
        if scope.allowing != 0 {
            self.hide_the_rest(cursor, &mut scope);
        }
        scope
    }

    /// What holds for the headers and trailers of that name.
    pub(super) fn header(&self, active: u64, name: &str) -> Scope {
        let mut scope = Scope::default();
        for (index, rule) in self.rules.iter().enumerate() {
            let names = || {
                rule.headers
                    .iter()
                    .any(|pattern| matching::string(pattern, name))
            };
            if active >> index & 1 == 1 && is_maskable_header(name) && names() {
                self.add(&mut scope, index);
            }
        }
        scope
    }

    /// Whether any of the `active` rules looks into headers.
    pub(super) fn looks_into_headers(&self, active: u64) -> bool {
        let mut rules = self.rules.iter().enumerate();
        rules.any(|(index, rule)| active >> index & 1 == 1 && !rule.headers.is_empty())
    }

    /// Adds the rules that hide the value at `cursor` because they do not list it.
    fn hide_the_rest(&self, cursor: &Cursor, scope: &mut Scope) {
        for (rule, positions) in self.allowing.iter() {
            if scope.allowing >> rule & 1 == 0 {
                continue;
            }
            match cursor.standing(&self.paths, positions) {
                Standing::Inside => {}
                Standing::Above => scope.scalar = first(scope.scalar, Some(*rule)),
                Standing::Beside => scope.field = first(scope.field, Some(*rule)),
            }
        }
    }

    fn add(&self, scope: &mut Scope, index: usize) {
        let Some(rule) = self.rules.get(index) else {
            return;
        };
        match rule.detectors {
            None if rule.allows => {}
            None => scope.field = first(scope.field, Some(index)),
            Some(detectors) => {
                scope.rules |= 1 << index;
                scope.detectors |= detectors;
            }
        }
    }

    /// Whether any of the `active` rules drops what it hides. Only whole fields can be dropped.
    pub(super) fn may_drop(&self, active: u64) -> bool {
        (0..).zip(self.rules.iter()).any(|(index, rule): (u32, _)| {
            active >> index & 1 == 1 && rule.action == MaskAction::Drop
        })
    }

    /// All detectors that any rule runs.
    pub(super) fn all_detectors(&self) -> u64 {
        self.rules
            .iter()
            .filter_map(|rule| rule.detectors)
            .fold(0, |all, detectors| all | detectors)
    }

    /// The token of a detector.
    pub(super) fn token(&self, detector: u8) -> &str {
        let set = &self.detectors.set().detectors;
        let detector = set.get(usize::from(detector));
        detector.map_or("[REDACTED]", |detector| &detector.token)
    }

    /// How a rule on fields hides a value.
    pub(super) fn field(&self, rule: usize) -> Hiding<'_> {
        self.hiding(self.rules.get(rule), FIELD, "[REDACTED]")
    }

    /// How what `detector` found is hidden: as the first rule of `scope` says that runs it.
    pub(super) fn found(&self, detector: u8, scope: Scope) -> Hiding<'_> {
        let rule = self.rules.iter().enumerate().find(|(index, rule)| {
            let detectors = rule.detectors.unwrap_or(0);
            scope.rules >> index & 1 == 1 && detectors >> (detector & 63) & 1 == 1
        });
        let set = &self.detectors.set().detectors;
        let name = set.get(usize::from(detector));
        self.hiding(
            rule.map(|(_, rule)| rule),
            name.map_or("", |detector| &detector.name),
            self.token(detector),
        )
    }

    fn hiding<'p>(&'p self, rule: Option<&'p Rule>, what: &'p str, token: &'p str) -> Hiding<'p> {
        let action = rule.map_or(&MaskAction::Redact(None), |rule| &rule.action);
        let text = match action {
            MaskAction::Redact(Some(text)) => text,
            _ => token,
        };
        Hiding {
            what,
            action,
            keep_type: rule.is_some_and(|rule| rule.keep_type),
            text,
            hash: self.hash.as_ref(),
            tokens: self.tokens.as_ref(),
        }
    }
}

impl Rule {
    fn new(rule: &MaskRule) -> Self {
        let (detectors, everywhere) = match &rule.target {
            MaskTarget::Fields(_) | MaskTarget::AllowFields(_) => (None, false),
            MaskTarget::Detect { detectors, within } => (Some(*detectors), within.is_empty()),
        };
        Self {
            detectors,
            everywhere,
            headers: rule.headers.clone(),
            allows: matches!(rule.target, MaskTarget::AllowFields(_)),
            action: rule.action.clone(),
            keep_type: rule.keep_type,
        }
    }
}

impl Scope {
    /// Whether all that holds in `other` holds here. Fields do not count.
    pub(super) fn covers(self, other: Self) -> bool {
        other.rules & !self.rules == 0
    }

    /// What holds in one of the two. Fields do not count.
    pub(super) fn joined(self, other: Self) -> Self {
        Self {
            rules: self.rules | other.rules,
            detectors: self.detectors | other.detectors,
            ..self
        }
    }
}

impl Hiding<'_> {
    /// The text that stands for a value of which nothing is shown.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(super) fn kind(self) -> ActionKind {
        match self.action {
            MaskAction::Redact(_) => ActionKind::Redact,
            MaskAction::Partial { .. } => ActionKind::Partial,
            MaskAction::Hash => ActionKind::Hash,
            MaskAction::Drop => ActionKind::Drop,
            MaskAction::Nullify => ActionKind::Nullify,
            MaskAction::Tokenize => ActionKind::Tokenize,
        }
    }

    /// Whether nothing stands in its place.
    pub(super) fn drops(self) -> bool {
        *self.action == MaskAction::Drop
    }

    /// Whether different values have different substitutes.
    pub(super) fn is_unique(self) -> bool {
        *self.action == MaskAction::Hash
    }

    /// The value that stands in place of a whole value of that type, where it is none of text.
    pub(super) fn blank(self, of: Type) -> Option<&'static [u8]> {
        match (self.action, self.keep_type) {
            (MaskAction::Nullify, _) => Some(b"null"),
            (_, true) => of.blank(),
            (_, false) => None,
        }
    }

    /// Begins the substitute.
    pub(super) fn fill(self, out: &mut Vec<u8>) -> Fill {
        match (self.action, self.hash, self.tokens) {
            (
                MaskAction::Partial {
                    keep_first,
                    keep_last,
                },
                ..,
            ) => Fill::Partial(Partial::new(*keep_first, *keep_last)),
            // A card number found in text and one in a field are different things to join on.
            (MaskAction::Hash, Some(key), _) => Fill::Hash(Box::new(key.hash(self.what))),
            (MaskAction::Tokenize, _, Some(tokens)) => {
                Fill::Token(Box::new(tokens.begin(self.what, self.text)))
            }
            (MaskAction::Drop, ..) => Fill::Written,
            _ => self.redaction(out),
        }
    }

    /// Begins the substitute of something that has no characters to show.
    pub(super) fn opaque_fill(self, out: &mut Vec<u8>) -> Fill {
        match self.action {
            MaskAction::Partial { .. } | MaskAction::Tokenize => self.redaction(out),
            _ => self.fill(out),
        }
    }

    fn redaction(self, out: &mut Vec<u8>) -> Fill {
        out.extend_from_slice(self.text.as_bytes());
        Fill::Written
    }
}

/// The rules that list what is shown, with the positions of their paths.
fn allowing(
    rules: &[MaskRule],
    set: &PathSet,
    path_rules: &[usize],
) -> Vec<(usize, std::ops::Range<usize>)> {
    let listing = rules.iter().enumerate();
    listing
        .filter(|(_, rule)| matches!(rule.target, MaskTarget::AllowFields(_)))
        .map(|(index, _)| {
            // The paths stand in the order of the rules.
            let start = path_rules.partition_point(|&rule| rule < index);
            let end = path_rules.partition_point(|&rule| rule <= index);
            (index, set.positions_of(start..end))
        })
        .collect()
}

fn names_more_than(rule: &MaskRule, known: usize) -> bool {
    match rule.target {
        MaskTarget::Fields(_) | MaskTarget::AllowFields(_) => false,
        MaskTarget::Detect { detectors, .. } => known < 64 && detectors >> known != 0,
    }
}
