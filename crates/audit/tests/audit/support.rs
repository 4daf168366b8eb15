//! Records to test with, and the schema that they must fit.

use std::path::Path;

use jsonschema::Validator;
use tracegate_audit::{
    Caller, Connection, Inspected, MaskAction, Masked, Message, Outcome, Peers, Policy, Record,
    Refused, Request, Response, Text, Times, TraceId,
};

const SCHEMA: &str = "../shared/data/ocsf/ocsf-1.8.0-6003-api_activity.schema.json";

/// The JSON Schema of class API Activity of OCSF 1.8; `None`, said aloud, where it is not at hand.
pub(crate) fn schema() -> Option<Validator> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(SCHEMA);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: validation against OCSF, for there is no {SCHEMA}");
        return None;
    };
    // The file names one definition `win/win_service` and refers to it without the escape that a JSON
    // pointer needs (RFC 6901 §3).
    let text = text.replace("#/$defs/win/", "#/$defs/win~1");
    let schema = serde_json::from_str(&text).unwrap();
    Some(jsonschema::validator_for(&schema).unwrap())
}

pub(crate) fn refused(code: &'static str, title: &'static str) -> Outcome {
    Outcome::Refused(Refused { code, title })
}

/// An allowed call, as the demo makes it.
pub(crate) fn allowed() -> Record<'static> {
    Record {
        outcome: Outcome::Allowed,
        caller: Caller::Verified {
            issuer: "https://login.corp.example".into(),
            subject: "ana".into(),
            groups: leak(["analysts".into()]),
            token_id: Some("jti-9f86d081".into()),
            expires: Some(1_795_420_800),
            presenter: Some("notebook".into()),
        },
        request: Request {
            method: "POST".into(),
            authority: "reasoning.corp.example:8443".into(),
            path: "/v1/chat/completions?beta=1".into(),
            scheme: Some("https".into()),
            protocol: Some("HTTP/2".into()),
            user_agent: Some("curl/8.9.1".into()),
            id: Some("6f1c0d52-5f0e-4a8e-9d4f-0a1b2c3d4e5f".into()),
            body_bytes: Some(212),
            body_sha256: Some([0x11; 32]),
        },
        response: Response {
            code: Some(200),
            content_type: Some("application/json".into()),
            body_bytes: Some(1833),
            body_sha256: Some([0x22; 32]),
            code_details: Some("via_upstream".into()),
            flags: Some(0),
        },
        policy: Some(Policy {
            name: "reasoning".into(),
            digest: "sha256:5c1d9a2f7e6b4c3d8a9b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f7"
                .into(),
            revision: 42,
        }),
        refused_bundle: None,
        connection: Some(Connection {
            name: "o-series".into(),
            supplier: Some("acme-ai".into()),
        }),
        rule: Some("analysts".into()),
        inspected: Inspected::Full,
        masked: &[],
        masked_more: false,
        times: Times {
            start: 1_795_417_201_000,
            duration: Some(48),
            latency: Some(45),
        },
        peers: Peers {
            source: Some("10.4.2.17:51000".into()),
            source_principal: Some("spiffe://cluster.local/ns/prod/sa/notebook".into()),
            upstream: Some("10.4.7.9:8080".into()),
        },
        trace: TraceId::from_traceparent(
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    }
}

/// The same, and its answer was masked.
pub(crate) fn masked() -> Record<'static> {
    let entry = |json_path, detector, action, count| Masked {
        message: Message::Response,
        observed: false,
        json_path: Text::from(json_path),
        detector: Text::from(detector),
        action,
        count,
    };
    Record {
        masked: leak([
            entry(
                "$.choices[*].message.reasoning_content",
                "field",
                MaskAction::Redact,
                1,
            ),
            entry(
                "$.choices[*].message.content",
                "email",
                MaskAction::Partial,
                2,
            ),
        ]),
        ..allowed()
    }
}

/// The same call: something was masked in its request, and two values of its answer would have been.
pub(crate) fn masked_on_the_way_up() -> Record<'static> {
    let entry = |message, observed, json_path, count| Masked {
        message,
        observed,
        json_path: Text::from(json_path),
        detector: "email".into(),
        action: MaskAction::Redact,
        count,
    };
    let content = "$.messages[*].content";
    Record {
        masked: leak([
            entry(Message::Request, false, content, 2),
            entry(Message::Request, true, "$.user", 1),
            entry(Message::Response, true, "$.choices[*].message.content", 2),
        ]),
        ..allowed()
    }
}

/// The same call with a token that is not accepted: refused before the policy is asked.
pub(crate) fn refused_token() -> Record<'static> {
    Record {
        outcome: refused("jwt.expired", "The token has expired."),
        caller: Caller::Unverified,
        inspected: Inspected::None("refused"),
        rule: None,
        response: Response {
            code: Some(401),
            content_type: Some("application/problem+json".into()),
            body_bytes: Some(187),
            code_details: Some("jwt.expired".into()),
            ..Response::default()
        },
        peers: Peers {
            upstream: None,
            ..allowed().peers
        },
        ..allowed()
    }
}

fn leak<T, const N: usize>(items: [T; N]) -> &'static [T] {
    Box::leak(Box::new(items))
}
