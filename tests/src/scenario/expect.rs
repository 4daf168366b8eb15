//! Compares what came of a scenario with what must come of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracegate_engine::refusal::Refusal;

use super::format::{Expect, Upstream};
use crate::drivers::{Outcome, Play};
use crate::http::{Fields, Received, contains};

/// Longest record, in bytes.
const MAX_RECORD: usize = 8 * 1024;

/// Collects what is not as expected.
pub(super) struct Check<'a> {
    outcome: &'a Outcome,
    record: Value,
    wrong: Vec<String>,
}

/// What is not as expected, in sentences. `token` is what the caller presented.
pub(super) fn check(
    expect: &Expect,
    play: &Play,
    outcome: &Outcome,
    token: Option<&str>,
) -> Vec<String> {
    let record = serde_json::from_slice(&outcome.record).unwrap_or_default();
    let mut check = Check {
        outcome,
        record,
        wrong: Vec::new(),
    };
    check.always(token);
    check.digests(&play.request.body.concat());
    check.refused(expect);
    check.response(expect);
    if let Some(upstream) = &expect.upstream {
        check.upstream(upstream);
    }
    if let Some(members) = &expect.record {
        let found = check.record.clone();
        check.members("the record", members, &found);
    }
    for (name, expected) in &expect.metrics {
        let grew = outcome.metrics.get(name).copied().unwrap_or(0);
        check.equal(&format!("the growth of {name}"), &grew, expected);
    }
    check.wrong
}

impl Check<'_> {
    fn say(&mut self, wrong: String) {
        self.wrong.push(wrong);
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.say(format!("{what} is {found:?}, not {expected:?}"));
        }
    }

    /// What holds for every exchange.
    fn always(&mut self, token: Option<&str>) {
        let Outcome {
            record,
            upstream,
            response,
            ..
        } = self.outcome;
        if !self.record.is_object() || record.contains(&b'\n') || record.len() > MAX_RECORD {
            let shown = String::from_utf8_lossy(record);
            self.say(format!(
                "the record is not one line of JSON of at most 8 KiB: {shown}"
            ));
        }
        // A token without its signature is of no use to anyone, and the shortest bad ones are words.
        if let Some(token) = token.filter(|token| token.len() > 40) {
            if contains(record, token) {
                self.say("the record holds the caller's token".to_owned());
            }
            if response.mentions(token) {
                self.say("the response holds the caller's token".to_owned());
            }
            if upstream
                .as_ref()
                .is_some_and(|request| request.mentions(token))
            {
                self.say("the back end got the caller's token".to_owned());
            }
        }
        let names = upstream.iter().flat_map(|request| request.headers.iter());
        let ours: Vec<_> = names
            .map(|(name, _)| name.replace('_', "-"))
            .filter(|name| name.starts_with("x-tracegate-") && name != "x-tracegate-subject")
            .collect();
        if !ours.is_empty() {
            self.say(format!("the back end got {ours:?}"));
        }
    }

    /// The record's digests are those of what the caller sent and of what he got.
    fn digests(&mut self, sent: &[u8]) {
        let ours = &self.record["unmapped"]["tracegate"];
        let told = |side: &str| ours[side]["body_sha256"].as_str().map(str::to_owned);
        let (request, response) = (told("request"), told("response"));
        if let Some(told) = request {
            let of_body = hex(&Sha256::digest(sent));
            self.equal("the digest of the request", &told, &of_body);
        }
        if let Some(told) = response.filter(|_| self.outcome.response.complete) {
            let of_body = hex(&Sha256::digest(&self.outcome.response.body));
            self.equal("the digest of the response", &told, &of_body);
        }
    }

    fn refused(&mut self, expect: &Expect) {
        let Some(code) = &expect.refused else { return };
        let Some(refusal) = Refusal::from_code(code) else {
            return self.say(format!("there is no refusal {code}"));
        };
        let response = &self.outcome.response;
        self.equal(
            "the record's code",
            &self.record["unmapped"]["tracegate"]["code"].clone(),
            &json!(code),
        );
        if !code.starts_with("mask.") && self.outcome.upstream.is_some() {
            self.say("the back end was asked".to_owned());
        }
        if expect.cut && !response.complete {
            return;
        }
        self.equal("the status", &response.status, &refusal.status());
        let media_type = response.headers.get("content-type").unwrap_or_default();
        self.equal(
            "the media type",
            &media_type.as_str(),
            &"application/problem+json",
        );
        let problem = json!({"code": code, "status": refusal.status(), "title": refusal.title()});
        self.members("the problem document", &problem, &response.json());
    }

    fn response(&mut self, expect: &Expect) {
        let response = &self.outcome.response;
        if let Some(rule) = &expect.rule {
            self.equal("the rule", &response.json()["rule"], &json!(rule));
        }
        if let Some(status) = expect.status {
            self.equal("the status", &response.status, &status);
        }
        self.fields("response header", &expect.headers, &response.headers);
        self.fields("response trailer", &expect.trailers, &response.trailers);
        if let Some(body) = &expect.body {
            self.equal("the body", &response.text(), body);
        }
        if let Some(members) = &expect.json {
            self.members("the body", members, &response.json());
        }
        for text in &expect.contains {
            if !response.mentions(text) {
                self.say(format!("the response lacks {text:?}: {}", response.text()));
            }
        }
        for text in &expect.lacks {
            let by_chance = turns_up_by_chance(text);
            if response.text().contains(text) || !by_chance && response.mentions(text) {
                self.say(format!("the response holds {text:?}: {}", response.text()));
            }
            if !by_chance && contains(&self.outcome.record, text) {
                self.say(format!("the record holds {text:?}"));
            }
        }
        if expect.cut && response.complete && response.status < 500 {
            self.say(format!("the response came through: {}", response.text()));
        }
        if !expect.cut && !response.complete {
            self.say(format!("the response was cut after {:?}", response.text()));
        }
    }

    fn upstream(&mut self, expect: &Upstream) {
        let asked = expect.asked.unwrap_or(true);
        let request = match &self.outcome.upstream {
            Some(request) if asked => request,
            None if !asked => return,
            Some(request) => return self.say(format!("the back end was asked: {request:?}")),
            None => return self.say("the back end was not asked".to_owned()),
        };
        let Received {
            path,
            headers,
            body,
            trailers,
            ..
        } = request;
        if let Some(expected) = &expect.path {
            self.equal("the back end's path", path, expected);
        }
        if let Some(expected) = &expect.body {
            let body = String::from_utf8_lossy(body).into_owned();
            self.equal("the back end's body", &body, expected);
        }
        self.fields("request header", &expect.headers, headers);
        self.fields("request trailer", &expect.trailers, trailers);
        for text in &expect.lacks {
            if request.mentions(text) {
                self.say(format!("the back end got {text:?}"));
            }
        }
    }

    fn fields(&mut self, what: &str, expected: &BTreeMap<String, Option<String>>, found: &Fields) {
        for (name, value) in expected {
            self.equal(&format!("{what} {name}"), &found.get(name), value);
        }
    }

    fn members(&mut self, what: &str, expected: &Value, found: &Value) {
        if let Some(difference) = difference(expected, found, "$") {
            self.say(format!("{what}: {difference}"));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether ids, times and digests hold that text now and then: a few hexadecimal digits.
fn turns_up_by_chance(text: &str) -> bool {
    text.len() < 9 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// Where `found` is not what `expected` says: objects may have more members, `null` stands for an
/// absent one, everything else is equal.
fn difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().find_map(|(name, value)| {
                let found = found.get(name).unwrap_or(&Value::Null);
                difference(value, found, &format!("{path}.{name}"))
            })
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs
                .find_map(|(at, (value, found))| difference(value, found, &format!("{path}[{at}]")))
        }
        _ if expected == found => None,
        _ => Some(format!("{path} is {found}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_may_have_more_members_and_lists_may_not() {
        let found = json!({"a": {"b": 1, "c": [1, 2]}});
        assert_eq!(
            difference(&json!({"a": {"c": [1, 2], "d": null}}), &found, "$"),
            None
        );
        let shorter = difference(&json!({"a": {"c": [1]}}), &found, "$");
        assert_eq!(shorter.as_deref(), Some("$.a.c is [1,2], not [1]"));
    }
}
