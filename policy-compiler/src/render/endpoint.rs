//! Addresses on the command line.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    host: String,
    port: u16,
    is_address: bool,
}

impl Endpoint {
    /// That port of the loopback interface.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            is_address: true,
        }
    }

    /// The name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is an IP address.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.is_address
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `HOST:PORT`, an IPv6 address in brackets.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || EndpointError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let address = host.parse::<IpAddr>();
        let fits = match address {
            Ok(address) => address.is_ipv6() == bracketed.is_some(),
            Err(_) => bracketed.is_none() && is_name(host),
        };
        if !fits {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            is_address: address.is_ok(),
        })
    }
}

fn is_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !host.is_empty() && host.bytes().all(allowed)
}

/// An address that cannot be read.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no HOST:PORT (an IPv6 address stands in brackets)")]
pub struct EndpointError(String);

/// What a back end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1 in the clear.
    Http1,
    /// HTTP/2 in the clear.
    Http2,
    /// HTTP/1.1 or HTTP/2 under TLS, as the server chooses.
    Auto,
}

/// A back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
}

impl FromStr for Upstream {
    type Err = EndpointError;

    /// Reads `HOST:PORT` or one with a scheme: `http://`, `h2c://` or `https://`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (protocol, rest) = match text.split_once("://") {
            None => (Protocol::Http1, text),
            Some(("http", rest)) => (Protocol::Http1, rest),
            Some(("h2c", rest)) => (Protocol::Http2, rest),
            Some(("https", rest)) => (Protocol::Auto, rest),
            Some(_) => return Err(EndpointError(text.to_owned())),
        };
        let endpoint = rest.parse()?;
        Ok(Self { protocol, endpoint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Option<(String, u16, bool)> {
        let endpoint = text.parse::<Endpoint>().ok()?;
        Some((endpoint.host, endpoint.port, endpoint.is_address))
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        let read = |host: &str, port, address| Some((host.to_owned(), port, address));
        assert_eq!(endpoint("127.0.0.1:0"), read("127.0.0.1", 0, true));
        assert_eq!(endpoint("[::1]:8080"), read("::1", 8080, true));
        assert_eq!(endpoint("Engine.corp:443"), read("engine.corp", 443, false));
    }

    #[test]
    fn what_is_no_host_and_port_is_refused() {
        for text in [
            "", "engine", ":80", "a:b", "a:70000", "::1:80", "[a]:80", "a b:80", "a/b:1",
        ] {
            assert_eq!(endpoint(text), None, "{text}");
        }
    }

    #[test]
    fn the_scheme_says_what_a_back_end_speaks() {
        let protocol = |text: &str| text.parse::<Upstream>().map(|upstream| upstream.protocol);
        assert_eq!(protocol("a:1"), Ok(Protocol::Http1));
        assert_eq!(protocol("http://a:1"), Ok(Protocol::Http1));
        assert_eq!(protocol("h2c://a:1"), Ok(Protocol::Http2));
        assert_eq!(protocol("https://a:1"), Ok(Protocol::Auto));
        assert!(protocol("ftp://a:1").is_err());
    }
}
