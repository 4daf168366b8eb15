//! `build`: from a policy to a bundle.
//!
//! The bundle depends on the policy and on the arguments alone: not on the time, the machine, or where
//! the file lies. Ed25519 signatures are deterministic too, so a build can be repeated and compared.

use std::path::PathBuf;

use policy_compiler::{Compiled, Instant, Options, compile};
use tracegate_bundle::dsse::Envelope;

use crate::cli::{
    Exit, Failure, Format, Outcome, exit_of, now, read_key, read_policy, report, report_written,
    write_envelope,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy, or `-` for standard input
    file: PathBuf,
    /// Where the bundle goes, or `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A private key to sign with; several give several signatures
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// The revision, in place of `metadata.revision`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    revision: Option<u64>,
    /// When the bundle stops being valid, in place of `spec.expires`: `2027-01-31T00:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expires: Option<u64>,
    /// How findings and the result are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Take warnings for errors
    #[arg(long)]
    deny_warnings: bool,
}

fn expiry(text: &str) -> Result<u64, String> {
    Instant::parse(text).map(|instant| instant.0).ok_or_else(|| {
        "write a time as RFC 3339 does, `2027-01-31T00:00:00Z`; a duration would make the bundle \
         depend on when it was built"
            .to_owned()
    })
}

pub(super) fn run(args: &Args) -> Outcome {
    let keys: Vec<_> = args.key.iter().map(|path| read_key(path)).collect::<Result<_, _>>()?;
    let options = Options {
        revision: args.revision,
        expires: args.expires,
        now: Some(now()),
    };
    let compiled = match read_policy(&args.file)? {
        Err(findings) => Err(findings),
        Ok(source) => compile(&source, &args.file.display().to_string(), &options),
    };
    let Compiled { bundle, warnings } = match compiled {
        Ok(compiled) => compiled,
        Err(findings) => {
            report(&findings, args.format)?;
            return Ok(exit_of(&findings, args.deny_warnings));
        }
    };
    report(&warnings, args.format)?;
    let exit = exit_of(&warnings, args.deny_warnings);
    if exit != Exit::Clean {
        return Ok(exit);
    }
    let mut envelope = Envelope::new(&bundle.to_bytes());
    for key in &keys {
        key.sign(&mut envelope)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    }
    write_envelope(&args.output, &envelope)?;
    report_written(&args.output, &bundle, &envelope, args.format)?;
    Ok(Exit::Clean)
}
