//! Walks through Tracegate on a real Envoy, as a story: who is let in, who is not and why, what an
//! analyst does not see and an auditor does, and the audit record that every call leaves.
//!
//! `tracegate-demo` tells the story and ends; `tracegate-demo up` stays, for one's own calls. Both set
//! up the same, and everything ends with them.

mod show;
mod story;
mod up;
mod world;

use std::process::ExitCode;

use show::Show;
use world::{ENVOY_VERSION, EnvoySlot, World, records_shown};

/// What `sysexits.h` calls a usage error.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let stays = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["up"] => true,
        _ => {
            eprintln!("usage: tracegate-demo [up]");
            return ExitCode::from(USAGE);
        }
    };
    let envoy = EnvoySlot::default();
    let slot = EnvoySlot::clone(&envoy);
    tracegate_tests::on_interrupt(move || {
        end(&slot);
        std::process::exit(if stays { 0 } else { 130 });
    });
    let told = World::start(&envoy).and_then(|world| {
        let mut show = Show::new();
        introduce(&world, &show);
        if stays {
            up::stay(&world, &show)
        } else {
            story::tell(&world, &mut show)?;
            show.line(&format!(
                "\nEvery step went as told. The full records are in {}.",
                records_shown()
            ));
            Ok(())
        }
    });
    end(&envoy);
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\ntracegate-demo: this did not go as told.\n{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Ends the Envoy.
fn end(envoy: &EnvoySlot) {
    if let Ok(mut envoy) = envoy.lock() {
        envoy.take();
    }
}

fn introduce(world: &World, show: &Show) {
    show.line(&format!(
        "Tracegate on Envoy {ENVOY_VERSION}, listening on {}. Set up with:",
        world.listener
    ));
    show.line("");
    for command in &world.commands {
        for (index, line) in show::wrap(command, 92).iter().enumerate() {
            let margin = if index == 0 { "   $ " } else { "       " };
            show.line(&format!("{margin}{line}"));
        }
    }
}
