//! The reference of the policy language, from the declarations.

use super::Document;
use super::decode::{Mapping, Presence};
use crate::diagnostic::Code;

/// What stands before the reference: how a policy is used and what it means.
const INTRODUCTION: &str = include_str!("reference.md");

/// The page `docs/policy.md`: an introduction, every mapping with its fields, every diagnostic.
#[must_use]
pub fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    let mut listed: Vec<&'static Mapping> = vec![Document::MAPPING];
    let mut next = 0;
    while let Some(&mapping) = listed.get(next) {
        section(mapping, &mut out);
        for field in mapping.fields {
            for found in (field.shape)().mappings {
                if !listed.iter().any(|known| known.title == found.title) {
                    listed.push(found);
                }
            }
        }
        next += 1;
    }
    codes(&mut out);
    out
}

fn section(mapping: &Mapping, out: &mut String) {
    out.push_str(&format!(
        "### {}\n\n{}\n\n",
        mapping.title,
        line(mapping.about)
    ));
    out.push_str("| field | value | default | meaning |\n|---|---|---|---|\n");
    for field in mapping.fields {
        let default = match field.presence {
            Presence::Required => "**required**".to_owned(),
            Presence::Optional => String::new(),
            Presence::Default(text) => format!("`{text}`"),
            Presence::Later => "*later*".to_owned(),
        };
        let shape = (field.shape)();
        let mut words = shape.words;
        for mapping in shape.mappings {
            let link = format!("[{0}](#{1})", mapping.title, mapping.title.to_lowercase());
            words = match words.strip_suffix(mapping.title) {
                Some(before) => format!("{before}{link}"),
                None => format!("{words} ({link})"),
            };
        }
        let about = line(field.about);
        out.push_str(&format!(
            "| `{}` | {words} | {default} | {about} |\n",
            field.name
        ));
    }
    out.push('\n');
}

/// A doc comment as one line.
fn line(comment: &str) -> String {
    comment
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn codes(out: &mut String) {
    out.push_str("## Diagnostics\n\nA code keeps its meaning for ever. Warnings do not stop a build.\n\n| code | severity | meaning |\n|---|---|---|\n");
    for code in Code::ALL {
        let severity = code.severity().as_str();
        out.push_str(&format!("| {code} | {severity} | {} |\n", code.meaning()));
    }
}
