//! `check`: everything that is wrong with a policy, without building it.

use std::path::PathBuf;

use policy_compiler::{Options, compile};

use crate::cli::{Format, Outcome, exit_of, now, read_policy, report, tell};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy, or `-` for standard input
    file: PathBuf,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Take warnings for errors
    #[arg(long)]
    deny_warnings: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    let options = Options {
        // A revision belongs to a release: a policy that is only checked needs none.
        revision: Some(1),
        expires: None,
        now: Some(now()),
    };
    let findings = match read_policy(&args.file)? {
        Err(findings) => findings,
        Ok(source) => match compile(&source, &args.file.display().to_string(), &options) {
            Ok(compiled) => compiled.warnings,
            Err(findings) => findings,
        },
    };
    report(&findings, args.format)?;
    let exit = exit_of(&findings, args.deny_warnings);
    if args.format == Format::Human && findings.is_empty() {
        tell(&format!("{}: no findings\n", args.file.display()));
    }
    Ok(exit)
}
