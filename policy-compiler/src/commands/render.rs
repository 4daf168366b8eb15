//! `render envoy`: the configuration of a proxy around a bundle.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Subcommand, ValueEnum};
use policy_compiler::render::{
    self, Credential, Endpoint, Options, Part, RenderError, Sink, Trust, Upstream,
};
use tracegate_bundle::dsse::TrustKeys;

use crate::cli::{Exit, Failure, Outcome, print, read_envelope, read_text};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    proxy: Proxy,
}

#[derive(Debug, Subcommand)]
enum Proxy {
    /// Print a bootstrap for Envoy, or the pieces to put into an existing one
    Envoy(Box<EnvoyArgs>),
}

#[derive(Debug, clap::Args)]
struct EnvoyArgs {
    /// The bundle that `build` wrote
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// Where the wasm module of the filter lies, as Envoy sees it
    #[arg(long, value_name = "PATH")]
    wasm: String,
    /// Print only this piece of the configuration
    #[arg(long, value_enum, value_name = "PIECE")]
    only: Option<Piece>,

    /// Where Envoy listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:10000")]
    listen: Endpoint,
    /// Where its admin interface listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9901")]
    admin: Endpoint,
    /// The back end of a connection: `HOST:PORT`, or `https://HOST:PORT`, or `h2c://HOST:PORT`
    #[arg(long, value_name = "CONNECTION=BACKEND", value_parser = pair::<Upstream>)]
    upstream: Vec<(String, Upstream)>,
    /// The server of a cluster that the policy fetches keys from; TLS is as the policy's URL says
    #[arg(long, value_name = "NAME=HOST:PORT", value_parser = pair::<Endpoint>)]
    cluster: Vec<(String, Endpoint)>,

    /// An SDS file with the credential that Envoy adds to requests of a connection
    #[arg(long, value_name = "CONNECTION=FILE", value_parser = pair::<String>)]
    credential: Vec<(String, String)>,
    /// The header of that credential and what stands before it, in place of `Authorization: Bearer`
    #[arg(long, value_name = "CONNECTION=HEADER", value_parser = pair::<String>)]
    credential_header: Vec<(String, String)>,

    /// Take trust keys from `TRACEGATE_TRUST_KEYS` in Envoy's environment (this is the default)
    #[arg(long, conflicts_with = "trust")]
    trust_env: bool,
    /// Write these trust keys, as `keygen` prints them, into the configuration of the VM
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Take `TRACEGATE_HASH_KEY` from Envoy's environment even if this policy does not hash
    #[arg(long)]
    hash_key_env: bool,

    /// Where the audit records go, or `-` for Envoy's standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    access_log: String,
    /// Write an ordinary access log too, as JSON
    #[arg(long, value_name = "FILE")]
    request_log: Option<String>,
    /// Have Envoy read the filter's configuration from this file, and again when it is replaced;
    /// `--only ecds` prints what belongs into it
    #[arg(long, value_name = "FILE")]
    ecds: Option<String>,
    /// The wasm runtime
    #[arg(long, value_enum, default_value_t)]
    runtime: Runtime,
    /// Pass HTTP/1.1 trailers on
    #[arg(long)]
    http1_trailers: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Piece {
    /// The filter and its seal, for `http_filters`
    HttpFilters,
    /// The log of records, for `access_log`
    AccessLog,
    /// The back ends and key servers, for `clusters`
    Clusters,
    /// The labels of the metrics, for `stats_config.stats_tags`
    StatsTags,
    /// The file that `--ecds` names
    Ecds,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Runtime {
    /// The one that official builds of Envoy have
    #[default]
    V8,
    /// WebAssembly Micro Runtime
    Wamr,
    /// Wasmtime
    Wasmtime,
}

/// Reads `NAME=VALUE`.
fn pair<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(String, T), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() || value.is_empty() {
        return Err("write NAME=VALUE, neither of them empty".to_owned());
    }
    let value = value.parse().map_err(|error: T::Err| error.to_string())?;
    Ok((name.to_owned(), value))
}

pub(super) fn run(args: &Args) -> Outcome {
    let Proxy::Envoy(args) = &args.proxy;
    let envelope = read_envelope(&args.bundle)?;
    let text = render::envoy(&envelope, &options(args)?).map_err(|error| match error {
        RenderError::Envelope(_) | RenderError::Bundle(_) => {
            Failure::unreadable(&args.bundle, error)
        }
        _ => Failure::new(Exit::Usage, error.to_string()),
    })?;
    print(&text)?;
    Ok(Exit::Clean)
}

fn options(args: &EnvoyArgs) -> Result<Options, Failure> {
    Ok(Options {
        part: args.only.map_or(Part::Bootstrap, Piece::part),
        runtime: args.runtime.name().to_owned(),
        listen: args.listen.clone(),
        admin: args.admin.clone(),
        upstreams: args.upstream.clone(),
        clusters: args.cluster.clone(),
        credentials: credentials(args)?,
        trust: match &args.trust {
            Some(path) => Trust::Keys(trust_keys(path)?),
            None => Trust::Environment,
        },
        hash_key: args.hash_key_env,
        access_log: sink(&args.access_log),
        request_log: args.request_log.as_deref().map(sink),
        ecds: args.ecds.clone(),
        http1_trailers: args.http1_trailers,
        ..Options::new(&args.wasm)
    })
}

impl Piece {
    fn part(self) -> Part {
        match self {
            Self::HttpFilters => Part::HttpFilters,
            Self::AccessLog => Part::AccessLog,
            Self::Clusters => Part::Clusters,
            Self::StatsTags => Part::StatsTags,
            Self::Ecds => Part::Ecds,
        }
    }
}

impl Runtime {
    fn name(self) -> &'static str {
        match self {
            Self::V8 => "envoy.wasm.runtime.v8",
            Self::Wamr => "envoy.wasm.runtime.wamr",
            Self::Wasmtime => "envoy.wasm.runtime.wasmtime",
        }
    }
}

fn sink(path: &str) -> Sink {
    match path {
        "-" => Sink::Stdout,
        path => Sink::File(path.to_owned()),
    }
}

/// The keys of a file, one per line or separated by commas, in one line.
fn trust_keys(path: &Path) -> Result<String, Failure> {
    let text = read_text(path)?;
    let keys: Vec<&str> = text.split([',', '\n']).map(str::trim).filter(|key| !key.is_empty()).collect();
    let keys = keys.join(",");
    let trust = TrustKeys::parse(&keys).map_err(|error| Failure::unreadable(path, error))?;
    if trust.is_empty() {
        return Err(Failure::unreadable(path, "there is no key in it"));
    }
    Ok(keys)
}

fn credentials(args: &EnvoyArgs) -> Result<Vec<(String, Credential)>, Failure> {
    let has_credential = |name: &String| args.credential.iter().any(|(other, _)| other == name);
    if let Some((name, _)) = args.credential_header.iter().find(|(name, _)| !has_credential(name)) {
        let message = format!("--credential-header {name}: add --credential {name}=FILE");
        return Err(Failure::new(Exit::Usage, message));
    }
    let with_header = |(name, file): &(String, String)| {
        let header = args.credential_header.iter().rev().find(|(other, _)| other == name);
        let header = header.map_or("Authorization: Bearer", |(_, header)| header.as_str());
        let (header, prefix) = match header.split_once(':') {
            Some((header, prefix)) => (header.trim(), format!("{} ", prefix.trim())),
            None => (header.trim(), String::new()),
        };
        let credential = Credential {
            file: file.clone(),
            header: header.to_owned(),
            prefix,
        };
        (name.clone(), credential)
    };
    Ok(args.credential.iter().map(with_header).collect())
}
