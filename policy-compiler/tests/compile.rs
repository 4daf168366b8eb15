//! The compiler as a library: what a policy becomes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use policy_compiler::{Compiled, Options, compile};
use tracegate_bundle::Bundle;
use tracegate_bundle::policy::KeySource;

const REASONING: &str = include_str!("policies/reasoning.yaml");

fn compiled(source: &str) -> Compiled {
    compile(source, "policy.yaml", &Options::default()).unwrap()
}

#[test]
fn every_field_of_the_language_reaches_the_bundle() {
    let Compiled { bundle, warnings } = compiled(REASONING);
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!((bundle.name.as_str(), bundle.revision), ("reasoning", 7));
    assert_eq!(bundle.expires, Some(1_800_000_000));
    let first = &bundle.providers[0];
    assert_eq!((first.clock_skew, first.max_lifetime), (30, Some(3600)));
    let KeySource::Remote {
        authority,
        path,
        timeout_ms,
        cache_seconds,
        ..
    } = &first.keys
    else {
        panic!("{:?}", first.keys);
    };
    assert_eq!(
        (authority.as_str(), path.as_str()),
        ("login.corp.example", "/jwks")
    );
    assert_eq!((*timeout_ms, *cache_seconds), (1500, 600));
    let KeySource::Inline(keys) = &bundle.providers[1].keys else {
        panic!("{:?}", bundle.providers[1].keys);
    };
    assert!(keys.starts_with(r#"{"keys":[{"#), "{keys}");
}

#[test]
fn what_is_compiled_is_what_the_filter_reads() {
    let bundle = compiled(REASONING).bundle;
    assert_eq!(Bundle::from_bytes(&bundle.to_bytes()), Ok(bundle));
}

#[test]
fn the_name_of_the_file_and_the_time_leave_no_trace() {
    let here = compiled(REASONING).bundle.to_bytes();
    let options = Options {
        now: Some(1_700_000_000),
        ..Options::default()
    };
    let there = compile(REASONING, "/elsewhere/p.yml", &options).unwrap();
    assert_eq!(there.bundle.to_bytes(), here);
}

#[test]
fn options_override_the_policy() {
    let options = Options {
        revision: Some(8),
        expires: Some(1_900_000_000),
        now: None,
    };
    let bundle = compile(REASONING, "policy.yaml", &options).unwrap().bundle;
    assert_eq!((bundle.revision, bundle.expires), (8, Some(1_900_000_000)));
}
