//! What the templates are filled with: policy and options, joined and checked.

use std::collections::BTreeMap;

use serde::Serialize;
use tracegate_bundle::dsse::Envelope;
use tracegate_bundle::policy::{Connection, HostMatch, KeySource, MaskAction};
use tracegate_bundle::{Bundle, PluginConfiguration};

use super::{Credential, Endpoint, Options, Part, Protocol, RenderError, Sink, Trust};

/// The list of hostcalls and callbacks that the module may use; comments and empty lines aside.
const CAPABILITIES: &str = include_str!("../../../envoy/capabilities.txt");

/// The smallest buffer of a connection, in bytes: twice the request body that rules read by default.
const MIN_BUFFER: u64 = 2 * 1024 * 1024;

#[derive(Debug, Serialize)]
pub(super) struct Plan {
    policy: Policy,
    capabilities: Vec<&'static str>,
    configuration: String,
    environment: Environment,
    wasm: String,
    runtime: String,
    listen: Endpoint,
    admin: Endpoint,
    ecds: Option<String>,
    access_log: LogSink,
    request_log: Option<LogSink>,
    buffer_limit: u64,
    http1_trailers: bool,
    upstreams: Vec<Upstream>,
    issuers: Vec<Issuer>,
}

#[derive(Debug, Serialize)]
struct Policy {
    name: String,
    revision: u64,
    digest: String,
}

/// The environment of the VM.
#[derive(Debug, Default, Serialize)]
struct Environment {
    /// Variables that are taken from Envoy's environment.
    host_keys: Vec<&'static str>,
    /// The value of `TRACEGATE_TRUST_KEYS`, when it does not come from there.
    trust_keys: Option<String>,
}

#[derive(Debug, Serialize)]
struct LogSink {
    /// Standard output if there is none.
    path: Option<String>,
}

/// The back end of a connection: a virtual host and a cluster.
#[derive(Debug, Serialize)]
struct Upstream {
    name: String,
    domains: Vec<String>,
    protocol: Protocol,
    endpoint: Endpoint,
    /// The server name under TLS.
    tls: Option<String>,
    /// Whether the back end is to see its own name as the host.
    rewrite_host: bool,
    credential: Option<SdsCredential>,
}

#[derive(Debug, Serialize)]
struct SdsCredential {
    file: String,
    header: String,
    prefix: String,
}

/// A cluster that issuers' keys are fetched from.
#[derive(Debug, Serialize)]
struct Issuer {
    name: String,
    /// The issuers, for the comment.
    serves: String,
    endpoint: Endpoint,
    /// The server name under TLS.
    tls: Option<String>,
}

impl Plan {
    pub(super) fn new(envelope: &Envelope, options: &Options) -> Result<Self, RenderError> {
        let payload = envelope
            .unverified_payload()
            .map_err(RenderError::Envelope)?;
        let bundle = Bundle::from_bytes(&payload).map_err(RenderError::Bundle)?;
        check_names(&bundle, options)?;
        let with_clusters = matches!(options.part, Part::Bootstrap | Part::Clusters);
        Ok(Self {
            policy: Policy {
                name: bundle.name.clone(),
                revision: bundle.revision,
                digest: bundle.digest().to_string(),
            },
            capabilities: capabilities(),
            configuration: configuration(envelope),
            environment: environment(&bundle, options),
            wasm: options.wasm.clone(),
            runtime: options.runtime.clone(),
            listen: options.listen.clone(),
            admin: options.admin.clone(),
            ecds: options.ecds.clone(),
            access_log: log_sink(&options.access_log),
            request_log: options.request_log.as_ref().map(log_sink),
            buffer_limit: buffer_limit(&bundle),
            http1_trailers: options.http1_trailers,
            upstreams: if with_clusters {
                upstreams(&bundle, options)?
            } else {
                Vec::new()
            },
            issuers: if with_clusters {
                issuers(&bundle, options)?
            } else {
                Vec::new()
            },
        })
    }
}

fn capabilities() -> Vec<&'static str> {
    let lines = CAPABILITIES.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn configuration(envelope: &Envelope) -> String {
    let configuration = PluginConfiguration {
        bundle: envelope.clone(),
    };
    // A struct of texts cannot fail to be written.
    serde_json::to_string(&configuration).unwrap_or_default()
}

fn environment(bundle: &Bundle, options: &Options) -> Environment {
    let mut environment = Environment::default();
    match &options.trust {
        Trust::Environment => environment.host_keys.push("TRACEGATE_TRUST_KEYS"),
        Trust::Keys(keys) => environment.trust_keys = Some(keys.clone()),
    }
    let mut masks = bundle
        .connections
        .iter()
        .flat_map(|connection| &connection.masks);
    if options.hash_key || masks.any(|mask| mask.action == MaskAction::Hash) {
        environment.host_keys.push("TRACEGATE_HASH_KEY");
    }
    environment
}

fn log_sink(sink: &Sink) -> LogSink {
    let path = match sink {
        Sink::Stdout => None,
        Sink::File(path) => Some(path.clone()),
    };
    LogSink { path }
}

/// A body at its limit and what arrives with it must fit, or Envoy answers before the filter can.
fn buffer_limit(bundle: &Bundle) -> u64 {
    let longest = bundle
        .connections
        .iter()
        .map(|connection| connection.max_request_body)
        .max();
    let limit = longest.unwrap_or(0).saturating_mul(2).max(MIN_BUFFER);
    limit.min(u64::from(u32::MAX))
}

/// Every option names something that the policy has.
fn check_names(bundle: &Bundle, options: &Options) -> Result<(), RenderError> {
    let upstreams = options.upstreams.iter().map(|(name, _)| ("upstream", name));
    let credentials = options
        .credentials
        .iter()
        .map(|(name, _)| ("credential", name));
    for (option, name) in upstreams.chain(credentials) {
        if !bundle
            .connections
            .iter()
            .any(|connection| connection.name == *name)
        {
            let names: Vec<&str> = bundle.connections.iter().map(|c| c.name.as_str()).collect();
            return Err(RenderError::UnknownConnection {
                option,
                name: name.clone(),
                known: names.join(", "),
            });
        }
    }
    let clusters = key_servers(bundle);
    for (name, _) in &options.clusters {
        if !clusters.contains_key(name.as_str()) {
            return Err(RenderError::UnknownCluster(name.clone()));
        }
    }
    let same = |connection: &&Connection| clusters.contains_key(connection.name.as_str());
    match bundle.connections.iter().find(same) {
        Some(connection) => Err(RenderError::SameName(connection.name.clone())),
        None => Ok(()),
    }
}

fn upstreams(bundle: &Bundle, options: &Options) -> Result<Vec<Upstream>, RenderError> {
    let plan = |connection: &Connection| {
        let upstream = named(&options.upstreams, &connection.name)
            .ok_or_else(|| RenderError::NoUpstream(connection.name.clone()))?;
        let has_tls = upstream.protocol == Protocol::Auto;
        Ok(Upstream {
            name: connection.name.clone(),
            domains: connection.hosts.iter().map(domain).collect(),
            protocol: upstream.protocol,
            endpoint: upstream.endpoint.clone(),
            tls: has_tls.then(|| upstream.endpoint.host().to_owned()),
            rewrite_host: has_tls && !upstream.endpoint.is_address(),
            credential: named(&options.credentials, &connection.name).map(sds_credential),
        })
    };
    bundle.connections.iter().map(plan).collect()
}

fn domain(host: &HostMatch) -> String {
    match host {
        HostMatch::Exact(host) => host.clone(),
        HostMatch::Suffix(suffix) => format!("*{suffix}"),
        HostMatch::Any => "*".to_owned(),
    }
}

fn sds_credential(credential: &Credential) -> SdsCredential {
    SdsCredential {
        file: credential.file.clone(),
        header: credential.header.clone(),
        prefix: credential.prefix.clone(),
    }
}

/// The clusters that keys are fetched from, with what the policy says of each: the issuers, and the
/// server name if it is to be asked under TLS.
fn key_servers(bundle: &Bundle) -> BTreeMap<&str, (Vec<&str>, Option<&str>)> {
    let mut servers: BTreeMap<&str, (Vec<&str>, Option<&str>)> = BTreeMap::new();
    for provider in &bundle.providers {
        if let KeySource::Remote {
            cluster,
            authority,
            scheme,
            ..
        } = &provider.keys
        {
            let (issuers, server_name) = servers.entry(cluster).or_default();
            issuers.push(&provider.issuer);
            if scheme == "https" {
                let host = authority
                    .rsplit_once(':')
                    .map_or(authority.as_str(), |(host, _)| host);
                *server_name = Some(host);
            }
        }
    }
    servers
}

fn issuers(bundle: &Bundle, options: &Options) -> Result<Vec<Issuer>, RenderError> {
    let plan = |(name, (issuers, server_name)): (&str, (Vec<&str>, Option<&str>))| {
        let endpoint = named(&options.clusters, name)
            .ok_or_else(|| RenderError::NoCluster(name.to_owned()))?;
        Ok(Issuer {
            name: name.to_owned(),
            serves: issuers.join(", "),
            endpoint: endpoint.clone(),
            tls: server_name.map(str::to_owned),
        })
    };
    key_servers(bundle).into_iter().map(plan).collect()
}

/// The last value given under that name.
fn named<'a, T>(values: &'a [(String, T)], name: &str) -> Option<&'a T> {
    values
        .iter()
        .rev()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}
