//! Where the Envoy binaries lie: cargo does not build them, so a test that finds none says how to get
//! it.

use std::env;
use std::path::{Path, PathBuf};

use super::{DEFAULT_VERSION, EnvoyError};

/// The versions to test: those that `TRACEGATE_ENVOY_VERSIONS` names, between commas or white space,
/// else all that are set up, or the default one, which then tells what is missing.
#[must_use]
pub fn versions() -> Vec<String> {
    if let Ok(named) = env::var("TRACEGATE_ENVOY_VERSIONS") {
        let names = named.split(|c: char| c == ',' || c.is_whitespace());
        return names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
    }
    let entries = std::fs::read_dir(folder()).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.path().join("envoy").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    if found.is_empty() {
        found.push(DEFAULT_VERSION.to_owned());
    }
    found
}

/// `TRACEGATE_ENVOY_DIR`, else where `scripts/setup-envoy` puts them.
fn folder() -> PathBuf {
    env::var_os("TRACEGATE_ENVOY_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/envoy"),
        PathBuf::from,
    )
}

/// The Envoy binary of that version.
pub(super) fn binary(version: &str) -> Result<PathBuf, EnvoyError> {
    let path = folder().join(version).join("envoy");
    // It is a link into a Python package; a container needs the file itself.
    path.canonicalize().map_err(|_| EnvoyError::Missing {
        version: version.to_owned(),
        path,
    })
}
