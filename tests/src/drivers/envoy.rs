//! A real Envoy with the compiled filter, in the configuration that we ship.

use std::collections::BTreeMap;

use super::{Driver, Outcome, Play, Setup};
use crate::client;
use crate::proxy::{Deployment, Proxy};
use crate::standins::server::Answer;

/// An Envoy.
pub struct Envoy {
    name: String,
    /// Whether all requests are HTTP/2.
    http2: bool,
    proxy: Proxy,
}

impl Envoy {
    /// Starts an Envoy of that version with that policy.
    #[must_use]
    pub fn open(setup: &Setup, version: &str) -> Self {
        Self {
            name: format!("envoy {version}"),
            http2: false,
            proxy: Deployment::of(setup).version(version).start(),
        }
    }

    /// The same with HTTP/2 on both sides.
    #[must_use]
    pub fn open_http2(setup: &Setup, version: &str) -> Self {
        let deployment = Deployment::of(setup).version(version).http2_back_end();
        Self {
            name: format!("envoy {version} over HTTP/2"),
            http2: true,
            proxy: deployment.start(),
        }
    }
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
        let send = if self.http2 || play.http2 {
            client::send_http2
        } else {
            client::send
        };
        let response = send(proxy.address(), &play.request).expect("an answer");
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
}
