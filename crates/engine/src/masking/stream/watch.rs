//! What a masker notes at the places of the table while it goes through an event.
//!
//! Texts that go on in later events are not read here. What is noted is where their pieces stand, and
//! the values that tell which text a piece belongs to, which may come after it. When the event is at
//! its end, all is known.

use std::io::Write as _;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use super::places::{KeyPlace, MAX_ELEMENTS, NOWHERE, Node, Place, Places, ROOT, To};
use crate::masking::json::JsonError;
use crate::masking::mask::Site;
use crate::masking::plan::Scope;
use crate::masking::strand::{begins_document, first_of_text};

/// Longest value that may tell texts apart, decoded, in bytes.
pub(in crate::masking) const MAX_VALUE: usize = 256;
/// Most pieces of texts, and most values that tell them apart, in one event.
const MAX_NOTES: usize = 1024;

/// What kind of document goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::masking) enum Kind {
    /// A document that stands alone: only copies matter.
    #[default]
    Document,
    /// An event of a stream.
    Event,
}

/// What is to be done with a piece of a text.
#[derive(Clone, Copy, Debug)]
pub(in crate::masking) enum Use {
    /// Detectors read it, where this holds.
    Read(Scope),
    /// The text is hidden as a whole, as that rule says.
    Hide(usize),
    /// It is a signature over the text.
    Seal,
}

/// A piece of a text. Places are those of the masker's output.
#[derive(Clone, Debug)]
pub(in crate::masking) struct Piece {
    pub(in crate::masking) use_as: Use,
    /// Which text of the table.
    pub(in crate::masking) text: u8,
    /// The elements that it stands in, by number, from the outside in; 0 for none.
    elements: [u32; MAX_ELEMENTS],
    /// Between its quotes.
    pub(in crate::masking) place: Range<u64>,
    pub(in crate::masking) runs: Range<usize>,
    /// The way to it, in [`Notes::trails`].
    trail: Range<usize>,
    /// In [`Notes::sites`], if it begins like a document.
    site: Option<usize>,
}

/// Characters of a piece and where they stand.
#[derive(Clone, Debug)]
pub(in crate::masking) struct Run {
    decoded: Range<usize>,
    pub(in crate::masking) place: Range<u64>,
}

/// A value that tells texts apart or ends them.
#[derive(Clone, Debug)]
pub(in crate::masking) struct Value {
    pub(in crate::masking) slot: u8,
    /// The innermost element that it stands in, by number.
    pub(in crate::masking) element: u32,
    text: Range<usize>,
    pub(in crate::masking) is_string: bool,
}

/// What was noted in one event.
#[derive(Debug, Default)]
pub(in crate::masking) struct Notes {
    pub(in crate::masking) pieces: Vec<Piece>,
    runs: Vec<Run>,
    /// The characters of the runs and of the values.
    decoded: Vec<u8>,
    pub(in crate::masking) values: Vec<Value>,
    trails: Vec<u8>,
    /// The sites of the pieces that begin like a document.
    pub(in crate::masking) sites: Vec<Rc<Site>>,
    /// Nothing but white space of the piece in hand has come.
    blank: bool,
    /// The index and the outer element of each element, which has the number after its index here.
    elements: Vec<(u64, u32)>,
    /// Why the event cannot be followed.
    flaw: Option<JsonError>,
    /// How many pieces have been moved.
    moved: usize,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    place: Place,
    /// The index of the next element.
    next: u64,
    /// The innermost element that the container stands in.
    element: u32,
    /// How many it stands in.
    nested: usize,
}

/// What a string in progress is noted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Value,
    /// A piece; the difference between its places in the input and in the output.
    Piece {
        shift: u64,
    },
}

/// Follows a document through the table.
#[derive(Debug)]
pub(in crate::masking) struct Watch {
    places: Rc<Places>,
    kind: Kind,
    /// The copies that are emptied.
    copies: u64,
    here: Place,
    levels: Vec<Level>,
    /// The elements that the value in hand stands in, innermost last.
    nested: Vec<u32>,
    listening: Option<Listening>,
    pub(in crate::masking) notes: Notes,
}

impl Watch {
    pub(in crate::masking) fn new(places: Rc<Places>, kind: Kind, copies: u64) -> Self {
        Self {
            places,
            kind,
            copies,
            here: NOWHERE,
            levels: Vec::new(),
            nested: Vec::new(),
            listening: None,
            notes: Notes::default(),
        }
        .begun()
    }

    fn begun(mut self) -> Self {
        self.begin();
        self
    }

    /// Another document begins.
    pub(in crate::masking) fn begin(&mut self) {
        // Without anything to do the root is a place like any other of which nothing is known.
        let idle = self.kind == Kind::Document && self.copies == 0;
        self.here = if idle { NOWHERE } else { ROOT };
        self.levels.clear();
        self.nested.clear();
        self.listening = None;
        self.notes.clear();
    }

    // === Following ===

    #[inline]
    pub(in crate::masking) fn open(&mut self) {
        self.levels.push(Level {
            place: self.here,
            next: 0,
            element: self.nested.last().copied().unwrap_or(0),
            nested: self.nested.len(),
        });
    }

    #[inline]
    pub(in crate::masking) fn close(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.nested.truncate(level.nested);
            self.here = level.place;
        }
    }

    #[inline]
    pub(in crate::masking) fn member(&mut self, name: &[u8]) {
        let Some(level) = self.levels.last() else {
            return;
        };
        self.nested.truncate(level.nested);
        self.here = match level.place {
            NOWHERE => NOWHERE,
            place => self.places.step(place, To::Member(name)),
        };
    }

    #[inline]
    pub(in crate::masking) fn element(&mut self) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        self.nested.truncate(level.nested);
        let index = level.next;
        level.next += 1;
        self.here = match level.place {
            NOWHERE => NOWHERE,
            place => self.places.step(place, To::Element),
        };
        if self.here != NOWHERE && self.kind == Kind::Event {
            let outer = level.element;
            self.notes.elements.push((index, outer));
            self.nested
                .push(u32::try_from(self.notes.elements.len()).unwrap_or(u32::MAX));
        }
    }

    /// What is known of the value in hand.
    #[inline]
    pub(in crate::masking) fn here(&self) -> Option<&Node> {
        match self.here {
            NOWHERE => None,
            place => self.places.at(place),
        }
    }

    /// Whether the container in hand repeats texts and is emptied.
    #[inline]
    pub(in crate::masking) fn is_copy(&self) -> bool {
        self.here()
            .is_some_and(|node| node.copies & self.copies != 0)
    }

    /// The text whose pieces stand here, and whether the string in hand is its signature.
    #[inline]
    pub(in crate::masking) fn text(&self) -> Option<(u8, bool)> {
        if self.kind != Kind::Event {
            return None;
        }
        let node = self.here()?;
        let text = node.text.map(|text| (text, false));
        text.or(node.seal.map(|text| (text, true)))
    }

    // === Noting ===

    /// A string begins. Whether its characters are wanted as a value.
    #[inline]
    pub(in crate::masking) fn begin_string(&mut self) {
        if self.kind == Kind::Event
            && let Some(slot) = self.here().and_then(|node| node.slot)
        {
            let at = self.notes.decoded.len();
            self.listening = Some(Listening::Value);
            self.note(slot, at, true);
        }
    }

    /// The string in hand is a piece of a text; its first character stands at `raw` in the document
    /// and at `place` in the output.
    pub(in crate::masking) fn begin_piece(
        &mut self,
        text: u8,
        use_as: Use,
        raw: u64,
        place: u64,
        trail: &[u8],
    ) {
        let notes = &mut self.notes;
        if notes.pieces.len() >= MAX_NOTES {
            notes.flaw.get_or_insert(JsonError::Limit);
            return;
        }
        let mut elements = [0; MAX_ELEMENTS];
        for (to, from) in elements.iter_mut().zip(&self.nested) {
            *to = *from;
        }
        let trail_start = notes.trails.len();
        notes.trails.extend_from_slice(trail);
        let runs = notes.runs.len();
        notes.pieces.push(Piece {
            use_as,
            text,
            elements,
            place: place..place,
            runs: runs..runs,
            trail: trail_start..notes.trails.len(),
            site: None,
        });
        notes.blank = true;
        let shift = place.wrapping_sub(raw);
        self.listening = Some(Listening::Piece { shift });
    }

    /// Whether the string in hand is noted.
    #[inline]
    pub(in crate::masking) fn listens(&self) -> bool {
        self.listening.is_some()
    }

    /// The next characters of the string in hand.
    pub(in crate::masking) fn hear(&mut self, decoded: &[u8], raw: Range<u64>) {
        let notes = &mut self.notes;
        let start = notes.decoded.len();
        notes.decoded.extend_from_slice(decoded);
        let end = notes.decoded.len();
        match self.listening {
            None => {}
            Some(Listening::Value) => {
                if let Some(value) = notes.values.last_mut() {
                    value.text.end = end;
                    if value.text.len() > MAX_VALUE {
                        notes.flaw.get_or_insert(JsonError::Limit);
                        value.text.end = value.text.start;
                        notes.decoded.truncate(value.text.start);
                    }
                }
            }
            Some(Listening::Piece { shift }) => {
                let place = raw.start.wrapping_add(shift)..raw.end.wrapping_add(shift);
                if let Some(piece) = notes.pieces.last_mut() {
                    piece.place.end = place.end;
                    piece.runs.end += 1;
                }
                notes.runs.push(Run {
                    decoded: start..end,
                    place,
                });
            }
        }
    }

    /// Whether the string in hand is a piece that begins like a document with these characters. Where
    /// it stands is to be added to the sites then.
    pub(in crate::masking) fn begins_document(&mut self, decoded: &[u8]) -> bool {
        if !matches!(self.listening, Some(Listening::Piece { .. })) || !self.notes.blank {
            return false;
        }
        let Some(first) = first_of_text(decoded) else {
            return false;
        };
        self.notes.blank = false;
        if !begins_document(first) {
            return false;
        }
        let site = self.notes.sites.len();
        if let Some(piece) = self.notes.pieces.last_mut() {
            piece.site = Some(site);
        }
        true
    }

    /// The string in hand ends.
    #[inline]
    pub(in crate::masking) fn end_string(&mut self) {
        if self.listening.take() == Some(Listening::Value) {
            self.check_last_value();
        }
    }

    /// A number or literal.
    #[inline]
    pub(in crate::masking) fn scalar(&mut self, text: &[u8]) {
        if self.kind == Kind::Event
            && let Some(slot) = self.here().and_then(|node| node.slot)
        {
            let at = self.notes.decoded.len();
            self.notes.decoded.extend_from_slice(text);
            self.note(slot, at, false);
            if text.len() > MAX_VALUE {
                self.notes.flaw.get_or_insert(JsonError::Limit);
            }
            self.check_last_value();
        }
    }

    fn note(&mut self, slot: u8, at: usize, is_string: bool) {
        let notes = &mut self.notes;
        if notes.values.len() >= MAX_NOTES {
            notes.flaw.get_or_insert(JsonError::Limit);
        } else {
            notes.values.push(Value {
                slot,
                element: self.nested.last().copied().unwrap_or(0),
                text: at..notes.decoded.len(),
                is_string,
            });
        }
    }

    /// A member that is there twice with two values tells different texts to different readers.
    fn check_last_value(&mut self) {
        let notes = &self.notes;
        let Some((last, earlier)) = notes.values.split_last() else {
            return;
        };
        let differs = |value: &Value| {
            (value.slot, value.element) == (last.slot, last.element)
                && notes.value(value) != notes.value(last)
        };
        if earlier.iter().any(differs) {
            self.notes.flaw.get_or_insert(JsonError::Syntax);
        }
    }
}

impl Notes {
    fn clear(&mut self) {
        self.pieces.clear();
        self.runs.clear();
        self.decoded.clear();
        self.values.clear();
        self.trails.clear();
        self.sites.clear();
        self.elements.clear();
        self.flaw = None;
        self.moved = 0;
    }

    /// What stands at `from` has been moved to `to`. To be called in ascending order.
    pub(in crate::masking) fn shift(&mut self, from: RangeInclusive<u64>, to: u64) {
        let shift = to.wrapping_sub(*from.start());
        for piece in self.pieces.iter_mut().skip(self.moved) {
            if piece.place.start > *from.end() {
                break;
            }
            self.moved += 1;
            let moved =
                |place: &Range<u64>| place.start.wrapping_add(shift)..place.end.wrapping_add(shift);
            piece.place = moved(&piece.place);
            let runs = self.runs.get_mut(piece.runs.clone());
            for run in runs.unwrap_or_default() {
                run.place = moved(&run.place);
            }
        }
    }

    /// Why the event cannot be followed, if it cannot.
    pub(in crate::masking) fn flaw(&self) -> Result<(), JsonError> {
        self.flaw.map_or(Ok(()), Err)
    }

    pub(in crate::masking) fn value(&self, value: &Value) -> &[u8] {
        self.decoded.get(value.text.clone()).unwrap_or_default()
    }

    /// The characters of a piece, and their places.
    pub(in crate::masking) fn runs(
        &self,
        piece: &Piece,
    ) -> impl Iterator<Item = (&[u8], Range<u64>)> {
        let runs = self.runs.get(piece.runs.clone()).unwrap_or_default();
        runs.iter().map(|run| {
            let decoded = self.decoded.get(run.decoded.clone()).unwrap_or_default();
            (decoded, run.place.clone())
        })
    }

    pub(in crate::masking) fn trail(&self, piece: &Piece) -> &[u8] {
        self.trails.get(piece.trail.clone()).unwrap_or_default()
    }

    /// Where a piece stands that begins like a document.
    pub(in crate::masking) fn site(&self, piece: &Piece) -> Option<&Rc<Site>> {
        self.sites.get(piece.site?)
    }

    /// Writes the value that tells texts apart at `key`, for something that stands in `elements`, so
    /// that different values differ.
    fn key(&self, key: &KeyPlace, element: u32, out: &mut Vec<u8>) {
        let here = |value: &&Value| Some(value.slot) == key.slot && value.element == element;
        if let Some(value) = self.values.iter().find(here) {
            out.push(b'=');
            out.extend_from_slice(self.value(value));
        } else if key.or_index {
            let index = usize::try_from(element).unwrap_or(0).checked_sub(1);
            let element = index.and_then(|at| self.elements.get(at));
            let index = element.map_or(0, |(index, _)| *index);
            // As it would be written. A vector takes all.
            let _ = write!(out, "={index}");
        }
    }

    /// As [`Notes::key`], for a piece.
    pub(in crate::masking) fn key_of_piece(
        &self,
        key: &KeyPlace,
        piece: &Piece,
        out: &mut Vec<u8>,
    ) {
        let element = match key.depth.checked_sub(1) {
            None => 0,
            Some(at) => piece.elements.get(at).copied().unwrap_or(0),
        };
        self.key(key, element, out);
    }

    /// As [`Notes::key`], for another value.
    pub(in crate::masking) fn key_of_value(
        &self,
        key: &KeyPlace,
        value: &Value,
        out: &mut Vec<u8>,
    ) {
        let outer = |element: u32| {
            let index = usize::try_from(element).unwrap_or(0).checked_sub(1);
            let outer = index.and_then(|at| self.elements.get(at));
            outer.map_or(0, |(_, outer)| *outer)
        };
        let mut depth = std::iter::successors(Some(value.element), |&at| Some(outer(at)))
            .take(MAX_ELEMENTS + 1)
            .take_while(|&at| at != 0)
            .count();
        let mut element = value.element;
        while depth > key.depth {
            element = outer(element);
            depth -= 1;
        }
        self.key(key, element, out);
    }
}
