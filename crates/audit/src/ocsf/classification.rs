//! What was hidden, as OCSF's profile `data_classification` has it: kinds of data, and where in the
//! response they were found. Counts are exact whatever is shortened.

use super::Event;
use crate::json::{Members, Writer, key};
use crate::record::{Inspected, Masked};

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
    pub(super) fn data_classifications(&self, resource: &mut Members<'_, '_>) {
        let masked = self.record.masked;
        let found = Category::ALL
            .into_iter()
            .filter(|&category| masked.iter().any(|entry| Category::of(entry) == category));
        // The limit holds for all categories together.
        let mut room = self.limits.masked;
        resource
            .member(key!("data_classifications"))
            .array(found, |writer, category| {
                writer.object(|members| self.classification(category, &mut room, members));
            });
    }

    fn classification(&self, category: Category, room: &mut usize, members: &mut Members<'_, '_>) {
        let masked = self.record.masked.iter();
        let entries = masked.filter(|entry| Category::of(entry) == category);
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
        if let Some(policy) = &self.record.policy {
            members.object(key!("policy"), |members| self.policy(policy, members));
        }
        let status = match self.record.inspected {
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
