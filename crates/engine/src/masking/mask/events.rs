//! The masker at work on the events of a stream, one document after the other.
//!
//! Strings that are pieces of a text which goes on in later events pass through; they are noted, with
//! their place in the output, for whoever joins them.

use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use super::super::body::MaskError;
use super::super::json::Container;
use super::super::plan::{Plan, Scope, Type};
use super::super::report::{ActionKind, Tally};
use super::super::stream::dialect::LISTED_EVENT;
use super::super::stream::watch::{Kind, Notes, Use};
use super::super::tape::Output;
use super::{DocumentMasker, Pass, Site, Substitute, Swallow};

/// What emptied copies of text are called in reports.
const COPY: &str = "copy";

impl DocumentMasker {
    /// A masker for the events of a stream. Its report is about all of them.
    pub(in crate::masking) fn for_events(plan: Rc<Plan>, active: u64) -> Self {
        Self::of(plan, active, Kind::Event)
    }

    /// Whether the `$.type` of an event decides which rules hold in it.
    pub(in crate::masking) fn needs_kind(&self) -> bool {
        self.state.plan.needs_kind(&self.state.cursor)
    }

    /// The `$.type` of the next event, where it matters; it holds until there is another.
    pub(in crate::masking) fn set_kind(&mut self, kind: &[u8]) {
        self.state.aliases = self.state.plan.aliases(kind);
    }

    /// Masks one event. If it is no JSON, nothing has happened.
    pub(in crate::masking) fn event(
        &mut self,
        event: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), MaskError> {
        self.rewind();
        let mark = self.tally.mark();
        let written = out.len();
        let result = self.push(event, out).and_then(|()| self.finish(out));
        if result.is_err() {
            out.truncate(written);
            self.tally.take_back(mark);
        }
        result
    }

    fn rewind(&mut self) {
        self.failed = None;
        self.tokenizer.rewind();
        self.tape.rewind();
        let state = &mut self.state;
        state.cursor.rewind();
        state.trail.rewind();
        state.levels.depth = 0;
        state.levels.named.truncate(1);
        state.peeking = false;
        state.comma = None;
        state.member = None;
        state.deferred = None;
        state.swallow = None;
        state.reading = false;
        state.listed = false;
        state.watch.begin();
    }

    /// What was noted in the event, and where everything is counted.
    pub(in crate::masking) fn noted(&mut self) -> (&Notes, &mut Tally) {
        (&self.state.watch.notes, &mut self.tally)
    }

    /// What stands at `from` in the output has been moved to `to`. To be called in ascending order.
    pub(in crate::masking) fn move_notes(&mut self, from: RangeInclusive<u64>, to: u64) {
        self.state.watch.notes.shift(from, to);
    }
}

impl<O: Output> Pass<'_, O> {
    /// The value in hand may stand for one elsewhere.
    #[inline]
    pub(super) fn join_aliases(&mut self) {
        let state = &mut *self.state;
        if let Some(node) = state.watch.here() {
            for &alias in &node.aliases {
                if state.aliases >> (alias & 63) & 1 == 1 {
                    state.plan.join(alias, &mut state.cursor);
                }
            }
        }
    }

    /// A list of events in one document: their texts go on from element to element, and this masker would
    /// read each alone.
    #[inline]
    pub(super) fn note_listed(&mut self, name: &[u8]) {
        let state = &mut *self.state;
        if name == LISTED_EVENT && state.plan.all_detectors() != 0 {
            state.listed |= state.trail.is_member_of_element(name);
        }
    }

    /// Empties a container that repeats text, if the one in hand does.
    pub(super) fn empty_copy(&mut self, container: Container, at: u64) -> bool {
        if !self.state.watch.is_copy() {
            return false;
        }
        self.out.count(&self.state.trail, COPY, ActionKind::Redact);
        self.out.pass_to(at);
        self.out.put(match container {
            Container::Array => b"[]",
            Container::Object => b"null",
        });
        self.state.swallow = Some(Swallow {
            depth: 1,
            substitute: Substitute::Settled,
        });
        true
    }

    /// A string begins at `at`. If it is a piece of a text that goes on, it is noted, and nothing more
    /// is done about it here.
    #[inline]
    pub(super) fn note_piece(&mut self, scope: Scope, at: u64) -> bool {
        let Some((text, seal)) = self.state.watch.text() else {
            return false;
        };
        let use_as = match (scope.scalar(), seal) {
            // A signature that is hidden is hidden like any string.
            (Some(_), true) => return false,
            (None, true) => Use::Seal,
            // Each piece by itself, if nothing of text stands in its place.
            (Some(rule), false) if self.state.plan.field(rule).blank(Type::String).is_some() => {
                return false;
            }
            (Some(rule), false) => Use::Hide(rule),
            (None, false) if scope.detectors != 0 || self.may_nest() => Use::Read(scope),
            (None, false) => return false,
        };
        self.out.pass_to(at + 1);
        let place = self.out.written();
        let state = &mut *self.state;
        let trail = state.trail.steps();
        state.watch.begin_piece(text, use_as, at + 1, place, trail);
        true
    }

    /// Characters of a string that is noted; whether they are those of a piece.
    pub(super) fn hear(&mut self, decoded: &[u8], raw: Range<u64>) {
        self.state.watch.hear(decoded, raw);
        if self.state.watch.begins_document(decoded) {
            let state = &mut *self.state;
            let site = Rc::new(Site {
                plan: Rc::clone(&state.plan),
                everywhere: state.everywhere,
                cursor: state.cursor.as_root(),
                trail: state.trail.as_root(),
                drops: state.drops,
                named: 0,
                depth: 1,
            });
            state.watch.notes.sites.push(site);
        }
    }
}
