//! How an exchange was decided, and the one table of what OCSF calls that.

use crate::record::{Inspected, Message, Record, Text};

/// How an exchange was decided. Whether a response was masked is no outcome of its own: the
/// [`masked`](Record::masked) entries say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It is not decided yet, or its proxy VM died or its caller left before it was.
    #[default]
    Unfinished,
    /// An earlier filter of the proxy answered; this one decided nothing.
    NotReached,
    /// The request went to the back end.
    Allowed,
    /// It waits for an approval and was answered with 202.
    Held,
    /// It went to the back end under an approval.
    Approved,
    /// An approver refused it.
    Rejected,
    /// It, or its response, was refused.
    Refused(Refused),
    /// Shadow mode: what would have been decided is recorded, nothing was changed.
    Observed,
}

/// Why an exchange was refused. Both texts are constants of the program, so no caller's words can
/// be taken for a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The stable code: `jwt.expired`.
    pub code: &'static str,
    /// One line for people.
    pub title: &'static str,
}

/// What a refusal is about, by the first part of its code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Token,
    Rule,
    Request,
    Response,
    Proxy,
}

impl Refused {
    fn family(self) -> Family {
        match self.code.split('.').next() {
            Some("jwt") => Family::Token,
            Some("policy") => Family::Rule,
            Some("request") => Family::Request,
            Some("mask") => Family::Response,
            _ => Family::Proxy,
        }
    }
}

/// A value of an OCSF enumeration: its id and its caption.
pub(crate) type Enumerated = (u64, &'static str);

/// How OCSF names an outcome.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) action: Enumerated,
    pub(crate) disposition: Enumerated,
    pub(crate) status: Enumerated,
    pub(crate) severity: u64,
    pub(crate) is_alert: bool,
}

const UNKNOWN: Enumerated = (0, "Unknown");
const ALLOWED: Enumerated = (1, "Allowed");
const DENIED: Enumerated = (2, "Denied");
const OBSERVED: Enumerated = (3, "Observed");
const MODIFIED: Enumerated = (4, "Modified");

const SUCCESS: Enumerated = (1, "Success");
const FAILURE: Enumerated = (2, "Failure");
const PENDING: Enumerated = (99, "PendingApproval");

const INFORMATIONAL: u64 = 1;
const MEDIUM: u64 = 3;
const HIGH: u64 = 4;

impl Record<'_> {
    /// The row of the table that holds for this record.
    pub(crate) fn row(&self) -> Row {
        let ran = if self.answered_well() {
            SUCCESS
        } else {
            FAILURE
        };
        let (action, disposition, status, severity) = match self.outcome {
            Outcome::Unfinished => (DENIED, (27, "Error"), FAILURE, HIGH),
            Outcome::NotReached => (UNKNOWN, UNKNOWN, ran, INFORMATIONAL),
            Outcome::Allowed => match (self.is_masked(None), self.is_masked_in_part()) {
                (false, _) => (ALLOWED, (1, "Allowed"), ran, INFORMATIONAL),
                (true, false) => (MODIFIED, (11, "Corrected"), ran, INFORMATIONAL),
                (true, true) => (MODIFIED, (12, "Partially Corrected"), ran, MEDIUM),
            },
            Outcome::Held => (MODIFIED, (14, "Delayed"), PENDING, INFORMATIONAL),
            Outcome::Approved => (ALLOWED, (8, "Approved"), ran, INFORMATIONAL),
            Outcome::Rejected => (DENIED, (25, "Rejected"), FAILURE, MEDIUM),
            Outcome::Refused(refused) => match refused.family() {
                Family::Token => (DENIED, (26, "Unauthorized"), FAILURE, MEDIUM),
                Family::Rule | Family::Request | Family::Response => {
                    (DENIED, (2, "Blocked"), FAILURE, MEDIUM)
                }
                Family::Proxy => (DENIED, (27, "Error"), FAILURE, HIGH),
            },
            Outcome::Observed => (OBSERVED, (17, "Logged"), SUCCESS, INFORMATIONAL),
        };
        Row {
            action,
            disposition,
            status,
            severity,
            is_alert: severity > INFORMATIONAL,
        }
    }

    /// Whether something was hidden, in that message or in any.
    fn is_masked(&self, message: Option<Message>) -> bool {
        let mut hidden = self.masked.iter().filter(|entry| !entry.observed);
        hidden.any(|entry| message.is_none_or(|message| entry.message == message))
    }

    /// Whether the response was masked and there may be more to hide in it.
    fn is_masked_in_part(&self) -> bool {
        self.is_masked(Some(Message::Response)) && self.inspected != Inspected::Full
    }

    fn answered_well(&self) -> bool {
        self.response
            .code
            .is_some_and(|code| (1..400).contains(&code))
    }
}

// === What else follows from the outcome ===

/// The code of the early record, before anything is decided.
pub(crate) const UNFINISHED: &str = "internal.unfinished";

impl<'a> Record<'a> {
    /// `status_detail`: what to search for.
    pub(crate) fn status_detail(&self) -> Option<Text<'a>> {
        match self.outcome {
            Outcome::Unfinished => Some(UNFINISHED.into()),
            Outcome::NotReached => Some("proxy.not_reached".into()),
            Outcome::Allowed | Outcome::Approved if self.answered_well() => None,
            Outcome::Allowed | Outcome::Approved => self.response.code_details,
            Outcome::Held => Some("approval_required".into()),
            Outcome::Rejected => Some("approval_denied".into()),
            Outcome::Refused(refused) => match refused.family() {
                Family::Rule => self.rule.or(Some(refused.code.into())),
                _ => Some(refused.code.into()),
            },
            Outcome::Observed => self.rule,
        }
    }

    /// The stable code of a refusal.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self.outcome {
            Outcome::Unfinished => Some(UNFINISHED),
            Outcome::Refused(refused) => Some(refused.code),
            _ => None,
        }
    }

    /// What the policy said about the request; `None` if it was not asked.
    pub(crate) fn decision(&self) -> Option<&'static str> {
        match self.outcome {
            Outcome::Allowed | Outcome::Approved => Some("allow"),
            Outcome::Held => Some("approval_required"),
            Outcome::Rejected => Some("deny"),
            Outcome::Refused(refused) => match refused.family() {
                Family::Rule | Family::Request => Some("deny"),
                Family::Response => Some("allow"),
                Family::Token | Family::Proxy => None,
            },
            Outcome::Unfinished | Outcome::NotReached | Outcome::Observed => None,
        }
    }

    /// Whether the policy was enforced, rather than only watched.
    pub(crate) fn policy_is_applied(&self) -> bool {
        self.outcome != Outcome::Observed
    }

    /// `firewall_rule`: the rule that decided and its kind. Tokens are checked by no rule of the
    /// policy's own; theirs is called `authn`.
    pub(crate) fn deciding_rule(&self) -> Option<(Text<'a>, &'static str)> {
        let kind = match self.outcome {
            Outcome::Refused(refused) => match refused.family() {
                Family::Token => return Some(("authn".into(), "deny")),
                Family::Rule => "deny",
                Family::Request | Family::Response | Family::Proxy => "allow",
            },
            Outcome::Held | Outcome::Approved | Outcome::Rejected => "approve",
            Outcome::Allowed => "allow",
            Outcome::Observed => "observe",
            Outcome::Unfinished | Outcome::NotReached => return None,
        };
        self.rule.map(|name| (name, kind))
    }

    /// `message`: one line for people.
    pub(crate) fn title(&self) -> Option<&'static str> {
        match self.outcome {
            Outcome::Unfinished => Some("The exchange ended before it was decided."),
            Outcome::NotReached => Some("An earlier filter of the proxy answered this request."),
            Outcome::Held => Some("The request waits for an approval."),
            Outcome::Rejected => Some("An approver refused the request."),
            Outcome::Refused(refused) => Some(refused.title),
            Outcome::Allowed | Outcome::Approved | Outcome::Observed => None,
        }
    }
}
