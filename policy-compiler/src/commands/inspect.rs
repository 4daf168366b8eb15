//! `inspect`: what a bundle says, in words.

use std::fmt::Write as _;
use std::path::PathBuf;

use policy_compiler::Instant;
use serde::Serialize;
use tracegate_bundle::Bundle;
use tracegate_bundle::dsse::Envelope;
use tracegate_bundle::policy::{
    Action, AtLimit, Connection, Detector, Direction, HostMatch, KeySource, MaskAction, MaskMode,
    MaskRule, MaskTarget, Path, Provider,
};

use crate::cli::{Exit, Format, Outcome, json_line, print, read_envelope, unverified_bundle};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bundle, or `-` for standard input
    bundle: PathBuf,
    /// How it is printed; `json` has everything
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected<'a> {
    digest: String,
    bytes: usize,
    signed_by: Vec<&'a str>,
    bundle: &'a Bundle,
}

pub(super) fn run(args: &Args) -> Outcome {
    let envelope = read_envelope(&args.bundle)?;
    let bundle = unverified_bundle(&args.bundle, &envelope)?;
    print(&match args.format {
        Format::Json => json_line(&Inspected {
            digest: bundle.digest().to_string(),
            bytes: bundle.to_bytes().len(),
            signed_by: envelope.signatures().iter().map(|s| s.keyid.as_str()).collect(),
            bundle: &bundle,
        }),
        Format::Human => human(&bundle, &envelope),
    })?;
    Ok(Exit::Clean)
}

fn human(bundle: &Bundle, envelope: &Envelope) -> String {
    let mut out = String::new();
    let signers: Vec<&str> = envelope.signatures().iter().map(|s| s.keyid.as_str()).collect();
    let signed = if signers.is_empty() {
        "nobody".to_owned()
    } else {
        format!("{} (not verified here)", signers.join(", "))
    };
    let expires = bundle.expires.map_or_else(|| "never".to_owned(), |at| Instant(at).to_string());
    for (what, value) in [
        ("policy", bundle.name.clone()),
        ("revision", bundle.revision.to_string()),
        ("expires", expires),
        ("digest", bundle.digest().to_string()),
        ("source", bundle.source.clone()),
        ("size", format!("{} bytes", bundle.to_bytes().len())),
        ("signed by", signed),
    ] {
        put(&mut out, &format!("{what:<10} {value}"));
    }
    for provider in &bundle.providers {
        issuer(&mut out, provider);
    }
    for connection in &bundle.connections {
        self::connection(&mut out, bundle, connection);
    }
    out
}

/// Adds a line. Texts of a bundle are escaped: nothing in one may move the cursor.
fn put(out: &mut String, line: &str) {
    for c in line.chars() {
        if c.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push('\n');
}

fn issuer(out: &mut String, provider: &Provider) {
    put(out, "");
    put(out, &format!("issuer {}", provider.issuer));
    put(out, &format!("  audiences  {}", provider.audiences.join(", ")));
    let algorithms: Vec<&str> = provider.algorithms.iter().map(|a| a.name()).collect();
    put(out, &format!("  algorithms {}", algorithms.join(", ")));
    let keys = match &provider.keys {
        KeySource::Inline(_) => "in the bundle".to_owned(),
        KeySource::Remote {
            cluster,
            authority,
            path,
            scheme,
            ..
        } => format!("{scheme}://{authority}{path} through cluster {cluster}"),
    };
    put(out, &format!("  keys       {keys}"));
}

fn connection(out: &mut String, bundle: &Bundle, connection: &Connection) {
    put(out, "");
    let hosts: Vec<String> = connection.hosts.iter().map(host).collect();
    put(out, &format!("connection {} ({})", connection.name, hosts.join(", ")));
    if let Some(supplier) = &connection.supplier {
        put(out, &format!("  supplier {supplier}"));
    }
    let issuers = connection.providers.iter().filter_map(|&i| bundle.providers.get(usize::from(i)));
    for provider in issuers {
        put(out, &format!("  tokens of {}", provider.issuer));
    }
    if connection.allow_missing {
        put(out, "  requests without a token are decided by the rules");
    }
    for rule in &connection.rules {
        let action = match rule.action {
            Action::Allow => "ALLOW",
            Action::Deny => "DENY",
        };
        put(out, &format!("  {action:<5} {}", rule.name));
    }
    for rule in &connection.masks {
        put(out, &format!("  mask  {}", mask(rule, &bundle.detectors.detectors)));
    }
    for channel in &connection.stream.channels {
        put(out, &format!("  stream with text at {}", channel.text));
    }
    if connection.stream.at_limit == AtLimit::End {
        put(out, "  stream ends when too much is held back");
    }
}

fn host(host: &HostMatch) -> String {
    match host {
        HostMatch::Exact(text) => text.clone(),
        HostMatch::Suffix(text) => format!("*{text}"),
        HostMatch::Any => "*".to_owned(),
    }
}

fn mask(rule: &MaskRule, detectors: &[Detector]) -> String {
    let list = |paths: &[Path]| {
        let texts: Vec<&str> = paths.iter().map(|path| path.text.as_str()).collect();
        texts.join(", ")
    };
    let target = match &rule.target {
        MaskTarget::Fields(paths) => list(paths),
        MaskTarget::AllowFields(paths) => format!("all but {}", list(paths)),
        MaskTarget::Detect {
            detectors: bits,
            within,
        } => {
            let names = detectors.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
            let mut names: Vec<&str> = names.map(|(_, detector)| detector.name.as_str()).collect();
            // What is written in several ways is there several times.
            names.dedup();
            let place = if within.is_empty() { "the whole body".to_owned() } else { list(within) };
            let headers = match rule.headers.len() {
                0 => "",
                1 => " and in a header",
                _ => " and in headers",
            };
            format!("{} in {place}{headers}", names.join(", "))
        }
    };
    let action = match &rule.action {
        MaskAction::Redact(None) => "redact".to_owned(),
        MaskAction::Redact(Some(text)) => format!("redact as {text}"),
        MaskAction::Partial {
            keep_first,
            keep_last,
        } => format!("keep first {keep_first} and last {keep_last}"),
        MaskAction::Hash => "hash".to_owned(),
        MaskAction::Drop => "drop".to_owned(),
        MaskAction::Nullify => "null".to_owned(),
        MaskAction::Tokenize => "tokenize".to_owned(),
    };
    let keep_type = if rule.keep_type { ", type kept" } else { "" };
    let exemption = if rule.unless.is_empty() { "" } else { ", with exemptions" };
    let only = if rule.only.is_empty() { "" } else { ", for some callers" };
    let message = match rule.direction {
        Direction::Request => "requests: ",
        Direction::Response => "",
    };
    let mode = match rule.mode {
        MaskMode::Enforce => "",
        MaskMode::Observe => ", observed only",
    };
    format!("{message}{target}: {action}{keep_type}{exemption}{only}{mode}")
}
