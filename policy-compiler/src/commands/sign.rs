//! `sign`: one more signature on a bundle, by a second team or a new key.

use std::path::PathBuf;

use crate::cli::{
    Exit, Failure, Format, Outcome, read_envelope, read_key, report_written, unverified_bundle,
    write_envelope,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bundle, or `-` for standard input
    bundle: PathBuf,
    /// The private key to sign with
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed bundle goes; by default it replaces the one that was read
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> Outcome {
    let key = read_key(&args.key)?;
    let mut envelope = read_envelope(&args.bundle)?;
    // What is no bundle is not signed: a signature says that somebody meant it.
    let bundle = unverified_bundle(&args.bundle, &envelope)?;
    key.sign(&mut envelope)
        .map_err(|error| Failure::new(Exit::Findings, error.to_string()))?;
    let output = args.output.as_ref().unwrap_or(&args.bundle);
    write_envelope(output, &envelope)?;
    report_written(output, &bundle, &envelope, args.format)?;
    Ok(Exit::Clean)
}
