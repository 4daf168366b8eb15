//! A second scanner, slow and obvious, that the real one must agree with.
//!
//! For each detector, each start and each end it asks `regex-automata` whether the pattern matches
//! exactly that slice, and checks neighbours, lengths and validator on the whole text. It shares nothing
//! with the scanner but the validators.

use std::collections::HashMap;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, Input, MatchKind, nfa::thompson};
use tracegate_bundle::policy::{Boundary, Detector, DetectorSet, Overlong, Validator};

use super::validate;
use super::window::CONTEXT;

/// The detectors of a set, each with a DFA of its own.
pub(super) struct Reference {
    detectors: Vec<(Detector, dense::DFA<Vec<u32>>)>,
}

/// Start, end and detector of a match or of several that overlap.
pub(super) type Span = (usize, usize, u8);

impl Reference {
    /// `patterns` are those of the detectors of `set`, in the same order.
    pub(super) fn new(set: &DetectorSet, patterns: &[&str]) -> Self {
        let dfas = patterns.iter().map(|pattern| {
            dense::Builder::new()
                .configure(
                    dense::Config::new()
                        .match_kind(MatchKind::All)
                        .start_kind(StartKind::Anchored),
                )
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .thompson(thompson::Config::new().utf8(false))
                .build(pattern)
                .unwrap()
        });
        Self {
            detectors: set.detectors.iter().cloned().zip(dfas).collect(),
        }
    }

    /// All matches in `text`, overlapping ones joined. `named` are the detectors of which a word stands in
    /// the name of the member that holds the text.
    pub(super) fn scan(&self, text: &[u8], named: u64) -> Vec<Span> {
        let mut matches = Vec::new();
        for (index, (detector, dfa)) in (0..).zip(&self.detectors) {
            let named = named >> index & 1 == 1;
            let mut found = Vec::new();
            for start in 0..text.len() {
                if !may_begin(detector.left, text, start)
                    || !named && !is_in_context(detector, text, start)
                {
                    continue;
                }
                for skeleton in skeletons(detector, text, start) {
                    found.extend(matches_from(detector, dfa, text, start, skeleton));
                }
            }
            if named && let Some(first) = detector.prelude.chars().next() {
                found.extend(opening_matches(detector, dfa, text, first));
            }
            matches.extend(without_ignored(detector, text, &found, index));
        }
        join(matches)
    }
}

/// A match, before what is ignored is taken away.
#[derive(Clone, Copy)]
struct Match {
    start: usize,
    end: usize,
    /// Longer than `max_len`: too long to be compared with what is ignored.
    overlong: bool,
}

/// Takes away the matches that are ignored and what lies in them.
fn without_ignored(detector: &Detector, text: &[u8], found: &[Match], index: u8) -> Vec<Span> {
    let is_ignored = |it: &Match| {
        let ignore = detector.ignore.as_ref();
        !it.overlong && ignore.is_some_and(|ignore| ignore.is_match(&text[it.start..it.end]))
    };
    let ignored: Vec<_> = found.iter().filter(|it| is_ignored(it)).collect();
    let within = |it: &Match| {
        let mut ignored = ignored.iter();
        ignored.any(|other| other.start <= it.start && it.end <= other.end)
    };
    let stay = found.iter().filter(|it| it.overlong || !within(it));
    stay.map(|it| (it.start, it.end, index)).collect()
}

/// The matches at the beginning of `text`, as if `first` stood before it.
fn opening_matches(
    detector: &Detector,
    dfa: &dense::DFA<Vec<u32>>,
    text: &[u8],
    first: char,
) -> Vec<Match> {
    let whole = [&[first as u8], text].concat();
    (1..=text.len().min(detector.max_len as usize))
        .filter(|&end| end >= detector.min_len as usize)
        .filter(|&end| may_end(detector.right, text, end))
        .filter(|&end| is_whole_match(dfa, &whole[..=end]))
        .filter(|&end| validate::holds(detector.validator, &text[..end], b""))
        .map(|end| behind_prelude(detector, text, 0, end))
        .collect()
}

/// The match itself.
fn behind_prelude(detector: &Detector, text: &[u8], start: usize, end: usize) -> Match {
    let candidate = text[start..end].iter();
    let is_prelude = |byte: &&u8| detector.prelude.as_bytes().contains(byte);
    Match {
        start: start + candidate.take_while(is_prelude).count(),
        end,
        overlong: false,
    }
}

/// Whether a word of the detector stands in the 64 bytes before `start`, or none is needed.
fn is_in_context(detector: &Detector, text: &[u8], start: usize) -> bool {
    let letter = |at: usize| {
        text.get(at)
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte > 127)
    };
    let hump = |at: usize| {
        at > 0
            && text.get(at).is_some_and(u8::is_ascii_uppercase)
            && !text[at - 1].is_ascii_uppercase()
    };
    let edge_before = |at: usize| at == 0 || !letter(at - 1) || hump(at);
    let edge_after = |at: usize| !letter(at) || hump(at);
    let plural = |at: usize| at < start && matches!(text[at], b's' | b'S') && edge_after(at + 1);
    let from = start.saturating_sub(64);
    let stretches = (from..start).flat_map(|begin| (begin + 1..=start).map(move |end| begin..end));
    let mut whole_words = stretches
        .filter(|it| edge_before(it.start) && (edge_after(it.end) || plural(it.end)))
        .map(|it| text[it].to_ascii_lowercase());
    detector.context.is_empty()
        || whole_words.any(|stretch| {
            detector
                .context
                .iter()
                .any(|word| is_spelled(word, &stretch))
        })
}

/// Whether `stretch` is `word` with a separator, or none, in place of each space.
fn is_spelled(word: &str, stretch: &[u8]) -> bool {
    let parts: Vec<&str> = word.split(' ').collect();
    let Some((first, rest)) = parts.split_first() else {
        return false;
    };
    let Some(mut stretch) = stretch.strip_prefix(first.as_bytes()) else {
        return false;
    };
    for part in rest {
        let [b' ' | b'_' | b'-' | b'.', after @ ..] = stretch else {
            match stretch.strip_prefix(part.as_bytes()) {
                Some(after) => stretch = after,
                None => return false,
            }
            continue;
        };
        match after.strip_prefix(part.as_bytes()) {
            Some(after) => stretch = after,
            None => return false,
        }
    }
    stretch.is_empty()
}

/// Where the skeleton of a match that begins at `start` may begin.
fn skeletons(detector: &Detector, text: &[u8], start: usize) -> Vec<usize> {
    let Some(lead) = &detector.lead else {
        return vec![start];
    };
    let run = text[start..].iter().take(lead.max as usize);
    let length = run
        .take_while(|byte| lead.class.as_bytes().contains(byte))
        .count();
    (start + 1..=start + length).collect()
}

/// The ends of the matches that begin at `start` and whose skeleton begins at `skeleton`.
fn matches_from(
    detector: &Detector,
    dfa: &dense::DFA<Vec<u32>>,
    text: &[u8],
    start: usize,
    skeleton: usize,
) -> Vec<Match> {
    let (min, max) = (detector.min_len as usize, detector.max_len as usize);
    let viable = longest_viable(dfa, &text[skeleton..]);
    let ends = skeleton + 1..=(skeleton + viable).min(start + max);
    let ends = ends
        .filter(|end| end - start >= min)
        .filter(|&end| may_end(detector.right, text, end))
        .filter(|&end| is_whole_match(dfa, &text[skeleton..end]))
        .filter(|&end| {
            let before = &text[start.saturating_sub(CONTEXT)..start];
            detector.validator == Validator::None
                || validate::holds(detector.validator, &text[start..end], before)
        });
    let mut matches: Vec<_> = ends
        .map(|end| behind_prelude(detector, text, start, end))
        .collect();
    if detector.overlong == Overlong::Mask && skeleton + viable - start > max {
        let rest = text[skeleton + viable..].iter();
        let end = skeleton + viable + rest.take_while(|&byte| byte & 0xc0 == 0x80).count();
        matches.push(Match {
            start,
            end,
            overlong: true,
        });
    }
    matches
}

fn may_begin(boundary: Boundary, text: &[u8], start: usize) -> bool {
    let digit = |index: Option<usize>| index.is_some_and(|index| text[index].is_ascii_digit());
    let letter =
        |index: Option<usize>| index.is_some_and(|index| text[index].is_ascii_alphabetic());
    let (one, two) = (start.checked_sub(1), start.checked_sub(2));
    let point = one.is_some_and(|one| text[one] == b'.') && digit(two) && digit(Some(start));
    match boundary {
        Boundary::Any => true,
        Boundary::NotDigit => !digit(one) && !point,
        Boundary::NotAlphanumeric => !digit(one) && !letter(one) && !point,
    }
}

fn may_end(boundary: Boundary, text: &[u8], end: usize) -> bool {
    let digit = |index: usize| text.get(index).is_some_and(u8::is_ascii_digit);
    let letter = text.get(end).is_some_and(u8::is_ascii_alphabetic);
    let point = text.get(end) == Some(&b'.') && digit(end - 1) && digit(end + 1);
    match boundary {
        Boundary::Any => true,
        Boundary::NotDigit => !digit(end) && !point,
        Boundary::NotAlphanumeric => !digit(end) && !letter && !point,
    }
}

fn is_whole_match(dfa: &dense::DFA<Vec<u32>>, slice: &[u8]) -> bool {
    let longest = dfa
        .try_search_fwd(&Input::new(slice).anchored(Anchored::Yes))
        .unwrap();
    longest.is_some_and(|longest| longest.offset() == slice.len())
}

/// Length of the longest beginning of `text` that some continuation makes a match.
fn longest_viable(dfa: &dense::DFA<Vec<u32>>, text: &[u8]) -> usize {
    let mut known = HashMap::new();
    let mut state = dfa
        .start_state(&start::Config::new().anchored(Anchored::Yes))
        .unwrap();
    text.iter()
        .take_while(|&&byte| {
            state = dfa.next_state(state, byte);
            can_match(dfa, state, &mut known)
        })
        .count()
}

/// Whether a match ends in `state` or after it.
fn can_match(
    dfa: &dense::DFA<Vec<u32>>,
    from: StateID,
    known: &mut HashMap<StateID, bool>,
) -> bool {
    if let Some(&known) = known.get(&from) {
        return known;
    }
    let mut seen = vec![from];
    let mut at = 0;
    let mut found = false;
    while let Some(&state) = seen.get(at)
        && !found
    {
        at += 1;
        found = dfa.is_match_state(dfa.next_eoi_state(state));
        for byte in dfa.byte_classes().representatives(0..=u8::MAX) {
            let next = byte.as_u8().map(|byte| dfa.next_state(state, byte));
            if let Some(next) = next
                && !seen.contains(&next)
            {
                seen.push(next);
            }
        }
    }
    known.insert(from, found);
    found
}

/// Joins what overlaps, under the name of the first, of those the longest, of those the lowest.
fn join(mut matches: Vec<Span>) -> Vec<Span> {
    matches.sort_unstable_by_key(|&(start, end, detector)| (start, usize::MAX - end, detector));
    let mut joined: Vec<Span> = Vec::new();
    for (start, end, detector) in matches {
        match joined.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end, detector)),
        }
    }
    joined
}
