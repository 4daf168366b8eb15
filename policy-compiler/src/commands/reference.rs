//! `reference`: the page `docs/policy.md`.

use crate::cli::{Exit, Outcome, print};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Outcome {
    print(&policy_compiler::reference())?;
    Ok(Exit::Clean)
}
