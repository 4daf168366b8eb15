//! The benchmark: Tracegate beside the filters that Envoy has of its own, in one run.
//!
//! `make bench` measures and writes `bench/results.md`. `--quick` runs a few requests through
//! everything, to see that it works; its numbers mean nothing and are only printed. `--streams` measures
//! streams alone. `--soak` sends
//! a million requests through Tracegate and watches its memory. `--engine` runs exchanges on the engine
//! alone, for a profiler.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a command that fails by saying why, and whose output is its purpose"
)]

mod bodies;
mod callers;
mod chains;
mod engine;
mod held;
mod load;
mod machine;
mod measure;
mod pace;
mod report;
mod soak;
mod tracegate;
mod upstream;

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tracegate_tests::envoy::{Envoy, Home, Runner as EnvoyRunner};

use callers::Callers;
use chains::{Chain, bootstrap, native};
use measure::{ACCESS_LOG, Plan, Runner};
use report::{Results, Target};

const SMALL: Plan = Plan {
    body: 2_700,
    stream: false,
    repetitions: 9,
    requests: 20_000,
    connections: 16,
    callers: 1_000,
};

const LARGE: Plan = Plan {
    body: 1 << 20,
    stream: false,
    repetitions: 5,
    requests: 96,
    connections: 4,
    callers: 48,
};

const STREAM: Plan = Plan {
    stream: true,
    ..LARGE
};

const SOAK: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let report = compare(SMALL, LARGE, STREAM)?;
            fs::write(
                Path::new(env!("CARGO_MANIFEST_DIR")).join("results.md"),
                report,
            )?;
            Ok(())
        }
        ["--quick"] => {
            let quick = |plan: Plan| Plan {
                repetitions: 3,
                requests: plan.requests / 5,
                ..plan
            };
            compare(quick(SMALL), quick(LARGE), quick(STREAM)).map(drop)
        }
        ["--streams"] => {
            println!("{}", streams(STREAM)?);
            Ok(())
        }
        ["--engine", count] => engine::run(count.parse()?),
        ["--soak"] => soak(SOAK),
        ["--soak", count] => soak(count.parse()?),
        _ => Err(
            "usage: tracegate-bench [--quick | --streams | --soak [REQUESTS] | --engine EXCHANGES]"
                .into(),
        ),
    }
}

fn start(chain: Chain, plan: &Plan, callers: &Callers) -> Result<Runner, Box<dyn Error>> {
    let upstream = if plan.stream {
        upstream::start("text/event-stream", &bodies::stream(plan.body))?
    } else {
        upstream::start("application/json", &bodies::completion(plan.body))?
    };
    let envoy = proxy(chain, upstream, callers)?;
    Runner::new(chain, envoy, callers, plan.connections)
}

/// Starts a chain in front of a back end.
fn proxy(chain: Chain, upstream: SocketAddr, callers: &Callers) -> Result<Envoy, Box<dyn Error>> {
    let home = Home::new()?;
    let log = home.path(ACCESS_LOG);
    let log = log.to_str().ok_or("the temporary folder has an odd name")?;
    let envoy = match chain {
        Chain::Bare | Chain::Jwt | Chain::JwtLua => {
            Envoy::builder(bootstrap(native(chain, &callers.jwks, log), upstream))
        }
        Chain::Unmasked | Chain::Tracegate => {
            let (pieces, trust) = tracegate::pieces(chain, &callers.jwks, log)?;
            Envoy::builder(bootstrap(pieces, upstream))
                .env(tracegate::TRUST_KEYS, &trust)
                .mount(tracegate::module()?)
        }
    };
    let envoy = envoy.runner(EnvoyRunner::Process).home(&home);
    Ok(envoy.concurrency(1).log_level("warn").start()?)
}

fn measured(plan: Plan, chains: &[Chain]) -> Result<Results, Box<dyn Error>> {
    eprintln!("bodies of {} bytes", plan.body);
    let callers = Callers::new(plan.callers);
    let mut runners = chains
        .iter()
        .map(|&chain| start(chain, &plan, &callers))
        .collect::<Result<Vec<_>, _>>()?;
    let samples = measure::run(&plan, &mut runners, &callers)?;
    Ok(Results {
        plan,
        samples: chains.iter().copied().zip(samples).collect(),
    })
}

/// What streams cost: processor time, delay and memory.
fn streams(plan: Plan) -> Result<String, Box<dyn Error>> {
    let results = measured(plan, &[Chain::Bare, Chain::Tracegate])?;
    let callers = Callers::new(plan.callers);
    let delays = pace::delays(&callers)?;
    let memory = pace::memory_per_stream(&callers)?;
    let held = held::on_prose(&callers)?;
    Ok(report::streams(&results, &delays, memory, held))
}

fn compare(small: Plan, large: Plan, stream: Plan) -> Result<String, Box<dyn Error>> {
    use Chain::{Bare, Jwt, JwtLua, Tracegate, Unmasked};
    let small = measured(small, &[Bare, Jwt, JwtLua, Unmasked, Tracegate])?;
    let large = measured(large, &[Bare, JwtLua, Tracegate])?;

    let module = fs::metadata(tracegate::module()?)?.len() as f64 / f64::from(1 << 20);
    let full = small.cpu_ratio(Tracegate, JwtLua);
    let unmasked = small.cpu_ratio(Unmasked, Jwt);
    let speed = large.cpu_ratio(JwtLua, Tracegate);
    let targets = [
        Target::AtMost(0.8).row(
            "full job, 2.7 KB: CPU of Tracegate / jwt_authn + lua",
            &full.to_string(),
            full.median,
        ),
        Target::AtMost(1.25).row(
            "no masks, 2.7 KB: CPU of Tracegate / jwt_authn",
            &unmasked.to_string(),
            unmasked.median,
        ),
        Target::AtLeast(6.0).row(
            "1 MiB: CPU of jwt_authn + lua / Tracegate",
            &speed.to_string(),
            speed.median,
        ),
        Target::AtMost(1.5).row("wasm module, MiB", &format!("{module:.2}"), module),
    ];
    let mut report = report::page(&small, &large, &targets.concat());
    report.push_str(&streams(stream)?);
    println!("{report}");
    Ok(report)
}

fn soak(requests: usize) -> Result<(), Box<dyn Error>> {
    let callers = Callers::new(SMALL.callers);
    let mut runner = start(Chain::Tracegate, &SMALL, &callers)?;
    let footprints = soak::run(&mut runner, &callers, requests)?;
    println!("{}", report::soak(&footprints));
    Ok(())
}
