//! One run: every chain is up at the same time, and repetitions go round all of them, so that a slow
//! minute of the machine falls on all alike.

use std::error::Error;
use std::fs::OpenOptions;
use std::time::{Duration, Instant};

use tracegate_tests::client::send_raw;
use tracegate_tests::envoy::Envoy;
use tracegate_tests::standins::engine::put_together;

use crate::bodies::SECRETS;
use crate::callers::Callers;
use crate::chains::{Chain, LISTENER};
use crate::load::Load;

/// The access log of every chain, in its Envoy's home.
pub(crate) const ACCESS_LOG: &str = "access.log";

/// What is measured at one size of body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Length of the response body, in bytes.
    pub(crate) body: usize,
    /// Whether it is a stream of events.
    pub(crate) stream: bool,
    /// How often every chain is measured.
    pub(crate) repetitions: usize,
    /// Requests of each repetition.
    pub(crate) requests: usize,
    /// Connections to each proxy.
    pub(crate) connections: usize,
    /// How many callers there are.
    pub(crate) callers: usize,
}

/// One repetition of one chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Processor time of the proxy for one request.
    pub(crate) cpu: Duration,
    /// Requests per second.
    pub(crate) rate: f64,
}

/// A running proxy and the connections to it.
pub(crate) struct Runner {
    /// Its chain.
    pub(crate) chain: Chain,
    /// Its proxy.
    pub(crate) envoy: Envoy,
    load: Load,
}

impl Runner {
    /// Connects to a proxy, checks that it does its job and lets it see every caller once.
    pub(crate) fn new(
        chain: Chain,
        envoy: Envoy,
        callers: &Callers,
        connections: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let address = envoy.listener(LISTENER)?;
        let load = Load::connect(address, connections)?;
        let mut runner = Self { chain, envoy, load };
        runner.check(callers)?;
        runner.load.run(&callers.requests, callers.requests.len())?;
        Ok(runner)
    }

    /// A chain that does less than it should would be fast for no good reason.
    fn check(&self, callers: &Callers) -> Result<(), Box<dyn Error>> {
        let address = self.envoy.listener(LISTENER)?;
        let request = callers.requests.first().ok_or("there is no caller")?;
        let request = String::from_utf8(request.clone())?;
        let request = request.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
        let response = send_raw(address, "POST", vec![request.into_bytes()])?;
        let body = String::from_utf8_lossy(&response.body).into_owned();
        let name = self.chain.name();
        if response.status != 200 {
            return Err(format!("{name} answers {}: {body}", response.status).into());
        }
        let text = put_together(&response).map_or_else(|| body.clone(), |whole| whole.to_string());
        let told = SECRETS.iter().any(|secret| text.contains(secret));
        if told == self.chain.masks() {
            return Err(format!("{name} masks what it should not, or not what it should").into());
        }
        if self.chain.logs() {
            let line = self.envoy.lines(ACCESS_LOG, 1)?.concat();
            if !line.contains("user-0000") {
                return Err(format!("{name} does not record who called: {line}").into());
            }
        }
        Ok(())
    }

    /// Sends `count` requests and accounts for them.
    pub(crate) fn sample(
        &mut self,
        callers: &Callers,
        count: usize,
    ) -> Result<Sample, Box<dyn Error>> {
        let before = self.envoy.usage()?.cpu;
        let start = Instant::now();
        let sent = self.load.run(&callers.requests, count)?;
        let elapsed = start.elapsed();
        let cpu = self.envoy.usage()?.cpu - before;
        self.empty_log()?;
        Ok(Sample {
            cpu: cpu.div_f64(sent as f64),
            rate: sent as f64 / elapsed.as_secs_f64(),
        })
    }

    /// Envoy appends, so the file may be cut under its hands.
    fn empty_log(&self) -> std::io::Result<()> {
        if !self.chain.logs() {
            return Ok(());
        }
        let path = self.envoy.home().path(ACCESS_LOG);
        OpenOptions::new().write(true).open(path)?.set_len(0)
    }
}

/// Measures all chains in turn, as often as planned. The outer list is in the order of `runners`.
pub(crate) fn run(
    plan: &Plan,
    runners: &mut [Runner],
    callers: &Callers,
) -> Result<Vec<Vec<Sample>>, Box<dyn Error>> {
    let mut samples = vec![Vec::new(); runners.len()];
    for repetition in 0..plan.repetitions {
        for turn in 0..runners.len() {
            // Another one begins each time: whoever comes first finds the caches of the last.
            let index = (repetition + turn) % runners.len();
            samples[index].push(runners[index].sample(callers, plan.requests)?);
        }
        eprintln!("  repetition {} of {}", repetition + 1, plan.repetitions);
    }
    Ok(samples)
}
