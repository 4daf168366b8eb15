//! Members and elements: which stay, which go, and what becomes of the commas between them.

use super::super::plan::{FIELD, Hiding, Scope};
use super::super::report::ActionKind;
use super::{Pass, Substitute, Swallow};

impl Pass<'_> {
    /// A value begins at `at`; settles what becomes of it if it is an element.
    pub(super) fn begin_value(&mut self, at: u64) -> Scope {
        if let Some(scope) = self.state.member.take() {
            return scope;
        }
        if self.state.levels.depth > 0 {
            self.state.cursor.element(&self.state.plan.paths);
            self.state.watch.element();
            self.join_aliases();
            self.state.trail.element();
        }
        // Elements belong to the member that holds their list.
        let named = self.state.levels.named();
        self.begin_child(at).in_member(named)
    }

    /// A member or element begins at `start`: what holds there; it may be gone already.
    pub(super) fn begin_child(&mut self, start: u64) -> Scope {
        let state = &mut *self.state;
        let scope = state.plan.scope(&state.cursor, state.everywhere);
        if !state.drops {
            return scope;
        }
        let dropped = scope
            .field
            .is_some_and(|rule| state.plan.field(rule).drops());
        if dropped {
            state
                .tally
                .count(&state.plan, &state.trail, FIELD, ActionKind::Drop);
            self.drop_child(start);
        } else {
            self.keep();
        }
        scope
    }

    /// The child stays: so does the comma before it, unless all before it are gone.
    pub(super) fn keep(&mut self) {
        let comma = self.state.comma.take();
        if let Some(comma) = comma
            && !self.state.levels.kept()
        {
            self.reel.pass_to(comma);
            self.reel.skip_to(comma + 1);
        }
        self.state.levels.set_kept(true);
    }

    /// The child goes, with the comma before it. A document must have a value, so at the root there
    /// remains a `null`.
    pub(super) fn drop_child(&mut self, start: u64) {
        let from = self.state.comma.take().unwrap_or(start);
        self.reel.pass_to(from);
        if self.state.levels.depth == 0 {
            self.reel.put(b"null");
        }
        self.state.swallow = Some(Swallow {
            depth: 0,
            substitute: Substitute::Settled,
        });
    }

    pub(super) fn count(&mut self, hiding: Hiding<'_>) {
        let state = &mut *self.state;
        state
            .tally
            .count(&state.plan, &state.trail, hiding.what, hiding.kind());
    }
}
