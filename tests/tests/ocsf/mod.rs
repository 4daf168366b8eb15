//! The schema of OCSF 1.8, class API Activity, where it lies beside the repository.

use std::path::Path;

use serde_json::Value;

const SCHEMA: &str = "../shared/data/ocsf/ocsf-1.8.0-6003-api_activity.schema.json";

/// The schema; without it nothing is held against it, and the output says so.
pub(crate) fn schema() -> Option<jsonschema::Validator> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(SCHEMA);
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("SKIPPED: validation against OCSF, for there is no {SCHEMA}");
        return None;
    };
    // The file refers to one definition without the escape that a JSON pointer needs (RFC 6901 §3).
    let text = text.replace("#/$defs/win/", "#/$defs/win~1");
    let schema = serde_json::from_str(&text).unwrap();
    Some(jsonschema::validator_for(&schema).unwrap())
}

/// Asserts that a record is valid, where there is a schema.
pub(crate) fn assert_valid(schema: Option<&jsonschema::Validator>, record: &[u8]) {
    let record: Value = serde_json::from_slice(record).unwrap();
    let errors = schema
        .into_iter()
        .flat_map(|schema| schema.iter_errors(&record));
    let errors: Vec<_> = errors
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{record}");
}
