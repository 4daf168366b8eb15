//! The table of outcomes: what OCSF calls each way in which an exchange can be decided.

use crate::support::{allowed, masked, masked_on_the_way_up, refused, refused_token, schema};
use serde_json::Value;
use tracegate_audit::{Caller, Inspected, Outcome, Record, Response};

fn parsed(record: &Record<'_>) -> Value {
    serde_json::from_slice(&record.line()).unwrap()
}

/// One row: action, disposition, status (each as id), `status_detail`.
type Row = (u64, u64, u64, Option<&'static str>);

fn row(record: &Record<'_>) -> (u64, u64, u64, Option<String>) {
    let event = parsed(record);
    let id = |name: &str| event[name].as_u64().unwrap();
    let detail = event
        .get("status_detail")
        .map(|text| text.as_str().unwrap().to_owned());
    (
        id("action_id"),
        id("disposition_id"),
        id("status_id"),
        detail,
    )
}

/// The answer has this status code; `None`: there was no answer.
fn answered(code: Option<u16>, record: Record<'static>) -> Record<'static> {
    let response = Response {
        code,
        ..record.response.clone()
    };
    Record { response, ..record }
}

fn decided(outcome: Outcome) -> Record<'static> {
    Record {
        outcome,
        ..allowed()
    }
}

fn table() -> Vec<(&'static str, Record<'static>, Row)> {
    let partly = Record {
        inspected: Inspected::Partial("body_limit"),
        ..masked()
    };
    let no_rule = Record {
        rule: None,
        ..decided(refused("policy.no_rule", "No rule allows."))
    };
    let deny = decided(refused("policy.denied", "A rule denies."));
    let unreadable = decided(refused("mask.encoding", "Encoded."));
    let ambiguous = decided(refused("request.path", "Ambiguous."));
    let no_keys = decided(refused("jwks.unavailable", "No keys."));
    let fault = decided(refused("internal.state", "A fault."));
    vec![
        (
            "nothing is known yet",
            Record::default(),
            (2, 27, 2, Some("internal.unfinished")),
        ),
        (
            "an earlier filter answered",
            decided(Outcome::NotReached),
            (0, 0, 1, Some("proxy.not_reached")),
        ),
        ("allowed", allowed(), (1, 1, 1, None)),
        (
            "allowed, the back end failed",
            answered(Some(503), allowed()),
            (1, 1, 2, Some("via_upstream")),
        ),
        (
            "allowed, no answer came",
            answered(None, allowed()),
            (1, 1, 2, Some("via_upstream")),
        ),
        ("allowed and masked", masked(), (4, 11, 1, None)),
        ("allowed and partly masked", partly, (4, 12, 1, None)),
        (
            "held",
            decided(Outcome::Held),
            (4, 14, 99, Some("approval_required")),
        ),
        (
            "executed under approval",
            decided(Outcome::Approved),
            (1, 8, 1, None),
        ),
        (
            "approval refused",
            decided(Outcome::Rejected),
            (2, 25, 2, Some("approval_denied")),
        ),
        (
            "token not accepted",
            refused_token(),
            (2, 26, 2, Some("jwt.expired")),
        ),
        ("denied by a rule", deny, (2, 2, 2, Some("analysts"))),
        (
            "allowed by no rule",
            no_rule,
            (2, 2, 2, Some("policy.no_rule")),
        ),
        (
            "request not readable",
            ambiguous,
            (2, 2, 2, Some("request.path")),
        ),
        (
            "response not inspectable",
            unreadable,
            (2, 2, 2, Some("mask.encoding")),
        ),
        (
            "no keys to verify with",
            no_keys,
            (2, 27, 2, Some("jwks.unavailable")),
        ),
        (
            "a fault of the filter",
            fault,
            (2, 27, 2, Some("internal.state")),
        ),
        (
            "shadow mode",
            decided(Outcome::Observed),
            (3, 17, 1, Some("analysts")),
        ),
    ]
}

#[test]
fn every_outcome_has_its_row() {
    for (case, record, (action, disposition, status, detail)) in table() {
        let expected = (action, disposition, status, detail.map(str::to_owned));
        assert_eq!(row(&record), expected, "{case}");
    }
}

#[test]
fn every_outcome_is_valid_ocsf() {
    let Some(schema) = schema() else { return };
    for (case, record, _) in table() {
        let event = parsed(&record);
        let errors: Vec<String> = schema
            .iter_errors(&event)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{case}: {errors:#?}");
    }
}

#[test]
fn every_method_is_an_activity_of_ocsf() {
    let cases = [
        ("POST", 1),
        ("GET", 2),
        ("HEAD", 2),
        ("OPTIONS", 2),
        ("PUT", 3),
        ("PATCH", 3),
        ("DELETE", 4),
        ("PURGE", 99),
        ("get", 99),
        ("", 0),
    ];
    for (method, activity) in cases {
        let mut record = allowed();
        record.request.method = method.into();
        let event = parsed(&record);
        assert_eq!(event["activity_id"], activity, "{method}");
        assert_eq!(event["type_uid"], 600_300 + activity, "{method}");
    }
}

#[test]
fn a_refusal_is_an_alert_and_an_allowed_call_is_none() {
    assert_eq!(parsed(&refused_token())["is_alert"], true);
    assert_eq!(parsed(&Record::default())["is_alert"], true);
    assert_eq!(parsed(&masked())["is_alert"], false);
}

#[test]
fn what_was_masked_is_told_apart_by_message_and_from_what_was_only_observed() {
    let event = parsed(&masked_on_the_way_up());
    assert_eq!(event["action"], "Modified");
    assert_eq!(event["disposition"], "Corrected");
    assert_eq!(event["message"], "2 values masked in request body");
    let resources = event["resources"].as_array().unwrap();
    let told: Vec<_> = resources
        .iter()
        .flat_map(|resource| {
            let classes = resource["data_classifications"].as_array().unwrap();
            classes.iter().map(|class| {
                (
                    resource["name"].as_str().unwrap(),
                    class["policy"]["is_applied"].as_bool().unwrap(),
                    class["total"].as_u64().unwrap(),
                )
            })
        })
        .collect();
    assert_eq!(
        told,
        [
            ("request.body", true, 2),
            ("request.body", false, 1),
            ("response.body", false, 2),
        ]
    );
    let mask = &event["unmapped"]["tracegate"]["mask"];
    assert_eq!(
        *mask,
        serde_json::json!({
            "observed": {"redact": 2},
            "request": {"actions": {"redact": 2}, "observed": {"redact": 1}},
        })
    );
}

#[test]
fn what_is_only_observed_modifies_nothing() {
    let up = masked_on_the_way_up();
    let record = Record {
        masked: &up.masked[1..],
        ..up
    };
    let event = parsed(&record);
    assert_eq!(event["action"], "Allowed");
    assert_eq!(event["message"], serde_json::Value::Null);
}

#[test]
fn masked_fields_are_listed_by_kind_with_their_paths_and_counts() {
    let event = parsed(&masked());
    assert_eq!(event["message"], "3 values masked in response body");
    let kinds = &event["resources"][0]["data_classifications"];
    assert_eq!(kinds[0]["category"], "Personal");
    assert_eq!(kinds[0]["total"], 2);
    assert_eq!(kinds[0]["discovery_details"][0]["type"], "email");
    assert_eq!(kinds[0]["discovery_details"][0]["count"], 2);
    assert_eq!(kinds[1]["category"], "Other");
    assert_eq!(
        kinds[1]["discovery_details"][0]["occurrences"][0]["json_path"],
        "$.choices[*].message.reasoning_content"
    );
    let actions = &event["unmapped"]["tracegate"]["mask"]["actions"];
    assert_eq!(actions, &serde_json::json!({"partial": 2, "redact": 1}));
}

#[test]
fn neither_the_query_nor_the_user_part_of_a_url_is_recorded() {
    let mut record = allowed();
    record.request.path = "/login?token=s3cret-q#s3cret-f".into();
    record.request.authority = "s3cret-user:s3cret-pw@api.corp.example:8443".into();
    let line = String::from_utf8(record.line()).unwrap();
    assert!(!line.contains("s3cret"), "{line}");
    let event = parsed(&record);
    assert_eq!(event["http_request"]["url"]["path"], "/login");
    assert_eq!(event["http_request"]["url"]["hostname"], "api.corp.example");
    assert_eq!(event["http_request"]["url"]["port"], 8443);
    assert_eq!(event["unmapped"]["tracegate"]["request"]["has_query"], true);
}

#[test]
fn an_authority_is_split_where_a_port_follows_and_nowhere_else() {
    let cases = [
        ("a.example", "a.example", None),
        ("a.example:80", "a.example", Some(80)),
        ("[2001:db8::1]:443", "[2001:db8::1]", Some(443)),
        ("[2001:db8::1]", "[2001:db8::1]", None),
        ("2001:db8::1", "2001:db8::1", None),
        ("a.example:99999", "a.example:99999", None),
        ("a.example:+80", "a.example:+80", None),
        ("a.example:", "a.example:", None),
    ];
    for (authority, host, port) in cases {
        let mut record = allowed();
        record.request.authority = authority.into();
        let url = parsed(&record)["http_request"]["url"].clone();
        assert_eq!(url["hostname"], host);
        assert_eq!(url.get("port").and_then(Value::as_u64), port, "{authority}");
    }
}

#[test]
fn addresses_are_split_into_ip_and_port() {
    let mut record = allowed();
    record.peers.source_principal = None;
    record.peers.source = Some("[2001:db8::7]:51000".into());
    let source = parsed(&record)["src_endpoint"].clone();
    assert_eq!(source["ip"], "2001:db8::7");
    assert_eq!(source["port"], 51000);

    record.peers.source = Some("@/tmp/envoy.sock".into());
    let source = parsed(&record)["src_endpoint"].clone();
    assert_eq!(source["name"], "@/tmp/envoy.sock");
    assert_eq!(source.get("ip"), None);
}

#[test]
fn a_caller_without_an_accepted_token_has_no_name() {
    let record = Record {
        caller: Caller::Unverified,
        ..allowed()
    };
    let actor = parsed(&record)["actor"].clone();
    assert_eq!(
        actor["user"],
        serde_json::json!({"name": "unverified", "type_id": 0})
    );
    assert_eq!(actor.get("session"), None);
}
