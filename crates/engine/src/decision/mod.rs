//! Which rule applies to a request.
//!
//! The semantics are those of Istio's `AuthorizationPolicy`: a rule matches when one of its sources,
//! one of its operations and all of its conditions match; DENY is tried before ALLOW; what nothing
//! allows is denied.
//!
//! A condition on the request body cannot be answered before the body has been read. Until then it
//! is *unknown*, and unknown spreads as it must: a request whose fate does not depend on the body is
//! decided at its headers, any other waits for the body.

pub mod body;
pub mod matching;
pub mod path;

use serde_json::Value;
use tracegate_bundle::automaton::Automaton;
use tracegate_bundle::policy::{
    Action, Attribute, Condition, Connection, ExpressionId, MaskRule, Operation, Rule, Source,
    StringMatch,
};

use crate::http::HeaderMap;
use crate::identity::Principal;
use body::BodyFacts;
use path::DecodedPath;

/// What rules may ask about a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `:method`.
    pub method: &'a str,
    /// The authority in lower case, without its port.
    pub host: &'a str,
    /// The decoded path.
    pub path: &'a DecodedPath,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The verified caller, if there is one.
    pub principal: Option<&'a Principal>,
    /// The peer identity of mutual TLS, if there is one.
    pub source_principal: Option<&'a str>,
    /// What is known of the body.
    pub body: Body<'a>,
}

/// What is known of a request body.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// There is none.
    Absent,
    /// It has not been read to its end.
    Unread,
    /// It has been read.
    Read(&'a BodyFacts),
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// This rule allows the request.
    Allow(&'a Rule),
    /// This rule denies it.
    Deny(&'a Rule),
    /// No rule allows it.
    NoRule,
    /// It depends on the body.
    NeedsBody,
}

/// Decides a request by the rules of its connection.
#[must_use]
pub fn decide<'a>(
    connection: &'a Connection,
    expressions: &[Automaton],
    request: &Request<'_>,
) -> Verdict<'a> {
    let matcher = Matcher::new(expressions, request);
    let mut undecided = false;
    let mut allowed = None;
    let mut body_condition = 0;
    for rule in &connection.rules {
        let matched = matcher.rule(rule, body_condition);
        body_condition += rule
            .when
            .iter()
            .filter(|condition| is_body(condition))
            .count();
        match (rule.action, matched) {
            (Action::Deny, Some(true)) => return Verdict::Deny(rule),
            (Action::Deny, None) => undecided = true,
            // A rule that certainly allows makes the doubt about another one irrelevant.
            (Action::Allow, Some(true)) => match allowed {
                Some(Verdict::Allow(_)) => {}
                _ => allowed = Some(Verdict::Allow(rule)),
            },
            (Action::Allow, None) => allowed = allowed.or(Some(Verdict::NeedsBody)),
            (_, Some(false)) => {}
        }
    }
    match allowed {
        Some(_) if undecided => Verdict::NeedsBody,
        // A DENY in doubt changes nothing where nothing allows.
        None => Verdict::NoRule,
        Some(verdict) => verdict,
    }
}

/// The conditions of a connection that look into the body, in the order in which [`decide`] numbers
/// them.
pub fn body_conditions(connection: &Connection) -> impl Iterator<Item = &Condition> {
    connection
        .rules
        .iter()
        .flat_map(|rule| &rule.when)
        .filter(|condition| is_body(condition))
}

fn is_body(condition: &Condition) -> bool {
    matches!(condition.key, Attribute::Body(_))
}

/// Whether a mask rule holds for a caller. Its conditions know no body.
#[must_use]
pub fn mask_holds(rule: &MaskRule, expressions: &[Automaton], request: &Request<'_>) -> bool {
    let matcher = Matcher::new(expressions, request);
    let all_hold = |conditions: &[Condition]| {
        conditions
            .iter()
            .all(|condition| matcher.condition(condition, 0) == Some(true))
    };
    let is_exempt = !rule.unless.is_empty() && all_hold(&rule.unless);
    !is_exempt && all_hold(&rule.only)
}

struct Matcher<'a> {
    expressions: &'a [Automaton],
    request: &'a Request<'a>,
    /// `iss/sub` of the caller.
    caller: Option<String>,
}

impl<'a> Matcher<'a> {
    fn new(expressions: &'a [Automaton], request: &'a Request<'a>) -> Self {
        let caller = request.principal.map(Principal::request_principal);
        Self {
            expressions,
            request,
            caller,
        }
    }

    /// `None`: it depends on the body. `body_condition` numbers the rule's first body condition.
    fn rule(&self, rule: &Rule, mut body_condition: usize) -> Option<bool> {
        let from = rule.from.is_empty() || rule.from.iter().any(|source| self.source(source));
        let to = rule.to.is_empty() || rule.to.iter().any(|operation| self.operation(operation));
        if !from || !to {
            return Some(false);
        }
        let mut unknown = false;
        for condition in &rule.when {
            match self.condition(condition, body_condition) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => unknown = true,
            }
            body_condition += usize::from(is_body(condition));
        }
        (!unknown).then_some(true)
    }

    fn source(&self, source: &Source) -> bool {
        let peer = self.request.source_principal;
        let caller = self.caller.as_deref();
        matches_any(&source.principals, peer)
            && matches_none(&source.not_principals, peer)
            && matches_any(&source.request_principals, caller)
            && matches_none(&source.not_request_principals, caller)
    }

    fn operation(&self, operation: &Operation) -> bool {
        let Request { host, method, .. } = *self.request;
        let path = self.request.path.as_str();
        let on_path = |patterns: &[_]| patterns.iter().any(|pattern| matching::path(pattern, path));
        matches_any(&operation.hosts, Some(host))
            && matches_none(&operation.not_hosts, Some(host))
            && matches_any(&operation.methods, Some(method))
            && matches_none(&operation.not_methods, Some(method))
            && (operation.paths.is_empty() || on_path(&operation.paths))
            && !on_path(&operation.not_paths)
    }

    fn condition(&self, condition: &Condition, body_condition: usize) -> Option<bool> {
        let principal = self.request.principal;
        let text = |value: Option<&str>| self.compare(condition, value.into_iter());
        Some(match &condition.key {
            Attribute::Header(name) => {
                // A value that is not UTF-8 compares as what a reader would see of it.
                let values: Vec<_> = self
                    .request
                    .headers
                    .all(name)
                    .map(String::from_utf8_lossy)
                    .collect();
                self.compare(condition, values.iter().map(AsRef::as_ref))
            }
            Attribute::Claim(path) => self.claim(condition, principal.and_then(|p| p.claim(path))),
            Attribute::Principal => text(self.caller.as_deref()),
            Attribute::Presenter => text(principal.and_then(|p| p.presenter.as_deref())),
            Attribute::SourcePrincipal => text(self.request.source_principal),
            Attribute::Audiences => {
                let audiences = principal
                    .map(|p| p.audiences.as_slice())
                    .unwrap_or_default();
                self.compare(condition, audiences.iter().map(String::as_str))
            }
            Attribute::Body(_) => match self.request.body {
                Body::Absent => text(None),
                Body::Unread => return None,
                Body::Read(facts) => facts.holds(body_condition),
            },
        })
    }

    /// A list claim offers each of its members; an object offers nothing.
    fn claim(&self, condition: &Condition, value: Option<&Value>) -> bool {
        let scalars: Vec<String> = match value {
            Some(Value::Array(items)) => items.iter().filter_map(scalar).collect(),
            Some(value) => scalar(value).into_iter().collect(),
            None => Vec::new(),
        };
        self.compare(condition, scalars.iter().map(String::as_str))
    }

    fn compare<'v>(
        &self,
        condition: &Condition,
        values: impl Iterator<Item = &'v str> + Clone,
    ) -> bool {
        let any = |strings: &[StringMatch], expressions: &[ExpressionId]| {
            values.clone().any(|value| {
                strings
                    .iter()
                    .any(|pattern| matching::string(pattern, value))
                    || expressions.iter().any(|&id| self.expression(id, value))
            })
        };
        let positive = condition.values.is_empty() && condition.matches.is_empty()
            || any(&condition.values, &condition.matches);
        positive && !any(&condition.not_values, &condition.not_matches)
    }

    fn expression(&self, ExpressionId(index): ExpressionId, value: &str) -> bool {
        self.expressions
            .get(usize::from(index))
            .is_some_and(|automaton| automaton.is_match(value.as_bytes()))
    }
}

/// An empty list asks for nothing; an absent value matches no pattern.
fn matches_any(patterns: &[StringMatch], value: Option<&str>) -> bool {
    patterns.is_empty()
        || value.is_some_and(|value| patterns.iter().any(|p| matching::string(p, value)))
}

fn matches_none(patterns: &[StringMatch], value: Option<&str>) -> bool {
    patterns.is_empty() || !matches_any(patterns, value)
}

/// The text of a claim that is not a list or object, as JSON writes it.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
