//! The filter as wasm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the compiled filter lies. Cargo builds it if it is not up to date; `TRACEGATE_FILTER` names
/// another module to test.
///
/// # Panics
/// If it does not build.
pub fn filter() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("TRACEGATE_FILTER") {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "tracegate-filter"])
        .args(["--target", "wasm32-wasip1", "--profile", "filter"])
        .current_dir(&root)
        .status();
    let succeeded = built.is_ok_and(|status| status.success());
    assert!(succeeded, "the filter does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
    let path = target.join("wasm32-wasip1/filter/tracegate_filter.wasm");
    path.canonicalize().expect("cargo has built the filter")
}
