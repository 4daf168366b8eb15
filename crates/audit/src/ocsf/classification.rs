//! What was hidden, as OCSF's profile `data_classification` has it: kinds of data, and where in a
//! message they were found. Counts are exact whatever is shortened.

use super::Event;
use crate::json::{Members, Writer, key};
use crate::record::{Inspected, Masked, Message};

/// OCSF's categories of data, as far as detectors tell them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Category {
    Personal,
    Financial,
    Security,
    Other,
}

impl Category {
    const ALL: [Self; 4] = [Self::Personal, Self::Financial, Self::Security, Self::Other];

    /// The category of what a detector of that name finds. Rules that name a path, and the patterns
    /// of a policy's author, say nothing about what they hide.
    fn of(entry: &Masked<'_>) -> Self {
        match entry.detector.bytes() {
            b"email" | b"us-ssn" | b"phone" | b"ipv4" => Self::Personal,
            b"credit-card" | b"iban" => Self::Financial,
            b"jwt" | b"aws-access-key" | b"github-token" | b"openai-key" | b"anthropic-key"
            | b"slack-token" | b"private-key" | b"bearer-token" | b"url-credentials" => {
                Self::Security
            }
            _ => Self::Other,
        }
    }

    const fn caption(self) -> &'static str {
        match self {
            Self::Personal => "Personal",
            Self::Financial => "Financial",
            Self::Security => "Security",
            Self::Other => "Other",
        }
    }

    const fn id(self) -> u64 {
        match self {
            Self::Personal => 1,
            Self::Financial => 3,
            Self::Security => 6,
            Self::Other => 99,
        }
    }
}

/// How many values the entries stand for.
pub(super) fn total<'m>(entries: impl IntoIterator<Item = &'m Masked<'m>>) -> u64 {
    let counts = entries.into_iter().map(|entry| entry.count);
    counts.fold(0, u64::saturating_add)
}

impl Event<'_> {
    /// What was hidden in a message, by category, and after that what would have been: there the
    /// policy is not applied.
    pub(super) fn data_classifications(
        &self,
        message: Message,
        room: &mut usize,
        resource: &mut Members<'_, '_>,
    ) {
        let groups = [false, true].into_iter().flat_map(|observed| {
            let categories = Category::ALL.into_iter();
            categories.map(move |category| (category, observed))
        });
        let found = groups.filter(|&(category, observed)| {
            let mut entries = self.masked(message, observed);
            entries.any(|entry| Category::of(entry) == category)
        });
        resource.member(key!("data_classifications")).array(
            found,
            |writer, (category, observed)| {
                writer.object(|members| {
                    let entries = self.masked(message, observed);
                    let entries = entries.filter(|entry| Category::of(entry) == category);
                    self.classification(category, entries, room, members);
                });
            },
        );
    }

    fn classification<'m>(
        &self,
        category: Category,
        entries: impl Iterator<Item = &'m Masked<'m>> + Clone,
        room: &mut usize,
        members: &mut Members<'_, '_>,
    ) {
        members.constant(key!("category"), category.caption());
        members.integer(key!("category_id"), category.id());
        let listed = entries.clone().take(*room);
        let count = listed.clone().count();
        let writer = members.member(key!("discovery_details"));
        if count < entries.clone().count() {
            writer.note_shortened();
        }
        *room -= count;
        writer.array(listed, |writer, entry| self.discovery(entry, writer));
        let first = entries.clone().next();
        if let Some(policy) = &self.record.policy {
            let is_applied =
                self.record.policy_is_applied() && first.is_some_and(|entry| !entry.observed);
            members.object(key!("policy"), |members| {
                self.policy(policy, is_applied, members);
            });
        }
        // A request is masked as a whole or not at all.
        let is_request = first.is_some_and(|entry| entry.message == Message::Request);
        let status = match self.record.inspected {
            _ if is_request => (1, "Complete"),
            Inspected::Full => (1, "Complete"),
            Inspected::Partial(_) | Inspected::None(_) => (2, "Partial"),
        };
        members.constant(key!("status"), status.1);
        members.integer(key!("status_id"), status.0);
        members.integer(key!("total"), total(entries));
    }

    fn discovery(&self, entry: &Masked<'_>, writer: &mut Writer<'_>) {
        writer.object(|details| {
            details.integer(key!("count"), entry.count);
            details
                .member(key!("occurrences"))
                .array([()], |writer, ()| {
                    writer.object(|occurrence| {
                        occurrence.text(
                            key!("json_path"),
                            entry.json_path,
                            self.limits.masked_path,
                        );
                    });
                });
            details.text(key!("type"), entry.detector, self.limits.name);
        });
    }
}
