//! Writes a record as an event of OCSF 1.8, class API Activity (6003).
//!
//! Members stand in the order in which RFC 8785 sorts them. Optional members without a value are
//! left out. What OCSF has no name for stands in `unmapped.tracegate`.

use crate::json::{Key, Members, Writer, key};
use crate::limits::{LADDER, Limits, MAX_BYTES};
use crate::record::{Caller, Inspected, MaskAction, Masked, Message, Policy, Record, Text};

mod classification;
mod traffic;

const CLASS_UID: u64 = 6003;

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

        event.constant(key!("action"), row.action.1);
        event.integer(key!("action_id"), row.action.0);
        event.integer(key!("activity_id"), activity.0);
        event.text(key!("activity_name"), activity.1, self.limits.name);
        event.object(key!("actor"), |actor| self.actor(actor));
        event.object(key!("api"), |api| self.api(api));
        event.same(key!("category_uid": 6, "class_uid": 6003));
        event.constant(key!("disposition"), row.disposition.1);
        event.integer(key!("disposition_id"), row.disposition.0);
        self.dst_endpoint(event);
        event.maybe_integer(key!("duration"), record.times.duration);
        self.firewall_rule(event);
        event.object(key!("http_request"), |request| self.http_request(request));
        self.http_response(event);
        event.boolean(key!("is_alert"), row.is_alert);
        self.message(event);
        event.object(key!("metadata"), |metadata| self.metadata(metadata));
        if let Some(policy) = &record.policy {
            let applied = record.policy_is_applied();
            event.object(key!("policy"), |members| {
                self.policy(policy, applied, members);
            });
        }
        self.resources(event);
        event.integer(key!("severity_id"), row.severity);
        event.object(key!("src_endpoint"), |endpoint| self.src_endpoint(endpoint));
        event.constant(key!("status"), row.status.1);
        if let Some(code) = record.response.code {
            let code = u64::from(code);
            event
                .member(key!("status_code"))
                .string(|text| text.decimal(code));
        }
        event.maybe_text(
            key!("status_detail"),
            record.status_detail(),
            self.limits.name,
        );
        event.integer(key!("status_id"), row.status.0);
        event.integer(key!("time"), record.times.start);
        if let Some(trace) = &record.trace {
            event.object(key!("trace"), |members| {
                members.text(key!("uid"), trace.digits()[..].into(), trace.digits().len());
            });
        }
        event.integer(key!("type_uid"), CLASS_UID * 100 + activity.0);
        event.object(key!("unmapped"), |unmapped| {
            unmapped.object(key!("tracegate"), |extras| self.extras(extras));
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
            actor.object(key!("user"), |user| {
                user.same(key!("name": "\"unverified\"", "type_id": 0));
            });
            return;
        };
        let identifier = self.limits.identifier;
        actor.maybe_text(key!("app_name"), *presenter, self.limits.name);
        self.authorizations(actor);
        actor.object(key!("session"), |session| {
            let expires = expires.map(|seconds| seconds.saturating_mul(1000));
            session.maybe_integer(key!("expiration_time"), expires);
            session.text(key!("issuer"), *issuer, identifier);
            session.maybe_text(key!("uid"), *token_id, identifier);
        });
        actor.object(key!("user"), |user| {
            self.groups(groups, user);
            user.integer(key!("type_id"), 1);
            user.text(key!("uid"), *subject, identifier);
        });
    }

    fn groups(&self, groups: &[Text<'_>], user: &mut Members<'_, '_>) {
        if groups.is_empty() {
            return;
        }
        let writer = user.member(key!("groups"));
        let listed = groups.len().min(self.limits.groups);
        if listed < groups.len() {
            writer.note_shortened();
        }
        writer.array(groups.iter().take(listed), |writer, &name| {
            writer.object(|group| group.text(key!("name"), name, self.limits.name));
        });
    }

    fn authorizations(&self, actor: &mut Members<'_, '_>) {
        let (Some(decision), Some(policy)) = (self.record.decision(), &self.record.policy) else {
            return;
        };
        actor
            .member(key!("authorizations"))
            .array([()], |writer, ()| {
                writer.object(|authorization| {
                    authorization.constant(key!("decision"), decision);
                    authorization.object(key!("policy"), |members| {
                        self.policy(policy, self.record.policy_is_applied(), members);
                    });
                });
            });
    }

    fn policy(&self, policy: &Policy<'_>, is_applied: bool, members: &mut Members<'_, '_>) {
        members.boolean(key!("is_applied"), is_applied);
        members.text(key!("name"), policy.name, self.limits.identifier);
        members.text(key!("uid"), policy.digest, self.limits.identifier);
        members
            .member(key!("version"))
            .string(|text| text.decimal(policy.revision));
    }

    fn firewall_rule(&self, event: &mut Members<'_, '_>) {
        let Some((name, kind)) = self.record.deciding_rule() else {
            return;
        };
        event.object(key!("firewall_rule"), |rule| {
            rule.text(key!("name"), name, self.limits.name);
            rule.constant(key!("type"), kind);
            rule.text(key!("uid"), name, self.limits.name);
        });
    }

    fn message(&self, event: &mut Members<'_, '_>) {
        if let Some(title) = self.record.title() {
            event.constant(key!("message"), title);
            return;
        }
        let hidden = |message| (message, classification::total(self.masked(message, false)));
        let counts = [Message::Request, Message::Response].map(hidden);
        let mut counts = counts
            .into_iter()
            .filter(|&(_, values)| values > 0)
            .peekable();
        if counts.peek().is_none() {
            return;
        }
        event.member(key!("message")).string(|text| {
            while let Some((message, values)) = counts.next() {
                text.decimal(values);
                text.constant(match (message, values) {
                    (Message::Request, 1) => " value masked in request body",
                    (Message::Request, _) => " values masked in request body",
                    (Message::Response, 1) => " value masked in response body",
                    (Message::Response, _) => " values masked in response body",
                });
                if counts.peek().is_some() {
                    text.constant(", ");
                }
            }
        });
    }

    /// What was hidden in a message, or what would have been.
    fn masked(
        &self,
        message: Message,
        observed: bool,
    ) -> impl Iterator<Item = &Masked<'_>> + Clone {
        let entries = self.record.masked.iter();
        entries.filter(move |entry| entry.message == message && entry.observed == observed)
    }

    fn metadata(&self, metadata: &mut Members<'_, '_>) {
        if self.truncated {
            metadata.boolean(key!("is_truncated"), true);
        }
        // `log_version` grows when a member changes its meaning.
        metadata.same(key!("log_name": "\"tracegate.audit\"", "log_version": "\"1\""));
        metadata.object(key!("product"), |product| {
            product.same(key!(
                "name": "\"tracegate\"",
                "vendor_name": "\"Tracegate\"",
                "version": concat!("\"", env!("CARGO_PKG_VERSION"), "\""),
            ));
        });
        let profiles = [
            ("security_control", true),
            ("trace", self.record.trace.is_some()),
            ("data_classification", !self.record.masked.is_empty()),
        ];
        let used = profiles.into_iter().filter(|&(_, used)| used);
        metadata
            .member(key!("profiles"))
            .array(used, |writer, (name, _)| {
                writer.string(|text| text.constant(name));
            });
        metadata.same(key!("version": "\"1.8.0\""));
    }

    fn resources(&self, event: &mut Members<'_, '_>) {
        if self.record.masked.is_empty() {
            return;
        }
        let named = |&message: &Message| {
            let mut entries = self.record.masked.iter();
            entries.any(|entry| entry.message == message)
        };
        let messages = [Message::Request, Message::Response]
            .into_iter()
            .filter(named);
        // The limit holds for all messages together.
        let mut room = self.limits.masked;
        event
            .member(key!("resources"))
            .array(messages, |writer, message| {
                writer.object(|resource| {
                    self.data_classifications(message, &mut room, resource);
                    resource.same(match message {
                        Message::Request => key!(
                            "name": "\"request.body\"",
                            "role": "\"Affected\"",
                            "role_id": 3,
                            "type": "\"http.request.body\"",
                        ),
                        Message::Response => key!(
                            "name": "\"response.body\"",
                            "role": "\"Affected\"",
                            "role_id": 3,
                            "type": "\"http.response.body\"",
                        ),
                    });
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
            extras.constant(key!("code"), code);
        }
        if let Some(connection) = connection {
            extras.text(key!("connection"), connection.name, self.limits.name);
        }
        extras.same(key!("event": "\"http.request\""));
        let (extent, reason) = match *inspected {
            Inspected::Full => ("full", None),
            Inspected::Partial(reason) => ("partial", Some(reason)),
            Inspected::None(reason) => ("none", Some(reason)),
        };
        extras.constant(key!("inspected"), extent);
        if let Some(reason) = reason {
            extras.constant(key!("inspected_reason"), reason);
        }
        self.mask_actions(extras);
        if let Some(code) = self.record.refused_bundle {
            extras.constant(key!("refused_bundle"), code);
        }
        extras.object(key!("request"), |members| {
            members.maybe_digest(key!("body_sha256"), request.body_sha256.as_ref());
            members.boolean(key!("has_query"), traffic::split_query(request.path).1);
        });
        extras.object(key!("response"), |members| {
            members.maybe_digest(key!("body_sha256"), response.body_sha256.as_ref());
            members.maybe_text(
                key!("code_details"),
                response.code_details,
                self.limits.name,
            );
            members.maybe_integer(key!("flags"), response.flags);
        });
        if let Some(supplier) = connection.as_ref().and_then(|found| found.supplier) {
            extras.text(key!("supplier"), supplier, self.limits.name);
        }
    }

    fn mask_actions(&self, extras: &mut Members<'_, '_>) {
        if self.record.masked.is_empty() {
            return;
        }
        extras.object(key!("mask"), |mask| {
            self.actions(key!("actions"), self.masked(Message::Response, false), mask);
            self.actions(key!("observed"), self.masked(Message::Response, true), mask);
            let request = [(key!("actions"), false), (key!("observed"), true)];
            if self
                .record
                .masked
                .iter()
                .any(|entry| entry.message == Message::Request)
            {
                mask.object(key!("request"), |members| {
                    for (key, observed) in request {
                        self.actions(key, self.masked(Message::Request, observed), members);
                    }
                });
            }
        });
    }

    /// How many values of `entries` were hidden how.
    fn actions<'m>(
        &self,
        key: Key,
        entries: impl Iterator<Item = &'m Masked<'m>> + Clone,
        members: &mut Members<'_, '_>,
    ) {
        if entries.clone().next().is_none() {
            return;
        }
        members.object(key, |actions| {
            for action in MaskAction::ALL {
                let of_action = entries.clone().filter(|entry| entry.action == action);
                let values = classification::total(of_action);
                if values > 0 {
                    actions.integer(action_key(action), values);
                }
            }
        });
    }
}

const fn action_key(action: MaskAction) -> Key {
    match action {
        MaskAction::Drop => key!("drop"),
        MaskAction::Hash => key!("hash"),
        MaskAction::Nullify => key!("nullify"),
        MaskAction::Partial => key!("partial"),
        MaskAction::Redact => key!("redact"),
        MaskAction::Tokenize => key!("tokenize"),
    }
}
