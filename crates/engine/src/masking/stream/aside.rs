//! The lines of an event beside its payload: each is a text of its own, and stays one line.

use std::ops::Range;

use crate::masking::plan::{Hiding, Plan, Scope};
use crate::masking::report::{Tally, Trail};
use crate::masking::strand::{Splice, Strand};

/// The line as it may be shown, if that is not as it is.
pub(super) fn mask(
    strand: &mut Strand,
    plan: &Plan,
    scope: Scope,
    line: &[u8],
    tally: &mut Tally,
) -> Option<Vec<u8>> {
    let mut copy = Copy {
        plan,
        tally,
        line,
        read: 0,
        written: Vec::new(),
    };
    strand.begin(scope, 0);
    strand.push(plan, line, 0..line.len() as u64, &mut copy);
    strand.end(plan, &mut copy);
    if copy.read == 0 {
        return None;
    }
    copy.write_to(line.len());
    Some(copy.written)
}

/// Writes a line anew.
struct Copy<'a> {
    plan: &'a Plan,
    tally: &'a mut Tally,
    line: &'a [u8],
    /// How much of the line is dealt with.
    read: usize,
    written: Vec<u8>,
}

impl Copy<'_> {
    fn write_to(&mut self, end: usize) {
        let kept = self.line.get(self.read..end).unwrap_or_default();
        self.written.extend_from_slice(kept);
        self.read = end;
    }
}

impl Splice for Copy<'_> {
    fn count(&mut self, hiding: Hiding<'_>) {
        self.tally
            .count(self.plan, &Trail::default(), hiding.what, hiding.kind());
    }

    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]) {
        let index = |place| usize::try_from(place).unwrap_or(usize::MAX);
        let mut substitute = Some(substitute);
        for piece in pieces {
            self.write_to(index(piece.start));
            self.written
                .extend_from_slice(substitute.take().unwrap_or_default());
            self.read = index(piece.end);
        }
    }
}
