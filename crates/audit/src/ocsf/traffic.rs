//! The HTTP exchange itself: who talked to whom, and what went over the wire.

use std::net::SocketAddr;

use super::Event;
use crate::json::{Members, key};
use crate::record::Text;

/// The methods that `http_request.http_method` may name. Any other stands in `api.operation` only.
const METHODS: [&[u8]; 9] = [
    b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE",
];

/// `activity_id` and `activity_name` of a method.
pub(super) fn activity(method: Text<'_>) -> (u64, Text<'_>) {
    match method.bytes() {
        b"" => (0, "Unknown".into()),
        b"POST" => (1, "Create".into()),
        b"GET" | b"HEAD" | b"OPTIONS" => (2, "Read".into()),
        b"PUT" | b"PATCH" => (3, "Update".into()),
        b"DELETE" => (4, "Delete".into()),
        _ => (99, method),
    }
}

/// The path without query and fragment, and whether there was one.
pub(super) fn split_query(path: Text<'_>) -> (Text<'_>, bool) {
    let mut parts = path.bytes().splitn(2, |byte| matches!(byte, b'?' | b'#'));
    let path = parts.next().unwrap_or_default();
    (path.into(), parts.next().is_some())
}

/// Host and port of an authority (RFC 3986 §3.2), without the user part, which may hold a password.
fn host_and_port(authority: Text<'_>) -> (Text<'_>, Option<u64>) {
    let mut parts = authority.bytes().rsplitn(2, |&byte| byte == b'@');
    let host = parts.next().unwrap_or_default();
    let mut parts = host.rsplitn(2, |&byte| byte == b':');
    let port = parts.next().and_then(|digits| {
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u16>().ok()).flatten()
    });
    match (port, parts.next()) {
        (Some(port), Some(name)) if !name.contains(&b':') || name.ends_with(b"]") => {
            (name.into(), Some(port.into()))
        }
        _ => (host.into(), None),
    }
}

/// An address as Envoy writes it: `10.1.2.3:51000`, `[2001:db8::1]:443`.
fn socket_address(address: Option<Text<'_>>) -> Option<SocketAddr> {
    std::str::from_utf8(address?.bytes()).ok()?.parse().ok()
}

impl Event<'_> {
    pub(super) fn api(&self, api: &mut Members<'_, '_>) {
        let record = self.record;
        let limits = self.limits;
        let (path, _) = split_query(record.request.path);
        api.member(key!("operation")).string(|text| {
            if record.request.method.bytes().is_empty() {
                text.constant("unknown");
            }
            text.text(record.request.method, limits.name);
            if !path.bytes().is_empty() {
                text.constant(" ");
            }
            text.text(path, limits.path);
        });
        if let Some(id) = record.request.id {
            api.object(key!("request"), |members| {
                members.text(key!("uid"), id, limits.identifier);
            });
        }
        if let Some(code) = record.response.code {
            api.object(key!("response"), |members| {
                members.integer(key!("code"), code.into())
            });
        }
        if let Some(connection) = &record.connection {
            api.object(key!("service"), |members| {
                members.text(key!("name"), connection.name, limits.name);
            });
        }
    }

    pub(super) fn http_request(&self, members: &mut Members<'_, '_>) {
        let request = &self.record.request;
        let limits = self.limits;
        members.maybe_integer(key!("body_length"), request.body_bytes);
        if METHODS.contains(&request.method.bytes()) {
            members.text(key!("http_method"), request.method, limits.name);
        }
        members.maybe_text(key!("uid"), request.id, limits.identifier);
        members.object(key!("url"), |url| {
            let (host, port) = host_and_port(request.authority);
            let (path, _) = split_query(request.path);
            url.text(key!("hostname"), host, limits.identifier);
            url.text(key!("path"), path, limits.path);
            url.maybe_integer(key!("port"), port);
            url.maybe_text(key!("scheme"), request.scheme, limits.name);
        });
        members.maybe_text(key!("user_agent"), request.user_agent, limits.user_agent);
        members.maybe_text(key!("version"), request.protocol, limits.name);
    }

    pub(super) fn http_response(&self, event: &mut Members<'_, '_>) {
        let response = &self.record.response;
        let Some(code) = response.code else { return };
        event.object(key!("http_response"), |members| {
            members.maybe_integer(key!("body_length"), response.body_bytes);
            members.integer(key!("code"), code.into());
            members.maybe_text(
                key!("content_type"),
                response.content_type,
                self.limits.name,
            );
            members.maybe_integer(key!("latency"), self.record.times.latency);
        });
    }

    pub(super) fn src_endpoint(&self, endpoint: &mut Members<'_, '_>) {
        let peers = &self.record.peers;
        let address = socket_address(peers.source);
        let name = peers.source_principal.or(peers.source);
        self.ip(address, endpoint);
        endpoint.text(
            key!("name"),
            name.unwrap_or("unknown".into()),
            self.limits.identifier,
        );
        endpoint.maybe_integer(key!("port"), address.map(|address| address.port().into()));
        if let Some(principal) = peers.source_principal {
            endpoint.text(key!("svc_name"), principal, self.limits.identifier);
            endpoint.same(key!("type": "\"Workload\"", "type_id": 99));
        }
    }

    pub(super) fn dst_endpoint(&self, event: &mut Members<'_, '_>) {
        let connection = self.record.connection.as_ref().map(|found| found.name);
        let upstream = self.record.peers.upstream;
        let Some(name) = connection.or(upstream) else {
            return;
        };
        let address = socket_address(upstream);
        event.object(key!("dst_endpoint"), |endpoint| {
            self.ip(address, endpoint);
            endpoint.text(key!("name"), name, self.limits.name);
            endpoint.maybe_integer(key!("port"), address.map(|address| address.port().into()));
        });
    }

    fn ip(&self, address: Option<SocketAddr>, endpoint: &mut Members<'_, '_>) {
        if let Some(address) = address {
            let text = address.ip().to_string();
            endpoint.text(key!("ip"), Text::from(&text), text.len());
        }
    }
}
