//! Where the Envoy binaries lie: cargo does not build them, so a test that finds none says how to get
//! it.

use std::env;
use std::path::{Path, PathBuf};

use super::EnvoyError;

/// The Envoy binary of that version: in `TRACEGATE_ENVOY_DIR`, else where `scripts/setup-envoy` puts
/// it.
pub(super) fn binary(version: &str) -> Result<PathBuf, EnvoyError> {
    let folder = env::var_os("TRACEGATE_ENVOY_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/envoy"),
        PathBuf::from,
    );
    let path = folder.join(version).join("envoy");
    // It is a link into a Python package; a container needs the file itself.
    path.canonicalize().map_err(|_| EnvoyError::Missing {
        version: version.to_owned(),
        path,
    })
}
