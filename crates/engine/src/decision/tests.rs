//! Rules on requests, without tokens, bodies or proxies.

use serde_json::json;
use tracegate_bundle::policy::{
    Action, Attribute, Condition, Connection, HostMatch, MaskAction, MaskRule, MaskTarget,
    Operation, Path, PathMatch, Rule, Source, StringMatch,
};

use super::path::DecodedPath;
use super::{Body, Request, Verdict, decide, mask_holds};
use crate::http::HeaderMap;
use crate::identity::Principal;

fn exact(text: &str) -> StringMatch {
    StringMatch::Exact(text.to_owned())
}

fn rule(name: &str, action: Action) -> Rule {
    Rule {
        name: name.to_owned(),
        action,
        from: Vec::new(),
        to: Vec::new(),
        when: Vec::new(),
    }
}

fn when(key: Attribute, values: &[&str]) -> Condition {
    Condition {
        key,
        values: values.iter().map(|value| exact(value)).collect(),
        not_values: Vec::new(),
        matches: Vec::new(),
        not_matches: Vec::new(),
    }
}

fn claim(path: &[&str], values: &[&str]) -> Condition {
    when(
        Attribute::Claim(path.iter().map(|name| (*name).to_owned()).collect()),
        values,
    )
}

fn body_condition() -> Condition {
    when(
        Attribute::Body(Path {
            text: "$.model".to_owned(),
            steps: Vec::new(),
        }),
        &["o3"],
    )
}

fn connection(rules: Vec<Rule>) -> Connection {
    Connection {
        name: "engine".to_owned(),
        hosts: vec![HostMatch::Any],
        supplier: None,
        providers: Vec::new(),
        allow_missing: true,
        forward_subject: false,
        max_request_body: 1024,
        pass_types: Vec::new(),
        decode: Vec::new(),
        scan_text: false,
        rules,
        masks: Vec::new(),
        stream: tracegate_bundle::policy::StreamRules::default(),
    }
}

fn alice() -> Principal {
    let claims = json!({
        "groups": ["analysts", "staff"],
        "org": {"unit": "risk", "level": 3},
        "admin": false,
    });
    Principal {
        issuer: "https://login.corp.example".to_owned(),
        subject: "alice".to_owned(),
        audiences: vec!["reasoning".to_owned()],
        presenter: Some("notebook".to_owned()),
        token_id: None,
        expires: 0,
        claims: claims.as_object().unwrap().clone(),
    }
}

/// What the rules say about `GET /v1/models`, from alice.
fn verdict(connection: &Connection, body: Body<'_>) -> String {
    let path = DecodedPath::parse(b"/v1/models").unwrap();
    let headers = HeaderMap::from_iter([("x-team", "red"), ("x-team", "blue")]);
    let principal = alice();
    let request = Request {
        method: "GET",
        host: "reasoning.corp.example",
        path: &path,
        headers: &headers,
        principal: Some(&principal),
        source_principal: None,
        body,
    };
    match decide(connection, &[], &request) {
        Verdict::Allow(rule) => format!("allow {}", rule.name),
        Verdict::Deny(rule) => format!("deny {}", rule.name),
        Verdict::NoRule => "no rule".to_owned(),
        Verdict::NeedsBody => "needs body".to_owned(),
    }
}

fn verdict_on(rules: Vec<Rule>) -> String {
    verdict(&connection(rules), Body::Unread)
}

#[test]
fn what_no_rule_allows_is_denied() {
    assert_eq!(verdict_on(Vec::new()), "no rule");
}

#[test]
fn deny_wins_over_an_earlier_allow() {
    let rules = vec![rule("all", Action::Allow), rule("none", Action::Deny)];
    assert_eq!(verdict_on(rules), "deny none");
}

#[test]
fn the_first_allow_gives_its_name() {
    let rules = vec![rule("first", Action::Allow), rule("second", Action::Allow)];
    assert_eq!(verdict_on(rules), "allow first");
}

#[test]
fn all_members_of_an_operation_must_match_and_one_operation_suffices() {
    let get = Operation {
        methods: vec![exact("GET")],
        ..Operation::default()
    };
    let post_models = Operation {
        methods: vec![exact("POST")],
        paths: vec![PathMatch::String(exact("/v1/models"))],
        ..Operation::default()
    };
    let only = |to: Vec<Operation>| {
        vec![Rule {
            to,
            ..rule("r", Action::Allow)
        }]
    };
    assert_eq!(verdict_on(only(vec![post_models.clone()])), "no rule");
    assert_eq!(verdict_on(only(vec![post_models, get])), "allow r");
}

#[test]
fn a_negated_match_excludes() {
    let not_get = Operation {
        not_methods: vec![exact("GET")],
        ..Operation::default()
    };
    let rules = vec![Rule {
        to: vec![not_get],
        ..rule("r", Action::Allow)
    }];
    assert_eq!(verdict_on(rules), "no rule");
}

#[test]
fn principals_are_issuer_and_subject() {
    let from = |request_principals| Source {
        request_principals,
        ..Source::default()
    };
    let allow = |source| {
        vec![Rule {
            from: vec![source],
            ..rule("r", Action::Allow)
        }]
    };
    let prefix = StringMatch::Prefix("https://login.corp.example/".to_owned());
    assert_eq!(verdict_on(allow(from(vec![prefix]))), "allow r");
    assert_eq!(verdict_on(allow(from(vec![exact("alice")]))), "no rule");
}

#[test]
fn an_absent_peer_identity_matches_only_what_excludes_one() {
    let principals = Source {
        principals: vec![StringMatch::Present],
        ..Source::default()
    };
    let not_principals = Source {
        not_principals: vec![exact("a")],
        ..Source::default()
    };
    let allow = |source| {
        vec![Rule {
            from: vec![source],
            ..rule("r", Action::Allow)
        }]
    };
    assert_eq!(verdict_on(allow(principals)), "no rule");
    assert_eq!(verdict_on(allow(not_principals)), "allow r");
}

#[test]
fn claims_compare_by_list_member_nesting_and_scalar_text() {
    for (condition, expected) in [
        (claim(&["groups"], &["analysts"]), "allow r"),
        (claim(&["groups"], &["analyst"]), "no rule"),
        (claim(&["org", "unit"], &["risk"]), "allow r"),
        (claim(&["org", "level"], &["3"]), "allow r"),
        (claim(&["admin"], &["false"]), "allow r"),
        (claim(&["org"], &["risk"]), "no rule"),
        (claim(&["missing"], &["x"]), "no rule"),
        (when(Attribute::Presenter, &["notebook"]), "allow r"),
        (when(Attribute::Audiences, &["reasoning"]), "allow r"),
        (
            when(Attribute::Header("x-team".to_owned()), &["blue"]),
            "allow r",
        ),
        (
            when(Attribute::Header("x-none".to_owned()), &["blue"]),
            "no rule",
        ),
    ] {
        let rules = vec![Rule {
            when: vec![condition.clone()],
            ..rule("r", Action::Allow)
        }];
        assert_eq!(verdict_on(rules), expected, "{condition:?}");
    }
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    let conditions = vec![
        claim(&["groups"], &["staff"]),
        claim(&["groups"], &["auditors"]),
    ];
    let rules = vec![Rule {
        when: conditions,
        ..rule("r", Action::Allow)
    }];
    assert_eq!(verdict_on(rules), "no rule");
}

#[test]
fn a_rule_on_the_body_waits_only_where_the_body_decides() {
    let on_body = |action| Rule {
        when: vec![body_condition()],
        ..rule("body", action)
    };
    let all = || rule("all", Action::Allow);
    assert_eq!(verdict_on(vec![on_body(Action::Deny), all()]), "needs body");
    assert_eq!(verdict_on(vec![on_body(Action::Allow)]), "needs body");
    assert_eq!(verdict_on(vec![on_body(Action::Allow), all()]), "allow all");
    assert_eq!(verdict_on(vec![on_body(Action::Deny)]), "no rule");
    assert_eq!(
        verdict_on(vec![on_body(Action::Deny), rule("no", Action::Deny)]),
        "deny no"
    );
}

#[test]
fn a_request_without_a_body_meets_no_condition_on_it() {
    let deny = Rule {
        when: vec![body_condition()],
        ..rule("body", Action::Deny)
    };
    let connection = connection(vec![deny, rule("all", Action::Allow)]);
    assert_eq!(verdict(&connection, Body::Absent), "allow all");
}

#[test]
fn an_exemption_never_rests_on_an_unread_body() {
    let path = DecodedPath::parse(b"/").unwrap();
    let request = Request {
        method: "GET",
        host: "h",
        path: &path,
        headers: &HeaderMap::default(),
        principal: None,
        source_principal: None,
        body: Body::Unread,
    };
    let target = MaskTarget::Fields(Vec::new());
    let rule = MaskRule {
        unless: vec![body_condition()],
        ..MaskRule::new(target, MaskAction::Redact(None))
    };
    assert!(mask_holds(&rule, &[], &request));
}
