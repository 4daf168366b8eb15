//! Members and elements: which stay, which go, and what becomes of the commas between them.

use std::ops::Range;

use super::super::plan::{FIELD, Hiding, Scope};
use super::super::report::ActionKind;
use super::super::tape::Output;
use super::{Deferred, Pass, Substitute, Swallow};

impl<O: Output> Pass<'_, O> {
    /// A value begins at `at`; settles what becomes of it, unless its name has done so.
    pub(super) fn begin_value(&mut self, at: u64, is_container: bool) -> Scope {
        if let Some(scope) = self.state.member.take() {
            if let Some(Deferred { unclean, raw }) = self.state.deferred.take() {
                let dropped = self.drops(if is_container {
                    scope.container()
                } else {
                    scope.scalar()
                });
                self.settle_child(raw.start, dropped);
                if let (Some(name), false) = (unclean, dropped) {
                    self.mask_name(&name, raw, scope);
                }
            }
            return scope;
        }
        if self.state.levels.depth > 0 {
            self.state.cursor.element(&self.state.plan.paths);
            self.state.watch.element();
            self.join_aliases();
            self.state.trail.element();
        }
        let scope = self.scope();
        let hiding = if is_container {
            scope.container()
        } else {
            scope.scalar()
        };
        self.settle_child(at, self.drops(hiding));
        // Elements belong to the member that holds their list.
        scope.in_member(self.state.levels.named())
    }

    /// A member begins, with its name at `raw`; `unclean` is the name if it may have to be masked. The
    /// member may be gone already. If only its value tells whether it goes, that is left to the value.
    pub(super) fn begin_member(&mut self, unclean: Option<&[u8]>, raw: Range<u64>, scope: Scope) {
        let dropped = self.drops(scope.scalar());
        if dropped == self.drops(scope.container()) {
            self.settle_child(raw.start, dropped);
            if let (Some(name), false) = (unclean, dropped) {
                self.mask_name(name, raw, scope);
            }
        } else {
            self.state.deferred = Some(Deferred {
                unclean: unclean.map(<[u8]>::to_vec),
                raw,
            });
        }
    }

    /// What holds for the member or element in hand.
    pub(super) fn scope(&self) -> Scope {
        let state = &*self.state;
        state.plan.scope(&state.cursor, state.everywhere)
    }

    fn drops(&self, rule: Option<usize>) -> bool {
        self.state.drops && rule.is_some_and(|rule| self.state.plan.field(rule).drops())
    }

    /// The member or element that begins at `start` goes or stays.
    fn settle_child(&mut self, start: u64, dropped: bool) {
        let state = &mut *self.state;
        if dropped {
            self.out.count(&state.trail, FIELD, ActionKind::Drop);
            self.drop_child(start);
        } else if state.drops {
            self.keep();
        }
    }

    /// The child stays: so does the comma before it, unless all before it are gone.
    pub(super) fn keep(&mut self) {
        let comma = self.state.comma.take();
        if let Some(comma) = comma
            && !self.state.levels.kept()
        {
            self.out.pass_to(comma);
            self.out.skip_to(comma + 1);
        }
        self.state.levels.set_kept(true);
    }

    /// The child goes, with the comma before it. A document must have a value, so at the root there
    /// remains a `null`.
    pub(super) fn drop_child(&mut self, start: u64) {
        let from = self.state.comma.take().unwrap_or(start);
        self.out.pass_to(from);
        if self.state.levels.depth == 0 {
            self.out.put(b"null");
        }
        self.state.swallow = Some(Swallow {
            depth: 0,
            substitute: Substitute::Settled,
        });
    }

    pub(super) fn count(&mut self, hiding: Hiding<'_>) {
        self.out
            .count(&self.state.trail, hiding.what, hiding.kind());
    }
}
