//! Numbers for people: medians with their spread, ratios against targets, as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use crate::chains::Chain;
use crate::held::Held;
use crate::measure::{Plan, Sample};
use crate::pace::Delay;
use crate::soak::Footprint;

/// The samples of every chain at one size of body.
pub(crate) struct Results {
    /// What was measured.
    pub(crate) plan: Plan,
    /// Chains and their samples, one for each repetition.
    pub(crate) samples: Vec<(Chain, Vec<Sample>)>,
}

/// Median, smallest and largest of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) least: f64,
    /// The largest.
    pub(crate) most: f64,
}

impl Spread {
    /// Of numbers, of which there must be some.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        let middle = numbers.len() / 2;
        let median = if numbers.len().is_multiple_of(2) {
            f64::midpoint(numbers[middle - 1], numbers[middle])
        } else {
            numbers[middle]
        };
        Self {
            median,
            least: numbers[0],
            most: numbers[numbers.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median < 10.0 { 2 } else { 0 };
        write!(
            f,
            "{:.digits$} ({:.digits$}–{:.digits$})",
            self.median, self.least, self.most
        )
    }
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }

    /// One row of the table of targets.
    pub(crate) fn row(self, what: &str, value: &str, number: f64) -> String {
        let bound = match self {
            Self::AtMost(bound) => format!("≤ {bound}"),
            Self::AtLeast(bound) => format!("≥ {bound}"),
        };
        let verdict = if self.is_met(number) {
            "met"
        } else {
            "**missed**"
        };
        format!("| {what} | {bound} | {value} | {verdict} |\n")
    }
}

impl Results {
    fn of(&self, chain: Chain) -> &[Sample] {
        let found = self.samples.iter().find(|(found, _)| *found == chain);
        found.map_or(&[], |(_, samples)| samples)
    }

    /// Processor time of `chain` divided by that of `other`, repetition by repetition.
    pub(crate) fn cpu_ratio(&self, chain: Chain, other: Chain) -> Spread {
        let pairs = self.of(chain).iter().zip(self.of(other));
        Spread::of(pairs.map(|(mine, others)| mine.cpu.div_duration_f64(others.cpu)))
    }

    /// One row per chain.
    pub(crate) fn table(&self) -> String {
        let unit = if self.plan.body < 100_000 {
            ("µs", Duration::from_micros(1))
        } else {
            ("ms", Duration::from_millis(1))
        };
        let mut table = format!(
            "| chain | CPU of Envoy per request, {} | requests per second |\n|---|---|---|\n",
            unit.0
        );
        for (chain, samples) in &self.samples {
            let cpu = samples
                .iter()
                .map(|sample| sample.cpu.div_duration_f64(unit.1));
            let rate = samples.iter().map(|sample| sample.rate);
            // Writing to a String cannot fail.
            let _ = writeln!(
                table,
                "| {} | {} | {} |",
                chain.name(),
                Spread::of(cpu),
                Spread::of(rate)
            );
        }
        table
    }
}

/// The page `bench/results.md`.
pub(crate) fn page(small: &Results, large: &Results, targets: &str) -> String {
    let plan = |results: &Results| {
        let Plan {
            repetitions,
            requests,
            connections,
            callers,
            ..
        } = results.plan;
        format!(
            "{repetitions} repetitions of {requests} requests by {callers} callers over \
             {connections} connections"
        )
    };
    format!(
        "# Benchmark\n\n\
         Written by `make bench`. Each chain runs in an Envoy {} of its own with one worker; the\n\
         repetitions go round all chains. Numbers are medians with the smallest and the largest;\n\
         ratios are taken repetition by repetition. Tokens are signed with RS256 and all are cached.\n\
         Every chain but the first writes its access log to a file; that of `jwt_authn`\n\
         names the caller. `lua` masks three patterns, Tracegate 15 detectors and 5 paths.\n\n\
         Machine: {}.\n\n\
         ## Targets\n\n| what | target | measured | |\n|---|---|---|---|\n{targets}\n\
         ## Bodies of 2.7 KB\n\n{}.\n\n{}\n\
         ## Bodies of 1 MiB\n\n{}.\n\n{}",
        tracegate_tests::envoy::DEFAULT_VERSION,
        crate::machine::line(),
        plan(small),
        small.table(),
        plan(large),
        large.table(),
    )
}

/// What streams cost. `memory` is that of the VM for each open stream, in bytes.
pub(crate) fn streams(results: &Results, delays: &[Delay], memory: u64, held: Held) -> String {
    let cpu = |chain| {
        Spread::of(
            results
                .of(chain)
                .iter()
                .map(|sample| sample.cpu.as_secs_f64()),
        )
    };
    let spent = cpu(Chain::Tracegate).median - cpu(Chain::Bare).median;
    let speed = results.plan.body as f64 / spent / 1e6;
    let mut table = String::from(
        "| chain | delay of an event, median, µs | 99th percentile, µs |\n|---|---|---|\n",
    );
    for delay in delays {
        let _ = writeln!(
            table,
            "| {} | {} | {} |",
            delay.chain.name(),
            Spread::of(delay.medians.iter().copied()),
            Spread::of(delay.p99s.iter().copied())
        );
    }
    let added = added_p99(delays);
    let kibibytes = memory as f64 / 1024.0;
    let targets = [
        Target::AtLeast(200.0).row(
            "events masked by one worker, MB/s",
            &format!("{speed:.0}"),
            speed,
        ),
        Target::AtMost(50.0).row(
            "delay added to an event, 99th percentile, µs",
            &added.to_string(),
            added.median,
        ),
        Target::AtMost(40.0).row(
            "text held back on prose, 99th percentile, bytes",
            &format!("{} (mean {:.1}, most {})", held.p99, held.mean, held.most),
            held.p99 as f64,
        ),
        Target::AtMost(64.0).row(
            "memory of the VM for an open stream, KiB",
            &format!("{kibibytes:.0}"),
            kibibytes,
        ),
    ];
    format!(
        "\n## Streams of events\n\n\
         Chat completion events of a few characters each, 1 MiB of them, masked by 15 detectors and 5\n\
         paths; what the filter costs is the difference of the two chains. The delay is that of single\n\
         events, sent every half millisecond, whose text leaves nothing to wait for; text is held back\n\
         until the next event where it may be the beginning of something.\n\n\
         | what | target | measured | |\n|---|---|---|---|\n{}\n{}\n{table}",
        targets.concat(),
        results.table(),
    )
}

/// By how much the 99th percentile of the last chain is above that of the first, pair by pair.
fn added_p99(delays: &[Delay]) -> Spread {
    let pairs = delays.first().zip(delays.last()).into_iter();
    Spread::of(pairs.flat_map(|(bare, ours)| {
        let differences = ours.p99s.iter().zip(&bare.p99s);
        differences.map(|(ours, bare)| ours - bare)
    }))
}

/// The memory over a long run.
pub(crate) fn soak(footprints: &[Footprint]) -> String {
    let mut table = String::from(
        "| requests | resident memory of Envoy, MiB | memory of the VM, MiB |\n|---|---|---|\n",
    );
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    for footprint in footprints {
        let _ = writeln!(
            table,
            "| {} | {:.1} | {:.1} |",
            footprint.requests,
            mebibytes(footprint.resident),
            mebibytes(footprint.vm)
        );
    }
    let last = footprints.last().map_or(0.0, |last| mebibytes(last.vm));
    let target = Target::AtMost(16.0).row("memory of the VM, MiB", &format!("{last:.1}"), last);
    format!("{table}\n| what | target | measured | |\n|---|---|---|---|\n{target}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_numbers_is_their_median_and_their_ends() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!(spread.to_string(), "2.00 (1.00–3.00)");
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 30.0]).median, 3.0);
    }

    #[test]
    fn a_missed_target_is_said_to_be_missed() {
        assert!(Target::AtMost(0.8).row("x", "0.9", 0.9).contains("missed"));
        assert!(
            Target::AtLeast(6.0)
                .row("x", "6.1", 6.1)
                .contains("| met |")
        );
    }
}
