//! Connections and their rules.

use tracegate_bundle::limits::{
    MAX_CONNECTIONS, MAX_ENTRIES, MAX_MASKS, MAX_REQUEST_BODY, MAX_RULES,
};
use tracegate_bundle::policy::{
    Action, Condition, Connection, HostMatch, Operation, Rule, Source, StringMatch,
};

use super::mask;
use super::patterns::Patterns;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;
use crate::syntax::decode::{List, NonEmpty, Spanned};
use crate::syntax::{self, JwtRule, Spec, Text, suggest};

/// Reports a list that is longer than a bundle can hold.
pub(super) fn bounded<T>(list: &List<T>, limit: usize, what: &str, out: &mut Diagnostics) {
    if list.items.len() > limit {
        let message = format!(
            "{} {what}, and a bundle holds at most {limit}",
            list.items.len()
        );
        out.push(
            Diagnostic::new(Code::TooMany, list.span, message)
                .help("merge entries with patterns, or split the policy"),
        );
    }
}

pub(super) fn connections(
    spec: &Spec,
    patterns: &mut Patterns,
    out: &mut Diagnostics,
) -> Vec<Connection> {
    let NonEmpty(list) = &spec.connections;
    bounded(list, MAX_CONNECTIONS, "connections", out);
    unique_names(
        list.items.iter().map(|c| &c.name),
        Code::DuplicateConnection,
        "connection",
        out,
    );
    unique_hosts(list, out);
    list.items
        .iter()
        .map(|connection| lower(connection, &spec.jwt_rules, patterns, out))
        .collect()
}

fn unique_names<'a>(
    names: impl Iterator<Item = &'a Spanned<syntax::Name>>,
    code: Code,
    what: &str,
    out: &mut Diagnostics,
) {
    let mut seen: Vec<&Spanned<syntax::Name>> = Vec::new();
    for name in names {
        if let Some(first) = seen.iter().find(|other| other.value == name.value) {
            let message = format!("there are two {what}s with the name `{}`", name.value.0);
            out.push(
                Diagnostic::new(code, name.span, message)
                    .related(first.span, "first here")
                    .help("records name it; give each a name of its own"),
            );
        }
        seen.push(name);
    }
}

fn unique_hosts(connections: &List<syntax::Connection>, out: &mut Diagnostics) {
    let mut seen: Vec<&Spanned<HostMatch>> = Vec::new();
    for host in connections
        .items
        .iter()
        .flat_map(|connection| &connection.hosts.0.items)
    {
        if let Some(first) = seen.iter().find(|other| other.value == host.value) {
            let message = "the host belongs to a connection already";
            out.push(
                Diagnostic::new(Code::DuplicateHost, host.span, message)
                    .related(first.span, "first here")
                    .help("a request has one connection; put the rules of both into one"),
            );
        }
        seen.push(host);
    }
}

fn lower(
    connection: &syntax::Connection,
    jwt_rules: &List<JwtRule>,
    patterns: &mut Patterns,
    out: &mut Diagnostics,
) -> Connection {
    bounded(&connection.hosts.0, MAX_ENTRIES, "hosts", out);
    bounded(&connection.rules, MAX_RULES, "rules", out);
    bounded(&connection.mask, MAX_MASKS, "mask rules", out);
    bounded(&connection.pass_types, MAX_ENTRIES, "media types", out);
    bounded(&connection.decode, MAX_ENTRIES, "content codings", out);
    let body = &connection.max_request_body;
    if body.value.0 > MAX_REQUEST_BODY {
        let most = MAX_REQUEST_BODY / (1024 * 1024);
        let message = format!("a request body of more than {most}MiB cannot be inspected");
        out.push(
            Diagnostic::new(Code::InvalidValue, body.span, message)
                .help("the proxy holds the body while it is inspected; set a smaller limit"),
        );
    }
    let providers = providers(connection, jwt_rules, out);
    lints(connection, out);
    Connection {
        name: connection.name.value.0.clone(),
        hosts: connection
            .hosts
            .0
            .items
            .iter()
            .map(|host| host.value.clone())
            .collect(),
        supplier: connection
            .supplier
            .as_ref()
            .map(|supplier| supplier.0.clone()),
        providers,
        allow_missing: connection.allow_missing,
        forward_subject: connection.forward_subject,
        max_request_body: body.value.0,
        pass_types: connection
            .pass_types
            .items
            .iter()
            .map(|range| range.0.clone())
            .collect(),
        decode: connection.decode.items.clone(),
        scan_text: scan_text(connection, out),
        rules: connection
            .rules
            .items
            .iter()
            .map(|rule| self::rule(rule, patterns, out))
            .collect(),
        masks: connection
            .mask
            .items
            .iter()
            .filter_map(|rule| mask::mask(rule, patterns, out))
            .collect(),
        stream: connection
            .stream
            .as_ref()
            .map(|stream| mask::stream(stream, out))
            .unwrap_or_default(),
    }
}

/// Whether text is scanned although a rule names paths. Without a detector there is nothing to scan for.
fn scan_text(connection: &syntax::Connection, out: &mut Diagnostics) -> bool {
    let Some(text) = &connection.text else {
        return false;
    };
    let masks = &connection.mask;
    if masks.complete && masks.items.iter().all(|rule| rule.value.detect.is_none()) {
        let message = "no mask rule of the connection has a detector to scan text with";
        out.push(
            Diagnostic::new(Code::FieldConflict, text.span, message)
                .help("add a rule with `detect`, or list the types in `passTypes`"),
        );
    }
    true
}

/// The indices of the issuers whose tokens are accepted.
fn providers(
    connection: &syntax::Connection,
    jwt_rules: &List<JwtRule>,
    out: &mut Diagnostics,
) -> Vec<u16> {
    let index = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
    let Some(NonEmpty(issuers)) = &connection.issuers else {
        if jwt_rules.is_empty() && !connection.allow_missing {
            let message = "no token is accepted here, so every request is refused";
            out.push(
                Diagnostic::new(Code::NoIssuer, connection.name.span, message)
                    .help("add `spec.jwtRules`, or `allowMissing: true` if callers have no token"),
            );
        }
        return (0..jwt_rules.items.len()).map(index).collect();
    };
    let mut found = Vec::new();
    for issuer in &issuers.items {
        let position = jwt_rules
            .items
            .iter()
            .position(|rule| rule.issuer.value == issuer.value);
        match position.map(index) {
            Some(index) if !found.contains(&index) => found.push(index),
            Some(_) => {}
            // An entry that could not be read may be the one that is meant.
            None if jwt_rules.complete => out.push(unknown_issuer(issuer, jwt_rules)),
            None => {}
        }
    }
    found
}

fn unknown_issuer(issuer: &Spanned<Text>, jwt_rules: &List<JwtRule>) -> Diagnostic {
    let known: Vec<&str> = jwt_rules
        .items
        .iter()
        .map(|rule| rule.issuer.value.0.as_str())
        .collect();
    let message = format!("no `jwtRules` entry has the issuer `{}`", issuer.value.0);
    let diagnostic = Diagnostic::new(Code::UnknownIssuer, issuer.span, message);
    if known.is_empty() {
        return diagnostic.help("add the issuer to `spec.jwtRules`");
    }
    diagnostic.help(suggest::among(&issuer.value.0, &known))
}

fn lints(connection: &syntax::Connection, out: &mut Diagnostics) {
    let rules = &connection.rules;
    unique_names(
        rules.items.iter().map(|rule| &rule.name),
        Code::DuplicateRule,
        "rule",
        out,
    );
    for rule in &rules.items {
        let open = rule.from.is_empty() && rule.to.is_empty() && rule.when.is_empty();
        if open && rule.action.value == Action::Allow {
            let message = format!("the rule `{}` allows everything", rule.name.value.0);
            out.push(
                Diagnostic::new(Code::AllowsEverything, rule.action.span, message)
                    .help("say who may do what with `from`, `to` and `when`"),
            );
        }
    }
    let allows = rules
        .items
        .iter()
        .any(|rule| rule.action.value == Action::Allow);
    if !allows && rules.complete {
        let message = format!(
            "the connection `{}` denies everything",
            connection.name.value.0
        );
        out.push(
            Diagnostic::new(Code::DeniesEverything, connection.name.span, message)
                .help("what no rule allows is denied; add a rule with `action: ALLOW`"),
        );
    }
}

fn rule(rule: &syntax::Rule, patterns: &mut Patterns, out: &mut Diagnostics) -> Rule {
    bounded(&rule.from, MAX_ENTRIES, "sources", out);
    bounded(&rule.to, MAX_ENTRIES, "operations", out);
    Rule {
        name: rule.name.value.0.clone(),
        action: rule.action.value,
        from: rule
            .from
            .items
            .iter()
            .map(|from| source(&from.source, out))
            .collect(),
        to: rule
            .to
            .items
            .iter()
            .map(|to| operation(&to.operation, out))
            .collect(),
        when: conditions(&rule.when, patterns, out),
    }
}

/// The entries of a list, as a bundle holds them.
pub(super) fn entries<T, U>(
    list: &List<T>,
    out: &mut Diagnostics,
    lower: impl Fn(&T) -> U,
) -> Vec<U> {
    bounded(list, MAX_ENTRIES, "entries", out);
    list.items.iter().map(lower).collect()
}

/// Reports a source or operation without a field: it would match everything, and does not look so.
fn compares(any: bool, what: &str, span: Span, out: &mut Diagnostics) {
    if !any {
        let message = format!("the {what} compares with nothing");
        let help = format!("set one of its fields, or delete the entry to match every {what}");
        out.push(Diagnostic::new(Code::EmptyCondition, span, message).help(help));
    }
}

fn source(source: &Spanned<syntax::Source>, out: &mut Diagnostics) -> Source {
    let Spanned {
        value: source,
        span,
    } = source;
    let lists = [
        &source.principals,
        &source.not_principals,
        &source.request_principals,
        &source.not_request_principals,
    ];
    compares(
        !lists.iter().all(|list| list.is_empty()),
        "source",
        *span,
        out,
    );
    let [
        principals,
        not_principals,
        request_principals,
        not_request_principals,
    ] = lists.map(|list| entries(list, out, StringMatch::clone));
    Source {
        principals,
        not_principals,
        request_principals,
        not_request_principals,
    }
}

fn operation(operation: &Spanned<syntax::Operation>, out: &mut Diagnostics) -> Operation {
    let Spanned {
        value: operation,
        span,
    } = operation;
    let any = !operation.hosts.is_empty()
        || !operation.not_hosts.is_empty()
        || !operation.methods.is_empty()
        || !operation.not_methods.is_empty()
        || !operation.paths.is_empty()
        || !operation.not_paths.is_empty();
    compares(any, "operation", *span, out);
    Operation {
        hosts: entries(&operation.hosts, out, |host| host.0.clone()),
        not_hosts: entries(&operation.not_hosts, out, |host| host.0.clone()),
        methods: entries(&operation.methods, out, |method| method.0.clone()),
        not_methods: entries(&operation.not_methods, out, |method| method.0.clone()),
        paths: entries(&operation.paths, out, Clone::clone),
        not_paths: entries(&operation.not_paths, out, Clone::clone),
    }
}

pub(super) fn conditions(
    list: &List<syntax::Condition>,
    patterns: &mut Patterns,
    out: &mut Diagnostics,
) -> Vec<Condition> {
    bounded(list, MAX_ENTRIES, "conditions", out);
    list.items
        .iter()
        .map(|condition| self::condition(condition, patterns, out))
        .collect()
}

fn condition(
    condition: &syntax::Condition,
    patterns: &mut Patterns,
    out: &mut Diagnostics,
) -> Condition {
    let compares = !condition.values.is_empty()
        || !condition.not_values.is_empty()
        || !condition.matches.is_empty()
        || !condition.not_matches.is_empty();
    if !compares {
        let span: Span = condition.key.span;
        let message = "the condition compares with nothing";
        out.push(Diagnostic::new(Code::EmptyCondition, span, message).help(
            "add `values`, `notValues`, `matches` or `notMatches`; `values: [\"*\"]` asks \
                       for any value",
        ));
    }
    Condition {
        key: condition.key.value.clone(),
        values: entries(&condition.values, out, StringMatch::clone),
        not_values: entries(&condition.not_values, out, StringMatch::clone),
        matches: patterns.expressions(&condition.matches, out),
        not_matches: patterns.expressions(&condition.not_matches, out),
    }
}
