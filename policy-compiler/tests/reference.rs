//! `docs/policy.md` is written from the types of the policy language.
//!
//! `UPDATE_DOCS=1 cargo test -p policy-compiler --test reference` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use policy_compiler::{Options, compile, reference};

#[test]
fn the_page_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.md");
    let page = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/policy.md is stale: UPDATE_DOCS=1 cargo test -p policy-compiler --test reference"
    );
}

#[test]
fn the_example_on_the_page_compiles_without_a_finding() {
    let page = reference();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let compiled = compile(example, "docs/policy.md", &Options::default()).unwrap();
    assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
}

#[test]
fn every_mask_on_the_page_compiles_without_a_finding() {
    let frame = "apiVersion: tracegate.dev/v1alpha1\nkind: TracePolicy\n\
        metadata: {name: page, revision: 1}\nspec:\n  connections:\n  - name: api\n    \
        hosts: [api.example]\n    allowMissing: true\n    \
        rules: [{name: ok, action: ALLOW, to: [{operation: {paths: [\"/\"]}}]}]\n";
    let page = reference();
    let masks = page.split("```yaml\nmask:\n").skip(1);
    for mask in masks {
        let (mask, _) = mask.split_once("```").unwrap();
        let mask: String = mask.lines().map(|line| format!("    {line}\n")).collect();
        let policy = format!("{frame}    mask:\n{mask}");
        let compiled = compile(&policy, "docs/policy.md", &Options::default());
        let compiled = compiled.unwrap_or_else(|error| panic!("{error}\n{policy}"));
        assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
    }
}

#[test]
fn no_field_is_without_a_meaning_and_no_link_without_a_section() {
    let page = reference();
    assert!(!page.contains(" |  |\n"), "a field has no meaning");
    for link in page.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        let heading = page
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .any(|heading| heading.to_lowercase() == anchor);
        assert!(heading, "there is no section `{anchor}`");
    }
}
