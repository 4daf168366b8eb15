//! Writes the configuration of a proxy around a bundle.
//!
//! Much of what Tracegate promises rests on a few settings of the proxy: the seal behind the filter,
//! paths that everybody reads the same way, keys that travel apart from the policy. [`envoy`] writes
//! them down, as a complete bootstrap or as the pieces to put into an existing one. The templates in
//! `envoy/` are the configuration with its comments; every value that is put into one is quoted as
//! YAML unless it cannot need it, so that no name can become syntax.

mod endpoint;
mod error;
mod plan;
mod template;

pub use endpoint::{Endpoint, EndpointError, Protocol, Upstream};
pub use error::RenderError;

use tracegate_bundle::dsse::Envelope;

/// The part of a configuration that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// A complete bootstrap.
    #[default]
    Bootstrap,
    /// The filter and its seal, for `http_filters`.
    HttpFilters,
    /// The log of records, for `access_log`.
    AccessLog,
    /// The back ends and the issuers' key servers, for `clusters`.
    Clusters,
    /// The labels of the metrics, for `stats_config.stats_tags`.
    StatsTags,
    /// The file that [`Options::ecds`] names.
    Ecds,
}

/// Where a log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// Envoy's standard output.
    #[default]
    Stdout,
    /// A file.
    File(String),
}

/// Where the filter gets the keys from whose signature on a bundle counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// From `TRACEGATE_TRUST_KEYS` in Envoy's own environment.
    #[default]
    Environment,
    /// From the configuration of the VM: these keys, as `policy-compiler keygen` prints them.
    Keys(String),
}

/// A credential for a back end that Envoy adds to requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The SDS file that holds it: a `generic_secret` with the connection's name.
    pub file: String,
    /// The header that carries it.
    pub header: String,
    /// What stands before it in the header, `Bearer ` for example; may be empty.
    pub prefix: String,
}

/// What the configuration is to say beside the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is written.
    pub part: Part,
    /// The path of the wasm module, as Envoy sees it.
    pub wasm: String,
    /// The wasm runtime: `envoy.wasm.runtime.v8`.
    pub runtime: String,
    /// Where Envoy listens.
    pub listen: Endpoint,
    /// Where its admin interface listens.
    pub admin: Endpoint,
    /// The back end of each connection, by its name.
    pub upstreams: Vec<(String, Upstream)>,
    /// The server of each cluster that issuers' keys are fetched from, by its name.
    pub clusters: Vec<(String, Endpoint)>,
    /// Credentials for back ends, by connection.
    pub credentials: Vec<(String, Credential)>,
    /// Where trust keys come from.
    pub trust: Trust,
    /// Whether `TRACEGATE_HASH_KEY` is taken from Envoy's environment although this policy does not
    /// hash.
    pub hash_key: bool,
    /// Where the records go.
    pub access_log: Sink,
    /// Where the ordinary access log goes; nowhere if not said.
    pub request_log: Option<Sink>,
    /// The file from which the filter's configuration is read while Envoy runs, in place of the
    /// bootstrap.
    pub ecds: Option<String>,
    /// Whether HTTP/1.1 trailers are passed on. HTTP/2 always does.
    pub http1_trailers: bool,
}

impl Options {
    /// A listener on loopback, records on standard output, trust keys from the environment.
    #[must_use]
    pub fn new(wasm: impl Into<String>) -> Self {
        Self {
            part: Part::default(),
            wasm: wasm.into(),
            runtime: "envoy.wasm.runtime.v8".to_owned(),
            listen: Endpoint::loopback(10_000),
            admin: Endpoint::loopback(9901),
            upstreams: Vec::new(),
            clusters: Vec::new(),
            credentials: Vec::new(),
            trust: Trust::default(),
            hash_key: false,
            access_log: Sink::default(),
            request_log: None,
            ecds: None,
            http1_trailers: false,
        }
    }
}

/// Writes the configuration of Envoy, in YAML. Who signed the bundle is not asked: that the filter
/// does, with keys that are not in here.
///
/// # Errors
///
/// When the envelope holds no bundle, or options and policy do not fit together.
pub fn envoy(envelope: &Envelope, options: &Options) -> Result<String, RenderError> {
    let plan = plan::Plan::new(envelope, options)?;
    template::render(options.part, &plan)
}
