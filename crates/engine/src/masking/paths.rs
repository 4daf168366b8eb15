//! JSON paths, followed through a document while it streams by.
//!
//! All paths together are one nondeterministic automaton whose positions are the places between their
//! steps, so the state of a value is a set of positions: a few words of bits. The state of every open
//! container stands on a stack; the state of a child follows from its parent's by a handful of bit
//! operations, whatever the number of paths. Names are compared decoded and exactly, and every
//! duplicate of a name matches: a reader that takes the first and one that takes the last see the same.

use tracegate_bundle::policy::{Path, Selector};

#[cfg(test)]
mod tests;

/// Most positions of the automaton: the steps of all paths, and one more per path.
pub(crate) const MAX_POSITIONS: usize = 512;

/// A set of positions.
type Bits = Box<[u64]>;

/// The paths have more than [`MAX_POSITIONS`] positions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManySteps;

/// Which values a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those at its end.
    Node,
    /// Those at its end and all that they contain.
    Subtree,
}

/// Where a value stands as seen from some paths with [`Reach::Subtree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// At the end of one of them, or below it.
    Inside,
    /// A value in it may be.
    Above,
    /// Neither.
    Beside,
}

/// Some paths, as one automaton. Position `p + 1` of a path follows position `p`.
#[derive(Debug)]
pub(crate) struct PathSet {
    /// The first position of each path.
    starts: Vec<usize>,
    /// The last position of each path, in ascending order.
    ends: Vec<usize>,
    accepting: Bits,
    /// Positions that a child inherits: before a descendant step, and at the end of a subtree path.
    inherited: Bits,
    /// Positions from which every child leads on.
    wildcard: Bits,
    /// Positions from which a member of that name leads on; sorted by length, then bytes.
    names: Vec<(Box<[u8]>, Bits)>,
    /// Positions from which some elements lead on.
    ranges: Vec<(usize, Range)>,
    ranged: Bits,
    /// Positions from which some child leads on.
    leading: Bits,
}

/// Every `step`-th index from `start` to before `end`.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u64,
    end: u64,
    step: u64,
}

impl Range {
    fn contains(self, index: u64) -> bool {
        // A step of 0 selects nothing (RFC 9535 §2.3.4.2.2).
        (self.start..self.end).contains(&index)
            && (index - self.start).checked_rem(self.step) == Some(0)
    }
}

fn set(bits: &mut [u64], position: usize) {
    if let Some(word) = bits.get_mut(position / 64) {
        *word |= 1 << (position % 64);
    }
}

impl PathSet {
    /// Joins `paths`; their order is kept in [`Cursor::accepted`].
    ///
    /// # Errors
    ///
    /// [`TooManySteps`].
    pub(crate) fn new<'a>(
        paths: impl Iterator<Item = (&'a Path, Reach)> + Clone,
    ) -> Result<Self, TooManySteps> {
        let positions = paths
            .clone()
            .map(|(path, _)| path.steps.len() + 1)
            .fold(0usize, usize::saturating_add);
        if positions > MAX_POSITIONS {
            return Err(TooManySteps);
        }
        let empty = || vec![0; positions.div_ceil(64)].into_boxed_slice();
        let mut this = Self {
            starts: Vec::new(),
            ends: Vec::new(),
            accepting: empty(),
            inherited: empty(),
            wildcard: empty(),
            names: Vec::new(),
            ranges: Vec::new(),
            ranged: empty(),
            leading: empty(),
        };
        let mut position = 0;
        for (path, reach) in paths {
            this.starts.push(position);
            for step in &path.steps {
                if step.descendant {
                    set(&mut this.inherited, position);
                }
                for selector in &step.selectors {
                    this.add(position, selector);
                }
                set(&mut this.leading, position);
                position += 1;
            }
            this.ends.push(position);
            set(&mut this.accepting, position);
            if reach == Reach::Subtree {
                set(&mut this.inherited, position);
            }
            position += 1;
        }
        Ok(this)
    }

    /// The positions of the paths with these indices.
    pub(crate) fn positions_of(&self, paths: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let end = paths
            .end
            .checked_sub(1)
            .and_then(|last| self.ends.get(last));
        let start = self.starts.get(paths.start).copied().unwrap_or(0);
        start..end.map_or(start, |end| end + 1)
    }

    fn add(&mut self, position: usize, selector: &Selector) {
        let range = match selector {
            Selector::Name(name) => {
                let at = match self.find(name.as_bytes()) {
                    Ok(at) => at,
                    Err(at) => {
                        let none = vec![0; self.accepting.len()].into_boxed_slice();
                        self.names.insert(at, (name.as_bytes().into(), none));
                        at
                    }
                };
                if let Some((_, bits)) = self.names.get_mut(at) {
                    set(bits, position);
                }
                return;
            }
            Selector::Wildcard => {
                set(&mut self.wildcard, position);
                return;
            }
            Selector::Index(index) => Range {
                start: *index,
                end: index.saturating_add(1),
                step: 1,
            },
            Selector::Slice { start, end, step } => Range {
                start: *start,
                end: end.unwrap_or(u64::MAX),
                step: *step,
            },
        };
        self.ranges.push((position, range));
        set(&mut self.ranged, position);
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.names
            .binary_search_by(|(known, _)| (known.len(), &**known).cmp(&(name.len(), name)))
    }
}

/// A step along a path of which only names and elements are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To<'a> {
    /// To the member of that name.
    Member(&'a [u8]),
    /// To an element, whichever.
    Element,
}

/// The positions that are live at the end of some steps, whichever paths are followed.
#[derive(Clone, Debug)]
pub(crate) struct Positions(Bits);

impl PathSet {
    /// Follows all paths along `steps`, and those that ended on the way stay. An element may have any
    /// index. `None` if no path leads there or beyond.
    pub(crate) fn follow<'a>(&self, steps: impl Iterator<Item = To<'a>>) -> Option<Positions> {
        let mut here = vec![0; self.accepting.len()].into_boxed_slice();
        for &start in &self.starts {
            set(&mut here, start);
        }
        let mut passed = here.clone();
        for step in steps {
            let named = match step {
                To::Member(name) => self.find(name).ok().and_then(|at| self.names.get(at)),
                To::Element => None,
            };
            let ranged = (step == To::Element).then_some(&self.ranged);
            let selecting = named.map(|(_, bits)| bits).or(ranged);
            let mut carry = 0;
            for (at, (here, passed)) in here.iter_mut().zip(&mut passed).enumerate() {
                let word = |bits: &[u64]| bits.get(at).copied().unwrap_or(0);
                let selected = *here & (word(&self.wildcard) | selecting.map_or(0, |s| word(s)));
                *here = *here & word(&self.inherited) | selected << 1 | carry;
                *passed |= *here;
                carry = selected >> 63;
            }
        }
        for ((here, passed), accepting) in here.iter_mut().zip(&passed).zip(&self.accepting) {
            *here |= passed & accepting;
        }
        here.iter()
            .any(|word| *word != 0)
            .then_some(Positions(here))
    }

    /// The paths that end at one of `positions`, by index.
    pub(crate) fn ending_at(&self, positions: &Positions) -> impl Iterator<Item = usize> {
        let words = positions.0.iter().zip(&self.accepting).enumerate();
        words
            .flat_map(|(at, (here, accepting))| {
                ones(here & accepting).map(move |bit| at * 64 + bit)
            })
            .filter_map(|position| self.ends.binary_search(&position).ok())
    }
}

/// A place in a document and the positions that are live there.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    /// The positions of the root.
    root: Bits,
    /// The positions of the paths that are followed.
    followed: Bits,
    /// The positions of the value in hand.
    here: Bits,
    /// The positions of every open container, innermost last.
    stack: Vec<u64>,
    /// The index of the next element of every open container.
    indices: Vec<u64>,
}

impl Cursor {
    /// At the root, with the paths for whose index `enabled` holds.
    pub(crate) fn new(set_of: &PathSet, enabled: impl Fn(usize) -> bool) -> Self {
        let mut root = vec![0; set_of.accepting.len()].into_boxed_slice();
        let mut followed = root.clone();
        for (path, (&start, &end)) in set_of.starts.iter().zip(&set_of.ends).enumerate() {
            if enabled(path) {
                set(&mut root, start);
                (start..=end).for_each(|position| set(&mut followed, position));
            }
        }
        Self {
            here: root.clone(),
            root,
            followed,
            stack: Vec::new(),
            indices: Vec::new(),
        }
    }

    /// Back at the root, for another document.
    pub(crate) fn rewind(&mut self) {
        self.here.copy_from_slice(&self.root);
        self.stack.clear();
        self.indices.clear();
    }

    /// Whether any path that leads to `positions` is followed.
    pub(crate) fn follows(&self, positions: &Positions) -> bool {
        let mut words = positions.0.iter().zip(&self.followed);
        words.any(|(position, followed)| position & followed != 0)
    }

    /// The value in hand stands for the one at `positions`, too.
    pub(crate) fn join(&mut self, positions: &Positions) {
        for (at, here) in self.here.iter_mut().enumerate() {
            let word = |bits: &[u64]| bits.get(at).copied().unwrap_or(0);
            *here |= word(&positions.0) & word(&self.followed);
        }
    }

    /// The value in hand is a container that opens.
    pub(crate) fn open(&mut self) {
        self.stack.extend_from_slice(&self.here);
        self.indices.push(0);
    }

    /// The innermost container closed.
    pub(crate) fn close(&mut self) {
        let depth = self.indices.len().saturating_sub(1);
        self.indices.truncate(depth);
        self.stack.truncate(depth * self.here.len());
    }

    /// The value in hand is now the member of that name.
    #[inline]
    pub(crate) fn member(&mut self, paths: &PathSet, name: &[u8]) {
        let named = paths
            .find(name)
            .ok()
            .and_then(|at| paths.names.get(at))
            .map(|(_, bits)| &**bits);
        self.step(paths, named);
    }

    /// The value in hand is now the next element of the innermost container.
    #[inline]
    pub(crate) fn element(&mut self, paths: &PathSet) {
        let Some(next) = self.indices.last_mut() else {
            return;
        };
        let index = *next;
        *next += 1;
        self.step(paths, None);
        if paths.ranges.is_empty() {
            return;
        }
        let parent = self.indices.len().saturating_sub(1) * self.here.len();
        for &(position, range) in &paths.ranges {
            let live = self
                .stack
                .get(parent + position / 64)
                .is_some_and(|word| word >> (position % 64) & 1 == 1);
            if live && range.contains(index) {
                set(&mut self.here, position + 1);
            }
        }
    }

    #[inline]
    fn step(&mut self, paths: &PathSet, named: Option<&[u64]>) {
        let parent = self.stack.len().saturating_sub(self.here.len());
        let parent = self.stack.get(parent..).unwrap_or_default();
        let mut carry = 0;
        for (at, (here, &parent)) in self.here.iter_mut().zip(parent).enumerate() {
            let word = |bits: &[u64]| bits.get(at).copied().unwrap_or(0);
            let selected = parent & (word(&paths.wildcard) | named.map_or(0, word));
            *here = parent & word(&paths.inherited) | selected << 1 | carry;
            carry = selected >> 63;
        }
    }

    /// The value in hand, as the root of a document of its own.
    pub(crate) fn as_root(&self) -> Self {
        Self {
            root: self.here.clone(),
            followed: self.followed.clone(),
            here: self.here.clone(),
            stack: Vec::new(),
            indices: Vec::new(),
        }
    }

    /// Whether a path leads on from the value in hand to something in it.
    pub(crate) fn leads_on(&self, paths: &PathSet) -> bool {
        let mut words = self.here.iter().zip(&paths.leading);
        words.any(|(here, leading)| here & leading != 0)
    }

    /// The paths that stand for the value in hand, by index, in ascending order.
    #[inline]
    pub(crate) fn accepted(&self, paths: &PathSet) -> impl Iterator<Item = usize> {
        self.here
            .iter()
            .zip(&paths.accepting)
            .enumerate()
            .flat_map(|(at, (here, accepting))| {
                ones(here & accepting).map(move |bit| at * 64 + bit)
            })
            .filter_map(|position| paths.ends.binary_search(&position).ok())
    }
}

impl Cursor {
    /// Where the value in hand stands as seen from the paths with those positions.
    pub(crate) fn standing(&self, paths: &PathSet, positions: &std::ops::Range<usize>) -> Standing {
        let mut standing = Standing::Beside;
        for (at, (here, accepting)) in self.here.iter().zip(&paths.accepting).enumerate() {
            let below = |position: usize| match position.saturating_sub(at * 64) {
                count @ 0..64 => (1u64 << count) - 1,
                _ => u64::MAX,
            };
            let live = here & below(positions.end) & !below(positions.start);
            if live & accepting != 0 {
                return Standing::Inside;
            }
            if live != 0 {
                standing = Standing::Above;
            }
        }
        standing
    }
}

/// The positions of the bits that are set.
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}
