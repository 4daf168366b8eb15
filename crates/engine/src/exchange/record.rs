//! What the audit record will say, noted while it happens.
//!
//! The draft owns its texts because the record outlives the headers they come from. It can be
//! written as a line at any time: before the decision as an error (so that a VM that dies leaves a
//! trace), after it as what was decided, at the end with everything the proxy knows.

use std::rc::Rc;

use serde_json::Value;
use tracegate_audit as audit;
use tracegate_audit::{Inspected, MaskAction, Message, Outcome, Record, Text};

use super::{ConnectionFacts, LogFacts};
use crate::Timestamp;
use crate::http::HeaderMap;
use crate::identity::Principal;
use crate::masking::{ActionKind, Report, ReportEntry};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::vm::Vm;

/// Length and, when all of it was seen, SHA-256 of a body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodySummary {
    pub(super) length: u64,
    pub(super) digest: Option<[u8; 32]>,
}

/// What the request side knows at the end.
#[derive(Debug)]
pub(super) struct RequestSummary<'a> {
    pub(super) body: BodySummary,
    /// What was hidden on the way up, and what would have been.
    pub(super) report: Option<&'a Report>,
    pub(super) observed: Option<&'a Report>,
}

/// What the response side knows at the end.
#[derive(Debug)]
pub(super) struct ResponseSummary<'a> {
    pub(super) body: BodySummary,
    pub(super) inspected: Inspected,
    /// What was hidden, in the body and in headers, and what would have been.
    pub(super) reports: [Option<&'a Report>; 2],
    pub(super) observed: [Option<&'a Report>; 2],
}

/// The notes.
#[derive(Debug, Default)]
pub(super) struct Draft {
    start: Timestamp,
    request: Option<RequestNotes>,
    policy: Option<Rc<Policy>>,
    refused_bundle: Option<Refusal>,
    connection: Option<usize>,
    caller: Option<Rc<Principal>>,
    outcome: Outcome,
    rule: Option<String>,
    latency: Option<u64>,
    code: Option<u16>,
    content_type: Option<Vec<u8>>,
}

/// What the request headers said.
#[derive(Debug, Default)]
struct RequestNotes {
    method: Vec<u8>,
    authority: Vec<u8>,
    path: Vec<u8>,
    scheme: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    id: Option<String>,
    trace: Option<audit::TraceId>,
    source_principal: Option<String>,
}

impl RequestNotes {
    fn read(headers: &HeaderMap) -> Self {
        let copy = |name| headers.first(name).map(<[u8]>::to_vec);
        Self {
            method: copy(":method").unwrap_or_default(),
            authority: copy(":authority").unwrap_or_default(),
            path: copy(":path").unwrap_or_default(),
            scheme: copy(":scheme"),
            user_agent: copy("user-agent"),
            id: headers
                .first("x-request-id")
                .map(|value| String::from_utf8_lossy(value).chars().take(128).collect()),
            trace: headers
                .only("traceparent")
                .and_then(audit::TraceId::from_traceparent),
            source_principal: None,
        }
    }
}

impl Draft {
    pub(super) fn begin(
        &mut self,
        vm: &Vm,
        headers: &HeaderMap,
        facts: &ConnectionFacts,
        now: Timestamp,
    ) {
        self.start = now;
        let source_principal = facts.source_principal.clone();
        self.request = Some(RequestNotes {
            source_principal,
            ..RequestNotes::read(headers)
        });
        self.note_policy(vm);
    }

    fn note_policy(&mut self, vm: &Vm) {
        self.policy = vm.policies().running().cloned();
        self.refused_bundle = vm.policies().refused();
    }

    /// Whether the request headers have been seen.
    pub(super) fn is_begun(&self) -> bool {
        self.request.is_some()
    }

    pub(super) fn set_connection(&mut self, policy: Rc<Policy>, connection: usize) {
        self.policy = Some(policy);
        self.connection = Some(connection);
    }

    pub(super) fn set_caller(&mut self, caller: Option<Rc<Principal>>) {
        self.caller = caller;
    }

    pub(super) fn allow(&mut self, rule: &str) {
        self.outcome = Outcome::Allowed;
        self.rule = Some(rule.to_owned());
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, rule: Option<String>) {
        let refused = audit::Refused {
            code: refusal.code(),
            title: refusal.title(),
        };
        self.outcome = Outcome::Refused(refused);
        // A refused response keeps the name of the rule that let its request pass.
        self.rule = rule.or(self.rule.take());
        self.code = Some(refusal.status());
    }

    /// The response headers came. Those of our own reply come last, and they are what the caller got.
    pub(super) fn answered(&mut self, headers: &HeaderMap, now: Timestamp) {
        let status = headers
            .only(":status")
            .and_then(|value| std::str::from_utf8(value).ok());
        self.code = status.and_then(|text| text.parse().ok()).or(self.code);
        self.content_type = headers.first("content-type").map(<[u8]>::to_vec);
        self.latency.get_or_insert(now.since(self.start));
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.request.as_ref()?.id.as_deref()
    }

    /// The record as it stands.
    pub(super) fn line(&self) -> Vec<u8> {
        let request = self.request.as_ref();
        self.record(request, &self.groups(), &[]).line()
    }

    /// The record at the end of the exchange.
    pub(super) fn seal(
        &mut self,
        vm: &Vm,
        facts: &LogFacts,
        request: RequestSummary<'_>,
        response: ResponseSummary<'_>,
        now: Timestamp,
    ) -> Vec<u8> {
        let late = facts.request_headers.as_ref().map(RequestNotes::read);
        if self.request.is_none() {
            // An earlier filter answered: this one never saw the request.
            self.outcome = Outcome::NotReached;
            self.note_policy(vm);
            self.start = now;
        }
        let [body, headers] = response.reports;
        let [observed_body, observed_headers] = response.observed;
        let reports = [
            (Message::Request, false, request.report),
            (Message::Request, true, request.observed),
            (Message::Response, false, body),
            (Message::Response, false, headers),
            (Message::Response, true, observed_body),
            (Message::Response, true, observed_headers),
        ];
        let names: Vec<_> = reports
            .into_iter()
            .flat_map(|(message, observed, report)| {
                let entries = report.into_iter().flat_map(|report| &report.entries);
                entries.map(move |one| entry(one, message, observed))
            })
            .collect();
        let groups = self.groups();
        let request_notes = self.request.as_ref().or(late.as_ref());
        let mut record = self.record(request_notes, &groups, &names);
        record.masked_more = reports
            .iter()
            .any(|(.., report)| report.is_some_and(|report| report.truncated));
        record.inspected = response.inspected;
        record.request.protocol = facts.protocol.as_ref().map(Text::from);
        record.request.body_bytes = Some(facts.request_size.unwrap_or(request.body.length));
        record.request.body_sha256 = request.body.digest;
        record.response.code = facts.response_code.filter(|&code| code != 0).or(self.code);
        record.response.body_bytes = facts.response_size.or(Some(response.body.length));
        record.response.body_sha256 = response.body.digest;
        record.response.code_details = facts.response_code_details.as_ref().map(Text::from);
        record.response.flags = facts.response_flags;
        record.times.duration = Some(facts.duration.unwrap_or(now.since(self.start)) / MILLISECOND);
        record.peers.source = facts.source_address.as_ref().map(Text::from);
        record.peers.upstream = facts.upstream_address.as_ref().map(Text::from);
        record.line()
    }

    /// The caller's groups: the claim `groups`, where it is a list of names.
    fn groups(&self) -> Vec<Text<'_>> {
        let caller = self.caller.as_deref();
        let claim = caller.and_then(|caller| caller.claims.get("groups")?.as_array());
        let names = claim.into_iter().flatten().filter_map(Value::as_str);
        names.map(Text::from).collect()
    }

    fn record<'a>(
        &'a self,
        request: Option<&'a RequestNotes>,
        groups: &'a [Text<'a>],
        masked: &'a [audit::Masked<'a>],
    ) -> Record<'a> {
        let text = |bytes: &'a Option<Vec<u8>>| bytes.as_deref().map(Text::from);
        let bundle = self.policy.as_ref().map(|policy| policy.bundle());
        let connection = bundle
            .zip(self.connection)
            .and_then(|(bundle, index)| bundle.connections.get(index));
        Record {
            outcome: self.outcome,
            caller: self
                .caller
                .as_deref()
                .map_or(audit::Caller::Unverified, |principal| {
                    caller(principal, groups)
                }),
            request: request.map_or_else(audit::Request::default, |notes| audit::Request {
                method: Text::from(notes.method.as_slice()),
                authority: Text::from(notes.authority.as_slice()),
                path: Text::from(notes.path.as_slice()),
                scheme: text(&notes.scheme),
                user_agent: text(&notes.user_agent),
                id: notes.id.as_ref().map(Text::from),
                ..audit::Request::default()
            }),
            response: audit::Response {
                code: self.code,
                content_type: text(&self.content_type),
                ..audit::Response::default()
            },
            policy: self.policy.as_ref().map(|policy| audit::Policy {
                name: Text::from(&policy.bundle().name),
                digest: Text::from(policy.digest().as_str()),
                revision: policy.bundle().revision,
            }),
            refused_bundle: self.refused_bundle.map(Refusal::code),
            connection: connection.map(|connection| audit::Connection {
                name: Text::from(&connection.name),
                supplier: connection.supplier.as_ref().map(Text::from),
            }),
            rule: self.rule.as_ref().map(Text::from),
            masked,
            times: audit::Times {
                start: self.start.millis(),
                duration: None,
                latency: self.latency.map(|nanos| nanos / MILLISECOND),
            },
            peers: audit::Peers {
                source_principal: request
                    .and_then(|notes| notes.source_principal.as_ref())
                    .map(Text::from),
                ..audit::Peers::default()
            },
            trace: request.and_then(|notes| notes.trace),
            ..Record::default()
        }
    }
}

const MILLISECOND: u64 = 1_000_000;

fn caller<'a>(principal: &'a Principal, groups: &'a [Text<'a>]) -> audit::Caller<'a> {
    audit::Caller::Verified {
        issuer: Text::from(&principal.issuer),
        subject: Text::from(&principal.subject),
        groups,
        token_id: principal.token_id.as_ref().map(Text::from),
        expires: Some(principal.expires),
        presenter: principal.presenter.as_ref().map(Text::from),
    }
}

fn entry(entry: &ReportEntry, message: Message, observed: bool) -> audit::Masked<'_> {
    audit::Masked {
        message,
        observed,
        json_path: Text::from(&entry.path),
        detector: Text::from(&entry.what),
        action: match entry.action {
            ActionKind::Drop => MaskAction::Drop,
            ActionKind::Hash => MaskAction::Hash,
            ActionKind::Nullify => MaskAction::Nullify,
            ActionKind::Partial => MaskAction::Partial,
            ActionKind::Redact => MaskAction::Redact,
            ActionKind::Tokenize => MaskAction::Tokenize,
        },
        count: u64::from(entry.count),
    }
}
