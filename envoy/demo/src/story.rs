//! The story: seven calls, each with its request, its answer and the record that it left.
//!
//! Every step checks itself: a demo that shows something else than it says ends with an error.

use serde_json::{Value, json};
use tracegate_tests::client;
use tracegate_tests::http::{Request, Response};
use tracegate_tests::standins::engine::{CHAT_PATH, put_together, told};

use crate::show::Show;
use crate::world::{Failure, World};

const O_SERIES: &str = "reasoning.corp.example";
const RESEARCH: &str = "research.corp.example";

/// Places in a record.
const WHO: &str = "/actor/user/uid";
const RULE: &str = "/firewall_rule/name";
const CODE: &str = "/unmapped/tracegate/code";
const INSPECTED: &str = "/unmapped/tracegate/inspected";

/// One call and what must come of it.
struct Step<'a> {
    title: &'a str,
    about: &'a str,
    request: Request,
    /// Whose token, in words.
    token: &'a str,
    status: u16,
    /// Members that the record must have, by JSON pointer.
    record: &'a [(&'a str, &'a str)],
    contains: &'a [&'a str],
    lacks: &'a [&'a str],
}

fn chat(host: &str) -> Request {
    let body = json!({
        "model": "o-large",
        "messages": [{"role": "user", "content": "Refund Maria Jensen, please."}],
    });
    Request::post_json(host, CHAT_PATH, body.to_string())
}

fn stream(host: &str) -> Request {
    let body = json!({
        "model": "o-large",
        "messages": [{"role": "user", "content": "Refund Maria Jensen, please."}],
        "stream": true,
    });
    Request::post_json(host, CHAT_PATH, body.to_string())
}

/// The tokens of the story.
pub(crate) struct Tokens {
    pub(crate) analyst: String,
    pub(crate) auditor: String,
    pub(crate) elsewhere: String,
    pub(crate) partner: String,
}

impl Tokens {
    pub(crate) fn issue(world: &World) -> Self {
        let corp = |claims: Value| world.corp.issue(&claims);
        Self {
            analyst: corp(json!({"sub": "alice", "groups": ["analysts"]})),
            auditor: corp(json!({"sub": "carol", "groups": ["auditors"]})),
            elsewhere: corp(json!({"sub": "alice", "groups": ["analysts"], "aud": "payroll"})),
            partner: world
                .partner
                .issue(&json!({"sub": "bob", "aud": "research"})),
        }
    }
}

/// Tells the story.
///
/// # Errors
/// At the first step that does not go as told.
pub(crate) fn tell(world: &World, show: &mut Show) -> Result<(), Failure> {
    let tokens = Tokens::issue(world);
    for step in refusals(&tokens) {
        play(world, show, &step)?;
    }
    for step in answers(&tokens) {
        play(world, show, &step)?;
    }
    world.check_secrets(&[&tokens.analyst, &tokens.auditor, &tokens.partner])
}

fn refusals(tokens: &Tokens) -> [Step<'_>; 3] {
    [
        Step {
            title: "No token",
            about: "Who does not say who he is gets no answer, but a challenge (RFC 6750).",
            request: chat(O_SERIES),
            token: "none",
            status: 401,
            record: &[(CODE, "jwt.missing"), ("/actor/user/name", "unverified")],
            contains: &["jwt.missing"],
            lacks: &[],
        },
        Step {
            title: "A token for another service",
            about: "Alice's token is sound, but its audience is payroll.",
            request: chat(O_SERIES).bearer(&tokens.elsewhere),
            token: "Bearer (alice's token, aud payroll)",
            status: 401,
            record: &[(CODE, "jwt.aud"), ("/actor/user/name", "unverified")],
            contains: &["jwt.aud"],
            lacks: &["payroll"],
        },
        Step {
            title: "A denied operation",
            about: "Alice is an analyst, but a rule denies what she asks; the reply names it.",
            request: Request::new("DELETE", O_SERIES, "/v1/models/o-large").bearer(&tokens.analyst),
            token: "Bearer (alice's token, groups [analysts])",
            status: 403,
            record: &[(WHO, "alice"), (RULE, "no-model-deletion")],
            contains: &["policy.denied", "no-model-deletion"],
            lacks: &[],
        },
    ]
}

fn answers(tokens: &Tokens) -> [Step<'_>; 4] {
    const SECRETS: &[&str] = &[
        told::EMAIL,
        told::CARD,
        told::IBAN,
        told::AWS_KEY,
        told::REASONING,
    ];
    [
        Step {
            title: "An analyst asks",
            about: "The engine answers with personal data, its reasoning and a key. Alice sees none of \
                    it; of the card number the last four digits stay.",
            request: chat(O_SERIES).bearer(&tokens.analyst),
            token: "Bearer (alice's token, groups [analysts])",
            status: 200,
            record: &[(WHO, "alice"), (RULE, "analysts"), (INSPECTED, "full")],
            contains: &["[EMAIL]", "[REASONING]", "[IBAN]", "1111"],
            lacks: SECRETS,
        },
        Step {
            title: "An analyst asks for a stream",
            about: "The same answer in events of four characters each, which cut every secret. None of \
                    them comes together again, and the rules are those of the whole answer.",
            request: stream(O_SERIES).bearer(&tokens.analyst),
            token: "Bearer (alice's token, groups [analysts])",
            status: 200,
            record: &[(WHO, "alice"), (RULE, "analysts"), (INSPECTED, "full")],
            contains: &["[EMAIL]", "[REASONING]", "[IBAN]", "1111"],
            lacks: SECRETS,
        },
        Step {
            title: "An auditor asks the same",
            about: "Carol's claim exempts her from hiding personal data and the reasoning. The access key \
                    in it stays hidden from everyone.",
            request: chat(O_SERIES).bearer(&tokens.auditor),
            token: "Bearer (carol's token, groups [auditors])",
            status: 200,
            record: &[(WHO, "carol"), (RULE, "auditors"), (INSPECTED, "full")],
            contains: &[told::EMAIL, told::CARD, told::IBAN, told::REASONING],
            lacks: &[told::AWS_KEY],
        },
        Step {
            title: "Another back end, another issuer",
            about: "The research engine takes the tokens of a partner. There the same data is hashed, so \
                    that equal values can still be joined, and the reasoning is removed.",
            request: chat(RESEARCH).bearer(&tokens.partner),
            token: "Bearer (bob's token, issued by id.partner.example)",
            status: 200,
            record: &[
                (WHO, "bob"),
                (RULE, "partners-may-chat"),
                (INSPECTED, "full"),
            ],
            contains: &["hmac:"],
            lacks: SECRETS,
        },
    ]
}

fn play(world: &World, show: &mut Show, step: &Step<'_>) -> Result<(), Failure> {
    show.step(step.title, step.about);
    show.request(&step.request, step.token);
    let response = client::send(world.listener, &step.request)
        .map_err(|error| Failure::new(step.title, format!("no answer: {error}")))?;
    show.response(&response);
    let line = world.next_record()?;
    let record: Value = serde_json::from_str(&line).map_err(|error| {
        Failure::new(
            step.title,
            format!("the record is no JSON: {error}: {line}"),
        )
    })?;
    show.record(&record);
    check(step, &response, &record, &line)
}

fn check(step: &Step<'_>, response: &Response, record: &Value, line: &str) -> Result<(), Failure> {
    let fail = |what: String| Err(Failure::new(step.title, what));
    if response.status != step.status {
        let body = response.text();
        return fail(format!(
            "the status is {}, not {}: {body}",
            response.status, step.status
        ));
    }
    if let Some(text) = step.contains.iter().find(|text| !response.mentions(text)) {
        return fail(format!("the answer lacks `{text}`: {}", response.text()));
    }
    let streamed = put_together(response).map(|whole| whole.to_string());
    let told = |text: &str| {
        response.mentions(text)
            || line.contains(text)
            || streamed.as_ref().is_some_and(|whole| whole.contains(text))
    };
    if let Some(text) = step.lacks.iter().find(|text| told(text)) {
        return fail(format!("`{text}` is in the answer or in the record"));
    }
    let code = record["status_code"].as_str().unwrap_or_default();
    if code != step.status.to_string() {
        return fail(format!(
            "the record says {code}, the answer {}",
            step.status
        ));
    }
    for (pointer, expected) in step.record {
        if record.pointer(pointer).and_then(Value::as_str) != Some(expected) {
            return fail(format!("the record's {pointer} is not {expected}"));
        }
    }
    Ok(())
}
