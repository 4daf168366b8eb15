//! `verify`: whether a filter that trusts these keys would accept a bundle now.

use std::path::{Path, PathBuf};

use policy_compiler::Instant;
use serde::Serialize;
use tracegate_bundle::Bundle;
use tracegate_bundle::dsse::TrustKeys;

use crate::cli::{
    Exit, Failure, Format, Outcome, json_line, now, print, read_envelope, read_text,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bundle, or `-` for standard input
    bundle: PathBuf,
    /// The keys to trust: `keyid=base64` entries, or a file with them
    #[arg(long, value_name = "KEYS|FILE")]
    trust: String,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Verdict {
    verified: bool,
    reason: Option<String>,
    name: Option<String>,
    revision: Option<u64>,
    digest: Option<String>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let trust = trust(&args.trust)?;
    let envelope = read_envelope(&args.bundle)?;
    let verified = match envelope.verify(&trust) {
        Ok(payload) => {
            let bundle = Bundle::from_bytes(&payload)
                .map_err(|error| Failure::unreadable(&args.bundle, error))?;
            match bundle.expires.filter(|&expires| expires <= now()) {
                Some(expires) => Err(format!("the bundle expired at {}", Instant(expires))),
                None => Ok(bundle),
            }
        }
        Err(error) => Err(error.to_string()),
    };
    let exit = if verified.is_ok() { Exit::Clean } else { Exit::Findings };
    let text = match args.format {
        Format::Json => {
            let (bundle, reason) = (verified.as_ref().ok(), verified.as_ref().err());
            json_line(&Verdict {
                verified: bundle.is_some(),
                reason: reason.cloned(),
                name: bundle.map(|bundle| bundle.name.clone()),
                revision: bundle.map(|bundle| bundle.revision),
                digest: bundle.map(|bundle| bundle.digest().to_string()),
            })
        }
        Format::Human => {
            let file = args.bundle.display();
            match &verified {
                Ok(bundle) => format!(
                    "{file}: verified\n{} revision {}\n{}\n",
                    bundle.name,
                    bundle.revision,
                    bundle.digest()
                ),
                Err(reason) => format!("{file}: not trusted: {reason}\n"),
            }
        }
    };
    print(&text)?;
    Ok(exit)
}

/// The keys in the text, or in the file of that name.
fn trust(argument: &str) -> Result<TrustKeys, Failure> {
    let path = Path::new(argument);
    let text = if argument.contains('=') && !path.exists() {
        argument.to_owned()
    } else {
        read_text(path)?
    };
    let keys = TrustKeys::parse(&text)
        .map_err(|error| Failure::new(Exit::Unreadable, format!("--trust: {error}")))?;
    if keys.is_empty() {
        return Err(Failure::new(Exit::Unreadable, "--trust: there is no key in it"));
    }
    Ok(keys)
}
