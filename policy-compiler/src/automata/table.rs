//! From any deterministic automaton to the smallest table that accepts the same.
//!
//! Partition refinement after Moore: states begin in one block per verdict and are split until all
//! states of a block lead to the same blocks. States and byte classes are then numbered in the order
//! in which a walk from the start meets them, so that equal languages give equal tables.

use std::collections::HashMap;
use std::hash::Hash;

use tracegate_bundle::automaton::{Automaton, DEAD, MAX_STATES, State};

/// What has matched in a state, one bit per pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Verdict {
    pub(super) matches: u64,
    pub(super) end_matches: u64,
}

/// A complete automaton over byte classes. State 0 is the start.
pub(super) struct Table {
    /// The class of each byte.
    classes: [u8; 256],
    /// Number of classes.
    width: usize,
    /// Per state a row with the next state of each class.
    rows: Vec<u32>,
    verdicts: Vec<Verdict>,
}

impl Table {
    /// Walks an automaton from `start`. `class_of` numbers byte classes from 0 without gaps.
    pub(super) fn explore<S: Copy + Eq + Hash>(
        start: S,
        class_of: impl Fn(u8) -> u8,
        step: impl Fn(S, u8) -> S,
        verdict: impl Fn(S) -> Verdict,
    ) -> Self {
        let mut classes = [0; 256];
        let mut representatives = Vec::new();
        for (byte, class) in (0..=u8::MAX).zip(&mut classes) {
            *class = class_of(byte);
            if usize::from(*class) == representatives.len() {
                representatives.push(byte);
            }
        }
        let mut table = Self {
            classes,
            width: representatives.len(),
            rows: Vec::new(),
            verdicts: Vec::new(),
        };
        let mut numbers = HashMap::from([(start, 0)]);
        let mut queue = vec![start];
        while let Some(&state) = queue.get(table.verdicts.len()) {
            table.verdicts.push(verdict(state));
            for &byte in &representatives {
                let next = step(state, byte);
                let number = *numbers.entry(next).or_insert_with(|| {
                    queue.push(next);
                    queue.len() as u32 - 1
                });
                table.rows.push(number);
            }
        }
        table
    }

    /// The smallest automaton with these verdicts; `None` if it has more than `max_states` states.
    pub(super) fn minimize(&self, max_states: usize) -> Option<Automaton> {
        let mut blocks = self.first_blocks();
        loop {
            let refined = self.refine(&blocks);
            if count(&refined) == count(&blocks) {
                break;
            }
            blocks = refined;
        }
        self.assemble(&blocks, max_states.min(MAX_STATES))
    }

    fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.rows.chunks_exact(self.width)
    }

    /// Whether a match can still be reached, per state.
    fn live(&self) -> Vec<bool> {
        let mut live: Vec<bool> = self
            .verdicts
            .iter()
            .map(|&verdict| verdict != Verdict::default())
            .collect();
        loop {
            let reaches: Vec<bool> = self
                .rows()
                .zip(&live)
                .map(|(row, &is_live)| is_live || row.iter().any(|&next| at(&live, next)))
                .collect();
            if reaches == live {
                return live;
            }
            live = reaches;
        }
    }

    /// One block per verdict; block 0 is the states from which nothing can match.
    fn first_blocks(&self) -> Vec<u32> {
        let mut numbers: HashMap<Verdict, u32> = HashMap::new();
        self.verdicts
            .iter()
            .zip(self.live())
            .map(|(&verdict, live)| {
                let next = numbers.len() as u32 + 1;
                if live {
                    *numbers.entry(verdict).or_insert(next)
                } else {
                    0
                }
            })
            .collect()
    }

    /// Splits blocks whose states lead to different blocks.
    fn refine(&self, blocks: &[u32]) -> Vec<u32> {
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
        self.rows()
            .zip(blocks)
            .map(|(row, &block)| {
                if block == 0 {
                    return 0;
                }
                let mut signature = vec![block];
                signature.extend(row.iter().map(|&next| at(blocks, next)));
                let next = numbers.len() as u32 + 1;
                *numbers.entry(signature).or_insert(next)
            })
            .collect()
    }

    /// Writes one row per block, in the order of a walk from the start.
    fn assemble(&self, blocks: &[u32], max_states: usize) -> Option<Automaton> {
        let mut members: HashMap<u32, usize> = HashMap::new();
        for (state, &block) in blocks.iter().enumerate() {
            members.entry(block).or_insert(state);
        }
        let start = at(blocks, 0);
        let mut numbers = HashMap::from([(0, DEAD)]);
        let mut queue = vec![0];
        if start != 0 {
            numbers.insert(start, 1);
            queue.push(start);
        }
        let mut rows = vec![vec![DEAD; self.width]];
        let mut verdicts = vec![Verdict::default()];
        while let Some(block) = queue.get(rows.len()) {
            let member = *members.get(block)?;
            verdicts.push(*self.verdicts.get(member)?);
            let mut row = Vec::with_capacity(self.width);
            for &next in self.rows().nth(member)? {
                let next = at(blocks, next);
                let number = State::try_from(queue.len()).ok()?;
                row.push(*numbers.entry(next).or_insert_with(|| {
                    queue.push(next);
                    number
                }));
            }
            rows.push(row);
            if queue.len() > max_states {
                return None;
            }
        }
        let start = *numbers.get(&start)?;
        self.with_least_classes(start, &rows, &verdicts)
    }

    /// Joins byte classes whose columns are equal.
    fn with_least_classes(
        &self,
        start: State,
        rows: &[Vec<State>],
        verdicts: &[Verdict],
    ) -> Option<Automaton> {
        let mut numbers: HashMap<Vec<State>, u8> = HashMap::new();
        let mut kept = Vec::new();
        let mut joined = Vec::with_capacity(self.width);
        for class in 0..self.width {
            let column: Vec<State> = rows
                .iter()
                .filter_map(|row| row.get(class).copied())
                .collect();
            let next = u8::try_from(numbers.len()).ok()?;
            joined.push(*numbers.entry(column).or_insert_with(|| {
                kept.push(class);
                next
            }));
        }
        let classes = self
            .classes
            .map(|class| joined.get(usize::from(class)).copied().unwrap_or(0));
        let transitions = rows
            .iter()
            .flat_map(|row| kept.iter().filter_map(|&class| row.get(class).copied()))
            .collect();
        let matches = verdicts.iter().map(|verdict| verdict.matches).collect();
        let end_matches = verdicts.iter().map(|verdict| verdict.end_matches).collect();
        Automaton::new(classes, start, transitions, matches, end_matches).ok()
    }
}

fn at<T: Copy + Default>(values: &[T], index: u32) -> T {
    values.get(index as usize).copied().unwrap_or_default()
}

fn count(blocks: &[u32]) -> u32 {
    blocks.iter().copied().max().unwrap_or(0)
}
