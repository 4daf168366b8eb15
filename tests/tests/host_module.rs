//! The compiled module: what it imports, what it exports, how large it is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use tracegate_tests::host::Module;

fn capabilities() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy/capabilities.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_capabilities_that_we_grant_are_exactly_those_that_the_module_has() {
    let module = Module::filter();
    let callbacks = module
        .exports()
        .filter(|name| name.starts_with("proxy_on_"));
    let used: BTreeSet<_> = module
        .imports()
        .chain(callbacks)
        .map(str::to_owned)
        .collect();
    assert_eq!(capabilities(), used);
}

#[test]
fn the_module_exports_nothing_that_the_abi_does_not_name() {
    let others: BTreeSet<_> = Module::filter()
        .exports()
        .filter(|name| !name.starts_with("proxy_on_"))
        .collect();
    assert_eq!(
        others,
        BTreeSet::from(["_initialize", "memory", "proxy_abi_version_0_2_1"])
    );
}

#[test]
fn the_module_is_smaller_than_a_mebibyte_and_a_half() {
    let size = std::fs::metadata(tracegate_tests::module::filter())
        .unwrap()
        .len();
    assert!(size < 3 << 19, "{size} bytes");
}
