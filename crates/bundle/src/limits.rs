//! How large each part of a bundle may be, and the check that it is.
//!
//! The compiler reports these limits where the author can see them; the filter checks them again,
//! because a signature says who made a bundle and not that its maker was sane. What passes
//! [`Bundle::validate`] can be indexed, stepped and held in memory without further questions.

use crate::automaton::Automaton;
use crate::codec::LoadError;
use crate::policy::{
    Attribute, Bundle, Condition, Connection, DetectorSet, Direction, KeySource, MAX_CONTEXT_WORD,
    MaskAction, MaskRule, MaskTarget, Operation, Path, PathMatch, Provider, Rule, Selector,
    TemplateSegment,
};

/// Most issuers.
pub const MAX_PROVIDERS: usize = 64;
/// Most connections.
pub const MAX_CONNECTIONS: usize = 256;
/// Most rules of one connection.
pub const MAX_RULES: usize = 256;
/// Most mask rules of one connection: the bits of a word.
pub const MAX_MASKS: usize = 64;
/// Most detectors of a bundle: the bits of a word.
pub const MAX_DETECTORS: usize = 64;
/// Most regular expressions of a bundle.
pub const MAX_EXPRESSIONS: usize = 256;
/// Most entries of any other list: hosts, values, paths, conditions.
pub const MAX_ENTRIES: usize = 256;
/// Most segments of a JSON path or of a path template.
pub const MAX_STEPS: usize = 32;
/// Most selectors of one segment of a JSON path.
pub const MAX_SELECTORS: usize = 64;
/// Most elements in one another on the way to text of a stream.
pub const MAX_CHANNEL_ELEMENTS: usize = 4;
/// Most channels that a connection may name.
pub const MAX_CHANNELS: usize = 32;
/// Longest text that takes the place of a masked value, in bytes.
pub const MAX_REPLACEMENT: usize = 256;
/// Longest match that a detector may ask for, in bytes: it may have to be held back.
pub const MAX_MATCH: u32 = 16 * 1024;
/// Longest request body that a connection may inspect, in bytes.
pub const MAX_REQUEST_BODY: u64 = 16 * 1024 * 1024;
/// Most memory of all automata together, in bytes.
pub const MAX_AUTOMATA: usize = 4 * 1024 * 1024;

type Check = Result<(), LoadError>;

fn at_most<T>(list: &[T], limit: usize, what: &'static str) -> Check {
    if list.len() > limit {
        return Err(LoadError::Limit(what));
    }
    Ok(())
}

fn holds(condition: bool, otherwise: &'static str) -> Check {
    if condition {
        Ok(())
    } else {
        Err(LoadError::Invalid(otherwise))
    }
}

/// Whether no two of at most some hundred values are equal.
fn are_distinct<T: PartialEq>(values: impl Iterator<Item = T> + Clone) -> bool {
    let mut before = values.clone().enumerate();
    before.all(|(index, value)| values.clone().take(index).all(|other| other != value))
}

/// Whether `text` may stand in place of a masked value: printable ASCII that needs no escape in JSON,
/// nor in JSON that is itself text in JSON.
#[must_use]
pub fn is_replacement(text: &str) -> bool {
    text.len() <= MAX_REPLACEMENT
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// Whether text of a stream may be looked for at `path`: it has names and elements alone, not too many
/// of them in one another, and a name at its end.
#[must_use]
pub fn is_channel(path: &Path) -> bool {
    let mut elements = 0;
    let mut named = false;
    for step in &path.steps {
        match &*step.selectors {
            [Selector::Name(_)] if !step.descendant => named = true,
            [Selector::Wildcard] if !step.descendant => {
                elements += 1;
                named = false;
            }
            _ => return false,
        }
    }
    named && elements <= MAX_CHANNEL_ELEMENTS
}

/// The set of detectors that exist, one bit each. `count` is at most [`MAX_DETECTORS`].
fn known_detectors(count: usize) -> u64 {
    u32::try_from(count)
        .ok()
        .and_then(|count| 1u64.checked_shl(count))
        .map_or(u64::MAX, |bit| bit - 1)
}

impl Bundle {
    /// Checks every index and every limit.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names what is missing, too many or meaningless.
    pub fn validate(&self) -> Check {
        at_most(&self.providers, MAX_PROVIDERS, "issuers")?;
        at_most(&self.connections, MAX_CONNECTIONS, "connections")?;
        at_most(&self.expressions, MAX_EXPRESSIONS, "expressions")?;
        let ignores = self.detectors.detectors.iter();
        let ignores = ignores.filter_map(|detector| detector.ignore.as_ref());
        let tables = self.detectors.automaton.iter().chain(&self.expressions);
        let tables = tables.chain(ignores);
        if tables.map(Automaton::memory).sum::<usize>() > MAX_AUTOMATA {
            return Err(LoadError::Limit("states in its automata"));
        }
        self.providers.iter().try_for_each(provider)?;
        let issuers = self.providers.iter().map(|provider| &provider.issuer);
        holds(are_distinct(issuers), "an issuer that is set up twice")?;
        detectors(&self.detectors)?;
        self.connections
            .iter()
            .try_for_each(|connection| self.connection(connection))
    }

    fn connection(&self, connection: &Connection) -> Check {
        at_most(&connection.hosts, MAX_ENTRIES, "hosts")?;
        at_most(&connection.providers, MAX_PROVIDERS, "issuers")?;
        at_most(&connection.pass_types, MAX_ENTRIES, "media types")?;
        at_most(&connection.decode, MAX_ENTRIES, "content codings")?;
        at_most(&connection.rules, MAX_RULES, "rules")?;
        at_most(&connection.masks, MAX_MASKS, "mask rules")?;
        let exists = |&index: &u16| usize::from(index) < self.providers.len();
        if !connection.providers.iter().all(exists) {
            return Err(LoadError::Dangling("issuer"));
        }
        holds(
            are_distinct(connection.providers.iter()),
            "a connection that lists an issuer twice",
        )?;
        holds(
            connection.max_request_body <= MAX_REQUEST_BODY,
            "a connection that inspects longer request bodies than the filter can hold",
        )?;
        connection
            .rules
            .iter()
            .try_for_each(|rule| self.rule(rule))?;
        at_most(&connection.stream.channels, MAX_CHANNELS, "channels")?;
        connection.stream.channels.iter().try_for_each(|at| {
            path(at)?;
            holds(is_channel(at), "a channel that is no place of text")
        })?;
        connection.masks.iter().try_for_each(|mask| self.mask(mask))
    }

    fn rule(&self, rule: &Rule) -> Check {
        at_most(&rule.from, MAX_ENTRIES, "sources")?;
        at_most(&rule.to, MAX_ENTRIES, "operations")?;
        for source in &rule.from {
            at_most(&source.principals, MAX_ENTRIES, "principals")?;
            at_most(&source.not_principals, MAX_ENTRIES, "principals")?;
            at_most(&source.request_principals, MAX_ENTRIES, "principals")?;
            at_most(&source.not_request_principals, MAX_ENTRIES, "principals")?;
        }
        rule.to.iter().try_for_each(operation)?;
        self.conditions(&rule.when)
    }

    fn conditions(&self, conditions: &[Condition]) -> Check {
        at_most(conditions, MAX_ENTRIES, "conditions")?;
        for condition in conditions {
            at_most(&condition.values, MAX_ENTRIES, "values")?;
            at_most(&condition.not_values, MAX_ENTRIES, "values")?;
            at_most(&condition.matches, MAX_ENTRIES, "expressions")?;
            at_most(&condition.not_matches, MAX_ENTRIES, "expressions")?;
            let mut expressions = condition.matches.iter().chain(&condition.not_matches);
            if expressions.any(|id| usize::from(id.0) >= self.expressions.len()) {
                return Err(LoadError::Dangling("expression"));
            }
            match &condition.key {
                Attribute::Claim(names) => {
                    at_most(names, MAX_STEPS, "levels in a claim")?;
                    holds(!names.is_empty(), "a condition on a claim without a name")?;
                }
                Attribute::Body(at) => path(at)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn mask(&self, mask: &MaskRule) -> Check {
        match &mask.target {
            MaskTarget::Fields(fields) | MaskTarget::AllowFields(fields) => {
                holds(
                    mask.headers.is_empty(),
                    "a mask rule on fields that names headers",
                )?;
                at_most(fields, MAX_ENTRIES, "paths")?;
                fields.iter().try_for_each(path)?;
            }
            MaskTarget::Detect { detectors, within } => {
                at_most(within, MAX_ENTRIES, "paths")?;
                within.iter().try_for_each(path)?;
                if detectors & !known_detectors(self.detectors.detectors.len()) != 0 {
                    return Err(LoadError::Dangling("detector"));
                }
                holds(
                    !mask.action.leaves_no_text(),
                    "a detector whose matches leave no text; only fields can",
                )?;
            }
        }
        holds(
            !(mask.keep_type && mask.action.leaves_no_text()),
            "a mask rule that keeps the type of what it removes",
        )?;
        at_most(&mask.headers, MAX_ENTRIES, "headers")?;
        holds(
            mask.headers.is_empty() || mask.direction == Direction::Response,
            "a mask rule on headers of requests",
        )?;
        if let MaskAction::Redact(Some(text)) = &mask.action {
            holds(is_replacement(text), "a replacement that needs an escape")?;
        }
        self.conditions(&mask.unless)?;
        self.conditions(&mask.only)?;
        let on_body = |condition: &Condition| matches!(condition.key, Attribute::Body(_));
        holds(
            !mask.conditions().any(on_body),
            "a mask rule that depends on the request body",
        )
    }
}

fn provider(provider: &Provider) -> Check {
    at_most(&provider.audiences, MAX_ENTRIES, "audiences")?;
    at_most(&provider.from_headers, MAX_ENTRIES, "token headers")?;
    at_most(&provider.algorithms, MAX_ENTRIES, "algorithms")?;
    holds(!provider.issuer.is_empty(), "an issuer without a name")?;
    holds(
        !provider.audiences.is_empty(),
        "an issuer without audiences",
    )?;
    holds(
        !provider.algorithms.is_empty(),
        "an issuer without algorithms",
    )?;
    holds(
        !provider.from_headers.is_empty(),
        "an issuer without token headers",
    )?;
    match &provider.keys {
        KeySource::Inline(_) => Ok(()),
        KeySource::Remote { timeout_ms, .. } => {
            holds(*timeout_ms > 0, "a key set that may take no time to fetch")
        }
    }
}

fn operation(operation: &Operation) -> Check {
    at_most(&operation.hosts, MAX_ENTRIES, "hosts")?;
    at_most(&operation.not_hosts, MAX_ENTRIES, "hosts")?;
    at_most(&operation.methods, MAX_ENTRIES, "methods")?;
    at_most(&operation.not_methods, MAX_ENTRIES, "methods")?;
    at_most(&operation.paths, MAX_ENTRIES, "paths")?;
    at_most(&operation.not_paths, MAX_ENTRIES, "paths")?;
    for path in operation.paths.iter().chain(&operation.not_paths) {
        let PathMatch::Template(segments) = path else {
            continue;
        };
        at_most(segments, MAX_STEPS, "segments in a path template")?;
        let from_many = segments
            .iter()
            .skip_while(|segment| **segment != TemplateSegment::Many);
        holds(
            from_many
                .skip(1)
                .all(|segment| matches!(segment, TemplateSegment::Literal(_))),
            "a path template with an operator after `{**}`",
        )?;
    }
    Ok(())
}

fn path(path: &Path) -> Check {
    at_most(&path.steps, MAX_STEPS, "segments in a JSON path")?;
    for step in &path.steps {
        at_most(&step.selectors, MAX_SELECTORS, "selectors in a JSON path")?;
        holds(
            !step.selectors.is_empty(),
            "a JSON path segment without selectors",
        )?;
        let endless = |selector: &Selector| matches!(selector, Selector::Slice { step: 0, .. });
        holds(!step.selectors.iter().any(endless), "a slice with step 0")?;
    }
    Ok(())
}

fn detectors(set: &DetectorSet) -> Check {
    at_most(&set.detectors, MAX_DETECTORS, "detectors")?;
    let known = known_detectors(set.detectors.len());
    match &set.automaton {
        None => holds(set.detectors.is_empty(), "detectors without an automaton")?,
        Some(automaton) => {
            let state = |state| automaton.matches(state) | automaton.end_matches(state);
            let states = 0..u16::try_from(automaton.len()).unwrap_or(u16::MAX);
            if states.map(state).any(|matches| matches & !known != 0) {
                return Err(LoadError::Dangling("detector"));
            }
        }
    }
    for detector in &set.detectors {
        let lengths = detector.min_len <= detector.max_len && detector.max_len <= MAX_MATCH;
        holds(lengths, "a detector whose lengths make no sense")?;
        holds(
            detector.min_len > 0,
            "a detector that matches nothing at all",
        )?;
        holds(
            is_replacement(&detector.token),
            "a replacement that needs an escape",
        )?;
        at_most(
            &detector.context,
            MAX_ENTRIES,
            "context words of a detector",
        )?;
        let short = |text: &String| (1..=MAX_CONTEXT_WORD).contains(&text.len());
        let lower = |text: &String| !text.bytes().any(|byte| byte.is_ascii_uppercase());
        holds(
            detector
                .context
                .iter()
                .all(|word| short(word) && lower(word)),
            "a context word that no text can have",
        )?;
        let prelude = detector.prelude.len() <= MAX_CONTEXT_WORD && detector.prelude.is_ascii();
        holds(prelude, "a prelude that makes no sense")?;
        if let Some(lead) = &detector.lead {
            let class = !lead.class.is_empty() && lead.class.is_ascii();
            holds(
                class && lead.max <= MAX_MATCH,
                "a detector that looks back in a way that makes no sense",
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
