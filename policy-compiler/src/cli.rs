//! What the subcommands share: exit codes, reading and writing, reporting.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use policy_compiler::diagnostic::Style;
use policy_compiler::keys::PrivateKey;
use policy_compiler::{Code, Diagnostic, Diagnostics, Span};
use tracegate_bundle::dsse::Envelope;
use tracegate_bundle::{Bundle, MAX_CONFIGURATION, PluginConfiguration};

/// How a run ends, in the numbers of `sysexits.h` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All is well.
    Clean = 0,
    /// The input was read, and something is wrong with it.
    Findings = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The input is not what it should be: no YAML, no bundle, no key.
    Unreadable = 65,
    /// A file cannot be read or written.
    Io = 74,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, message }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Io, format!("{}: {error}", path.display()))
    }

    /// Something is wrong with the content of a file.
    pub(crate) fn unreadable(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::new(Exit::Unreadable, format!("{}: {error}", path.display()))
    }
}

pub(crate) type Outcome = Result<Exit, Failure>;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs: one JSON object per line.
    Json,
}

/// Prints to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Exit::Io, format!("standard output: {error}")))
}

/// Prints to standard error, where nothing can be done about a failure.
pub(crate) fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// A line of JSON.
pub(crate) fn json_line(value: &impl serde::Serialize) -> String {
    // The values are structs of texts and numbers, which cannot fail to be written.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// Shows findings, for people on standard error, for programs on standard output.
pub(crate) fn report(diagnostics: &Diagnostics, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print(&diagnostics.to_json()),
        Format::Human => {
            let colours = std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            let style = if colours { Style::Fancy } else { Style::Plain };
            tell(&diagnostics.to_human(style));
            if !diagnostics.is_empty() {
                tell(&format!("{}\n", diagnostics.summary()));
            }
            Ok(())
        }
    }
}

/// How a run ends that has these findings.
pub(crate) fn exit_of(diagnostics: &Diagnostics, deny_warnings: bool) -> Exit {
    if diagnostics
        .iter()
        .any(|diagnostic| diagnostic.code.is_unreadable())
    {
        Exit::Unreadable
    } else if diagnostics.has_errors() || (deny_warnings && !diagnostics.is_empty()) {
        Exit::Findings
    } else {
        Exit::Clean
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_secs())
}

// === Reading ===

/// Reads a file, or standard input for `-`, up to `limit` bytes and one more.
fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let result = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    result
        .map(|_| bytes)
        .map_err(|error| Failure::io(path, &error))
}

/// Longest file that is read whole, in bytes; everything that we read is shorter.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// Longest text that is searched, in bytes.
const MAX_CORPUS: usize = 256 * 1024 * 1024;

/// Reads a text to search.
pub(crate) fn read_corpus(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read(path, MAX_CORPUS)?;
    if bytes.len() > MAX_CORPUS {
        return Err(Failure::unreadable(path, "longer than 256 MiB; split it"));
    }
    Ok(bytes)
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path, MAX_FILE)?).map_err(|_| Failure::unreadable(path, "not UTF-8"))
}

/// Reads a policy. What is not UTF-8 is a finding like any other.
pub(crate) fn read_policy(path: &Path) -> Result<Result<String, Diagnostics>, Failure> {
    let bytes = read(path, MAX_FILE)?;
    Ok(String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let mut diagnostics = Diagnostics::new(&path.display().to_string(), &text);
        let message = "the policy is not UTF-8";
        diagnostics.push(
            Diagnostic::new(Code::Syntax, Span::new(at, at), message)
                .help("save the file with the encoding UTF-8"),
        );
        diagnostics
    }))
}

/// Reads an envelope, alone or inside a plugin configuration.
pub(crate) fn read_envelope(path: &Path) -> Result<Envelope, Failure> {
    let bytes = read(path, MAX_CONFIGURATION)?;
    if let Ok(configuration) = PluginConfiguration::from_bytes(&bytes) {
        return Ok(configuration.bundle);
    }
    if bytes.len() > MAX_CONFIGURATION {
        return Err(Failure::unreadable(path, "too long for a bundle"));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::unreadable(
            path,
            format!("this is not a bundle in a DSSE envelope ({error})"),
        )
    })
}

/// The bundle in an envelope, whoever signed it.
pub(crate) fn unverified_bundle(path: &Path, envelope: &Envelope) -> Result<Bundle, Failure> {
    let payload = envelope
        .unverified_payload()
        .map_err(|error| Failure::unreadable(path, error))?;
    Bundle::from_bytes(&payload).map_err(|error| Failure::unreadable(path, error))
}

/// Reads a private key.
pub(crate) fn read_key(path: &Path) -> Result<PrivateKey, Failure> {
    PrivateKey::from_pem(&read_text(path)?).map_err(|error| Failure::unreadable(path, error))
}

// === Writing ===

/// Writes an envelope to a file as a whole or not at all, or to standard output for `-`.
pub(crate) fn write_envelope(path: &Path, envelope: &Envelope) -> Result<(), Failure> {
    let text = json_line(envelope);
    if path.as_os_str() == "-" {
        return print(&text);
    }
    let mut partial = PathBuf::from(path).into_os_string();
    partial.push(".partial");
    let result = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    result.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        Failure::io(path, &error)
    })
}

/// What a command says about the bundle that it wrote.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written<'a> {
    file: String,
    name: &'a str,
    revision: u64,
    digest: String,
    bytes: usize,
    signed_by: Vec<&'a str>,
}

/// Tells what was written, on standard error if the bundle itself went to standard output.
pub(crate) fn report_written(
    path: &Path,
    bundle: &Bundle,
    envelope: &Envelope,
    format: Format,
) -> Result<(), Failure> {
    let written = Written {
        file: path.display().to_string(),
        name: &bundle.name,
        revision: bundle.revision,
        digest: bundle.digest().to_string(),
        bytes: bundle.to_bytes().len(),
        signed_by: envelope
            .signatures()
            .iter()
            .map(|s| s.keyid.as_str())
            .collect(),
    };
    let text = match format {
        Format::Json => json_line(&written),
        Format::Human => {
            let signed = match written.signed_by.as_slice() {
                [] => "not signed; a filter refuses it until `policy-compiler sign`".to_owned(),
                keys => format!("signed by {}", keys.join(", ")),
            };
            format!(
                "{}: {} revision {}, {} bytes\n{}\n{signed}\n",
                written.file, written.name, written.revision, written.bytes, written.digest
            )
        }
    };
    if path.as_os_str() == "-" {
        tell(&text);
        return Ok(());
    }
    print(&text)
}
