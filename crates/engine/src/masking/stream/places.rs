//! The table of dialects and a connection's own channels, as one tree of places.
//!
//! A place is a node that is found by the names of members and by elements, so that a masker follows it
//! with one look-up per member, and with none below a place of which nothing is known.

use tracegate_bundle::policy::{Path, Selector};

use super::dialect::{DIALECTS, Key, When};
pub(in crate::masking) use crate::masking::paths::To;

/// A place; [`NOWHERE`] for those of which nothing is known.
pub(in crate::masking) type Place = u16;

/// Nothing is known of it, nor of anything below.
pub(in crate::masking) const NOWHERE: Place = 0;
/// The root of an event.
pub(in crate::masking) const ROOT: Place = 1;

/// Most elements in one another on the way to a text.
pub(in crate::masking) const MAX_ELEMENTS: usize = 4;

/// What is known of a place.
#[derive(Debug, Default)]
pub(in crate::masking) struct Node {
    /// The members below, sorted by length, then bytes.
    names: Vec<(Box<[u8]>, Place)>,
    elements: Place,
    /// The text whose pieces stand here.
    pub(in crate::masking) text: Option<u8>,
    /// The slot of a value that tells texts apart or ends them.
    pub(in crate::masking) slot: Option<u8>,
    /// The copies that stand here, a bit each.
    pub(in crate::masking) copies: u64,
    /// The text over which a signature stands here.
    pub(in crate::masking) seal: Option<u8>,
    pub(in crate::masking) aliases: Vec<u8>,
}

/// A value that tells texts apart.
#[derive(Clone, Copy, Debug)]
pub(in crate::masking) struct KeyPlace {
    /// Its slot; `None` if only the element counts.
    pub(in crate::masking) slot: Option<u8>,
    /// How many elements, in one another, it stands in.
    pub(in crate::masking) depth: usize,
    /// Whether the index of the innermost of them serves in its place.
    pub(in crate::masking) or_index: bool,
}

/// What ends texts.
#[derive(Debug)]
pub(in crate::masking) struct EndPlace {
    pub(in crate::masking) slot: u8,
    pub(in crate::masking) when: When,
    pub(in crate::masking) keys: Vec<KeyPlace>,
}

/// A place that corresponds to one in the answer as a whole.
#[derive(Debug)]
pub(in crate::masking) struct AliasPlace {
    pub(in crate::masking) whole: &'static str,
    types: &'static [&'static str],
}

/// A container that repeats texts.
#[derive(Debug)]
pub(in crate::masking) struct CopyPlace {
    pub(in crate::masking) of: &'static [&'static str],
}

/// All places.
#[derive(Debug)]
pub(in crate::masking) struct Places {
    nodes: Vec<Node>,
    /// The keys of each text.
    pub(in crate::masking) texts: Vec<Vec<KeyPlace>>,
    pub(in crate::masking) ends: Vec<EndPlace>,
    pub(in crate::masking) aliases: Vec<AliasPlace>,
    pub(in crate::masking) copies: Vec<CopyPlace>,
    /// The slot of `$.type`.
    pub(in crate::masking) kind: u8,
    slots: u8,
}

impl Places {
    /// The places of all dialects, and the texts at `channels`.
    pub(in crate::masking) fn new(channels: &[Path]) -> Self {
        let mut this = Self {
            nodes: vec![Node::default(), Node::default()],
            texts: Vec::new(),
            ends: Vec::new(),
            aliases: Vec::new(),
            copies: Vec::new(),
            kind: 0,
            slots: 0,
        };
        this.kind = this.slot("$.type");
        for dialect in DIALECTS {
            for text in dialect.texts {
                let keys = text.keys.iter().map(|&key| this.key(key)).collect();
                this.text(text.at.iter().map(|at| steps(at)), keys);
            }
            for end in dialect.ends {
                let keys = end.keys.iter().map(|at| this.key(Key::Value(at))).collect();
                let slot = this.slot(end.at);
                let when = end.when;
                this.ends.push(EndPlace { slot, when, keys });
            }
            for alias in dialect.aliases {
                let (whole, types) = (alias.whole, alias.types);
                let index = index(this.aliases.len());
                this.edit(steps(alias.at), |node| node.aliases.push(index));
                this.aliases.push(AliasPlace { whole, types });
            }
            for copy in dialect.copies {
                let bit = 1 << (this.copies.len() % 64);
                for at in copy.at {
                    this.edit(steps(at), |node| node.copies |= bit);
                }
                this.copies.push(CopyPlace { of: copy.of });
            }
            for seal in dialect.seals {
                let text = this.edit(steps(seal.of), |node| node.text).flatten();
                this.edit(steps(seal.at), |node| node.seal = text);
            }
        }
        for channel in channels {
            this.own(channel);
        }
        this
    }

    /// Text at a path of the policy; the indices of the elements on the way tell texts apart.
    fn own(&mut self, path: &Path) {
        let steps = path.steps.iter().filter_map(|step| match &*step.selectors {
            [Selector::Name(name)] => Some(To::Member(name.as_bytes())),
            [Selector::Wildcard] => Some(To::Element),
            _ => None,
        });
        let elements = steps.clone().filter(|step| *step == To::Element).count();
        let keys = (1..=elements).map(|depth| KeyPlace {
            slot: None,
            depth,
            or_index: true,
        });
        self.text(std::iter::once(steps), keys.collect());
    }

    fn text<'a>(
        &mut self,
        at: impl Iterator<Item = impl Iterator<Item = To<'a>>>,
        keys: Vec<KeyPlace>,
    ) {
        let text = index(self.texts.len());
        for steps in at {
            // A path that two dialects have is the one text of the first.
            self.edit(steps, |node| *node.text.get_or_insert(text));
        }
        self.texts.push(keys);
    }

    fn key(&mut self, key: Key) -> KeyPlace {
        let (at, or_index) = match key {
            Key::Value(at) => (at, false),
            Key::Index(at) => (at, true),
        };
        KeyPlace {
            slot: Some(self.slot(at)),
            depth: steps(at).filter(|step| *step == To::Element).count(),
            or_index,
        }
    }

    fn slot(&mut self, at: &'static str) -> u8 {
        let next = self.slots;
        let slot = self.edit(steps(at), |node| *node.slot.get_or_insert(next));
        let slot = slot.unwrap_or(next);
        if slot == next {
            self.slots = next.saturating_add(1);
        }
        slot
    }

    /// Changes what is known of the place at the end of `steps`.
    fn edit<'a, T>(
        &mut self,
        steps: impl Iterator<Item = To<'a>>,
        change: impl FnOnce(&mut Node) -> T,
    ) -> Option<T> {
        let place = steps.fold(ROOT, |place, step| self.child(place, step));
        self.nodes.get_mut(usize::from(place)).map(change)
    }

    fn child(&mut self, place: Place, step: To<'_>) -> Place {
        let known = self.step(place, step);
        if known != NOWHERE {
            return known;
        }
        let Ok(new) = Place::try_from(self.nodes.len()) else {
            return NOWHERE;
        };
        self.nodes.push(Node::default());
        if let Some(node) = self.nodes.get_mut(usize::from(place)) {
            match step {
                To::Element => node.elements = new,
                To::Member(name) => {
                    let at = node.find(name).unwrap_or_else(|at| at);
                    node.names.insert(at, (name.into(), new));
                }
            }
        }
        new
    }

    /// What is known of a place.
    #[inline]
    pub(in crate::masking) fn at(&self, place: Place) -> Option<&Node> {
        self.nodes.get(usize::from(place))
    }

    /// The place that a step leads to.
    #[inline]
    pub(in crate::masking) fn step(&self, from: Place, step: To<'_>) -> Place {
        let Some(node) = self.at(from) else {
            return NOWHERE;
        };
        match step {
            To::Element => node.elements,
            To::Member(name) => match node.find(name) {
                Ok(at) => node.names.get(at).map_or(NOWHERE, |(_, place)| *place),
                Err(_) => NOWHERE,
            },
        }
    }
}

impl Node {
    #[inline]
    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.names
            .binary_search_by(|(known, _)| (known.len(), &**known).cmp(&(name.len(), name)))
    }
}

impl AliasPlace {
    /// Whether it holds in events of that `$.type`.
    pub(in crate::masking) fn holds(&self, kind: &[u8]) -> bool {
        self.types.is_empty()
            || self
                .types
                .iter()
                .any(|known| match known.strip_suffix('*') {
                    Some(start) => kind.starts_with(start.as_bytes()),
                    None => kind == known.as_bytes(),
                })
    }

    /// Whether the `$.type` of an event has to be known.
    pub(in crate::masking) fn has_types(&self) -> bool {
        !self.types.is_empty()
    }
}

fn index(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// The steps of a path of the table.
pub(in crate::masking) fn steps(path: &'static str) -> impl Iterator<Item = To<'static>> + Clone {
    path.trim_start_matches('$')
        .split('.')
        .filter(|part| !part.is_empty())
        .flat_map(|part| {
            let name = part.trim_end_matches("[*]");
            let elements = (part.len() - name.len()) / "[*]".len();
            let name = (!name.is_empty()).then_some(To::Member(name.as_bytes()));
            name.into_iter()
                .chain(std::iter::repeat_n(To::Element, elements))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_table_is_taken_apart() {
        use To::{Element, Member};
        let all: Vec<_> = steps("$.a[*].b.c[*][*]").collect();
        let expected = [
            Member(b"a"),
            Element,
            Member(b"b"),
            Member(b"c"),
            Element,
            Element,
        ];
        assert_eq!(all, expected);
        assert_eq!(steps("$").count(), 0);
    }

    #[test]
    fn what_tells_texts_apart_stands_beside_them_or_farther_out() {
        for dialect in DIALECTS {
            for text in dialect.texts {
                for (at, key) in text
                    .at
                    .iter()
                    .flat_map(|at| text.keys.iter().map(move |k| (at, k)))
                {
                    let (Key::Value(key) | Key::Index(key)) = key;
                    let key: Vec<_> = steps(key).collect();
                    let container = &key[..key.len() - 1];
                    let at: Vec<_> = steps(at).collect();
                    let elements = |steps: &[To<'_>]| {
                        steps
                            .iter()
                            .rposition(|step| *step == To::Element)
                            .map_or(0, |at| at + 1)
                    };
                    let common = elements(container);
                    assert_eq!(key[..common], at[..common], "{at:?} {key:?}");
                    let nested = at.iter().filter(|step| **step == To::Element).count();
                    assert!(nested <= MAX_ELEMENTS, "{at:?}");
                }
            }
        }
    }

    #[test]
    fn every_row_of_the_table_has_its_place() {
        let places = Places::new(&[]);
        let find = |path| {
            let place = steps(path).fold(ROOT, |place, step| places.step(place, step));
            assert_ne!(place, NOWHERE, "{path}");
            places.at(place).unwrap()
        };
        for dialect in DIALECTS {
            for text in dialect.texts {
                assert!(text.at.iter().all(|at| find(at).text.is_some()));
            }
            for end in dialect.ends {
                assert!(find(end.at).slot.is_some());
            }
            for seal in dialect.seals {
                assert!(find(seal.at).seal.is_some());
                assert_eq!(find(seal.at).seal, find(seal.of).text);
            }
            for copy in dialect.copies {
                assert!(copy.at.iter().all(|at| find(at).copies != 0));
            }
        }
        assert_eq!(find("$.type").slot, Some(places.kind));
        assert!(places.slots < u8::MAX && places.texts.len() < 255 && places.aliases.len() < 64);
    }

    #[test]
    fn nothing_is_below_nowhere() {
        let places = Places::new(&[]);
        assert_eq!(places.step(ROOT, To::Member(b"unknown")), NOWHERE);
        assert_eq!(places.step(NOWHERE, To::Member(b"choices")), NOWHERE);
        assert_eq!(places.step(NOWHERE, To::Element), NOWHERE);
    }
}
