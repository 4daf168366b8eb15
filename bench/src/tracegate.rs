//! The chains with Tracegate in them: the policy of `policy.yaml`, compiled and signed here, with the
//! filter, the seal and the access log as `policy-compiler render envoy` writes them.

use std::error::Error;
use std::path::{Path, PathBuf};

use policy_compiler::keys::PrivateKey;
use policy_compiler::render::{self, Part, Sink};
use policy_compiler::{Options, compile};
use serde_json::Value;
use tracegate_bundle::PluginConfiguration;
use tracegate_bundle::dsse::Envelope;

use crate::chains::{Chain, Pieces};

/// The variable from which the filter takes the keys that it trusts.
pub(crate) const TRUST_KEYS: &str = "TRACEGATE_TRUST_KEYS";

const POLICY: &str = include_str!("../policy.yaml");

/// Everything after this line of the policy is about masks.
const MASKS: &str = "    # From here on: masks.\n";

/// Where the wasm module lies: `TRACEGATE_FILTER`, else where `scripts/build-filter` puts it.
pub(crate) fn module() -> Result<PathBuf, Box<dyn Error>> {
    let built = "../target/wasm32-wasip1/filter/tracegate_filter.wasm";
    let path = std::env::var_os("TRACEGATE_FILTER").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(built),
        PathBuf::from,
    );
    path.canonicalize()
        .map_err(|error| format!("{}: {error}; run scripts/build-filter", path.display()).into())
}

/// What a chain puts into the bootstrap, and the value of [`TRUST_KEYS`] for its proxy.
pub(crate) fn pieces(
    chain: Chain,
    jwks: &str,
    log: &str,
) -> Result<(Pieces, String), Box<dyn Error>> {
    let (envelope, trust) = signed(chain, jwks)?;
    let module = module()?;
    let piece = |part| -> Result<Vec<Value>, Box<dyn Error>> {
        let options = render::Options {
            part,
            access_log: Sink::File(log.to_owned()),
            ..render::Options::new(module.to_string_lossy())
        };
        let yaml = render::envoy(&envelope, &options)?;
        Ok(serde_saphyr::from_str(&yaml)?)
    };
    let pieces = Pieces {
        access_log: piece(Part::AccessLog)?,
        filters: piece(Part::HttpFilters)?,
    };
    Ok((pieces, trust))
}

/// The configuration of the filter alone, and the key that it is signed with.
pub(crate) fn configuration(chain: Chain, jwks: &str) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    let (bundle, trust) = signed(chain, jwks)?;
    Ok((serde_json::to_vec(&PluginConfiguration { bundle })?, trust))
}

fn signed(chain: Chain, jwks: &str) -> Result<(Envelope, String), Box<dyn Error>> {
    let policy = POLICY.replace("{{jwks}}", jwks);
    let policy = match chain {
        Chain::Unmasked => policy.split(MASKS).next().unwrap_or_default(),
        _ => policy.as_str(),
    };
    let options = Options {
        revision: Some(1),
        ..Options::default()
    };
    let compiled = compile(policy, "bench/policy.yaml", &options)
        .map_err(|diagnostics| diagnostics.to_string())?;
    let key = PrivateKey::from_seed(&[7; 32]);
    Ok((key.seal(&compiled.bundle)?, key.trust_entry()))
}
