//! Values that a rule on fields hides as a whole.

use std::ops::Range;
use std::rc::Rc;

use super::super::fill::Fill;
use super::{Pass, Swallow};

pub(super) fn is_number(text: &[u8]) -> bool {
    !text.first().is_some_and(u8::is_ascii_lowercase)
}

impl Pass<'_> {
    /// Writes the quote and the beginning of a substitute in place of what begins at `at`.
    pub(super) fn begin_substitute(&mut self, at: u64) -> &mut Vec<u8> {
        self.reel.pass_to(at);
        let out = self.reel.out();
        out.push(b'"');
        out
    }

    pub(super) fn hide_string(&mut self, rule: usize, at: u64) {
        self.commit();
        let plan = Rc::clone(&self.state.plan);
        let hiding = plan.field(rule);
        self.count(hiding);
        let fill = hiding.fill(self.begin_substitute(at));
        self.state.swallow = Some(Swallow {
            depth: 0,
            fill: Some(fill),
            raw: false,
        });
    }

    pub(super) fn hide_container(&mut self, rule: usize, at: u64) {
        self.commit();
        let plan = Rc::clone(&self.state.plan);
        let hiding = plan.field(rule);
        self.count(hiding);
        let fill = hiding.opaque_fill(self.begin_substitute(at));
        self.state.swallow = Some(Swallow {
            depth: 1,
            fill: Some(fill),
            raw: true,
        });
    }

    pub(super) fn hide_scalar(&mut self, rule: usize, text: &[u8], raw: Range<u64>) {
        let plan = Rc::clone(&self.state.plan);
        let hiding = plan.field(rule);
        self.count(hiding);
        let out = self.begin_substitute(raw.start);
        let mut fill = if is_number(text) {
            hiding.fill(out)
        } else {
            hiding.opaque_fill(out)
        };
        fill.feed(text, out);
        fill.finish(out);
        out.push(b'"');
        self.reel.skip_to(raw.end);
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
            let out = self.reel.out();
            fill.finish(out);
            out.push(b'"');
        }
    }
}
