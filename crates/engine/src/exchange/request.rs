//! The request side: from the first header to the decision.
//!
//! A request is decided as early as it can be. Most are at their headers; a rule that looks into
//! the body waits for its end, and a token whose issuer's keys are not there yet waits for them, for
//! a short and bounded time. While it waits, everything of it is held.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use tracegate_bundle::policy::{Connection, Direction};

use super::media::{self, Media};
use super::record::{BodySummary, RequestSummary};
use super::upward::{self, Extent, Passage, Upward};
use super::{ConnectionFacts, Exchange, Grant, Refused, Stage, representation};
use crate::Timestamp;
use crate::decision::body::{BodyFacts, BodyMatcher};
use crate::decision::path::DecodedPath;
use crate::decision::{self, Body, Verdict};
use crate::http::{HeaderEdit, HeaderMap};
use crate::identity::{self, Authentication, Principal};
use crate::masking::{Active, Format, Plan};
use crate::metrics::Metrics;
use crate::policy::{MaskPlan, Policy};
use crate::refusal::Refusal;
use crate::vm::Vm;

/// What an event of the request came to.
pub(super) enum Step {
    /// Nothing to do: it was decided before.
    Passing,
    /// It waits.
    Held,
    /// It may go, with these changes to its headers, and with this body in place of its own.
    Granted {
        headers: Vec<HeaderEdit>,
        body: Option<Vec<u8>>,
    },
}

/// A request that is not decided yet.
#[derive(Debug)]
struct Pending {
    policy: Rc<Policy>,
    connection: usize,
    headers: HeaderMap,
    method: String,
    host: String,
    path: DecodedPath,
    source_principal: Option<String>,
    caller: Caller,
}

#[derive(Debug)]
enum Caller {
    /// Not looked at yet.
    Unknown,
    /// The exchange waits to be woken: the keys to verify the token with have not come.
    AwaitingKeys,
    /// Known, or known to be nobody.
    Known(Option<Rc<Principal>>),
}

/// What the rules can learn about the body.
#[derive(Debug, Default)]
enum BodyView {
    /// There is none, or no rule asks.
    #[default]
    Absent,
    Reading(Box<BodyMatcher>),
    Read(BodyFacts),
    /// A rule that asks cannot be answered, for this reason.
    Opaque(Refusal),
}

/// The state of the request side.
#[derive(Debug, Default)]
pub(super) struct RequestSide {
    pending: Option<Box<Pending>>,
    body: BodyView,
    /// Where the connection has rules for it.
    upward: Option<Upward>,
    length: u64,
    hash: Sha256,
    complete: bool,
}

impl RequestSide {
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn summary(&self) -> RequestSummary<'_> {
        let digest =
            (self.complete && self.length > 0).then(|| self.hash.clone().finalize().into());
        RequestSummary {
            body: BodySummary {
                length: self.length,
                digest,
            },
            report: self.upward.as_ref().and_then(Upward::report),
            observed: self.upward.as_ref().and_then(Upward::observed),
        }
    }

    /// Moves what was masked to the metrics. Called once.
    pub(super) fn count_masked(&self, metrics: &mut Metrics) {
        let RequestSummary {
            report, observed, ..
        } = self.summary();
        for (report, observed) in [(report, false), (observed, true)] {
            if let Some(report) = report {
                metrics.masked(Direction::Request, observed, report);
            }
        }
    }

    /// Removes from trailers what describes the body as it came, where it may not go up like that.
    pub(super) fn hide_trailers(&self, trailers: &HeaderMap) -> Vec<HeaderEdit> {
        match &self.upward {
            Some(_) => representation::hide_original(trailers),
            None => Vec::new(),
        }
    }
}

impl Exchange {
    pub(super) fn open_request(
        &mut self,
        vm: &mut Vm,
        headers: HeaderMap,
        facts: ConnectionFacts,
        end_of_stream: bool,
        now: Timestamp,
    ) -> Result<Step, Refused> {
        self.request.complete = end_of_stream;
        let policy = vm.enforced(now)?;
        let text = |name| {
            headers
                .only(name)
                .and_then(|value| std::str::from_utf8(value).ok())
        };
        let (Some(method), Some(authority)) = (text(":method"), text(":authority")) else {
            return Err(Refusal::RequestHead.into());
        };
        let (method, host) = (method.to_owned(), host(authority));
        let connection = policy
            .connection(&host)
            .ok_or(Refusal::PolicyNoConnection)?;
        self.draft.set_connection(Rc::clone(&policy), connection);
        let plan = policy.plan(connection).ok_or(Refusal::InternalState)?;
        if is_upgrade(&method, &headers) && plan.masks_anything() {
            return Err(Refusal::RequestUpgrade.into());
        }
        // CONNECT without a path reaches this line only where nothing would be masked; a rule on
        // paths could not be applied to it, so it is refused all the same.
        let path = headers.only(":path").ok_or(Refusal::RequestHead)?;
        let path = DecodedPath::parse(path).map_err(|_| Refusal::RequestPath)?;
        if !end_of_stream && let Some(body_plan) = plan.body() {
            self.request.body = view(&headers, BodyMatcher::new(Rc::clone(body_plan)));
        }
        let masks = plan.masks().map(MaskPlan::masks);
        if !end_of_stream && masks.is_some_and(|masks| masks.is_about(Direction::Request)) {
            self.request.upward = Some(Upward::default());
        }
        self.request.pending = Some(Box::new(Pending {
            connection,
            method,
            host,
            path,
            source_principal: facts.source_principal,
            caller: Caller::Unknown,
            headers,
            policy,
        }));
        self.resume_request(vm, false, now)
    }

    pub(super) fn read_request_body(
        &mut self,
        vm: &mut Vm,
        chunk: &[u8],
        end_of_stream: bool,
        now: Timestamp,
    ) -> Result<Step, Refused> {
        if self.is_replied() {
            return Ok(Step::Passing);
        }
        self.request.length = self.request.length.saturating_add(chunk.len() as u64);
        self.request.hash.update(chunk);
        self.request.complete |= end_of_stream;
        let Some(pending) = &self.request.pending else {
            if let Some(upward) = &mut self.request.upward {
                upward.watch(chunk, end_of_stream);
            }
            return match self.stage {
                Stage::Granted(_) => Ok(Step::Passing),
                // A body without headers: there is nothing to decide by.
                Stage::Undecided | Stage::Replied => Err(Refusal::InternalState.into()),
            };
        };
        let limit = pending
            .connection()
            .map_or(0, |connection| connection.max_request_body);
        let expressions = &pending.policy.bundle().expressions;
        if self.request.length > limit {
            return Err(Refusal::RequestBodyTooLarge.into());
        }
        if let Some(upward) = &mut self.request.upward {
            upward.hold(chunk);
        }
        self.request.body = match std::mem::take(&mut self.request.body) {
            BodyView::Reading(mut matcher) => match matcher.push(expressions, chunk) {
                Err(_) => BodyView::Opaque(Refusal::RequestBodySyntax),
                Ok(()) if !end_of_stream => BodyView::Reading(matcher),
                Ok(()) if self.request.length == 0 => BodyView::Absent,
                Ok(()) => matcher
                    .finish(expressions)
                    .map_or(BodyView::Opaque(Refusal::RequestBodySyntax), BodyView::Read),
            },
            other => other,
        };
        self.resume_request(vm, false, now)
    }

    /// Goes as far towards the decision as what is known allows.
    ///
    /// `woken`: what the exchange waited for has come, or will not.
    pub(super) fn resume_request(
        &mut self,
        vm: &mut Vm,
        woken: bool,
        now: Timestamp,
    ) -> Result<Step, Refused> {
        let Some(mut pending) = self.request.pending.take() else {
            return Ok(Step::Passing);
        };
        // A new policy has come while this request waited. What was read of it was read for the old
        // one: the caller had better send it again.
        if woken && !Rc::ptr_eq(&pending.policy, &vm.enforced(now)?) {
            return Err(Refusal::JwksUnavailable.into());
        }
        let may_wait = matches!(pending.caller, Caller::Unknown);
        if may_wait || woken && matches!(pending.caller, Caller::AwaitingKeys) {
            pending.caller = match self.authenticate(vm, &pending, may_wait, now)? {
                Some(caller) => Caller::Known(caller),
                None => Caller::AwaitingKeys,
            };
        }
        let Caller::Known(caller) = &pending.caller else {
            self.request.pending = Some(pending);
            return Ok(Step::Held);
        };
        self.draft.set_caller(caller.clone());
        let connection = pending.connection().ok_or(Refusal::InternalState)?;
        let expressions = &pending.policy.bundle().expressions;
        let request = pending.request(caller.as_deref(), self.request.known_body());
        match decision::decide(connection, expressions, &request) {
            Verdict::Allow(rule) => {
                let rule = rule.name.clone();
                let holding = connection.masks.iter().enumerate();
                let holding = holding.fold(0, |holding, (index, mask)| {
                    let holds = decision::mask_holds(mask, expressions, &request);
                    holding | u64::from(holds) << index
                });
                let tokenizing = pending.masks().and_then(|plan| plan.for_exchange(holding));
                let plan = tokenizing.as_ref().or(pending.masks());
                let passage = match (&mut self.request.upward, plan) {
                    (Some(upward), Some(plan)) => {
                        let extent = Extent {
                            length: self.request.length,
                            complete: self.request.complete,
                        };
                        let rules = plan.active(holding, Direction::Request);
                        upward.pass(plan, rules, connection, &pending.headers, extent)?
                    }
                    _ => Passage::Unchanged,
                };
                if let Passage::Waits = passage {
                    self.request.pending = Some(pending);
                    return Ok(Step::Held);
                }
                let masks = pending.masks();
                let masks = masks.map(|plan| plan.active(holding, Direction::Response));
                let masks = masks.unwrap_or_default();
                let mut headers = pending.edits(connection, caller.as_deref(), masks);
                let body = match passage {
                    Passage::Waits | Passage::Unchanged => None,
                    Passage::Masked(body) => {
                        headers.extend(upward::describe(&pending.headers, &body));
                        Some(body)
                    }
                };
                self.draft.allow(&rule);
                let head = pending.method == "HEAD";
                let Pending {
                    policy, connection, ..
                } = *pending;
                self.response.expect();
                self.stage = Stage::Granted(Grant {
                    policy,
                    connection,
                    masks,
                    tokenizing,
                    head,
                });
                Ok(Step::Granted { headers, body })
            }
            Verdict::Deny(rule) => Err(Refused {
                refusal: Refusal::PolicyDenied,
                rule: Some(rule.name.clone()),
            }),
            Verdict::NoRule => Err(Refusal::PolicyNoRule.into()),
            Verdict::NeedsBody => {
                if let BodyView::Opaque(refusal) = self.request.body {
                    return Err(refusal.into());
                }
                if announced_length(&pending.headers) > connection.max_request_body {
                    return Err(Refusal::RequestBodyTooLarge.into());
                }
                self.request.pending = Some(pending);
                Ok(Step::Held)
            }
        }
    }

    /// Who asks. `None`: the keys to tell have to be awaited.
    fn authenticate(
        &mut self,
        vm: &mut Vm,
        pending: &Pending,
        may_wait: bool,
        now: Timestamp,
    ) -> Result<Option<Option<Rc<Principal>>>, Refused> {
        let connection = pending.connection().ok_or(Refusal::InternalState)?;
        let Vm {
            identity, metrics, ..
        } = vm;
        match identity.authenticate(&pending.headers, connection, may_wait, now, metrics) {
            Authentication::Verified(principal) => Ok(Some(Some(principal))),
            Authentication::Anonymous => Ok(Some(None)),
            Authentication::Refused(refusal) => Err(refusal.into()),
            Authentication::Pending(provider) => {
                identity.wait(provider, self.id, now, metrics)?;
                Ok(None)
            }
        }
    }
}

impl RequestSide {
    fn known_body(&self) -> Body<'_> {
        match &self.body {
            BodyView::Absent => Body::Absent,
            BodyView::Reading(_) | BodyView::Opaque(_) => Body::Unread,
            BodyView::Read(facts) => Body::Read(facts),
        }
    }
}

impl Pending {
    fn connection(&self) -> Option<&Connection> {
        self.policy.bundle().connections.get(self.connection)
    }

    /// The mask rules of the connection.
    fn masks(&self) -> Option<&Rc<Plan>> {
        let plan = self.policy.plan(self.connection)?;
        plan.masks().map(MaskPlan::masks)
    }

    fn request<'a>(
        &'a self,
        principal: Option<&'a Principal>,
        body: Body<'a>,
    ) -> decision::Request<'a> {
        decision::Request {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            headers: &self.headers,
            principal,
            source_principal: self.source_principal.as_deref(),
            body,
        }
    }

    /// What changes on the way up: the caller's credential and everything that only this filter may
    /// say are removed; what would make the response impossible to inspect is not asked for.
    fn edits(
        &self,
        connection: &Connection,
        caller: Option<&Principal>,
        masks: Active,
    ) -> Vec<HeaderEdit> {
        let mut edits = Vec::new();
        let mut remove = |name: &str| {
            let edit = HeaderEdit::Remove(name.to_owned());
            if self.headers.contains(name) && !edits.contains(&edit) {
                edits.push(edit);
            }
        };
        for name in identity::token_headers(connection, &self.policy.bundle().providers) {
            remove(name);
        }
        for (name, _) in self.headers.iter() {
            if let Ok(name) = std::str::from_utf8(name)
                && is_ours(name)
            {
                remove(name);
            }
        }
        if masks.enforced != 0 {
            for name in representation::not_to_be_asked(&self.method) {
                remove(name);
            }
        }
        if !masks.is_empty() {
            // Absent would mean "any" (RFC 9110 §12.5.3).
            edits.push(HeaderEdit::Set(
                "accept-encoding".to_owned(),
                b"identity".to_vec(),
            ));
        }
        if connection.forward_subject
            && let Some(caller) = caller
        {
            edits.push(HeaderEdit::Set(
                SUBJECT.to_owned(),
                header_value(&caller.subject).into_bytes(),
            ));
        }
        edits
    }
}

/// The header that carries the verified subject to the back end.
const SUBJECT: &str = "x-tracegate-subject";

/// Whether only this filter may set a header of that name. `_` counts as `-`, for some back ends
/// cannot tell them apart (CGI).
fn is_ours(name: &str) -> bool {
    name.get(..12)
        .is_some_and(|start| start.replace('_', "-") == "x-tracegate-")
}

/// The text with everything but visible ASCII percent-encoded, and `%` too, so that it can be undone.
fn header_value(text: &str) -> String {
    use std::fmt::Write as _;
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            value.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// The host of an authority, in lower case: without user information, without port.
fn host(authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let end = match host.rfind(']') {
        // An IPv6 literal keeps its brackets (RFC 3986 §3.2.2).
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    host.get(..end)
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_ascii_lowercase()
}

fn is_upgrade(method: &str, headers: &HeaderMap) -> bool {
    method == "CONNECT" || headers.contains(":protocol") || headers.contains("upgrade")
}

fn view(headers: &HeaderMap, matcher: BodyMatcher) -> BodyView {
    if media::encoding(headers) != media::Encoding::Plain {
        return BodyView::Opaque(Refusal::RequestBodyEncoding);
    }
    match media::media(headers) {
        Media::Known(Format::Document, _) => BodyView::Reading(Box::new(matcher)),
        Media::Known(..) | Media::Other(_) | Media::Unknown => {
            BodyView::Opaque(Refusal::RequestBodyType)
        }
    }
}

/// What `content-length` announces; 0 where it does not.
pub(super) fn announced_length(headers: &HeaderMap) -> u64 {
    let value = headers
        .first("content-length")
        .and_then(|value| std::str::from_utf8(value).ok());
    value.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_authority_is_bare_and_in_lower_case() {
        for (authority, expected) in [
            ("API.Corp.Example:8443", "api.corp.example"),
            ("api.corp.example.", "api.corp.example"),
            ("user:pass@api.corp.example:1", "api.corp.example"),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(host(authority), expected);
        }
    }

    #[test]
    fn our_headers_are_ours_in_every_spelling() {
        assert!(is_ours("x-tracegate-subject"));
        assert!(is_ours("x_tracegate_subject"));
        assert!(!is_ours("x-tracegates"));
        assert!(!is_ours("x-trace"));
    }

    #[test]
    fn a_subject_cannot_break_out_of_its_header() {
        assert_eq!(header_value("a\r\nx: y%é"), "a%0D%0Ax:%20y%25%C3%A9");
    }
}
