//! A real Envoy with the compiled filter, in the configuration that we ship.

use std::collections::BTreeMap;
use std::io;

use tracegate_engine::vm::asks_for_source_principal;

use super::{Driver, Outcome, Play, Setup};
use crate::client;
use crate::http::{Request, Response};
use crate::proxy::{Deployment, Proxy};
use crate::standins::server::Answer;
use crate::tls::Authority;

/// An Envoy. Where the policy asks for peers its listener speaks mutual TLS.
pub struct Envoy {
    name: String,
    /// Whether all requests are HTTP/2.
    http2: bool,
    /// Issues the certificates of peers.
    authority: Option<Authority>,
    proxy: Proxy,
}

impl Envoy {
    /// Starts an Envoy of that version with that policy.
    #[must_use]
    pub fn open(setup: &Setup, version: &str) -> Self {
        Self::start(setup, version, false)
    }

    /// The same with HTTP/2 on both sides.
    #[must_use]
    pub fn open_http2(setup: &Setup, version: &str) -> Self {
        Self::start(setup, version, true)
    }

    /// The same with HTTP/3 between clients and filter. `None` where the policy asks for peers: what
    /// speaks HTTP/3 for the clients does not have their certificates.
    #[must_use]
    pub fn open_http3(setup: &Setup, version: &str) -> Option<Self> {
        if asks_for_peers(setup) {
            return None;
        }
        Some(Self {
            name: format!("envoy {version} over HTTP/3"),
            http2: false,
            authority: None,
            proxy: Deployment::of(setup).version(version).http3().start(),
        })
    }

    fn start(setup: &Setup, version: &str, http2: bool) -> Self {
        let authority = asks_for_peers(setup).then(Authority::new);
        let mut deployment = Deployment::of(setup).version(version);
        if http2 {
            deployment = deployment.http2_back_end();
        }
        if let Some(authority) = &authority {
            deployment = deployment.mutual_tls(authority, false);
        }
        let proxy = deployment.start();
        let over = if http2 { " over HTTP/2" } else { "" };
        Self {
            name: format!("envoy {version}{over}"),
            http2,
            authority,
            proxy,
        }
    }

    fn send(&self, play: &Play) -> io::Result<Response> {
        let (to, request) = (self.proxy.address(), &play.request);
        let http2 = self.http2 || play.http2;
        let Some(authority) = &self.authority else {
            return match http2 {
                true => client::send_http2(to, request),
                false => client::send(to, request),
            };
        };
        let client = match &play.peer {
            Some(uri) => authority.client_as(authority, uri),
            None => authority.client(),
        };
        match http2 {
            true => client::send_http2_tls(to, &client, request),
            false => client::send_tls(to, &client, request),
        }
    }
}

fn asks_for_peers(setup: &Setup) -> bool {
    let mut connections = setup.bundle.connections.iter();
    connections.any(asks_for_source_principal)
}

impl Driver for Envoy {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn play(&mut self, play: &Play) -> Outcome {
        let proxy = &self.proxy;
        let message = play.response.clone();
        proxy
            .engine
            .script(move |_| Answer::Message(message.clone()));
        let _ = proxy.engine.take_received();
        let before = proxy.metrics();
        let response = self.send(play).expect("an answer");
        let record = proxy.record_of(&response).into_bytes();
        let grew = |(name, value): (String, u64)| {
            let grew = value.saturating_sub(before.get(&name).copied().unwrap_or(0));
            (name, grew)
        };
        Outcome {
            response,
            upstream: proxy.engine.take_received().pop(),
            record,
            metrics: proxy
                .metrics()
                .into_iter()
                .map(grew)
                .collect::<BTreeMap<_, _>>(),
        }
    }

    fn leftovers(&mut self) -> Vec<String> {
        // One worker logs in the order in which exchanges end, so what comes before the record of one
        // more exchange is all that there is.
        let request = Request::new("GET", "nobody.invalid", "/");
        let last = Play {
            request,
            ..Play::default()
        };
        let response = self.send(&last).expect("an answer");
        let _ = self.proxy.record_of(&response);
        self.proxy.untaken_records()
    }
}
