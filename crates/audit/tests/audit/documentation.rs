//! `docs/records.md` shows what the code writes and explains every member of it.
//!
//! `UPDATE_DOCS=1 cargo test -p tracegate-audit` writes the examples anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use tracegate_audit::Record;

use crate::support::{allowed, masked, masked_on_the_way_up, refused_token};

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/records.md")
}

/// The record over several lines, as the page shows it.
fn shown(record: &Record<'_>) -> String {
    let event: Value = serde_json::from_slice(&record.line()).unwrap();
    let mut text = String::from("{\n");
    let members = event.as_object().unwrap();
    for (index, (name, value)) in members.iter().enumerate() {
        let comma = if index + 1 < members.len() { "," } else { "" };
        text.push_str(&format!(" \"{name}\": {value}{comma}\n"));
    }
    text.push_str("}\n");
    text
}

/// Puts `example` between its marker and the end of the code block that follows.
fn with_example(page: &str, name: &str, example: &str) -> String {
    let marker = format!("<!-- example: {name} -->\n```json\n");
    let (before, rest) = page.split_once(&marker).expect("the marker of the example");
    let (_, after) = rest.split_once("```").expect("the end of the example");
    format!("{before}{marker}{example}```{after}")
}

#[test]
fn the_examples_are_what_the_code_writes() {
    let found = std::fs::read_to_string(page()).unwrap();
    let mut expected = found.clone();
    for (name, record) in [
        ("masked", masked()),
        ("request", masked_on_the_way_up()),
        ("refused", refused_token()),
    ] {
        expected = with_example(&expected, name, &shown(&record));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(page(), &expected).unwrap();
        return;
    }
    assert!(
        found == expected,
        "docs/records.md is stale: run UPDATE_DOCS=1 cargo test -p tracegate-audit"
    );
}

/// The paths of all members that hold no object: `actor.user.uid`, `resources[].name`.
fn leaves(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                leaves(&path, value, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                leaves(&format!("{path}[]"), item, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// The members that the tables of the page explain: all names in backquotes in a first column.
fn explained(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let first_columns = rows.filter_map(|row| row.split(" |").next());
    first_columns
        .flat_map(|column| {
            column
                .split('`')
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_member_is_explained_and_every_explained_member_exists() {
    let mut written = BTreeSet::new();
    let unusual = Record {
        masked_more: true,
        refused_bundle: Some("bundle.untrusted"),
        ..masked()
    };
    let up = masked_on_the_way_up();
    for record in [allowed(), unusual, up, refused_token(), Record::default()] {
        leaves(
            "",
            &serde_json::from_slice(&record.line()).unwrap(),
            &mut written,
        );
    }
    let explained = explained(&std::fs::read_to_string(page()).unwrap());
    let missing: Vec<_> = written.difference(&explained).collect();
    assert!(
        missing.is_empty(),
        "docs/records.md does not explain {missing:#?}"
    );
    let gone: Vec<_> = explained.difference(&written).collect();
    assert!(gone.is_empty(), "no record has {gone:#?}");
}
