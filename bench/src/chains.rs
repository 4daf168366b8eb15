//! The filter chains that are measured beside each other.
//!
//! All of them are one bootstrap with other filters in it, so that what differs is what is compared.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::callers::{AUDIENCE, ISSUER};

/// The name of the only listener.
pub(crate) const LISTENER: &str = "bench";

/// Largest body that a filter may buffer: the one megabyte of the large run, and room.
const BUFFER_LIMIT: u32 = 8 << 20;

const LUA: &str = include_str!("../mask.lua");

/// A filter chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    /// The router alone.
    Bare,
    /// `jwt_authn` with its token cache, and a JSON access log that names the caller.
    Jwt,
    /// The same, and a `lua` filter that masks three patterns.
    JwtLua,
    /// Tracegate with a policy without masks.
    Unmasked,
    /// Tracegate with 15 detectors and 5 paths.
    Tracegate,
}

impl Chain {
    /// What reports call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "no filter",
            Self::Jwt => "jwt_authn",
            Self::JwtLua => "jwt_authn + lua",
            Self::Unmasked => "Tracegate, no masks",
            Self::Tracegate => "Tracegate",
        }
    }

    /// Whether the values of [`SECRETS`](crate::bodies::SECRETS) must not come through.
    pub(crate) const fn masks(self) -> bool {
        matches!(self, Self::JwtLua | Self::Tracegate)
    }

    /// Whether it leaves a line in the access log for each exchange.
    pub(crate) const fn logs(self) -> bool {
        !matches!(self, Self::Bare)
    }
}

/// What a chain puts into the bootstrap.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// `access_log` of the connection manager.
    pub(crate) access_log: Vec<Value>,
    /// The HTTP filters before the router.
    pub(crate) filters: Vec<Value>,
}

/// The pieces of the chains that are made of Envoy's own filters.
pub(crate) fn native(chain: Chain, jwks: &str, log: &str) -> Pieces {
    match chain {
        Chain::JwtLua => {
            let mut pieces = native(Chain::Jwt, jwks, log);
            pieces.filters.push(lua());
            pieces
        }
        Chain::Jwt => Pieces {
            access_log: vec![json_access_log(log)],
            filters: vec![jwt_authn(jwks)],
        },
        _ => Pieces::default(),
    }
}

fn jwt_authn(jwks: &str) -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"login": {
                "issuer": ISSUER,
                "audiences": [AUDIENCE],
                "local_jwks": {"inline_string": jwks},
                "payload_in_metadata": "payload",
                "jwt_cache_config": {"jwt_cache_size": 2_000},
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "login"}}],
        },
    })
}

fn lua() -> Value {
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": LUA},
        },
    })
}

/// What an operator logs who must say who called what.
fn json_access_log(path: &str) -> Value {
    let claim =
        |name: &str| format!("%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:{name})%");
    file_access_log(
        path,
        &json!({"json_format": {
            "start_time": "%START_TIME%",
            "issuer": claim("iss"),
            "subject": claim("sub"),
            "method": "%REQ(:METHOD)%",
            "authority": "%REQ(:AUTHORITY)%",
            "path": "%REQ(:PATH)%",
            "protocol": "%PROTOCOL%",
            "response_code": "%RESPONSE_CODE%",
            "response_code_details": "%RESPONSE_CODE_DETAILS%",
            "response_flags": "%RESPONSE_FLAGS%",
            "bytes_received": "%BYTES_RECEIVED%",
            "bytes_sent": "%BYTES_SENT%",
            "duration": "%DURATION%",
            "user_agent": "%REQ(USER-AGENT)%",
            "request_id": "%REQ(X-REQUEST-ID)%",
            "traceparent": "%REQ(TRACEPARENT)%",
            "upstream_host": "%UPSTREAM_HOST%",
            "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
        }}),
    )
}

/// A file access log with that `log_format`.
fn file_access_log(path: &str, format: &Value) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": format,
        },
    })
}

/// A complete bootstrap around the pieces.
pub(crate) fn bootstrap(pieces: Pieces, upstream: SocketAddr) -> String {
    let local = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let mut filters = pieces.filters;
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        // What a bootstrap with Tracegate in it says, for all chains alike.
        "use_remote_address": true,
        "generate_request_id": true,
        "always_set_request_id_in_response": true,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "access_log": pieces.access_log,
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "engine"}}],
        }]},
    });
    let bootstrap = json!({
        "admin": {"address": local(0)},
        "static_resources": {
            "listeners": [{
                "name": LISTENER,
                "address": local(0),
                "per_connection_buffer_limit_bytes": BUFFER_LIMIT,
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }]}],
            }],
            "clusters": [{
                "name": "engine",
                "type": "STATIC",
                "per_connection_buffer_limit_bytes": BUFFER_LIMIT,
                "load_assignment": {"cluster_name": "engine", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": local(upstream.port())}},
                ]}]},
            }],
        },
    });
    // JSON is YAML.
    bootstrap.to_string()
}
