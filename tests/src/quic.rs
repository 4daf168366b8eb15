//! HTTP/3 between the client and the proxy.
//!
//! No client of ours speaks QUIC, but Envoy does: a second listener of the same Envoy takes what the
//! tests send over HTTP/1.1 or HTTP/2 and passes it on over HTTP/3, unchanged, to the listener that
//! carries the filter. So everything that a test can send and see, it can send and see over HTTP/3.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::tls::{Authority, SERVER};

const CONNECTION_MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Puts the listener of a bootstrap behind QUIC. Its place, as far as clients can see, is taken by one
/// that passes everything on to it.
///
/// # Panics
/// When it is no bootstrap of ours, or there is no free port.
pub fn over_http3(bootstrap: &mut Value) {
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = free.expect("a free port").port();
    let authority = Authority::new();
    let (certificate, key) = authority.server();
    let address = json!({"socket_address": {
        "protocol": "UDP", "address": "127.0.0.1", "port_value": port,
    }});

    let listeners = &mut bootstrap["static_resources"]["listeners"];
    let ours = &mut listeners[0];
    ours["name"] = json!("quic");
    ours["address"] = address.clone();
    ours["udp_listener_config"] = json!({"quic_options": {}});
    let chain = &mut ours["filter_chains"][0];
    chain["filters"][0]["typed_config"]["codec_type"] = json!("HTTP3");
    chain["filters"][0]["typed_config"]["http3_protocol_options"] = json!({});
    chain["transport_socket"] = transport(
        "Downstream",
        &json!({
            "tls_certificates": [{
                "certificate_chain": {"inline_string": certificate},
                "private_key": {"inline_string": key},
            }],
        }),
    );
    listeners.as_array_mut().expect("listeners").push(front());

    let mut cluster = json!({
        "name": "quic",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "quic",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http3_protocol_options": {}},
            },
        },
    });
    cluster["transport_socket"] = transport(
        "Upstream",
        &json!({
            "validation_context": {"trusted_ca": {"inline_string": authority.pem()}},
        }),
    );
    cluster["transport_socket"]["typed_config"]["upstream_tls_context"]["sni"] = json!(SERVER);
    let clusters = &mut bootstrap["static_resources"]["clusters"];
    clusters.as_array_mut().expect("clusters").push(cluster);
}

/// A QUIC transport socket of that side.
fn transport(side: &str, tls: &Value) -> Value {
    let context = format!("{}_tls_context", side.to_ascii_lowercase());
    let kind = format!(
        "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.Quic{side}Transport"
    );
    let mut socket = json!({
        "name": "envoy.transport_sockets.quic",
        "typed_config": {"@type": kind},
    });
    socket["typed_config"][context] = json!({"common_tls_context": tls});
    socket
}

/// The listener that clients see.
fn front() -> Value {
    let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    json!({
        "name": "ingress",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": CONNECTION_MANAGER,
                "stat_prefix": "front",
                "codec_type": "AUTO",
                "http_protocol_options": {"enable_trailers": true},
                "generate_request_id": false,
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": router, "suppress_envoy_headers": true},
                }],
                "route_config": {"virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{
                        "match": {"prefix": "/"},
                        "route": {"cluster": "quic", "timeout": "600s"},
                    }],
                }]},
            },
        }]}],
    })
}
