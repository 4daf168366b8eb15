//! A real Envoy with the compiled filter, in the configuration that we ship.

use std::collections::BTreeMap;

use super::{Driver, Outcome, Play, Setup};
use crate::client;
use crate::proxy::{Deployment, Proxy};
use crate::standins::server::Answer;

/// An Envoy.
pub struct Envoy {
    version: String,
    proxy: Proxy,
}

impl Envoy {
    /// Starts an Envoy of that version with that policy.
    #[must_use]
    pub fn open(setup: &Setup, version: &str) -> Self {
        let proxy = Deployment::of(setup).version(version).start();
        Self {
            version: version.to_owned(),
            proxy,
        }
    }
}

impl Driver for Envoy {
    fn name(&self) -> String {
        format!("envoy {}", self.version)
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
        let send = if play.http2 {
            client::send_http2
        } else {
            client::send
        };
        let response = send(proxy.address(), &play.request).expect("an answer");
        let record = proxy.next_record().into_bytes();
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
