//! `keygen`: a key pair that signs bundles.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use policy_compiler::keys::PrivateKey;
use serde::Serialize;

use crate::cli::{Exit, Failure, Format, Outcome, json_line, print, tell};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the files, without `.key` and `.pub`; in a directory, `tracegate`
    #[arg(short, long, value_name = "NAME|DIR", default_value = "tracegate")]
    output: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    private_key: String,
    public_key: String,
    trust: String,
}

pub(super) fn run(args: &Args) -> Outcome {
    let base = if args.output.is_dir() {
        args.output.join("tracegate")
    } else {
        args.output.clone()
    };
    let (private, public) = (with_suffix(&base, ".key"), with_suffix(&base, ".pub"));
    let key = PrivateKey::generate().map_err(|error| Failure::new(Exit::Io, error.to_string()))?;
    let trust = key.trust_entry();
    create(&private, &key.to_pem(), 0o600)?;
    create(&public, &format!("{trust}\n"), 0o644)?;
    match args.format {
        Format::Json => print(&json_line(&Made {
            private_key: private.display().to_string(),
            public_key: public.display().to_string(),
            trust,
        }))?,
        // The key alone on standard output, so that a script can take it.
        Format::Human => {
            tell(&format!(
                "{}: the private key; keep it where bundles are signed\n{}: the public key; put it \
                 into TRACEGATE_TRUST_KEYS of the proxies:\n",
                private.display(),
                public.display()
            ));
            print(&format!("{trust}\n"))?;
        }
    }
    Ok(Exit::Clean)
}

fn with_suffix(base: &Path, suffix: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Creates a file that must not exist: a key that is overwritten is lost.
fn create(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                let message = format!("{}: exists; a key is never overwritten", path.display());
                Failure::new(Exit::Io, message)
            }
            _ => Failure::io(path, &error),
        })
}
