//! Values that a rule on fields hides as a whole.

use std::ops::Range;
use std::rc::Rc;

use super::super::fill::Fill;
use super::super::plan::Type;
use super::super::tape::Output;
use super::{Pass, Substitute, Swallow};

impl<O: Output> Pass<'_, O> {
    /// Writes a part of a substitute.
    fn substitute<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let substitute = &mut self.state.substitute;
        substitute.clear();
        let written = write(substitute);
        self.out.put_text(substitute);
        written
    }

    /// Counts what `rule` hides at `at`, and writes its substitute: as a whole, or a quote and what
    /// comes before the first character, in which case there is a fill.
    fn begin_substitute(&mut self, rule: usize, of: Type, at: u64) -> Option<Fill> {
        let plan = Rc::clone(&self.state.plan);
        let hiding = plan.field(rule);
        self.count(hiding);
        self.out.pass_to(at);
        if let Some(blank) = hiding.blank(of) {
            self.out.put(blank);
            return None;
        }
        self.out.put(b"\"");
        Some(self.substitute(|out| match of {
            Type::String | Type::Number => hiding.fill(out),
            _ => hiding.opaque_fill(out),
        }))
    }

    /// Hides the string that begins at `at`.
    pub(super) fn hide_string(&mut self, rule: usize, at: u64) {
        let fill = self.begin_substitute(rule, Type::String, at);
        self.state.swallow = Some(Swallow {
            depth: 0,
            substitute: fill.map_or(Substitute::Settled, Substitute::OfText),
        });
    }

    /// Hides the container that opens at `at`.
    pub(super) fn hide_container(&mut self, rule: usize, of: Type, at: u64) {
        let fill = self.begin_substitute(rule, of, at);
        self.state.swallow = Some(Swallow {
            depth: 1,
            substitute: fill.map_or(Substitute::Settled, Substitute::OfBytes),
        });
    }

    /// Hides a number or literal.
    pub(super) fn hide_scalar(&mut self, rule: usize, text: &[u8], raw: Range<u64>) {
        if let Some(mut fill) = self.begin_substitute(rule, Type::of_scalar(text), raw.start) {
            self.substitute(|out| {
                fill.feed(text, out);
                fill.finish(out);
            });
            self.out.put(b"\"");
        }
        self.out.skip_to(raw.end);
    }

    /// More characters of a string that is swallowed.
    pub(super) fn swallow_text(&mut self, decoded: &[u8]) {
        if let Some(swallow) = &mut self.state.swallow
            && let (0, Substitute::OfText(fill)) = (swallow.depth, &mut swallow.substitute)
        {
            self.state.substitute.clear();
            fill.feed(decoded, &mut self.state.substitute);
            self.out.put_text(&self.state.substitute);
        }
    }

    /// Skips to `at` inside a swallowed value.
    pub(super) fn swallow_to(&mut self, at: u64) {
        match &mut self.state.swallow {
            Some(Swallow {
                substitute: Substitute::OfBytes(Fill::Hash(hash)),
                ..
            }) => self.out.read_to(at, |bytes| hash.update(bytes)),
            _ => self.out.skip_to(at),
        }
    }

    /// A value ended at `end` inside the swallowed one, or it did itself.
    pub(super) fn end_swallowed(&mut self, end: u64) {
        if self.state.swallow.as_ref().is_some_and(|it| it.depth > 0) {
            return;
        }
        self.swallow_to(end);
        let swallow = self.state.swallow.take();
        self.state.member = None;
        if let Some(Swallow {
            substitute: Substitute::OfText(fill) | Substitute::OfBytes(fill),
            ..
        }) = swallow
        {
            self.substitute(|out| fill.finish(out));
            self.out.put(b"\"");
        }
    }
}
