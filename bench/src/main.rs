//! The benchmark: Tracegate beside the filters that Envoy has of its own, in one run.
//!
//! `make bench` measures and writes `bench/results.md`. `--quick` runs a few requests through
//! everything, to see that it works; its numbers mean nothing and are only printed. `--soak` sends
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
mod load;
mod machine;
mod measure;
mod report;
mod soak;
mod tracegate;
mod upstream;

use std::error::Error;
use std::fs;
use std::path::Path;

use tracegate_tests::envoy::{Envoy, Home, Runner as EnvoyRunner};

use callers::Callers;
use chains::{Chain, bootstrap, native};
use measure::{ACCESS_LOG, Plan, Runner};
use report::{Results, Target};

const SMALL: Plan = Plan {
    body: 2_700,
    repetitions: 9,
    requests: 20_000,
    connections: 16,
    callers: 1_000,
};

const LARGE: Plan = Plan {
    body: 1 << 20,
    repetitions: 5,
    requests: 96,
    connections: 4,
    callers: 48,
};

const SOAK: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let report = compare(SMALL, LARGE)?;
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
            compare(quick(SMALL), quick(LARGE)).map(drop)
        }
        ["--engine", count] => engine::run(count.parse()?),
        ["--soak"] => soak(SOAK),
        ["--soak", count] => soak(count.parse()?),
        _ => {
            Err("usage: tracegate-bench [--quick | --soak [REQUESTS] | --engine EXCHANGES]".into())
        }
    }
}

fn start(chain: Chain, plan: &Plan, callers: &Callers) -> Result<Runner, Box<dyn Error>> {
    let home = Home::new()?;
    let log = home.path(ACCESS_LOG);
    let log = log.to_str().ok_or("the temporary folder has an odd name")?;
    let upstream = upstream::start(&bodies::completion(plan.body))?;
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
    let envoy = envoy.concurrency(1).log_level("warn").start()?;
    Runner::new(chain, envoy, callers, plan.connections)
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

fn compare(small: Plan, large: Plan) -> Result<String, Box<dyn Error>> {
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
    let report = report::page(&small, &large, &targets.concat());
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
