//! `docs/codes.md` is written from the table of refusals.
//!
//! `UPDATE_DOCS=1 cargo test -p tracegate-engine --test codes_page` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use tracegate_engine::refusal::Refusal;

/// What an operator or a caller can do, by the first part of a code.
const FAMILIES: &[(&str, &str)] = &[
    (
        "jwt",
        "The token. The caller needs another one; the record says which connection it was for.",
    ),
    (
        "jwks",
        "The keys of an issuer. Look at the cluster of its `jwksUri` and at\n\
         `tracegate_jwks_fetches_total`.",
    ),
    (
        "policy",
        "The rules. `policy-compiler check` explains a policy; the reply names a DENY rule.",
    ),
    ("request", "The request itself."),
    (
        "mask",
        "The response of the back end cannot be inspected, and so is not shown. Where headers had\n\
         gone out already, the stream was reset instead.",
    ),
    (
        "bundle",
        "The policy of the proxy. Everything is denied until a good bundle is delivered.",
    ),
    ("internal", "The proxy. Please report it, with its log."),
];

fn page() -> String {
    let mut page = String::from(
        "# Codes\n\nEvery refusal has one code. It stands in the reply (`code`), in the metric\n\
         `tracegate_requests_total` (label `code`) and on the audit record\n\
         (`unmapped.tracegate.code`). Codes are never renamed.\n\n\
         <!-- Written by crates/engine/tests/codes_page.rs from the table of refusals. -->\n",
    );
    for (family, advice) in FAMILIES {
        let _ = write!(
            page,
            "\n## `{family}`\n\n{advice}\n\n| code | status | |\n|---|---|---|\n"
        );
        let prefix = format!("{family}.");
        for refusal in Refusal::ALL
            .iter()
            .filter(|r| r.code().starts_with(&prefix))
        {
            let (code, status, title) = (refusal.code(), refusal.status(), refusal.title());
            let _ = writeln!(page, "| `{code}` | {status} | {title} |");
        }
    }
    page
}

#[test]
fn the_page_lists_every_code_and_is_up_to_date() {
    let page = page();
    for refusal in Refusal::ALL {
        assert!(
            page.contains(&format!("`{}`", refusal.code())),
            "{refusal} has no family"
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/codes.md is stale: UPDATE_DOCS=1 cargo test -p tracegate-engine --test codes_page"
    );
}
