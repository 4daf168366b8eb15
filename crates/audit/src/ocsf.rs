//! Writes a record as an event of OCSF 1.8, class API Activity (6003).
//!
//! Members stand in the order in which RFC 8785 sorts them. Optional members without a value are
//! left out. What OCSF has no name for stands in `unmapped.tracegate`.

use crate::json::{Members, Writer};
use crate::limits::{LADDER, Limits, MAX_BYTES};
use crate::record::{Caller, Inspected, MaskAction, Policy, Record, Text};

mod classification;
mod traffic;

const CATEGORY_UID: u64 = 6;
const CLASS_UID: u64 = 6003;
const OCSF_VERSION: &str = "1.8.0";
/// Version of what we make of OCSF: grows when a member changes its meaning.
const LOG_VERSION: &str = "1";

impl Record<'_> {
    /// The record as one line of canonical JSON, without the line feed: at most
    /// [`MAX_BYTES`](crate::MAX_BYTES) bytes.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(MAX_BYTES / 2);
        let mut truncated = self.masked_more;
        for limits in &LADDER {
            if self.write(limits, truncated, &mut line) && !truncated {
                truncated = true;
                self.write(limits, truncated, &mut line);
            }
            if line.len() <= MAX_BYTES {
                break;
            }
            truncated = true;
        }
        line
    }

    /// Writes the record within `limits`. Returns whether one of them cut something off.
    fn write(&self, limits: &Limits, truncated: bool, line: &mut Vec<u8>) -> bool {
        line.clear();
        let mut writer = Writer::new(line);
        let event = Event {
            record: self,
            limits,
            truncated,
        };
        writer.object(|members| event.members(members));
        writer.shortened()
    }
}

/// A record on its way to the buffer.
struct Event<'r> {
    record: &'r Record<'r>,
    limits: &'r Limits,
    truncated: bool,
}

impl Event<'_> {
    fn members(&self, event: &mut Members<'_, '_>) {
        let record = self.record;
        let row = record.row();
        let activity = traffic::activity(record.request.method);

        event.constant("action", row.action.1);
        event.integer("action_id", row.action.0);
        event.integer("activity_id", activity.0);
        event.text("activity_name", activity.1, self.limits.name);
        event.object("actor", |actor| self.actor(actor));
        event.object("api", |api| self.api(api));
        event.integer("category_uid", CATEGORY_UID);
        event.integer("class_uid", CLASS_UID);
        event.constant("disposition", row.disposition.1);
        event.integer("disposition_id", row.disposition.0);
        self.dst_endpoint(event);
        event.maybe_integer("duration", record.times.duration);
        self.firewall_rule(event);
        event.object("http_request", |request| self.http_request(request));
        self.http_response(event);
        event.boolean("is_alert", row.is_alert);
        self.message(event);
        event.object("metadata", |metadata| self.metadata(metadata));
        if let Some(policy) = &record.policy {
            event.object("policy", |members| self.policy(policy, members));
        }
        self.resources(event);
        event.integer("severity_id", row.severity);
        event.object("src_endpoint", |endpoint| self.src_endpoint(endpoint));
        event.constant("status", row.status.1);
        if let Some(code) = record.response.code {
            let code = u64::from(code);
            event
                .member("status_code")
                .string(|text| text.decimal(code));
        }
        event.maybe_text("status_detail", record.status_detail(), self.limits.name);
        event.integer("status_id", row.status.0);
        event.integer("time", record.times.start);
        if let Some(trace) = &record.trace {
            event.object("trace", |members| {
                members.text("uid", trace.digits()[..].into(), trace.digits().len());
            });
        }
        event.integer("type_uid", CLASS_UID * 100 + activity.0);
        event.object("unmapped", |unmapped| {
            unmapped.object("tracegate", |extras| self.extras(extras));
        });
    }

    fn actor(&self, actor: &mut Members<'_, '_>) {
        let Caller::Verified {
            issuer,
            subject,
            groups,
            token_id,
            expires,
            presenter,
        } = &self.record.caller
        else {
            self.authorizations(actor);
            actor.object("user", |user| {
                user.constant("name", "unverified");
                user.integer("type_id", 0);
            });
            return;
        };
        let identifier = self.limits.identifier;
        actor.maybe_text("app_name", *presenter, self.limits.name);
        self.authorizations(actor);
        actor.object("session", |session| {
            let expires = expires.map(|seconds| seconds.saturating_mul(1000));
            session.maybe_integer("expiration_time", expires);
            session.text("issuer", *issuer, identifier);
            session.maybe_text("uid", *token_id, identifier);
        });
        actor.object("user", |user| {
            self.groups(groups, user);
            user.integer("type_id", 1);
            user.text("uid", *subject, identifier);
        });
    }

    fn groups(&self, groups: &[Text<'_>], user: &mut Members<'_, '_>) {
        if groups.is_empty() {
            return;
        }
        let writer = user.member("groups");
        let listed = groups.len().min(self.limits.groups);
        if listed < groups.len() {
            writer.note_shortened();
        }
        writer.array(groups.iter().take(listed), |writer, &name| {
            writer.object(|group| group.text("name", name, self.limits.name));
        });
    }

    fn authorizations(&self, actor: &mut Members<'_, '_>) {
        let (Some(decision), Some(policy)) = (self.record.decision(), &self.record.policy) else {
            return;
        };
        actor.member("authorizations").array([()], |writer, ()| {
            writer.object(|authorization| {
                authorization.constant("decision", decision);
                authorization.object("policy", |members| self.policy(policy, members));
            });
        });
    }

    fn policy(&self, policy: &Policy<'_>, members: &mut Members<'_, '_>) {
        members.boolean("is_applied", self.record.policy_is_applied());
        members.text("name", policy.name, self.limits.identifier);
        members.text("uid", policy.digest, self.limits.identifier);
        members
            .member("version")
            .string(|text| text.decimal(policy.revision));
    }

    fn firewall_rule(&self, event: &mut Members<'_, '_>) {
        let Some((name, kind)) = self.record.deciding_rule() else {
            return;
        };
        event.object("firewall_rule", |rule| {
            rule.text("name", name, self.limits.name);
            rule.constant("type", kind);
            rule.text("uid", name, self.limits.name);
        });
    }

    fn message(&self, event: &mut Members<'_, '_>) {
        if let Some(title) = self.record.title() {
            event.constant("message", title);
            return;
        }
        let values = classification::total(self.record.masked);
        if values > 0 {
            event.member("message").string(|text| {
                text.decimal(values);
                text.constant(match values {
                    1 => " value masked in response body",
                    _ => " values masked in response body",
                });
            });
        }
    }

    fn metadata(&self, metadata: &mut Members<'_, '_>) {
        if self.truncated {
            metadata.boolean("is_truncated", true);
        }
        metadata.constant("log_name", "tracegate.audit");
        metadata.constant("log_version", LOG_VERSION);
        metadata.object("product", |product| {
            product.constant("name", "tracegate");
            product.constant("vendor_name", "Tracegate");
            product.constant("version", env!("CARGO_PKG_VERSION"));
        });
        let profiles = [
            ("security_control", true),
            ("trace", self.record.trace.is_some()),
            ("data_classification", !self.record.masked.is_empty()),
        ];
        let used = profiles.into_iter().filter(|&(_, used)| used);
        metadata
            .member("profiles")
            .array(used, |writer, (name, _)| {
                writer.string(|text| text.constant(name));
            });
        metadata.constant("version", OCSF_VERSION);
    }

    fn resources(&self, event: &mut Members<'_, '_>) {
        if self.record.masked.is_empty() {
            return;
        }
        event.member("resources").array([()], |writer, ()| {
            writer.object(|resource| {
                self.data_classifications(resource);
                resource.constant("name", "response.body");
                resource.constant("role", "Affected");
                resource.integer("role_id", 3);
                resource.constant("type", "http.response.body");
            });
        });
    }

    /// `unmapped.tracegate`.
    fn extras(&self, extras: &mut Members<'_, '_>) {
        let Record {
            connection,
            inspected,
            request,
            response,
            ..
        } = self.record;
        if let Some(code) = self.record.code() {
            extras.constant("code", code);
        }
        if let Some(connection) = connection {
            extras.text("connection", connection.name, self.limits.name);
        }
        extras.constant("event", "http.request");
        let (extent, reason) = match *inspected {
            Inspected::Full => ("full", None),
            Inspected::Partial(reason) => ("partial", Some(reason)),
            Inspected::None(reason) => ("none", Some(reason)),
        };
        extras.constant("inspected", extent);
        if let Some(reason) = reason {
            extras.constant("inspected_reason", reason);
        }
        self.mask_actions(extras);
        if let Some(code) = self.record.refused_bundle {
            extras.constant("refused_bundle", code);
        }
        extras.object("request", |members| {
            members.maybe_digest("body_sha256", request.body_sha256.as_ref());
            members.boolean("has_query", traffic::split_query(request.path).1);
        });
        extras.object("response", |members| {
            members.maybe_digest("body_sha256", response.body_sha256.as_ref());
            members.maybe_text("code_details", response.code_details, self.limits.name);
            members.maybe_integer("flags", response.flags);
        });
        if let Some(supplier) = connection.as_ref().and_then(|found| found.supplier) {
            extras.text("supplier", supplier, self.limits.name);
        }
    }

    fn mask_actions(&self, extras: &mut Members<'_, '_>) {
        let masked = self.record.masked;
        if masked.is_empty() {
            return;
        }
        let count = |action| {
            let of_action = masked.iter().filter(|entry| entry.action == action);
            classification::total(of_action)
        };
        extras.object("mask", |mask| {
            mask.object("actions", |actions| {
                for action in MaskAction::ALL {
                    let values = count(action);
                    if values > 0 {
                        actions.integer(action.name(), values);
                    }
                }
            });
        });
    }
}
