//! Values that a rule on fields hides as a whole.

use std::ops::Range;
use std::rc::Rc;

use super::super::fill::Fill;
use super::{Pass, Swallow};

pub(super) fn is_number(text: &[u8]) -> bool {
    !text.first().is_some_and(u8::is_ascii_lowercase)
}

impl Pass<'_> {
    /// Writes a part of a substitute.
    fn substitute<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let substitute = &mut self.state.substitute;
        substitute.clear();
        let written = write(substitute);
        self.reel.put_text(substitute);
        written
    }

    /// Counts what `rule` hides at `at`, and writes the quote and the beginning of its substitute.
    /// `opaque`: it has no characters that could be shown.
    fn begin_substitute(&mut self, rule: usize, at: u64, opaque: bool) -> Fill {
        let plan = Rc::clone(&self.state.plan);
        let hiding = plan.field(rule);
        self.count(hiding);
        self.reel.pass_to(at);
        self.reel.put(b"\"");
        self.substitute(|out| match opaque {
            true => hiding.opaque_fill(out),
            false => hiding.fill(out),
        })
    }

    pub(super) fn hide_string(&mut self, rule: usize, at: u64) {
        let fill = self.begin_substitute(rule, at, false);
        self.state.swallow = Some(Swallow {
            depth: 0,
            fill: Some(fill),
            raw: false,
        });
    }

    pub(super) fn hide_container(&mut self, rule: usize, at: u64) {
        let fill = self.begin_substitute(rule, at, true);
        self.state.swallow = Some(Swallow {
            depth: 1,
            fill: Some(fill),
            raw: true,
        });
    }

    pub(super) fn hide_scalar(&mut self, rule: usize, text: &[u8], raw: Range<u64>) {
        let mut fill = self.begin_substitute(rule, raw.start, !is_number(text));
        self.substitute(|out| {
            fill.feed(text, out);
            fill.finish(out);
        });
        self.reel.put(b"\"");
        self.reel.skip_to(raw.end);
    }

    /// More characters of a string that is swallowed.
    pub(super) fn swallow_text(&mut self, decoded: &[u8]) {
        if let Some(swallow) = &mut self.state.swallow
            && let (0, Some(fill)) = (swallow.depth, &mut swallow.fill)
        {
            self.state.substitute.clear();
            fill.feed(decoded, &mut self.state.substitute);
            self.reel.put_text(&self.state.substitute);
        }
    }

    /// Skips to `at` inside a swallowed value.
    pub(super) fn swallow_to(&mut self, at: u64) {
        match &mut self.state.swallow {
            Some(Swallow {
                fill: Some(Fill::Hash(hash)),
                raw: true,
                ..
            }) => self
                .reel
                .read_to(at, |bytes| hmac::Mac::update(&mut **hash, bytes)),
            _ => self.reel.skip_to(at),
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
        if let Some(fill) = swallow.and_then(|swallow| swallow.fill) {
            self.substitute(|out| fill.finish(out));
            self.reel.put(b"\"");
        }
    }
}
