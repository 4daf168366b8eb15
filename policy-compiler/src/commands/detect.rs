//! `detect`: what the built-in detectors find in a text, so that anyone can measure them on their own.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use policy_compiler::automata::{BuiltIn, DetectorChoice, DetectorInstance, Score, built_ins, instances};
use serde::Serialize;
use tracegate_engine::masking::detect::{Detectors, Found, Scanner};

use crate::cli::{Exit, Failure, Outcome, json_line, read_corpus};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The texts, or `-` for standard input
    #[arg(default_value = "-")]
    files: Vec<PathBuf>,
    /// Only these detectors, separated by commas; all if absent
    #[arg(long = "detector", value_name = "NAME", value_delimiter = ',')]
    detectors: Vec<String>,
    /// How certain a match must be, as `minScore` of a mask rule
    #[arg(long, value_name = "SCORE", default_value = "0.5", value_parser = score)]
    min_score: Score,
    /// Take each line for a text of its own; offsets are those of the file
    #[arg(long)]
    lines: bool,
    /// Print what was found too
    #[arg(long)]
    show: bool,
}

fn score(text: &str) -> Result<Score, String> {
    Score::parse(text).ok_or_else(|| "a score lies between 0 and 1, such as 0.75".to_owned())
}

/// One line of the output.
#[derive(Serialize)]
struct Finding<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    start: u64,
    end: u64,
    detector: &'a str,
    score: Score,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let chosen = chosen(&args.detectors)?;
    let probes: Vec<Probe<'_>> =
        chosen.into_iter().filter_map(|it| Probe::new(it, args.min_score)).collect();
    let mut exit = Exit::Clean;
    for file in &args.files {
        let bytes = read_corpus(file)?;
        let findings = findings(args, file, &bytes, &probes);
        if !findings.is_empty() {
            exit = Exit::Findings;
        }
        print(&findings)?;
    }
    Ok(exit)
}

fn chosen(names: &[String]) -> Result<Vec<&'static BuiltIn>, Failure> {
    let all = built_ins();
    let unknown = names.iter().find(|name| all.iter().all(|it| it.name != **name));
    if let Some(name) = unknown {
        let message = format!("there is no detector `{}`", name.escape_debug());
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(all.iter().filter(|it| names.is_empty() || names.contains(&it.name)).collect())
}

/// One detector at each of its scores: the proxy knows none, so a score is the highest `minScore` with
/// which a match is still found.
struct Probe<'a> {
    name: &'a str,
    /// What decides whether something is found.
    least: Detectors,
    /// The higher scores, from the highest on.
    levels: Vec<(Score, Detectors)>,
    /// The lowest score that is enough.
    lowest: Score,
}

impl<'a> Probe<'a> {
    /// `None` if the detector is never that certain.
    fn new(built_in: &'a BuiltIn, min_score: Score) -> Option<Self> {
        let at = |score| {
            let instance = DetectorInstance {
                choice: DetectorChoice::BuiltIn(&built_in.name),
                min_score: score,
                ignore: &[],
            };
            instances(&[instance]).ok().map(Detectors::new)
        };
        let forms = built_in.forms.iter();
        let mut scores: Vec<Score> = forms
            .flat_map(|form| [Some(form.score), form.context_score])
            .flatten()
            .filter(|&score| score >= min_score)
            .collect();
        scores.sort_unstable();
        scores.dedup();
        let (&lowest, higher) = scores.split_first()?;
        let levels = higher.iter().rev().filter_map(|&score| Some((score, at(score)?)));
        Some(Self {
            name: &built_in.name,
            least: at(min_score)?,
            levels: levels.collect(),
            lowest,
        })
    }

    /// What is found in a text, with the score of each.
    fn scan(&self, text: &[u8]) -> Vec<(Found, Score)> {
        let found = scan(&self.least, text);
        if found.is_empty() {
            return Vec::new();
        }
        let levels: Vec<_> =
            self.levels.iter().map(|(score, level)| (*score, scan(level, text))).collect();
        let score = |it: &Found| {
            let overlaps = |other: &Found| other.start < it.end && it.start < other.end;
            let mut levels = levels.iter();
            let highest = levels.find(|(_, found)| found.iter().any(overlaps));
            highest.map_or(self.lowest, |(score, _)| *score)
        };
        found.iter().map(|it| (*it, score(it))).collect()
    }
}

/// What is found in a text; a long match is one.
fn scan(detectors: &Detectors, text: &[u8]) -> Vec<Found> {
    let mut pieces = Vec::new();
    Scanner::new().scan(detectors, u64::MAX, text, &mut pieces);
    let mut whole: Vec<Found> = Vec::new();
    for piece in pieces {
        match whole.last_mut() {
            Some(last) if last.open => (last.end, last.open) = (piece.end, piece.open),
            _ => whole.push(piece),
        }
    }
    whole
}

fn findings<'a>(
    args: &Args,
    file: &Path,
    bytes: &[u8],
    probes: &'a [Probe<'_>],
) -> Vec<Finding<'a>> {
    let texts: Vec<&[u8]> = if args.lines {
        bytes.split_inclusive(|&byte| byte == b'\n').collect()
    } else {
        vec![bytes]
    };
    let mut findings = Vec::new();
    let mut base = 0;
    for text in texts {
        let from = findings.len();
        for probe in probes {
            let found = probe.scan(text);
            findings.extend(found.into_iter().map(|(it, score)| Finding {
                file: (args.files.len() > 1).then(|| file.display().to_string()),
                start: base + it.start,
                end: base + it.end,
                detector: probe.name,
                score,
                text: args.show.then(|| shown(text, it)),
            }));
        }
        if let Some(new) = findings.get_mut(from..) {
            new.sort_by_key(|it| it.start);
        }
        base += text.len() as u64;
    }
    findings
}

fn shown(text: &[u8], found: Found) -> String {
    let index = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
    let found = text.get(index(found.start)..index(found.end));
    String::from_utf8_lossy(found.unwrap_or_default()).into_owned()
}

fn print(findings: &[Finding<'_>]) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut lines = findings.iter().map(json_line);
    lines
        .try_for_each(|line| out.write_all(line.as_bytes()))
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Exit::Io, format!("standard output: {error}")))
}
