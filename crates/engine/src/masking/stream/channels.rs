//! The texts that go on over the events of a stream.
//!
//! A channel is one such text: which text of the table, and the values that tell it apart, such as the
//! index of a choice. Its pieces are one strand to the detectors, whatever comes between them, and two
//! channels never disturb each other.

use std::ops::Range;
use std::rc::Rc;

use super::places::Places;
use super::queue::Queue;
use super::watch::{Notes, Piece, Use};
use crate::masking::MaskError;
use crate::masking::fill::escape;
use crate::masking::mask::Site;
use crate::masking::plan::{Hiding, Plan, Scope};
use crate::masking::report::{ActionKind, Tally, Trail};
use crate::masking::strand::{Splice, Strand};
use crate::masking::stream::dialect::When;

/// Most channels of one stream.
pub(super) const MAX_CHANNELS: usize = 64;

/// The number of the text of events that are no JSON: no text of the table has it.
const PLAIN: u8 = u8::MAX;

/// The channels of one stream.
#[derive(Debug, Default)]
pub(super) struct Channels {
    channels: Vec<Channel>,
    /// The key of the piece in hand.
    key: Key,
    /// How many frames there were.
    frames: u64,
}

/// What tells a channel apart from others of the same text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Key {
    values: Vec<u8>,
    /// Where each value ends.
    ends: Vec<usize>,
}

/// One text.
#[derive(Debug, Default)]
struct Channel {
    text: u8,
    key: Key,
    strand: Strand,
    /// Where the strand runs; `None` before it begins.
    scope: Option<Scope>,
    /// Where the text stands, if its last piece began like a document.
    site: Option<Rc<Site>>,
    trail: Trail,
    /// The frame in which it was last seen.
    seen: u64,
    /// Something of it was hidden.
    changed: bool,
    /// The substitute for the whole of it stands.
    replaced: bool,
}

/// What the channels work with.
pub(super) struct Tools<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tally: &'a mut Tally,
    pub(super) queue: &'a mut Queue,
}

impl Channels {
    /// A frame begins.
    pub(super) fn begin_frame(&mut self) {
        self.frames += 1;
    }

    /// Takes in a piece of a text. Its places are indices of the queue's bytes.
    ///
    /// # Errors
    ///
    /// [`MaskError::Limit`] if there are too many channels, all of which hold text, and `strict`.
    pub(super) fn feed(
        &mut self,
        piece: &Piece,
        notes: &Notes,
        tools: &mut Tools<'_>,
        strict: bool,
    ) -> Result<(), MaskError> {
        self.key.clear();
        for key in tools
            .plan
            .places
            .texts
            .get(usize::from(piece.text))
            .into_iter()
            .flatten()
        {
            notes.key_of_piece(key, piece, &mut self.key.values);
            self.key.ends.push(self.key.values.len());
        }
        if piece.place.is_empty() {
            return Ok(());
        }
        let place = |index: u64| tools.queue.place(index);
        let whole = place(piece.place.start)..place(piece.place.end);
        let channel = self.channel(piece.text, tools, strict)?;
        match piece.use_as {
            Use::Read(scope) => {
                channel.trail.set(notes.trail(piece));
                channel.begin(scope, whole.start, tools);
                channel.site = notes.site(piece).map(Rc::clone);
                for (decoded, index) in notes.runs(piece) {
                    let place = tools.queue.place(index.start)..tools.queue.place(index.end);
                    channel.push(decoded, place, tools);
                }
            }
            Use::Hide(rule) => {
                channel.trail.set(notes.trail(piece));
                channel.replace(tools.plan.field(rule), whole, tools);
            }
            Use::Seal => {
                channel.pause(tools);
                if channel.changed {
                    tools.queue.hide(std::iter::once(whole), b"");
                }
            }
        }
        Ok(())
    }

    /// Takes in text that is no JSON, which stands at `place`. `first`: an event begins with it.
    pub(super) fn feed_plain(
        &mut self,
        text: &[u8],
        place: Range<u64>,
        scope: Scope,
        tools: &mut Tools<'_>,
        strict: bool,
    ) -> Result<(), MaskError> {
        self.key.clear();
        let channel = self.channel(PLAIN, tools, strict)?;
        channel.begin(scope, place.start, tools);
        channel.push(text, place, tools);
        Ok(())
    }

    /// Ends what the values in an event end; whether that is the stream as a whole.
    pub(super) fn end_by(&mut self, notes: &Notes, tools: &mut Tools<'_>) -> bool {
        let places = &tools.plan.places;
        let mut ends_all = false;
        for value in &notes.values {
            for end in places.ends.iter().filter(|end| end.slot == value.slot) {
                if !is_met(end.when, notes.value(value), value.is_string) {
                    continue;
                }
                ends_all |= end.keys.is_empty();
                for channel in &mut self.channels {
                    let ends = end.keys.iter().all(|key| {
                        self.key.clear();
                        notes.key_of_value(key, value, &mut self.key.values);
                        channel.value(places, key.slot) == Some(&*self.key.values)
                    });
                    if ends {
                        channel.pause(tools);
                    }
                }
            }
        }
        ends_all
    }

    /// All texts are at their end.
    pub(super) fn end_all(&mut self, tools: &mut Tools<'_>) {
        for channel in &mut self.channels {
            channel.pause(tools);
        }
    }

    /// The frame is at its end: what its pieces decide, happens.
    pub(super) fn end_frame(&mut self, tools: &mut Tools<'_>) {
        let seen = self.frames;
        for channel in self.channels.iter_mut().filter(|it| it.seen == seen) {
            channel.settle(tools);
        }
    }

    /// The place of the first character that any text holds.
    pub(super) fn held_from(&self) -> Option<u64> {
        self.channels.iter().filter_map(Channel::held_from).min()
    }

    /// Hides what the text holds that has held something for the longest time. What comes next of a
    /// match that this cuts is still hidden.
    pub(super) fn give_up_oldest(&mut self, tools: &mut Tools<'_>) {
        let oldest = self
            .channels
            .iter_mut()
            .filter_map(|channel| Some((channel.held_from()?, channel)))
            .min_by_key(|(held, _)| *held);
        if let Some((_, channel)) = oldest {
            channel.give_up(tools);
        }
    }

    /// The channel of `self.key`.
    fn channel(
        &mut self,
        text: u8,
        tools: &mut Tools<'_>,
        strict: bool,
    ) -> Result<&mut Channel, MaskError> {
        let known = self
            .channels
            .iter()
            .position(|channel| channel.text == text && channel.key == self.key);
        let at = match known {
            Some(at) => at,
            None => self.new_channel(text, tools, strict)?,
        };
        // It is there: this branch is never taken.
        let channel = self.channels.get_mut(at).ok_or(MaskError::Limit)?;
        channel.seen = self.frames;
        Ok(channel)
    }

    fn new_channel(
        &mut self,
        text: u8,
        tools: &mut Tools<'_>,
        strict: bool,
    ) -> Result<usize, MaskError> {
        let at = if self.channels.len() < MAX_CHANNELS {
            self.channels.push(Channel::default());
            self.channels.len() - 1
        } else {
            // One that holds nothing has nothing to lose.
            let rank = |channel: &Channel| (channel.held_from().is_some(), channel.seen);
            let channels = self.channels.iter().enumerate();
            let (at, _) = channels
                .min_by_key(|(_, channel)| rank(channel))
                .ok_or(MaskError::Limit)?;
            let channel = self.channels.get_mut(at).ok_or(MaskError::Limit)?;
            if channel.held_from().is_some() {
                if strict {
                    return Err(MaskError::Limit);
                }
                channel.give_up(tools);
            }
            at
        };
        if let Some(channel) = self.channels.get_mut(at) {
            channel.text = text;
            channel.key.clone_from(&self.key);
            channel.scope = None;
            channel.site = None;
            channel.changed = false;
            channel.replaced = false;
        }
        Ok(at)
    }
}

impl Key {
    fn clear(&mut self) {
        self.values.clear();
        self.ends.clear();
    }
}

fn is_met(when: When, value: &[u8], is_string: bool) -> bool {
    match when {
        When::Is(values) => values.iter().any(|known| known.as_bytes() == value),
        When::EndsWith(end) => is_string && value.ends_with(end.as_bytes()),
        When::NotEmpty => is_string && !value.is_empty(),
    }
}

impl Channel {
    /// The value of a key, as it is written in keys. `None` if the text has no such key.
    fn value(&self, places: &Places, slot: Option<u8>) -> Option<&[u8]> {
        let keys = places.texts.get(usize::from(self.text))?;
        let at = keys.iter().position(|key| key.slot == slot)?;
        let start = match at.checked_sub(1) {
            None => 0,
            Some(before) => *self.key.ends.get(before)?,
        };
        self.key.values.get(start..*self.key.ends.get(at)?)
    }

    /// Detectors read on at `place`. Where others are to read than before, all of them do.
    fn begin(&mut self, scope: Scope, place: u64, tools: &mut Tools<'_>) {
        let scope = match self.scope {
            Some(known) if known.covers(scope) => return,
            Some(known) => {
                self.with(tools, |strand, plan, patch| {
                    strand.end(plan, patch);
                });
                known.joined(scope)
            }
            None => scope,
        };
        self.scope = Some(scope);
        self.strand.begin(scope, place);
    }

    fn push(&mut self, decoded: &[u8], place: Range<u64>, tools: &mut Tools<'_>) {
        self.with(tools, |strand, plan, patch| {
            strand.push(plan, decoded, place, patch);
        });
    }

    fn settle(&mut self, tools: &mut Tools<'_>) {
        if self.scope.is_some() {
            self.with(tools, |strand, plan, patch| strand.settle(plan, patch));
        }
    }

    fn pause(&mut self, tools: &mut Tools<'_>) {
        if self.scope.is_some() {
            self.with(tools, |strand, plan, patch| strand.pause(plan, patch));
        }
    }

    fn give_up(&mut self, tools: &mut Tools<'_>) {
        self.with(tools, |strand, plan, patch| strand.give_up(plan, patch));
    }

    fn held_from(&self) -> Option<u64> {
        self.scope.and_then(|_| self.strand.held_from())
    }

    /// The substitute for the whole text stands in its first piece; the others are empty.
    fn replace(&mut self, hiding: Hiding<'_>, place: Range<u64>, tools: &mut Tools<'_>) {
        let first = !std::mem::replace(&mut self.replaced, true);
        self.with(tools, |_, _, patch| {
            if first {
                patch.count(hiding);
            }
            let substitute = if first { hiding.text() } else { b"" };
            patch.hide(std::iter::once(place), substitute);
        });
    }

    fn with(
        &mut self,
        tools: &mut Tools<'_>,
        work: impl FnOnce(&mut Strand, &Plan, &mut Patch<'_>),
    ) {
        let mut patch = Patch {
            plan: tools.plan,
            tally: tools.tally,
            queue: tools.queue,
            trail: &self.trail,
            site: self.site.as_ref(),
            changed: &mut self.changed,
            plain: self.text == PLAIN,
        };
        work(&mut self.strand, tools.plan, &mut patch);
    }
}

/// Rewrites frames that wait.
struct Patch<'a> {
    plan: &'a Plan,
    tally: &'a mut Tally,
    queue: &'a mut Queue,
    trail: &'a Trail,
    site: Option<&'a Rc<Site>>,
    changed: &'a mut bool,
    /// The text is not that of JSON strings.
    plain: bool,
}

impl Splice for Patch<'_> {
    fn count(&mut self, hiding: Hiding<'_>) {
        *self.changed = true;
        self.tally
            .count(self.plan, self.trail, hiding.what, hiding.kind());
    }

    fn count_inside(&mut self, trail: &Trail, what: &str, action: ActionKind) {
        *self.changed = true;
        self.tally.count(self.plan, trail, what, action);
    }

    fn nest(&self, scope: Scope) -> Option<Site> {
        let site = Site::clone(self.site?);
        Some(Site {
            named: scope.named,
            ..site
        })
    }

    fn hide(&mut self, pieces: impl Iterator<Item = Range<u64>>, substitute: &[u8]) {
        let mut text = Vec::with_capacity(substitute.len());
        if self.plain {
            // A line must stay one.
            let one_line = substitute.iter().map(|&byte| match byte {
                b'\n' | b'\r' => b' ',
                byte => byte,
            });
            text.extend(one_line);
        } else {
            escape(substitute, &mut text);
        }
        self.queue.hide(pieces, &text);
    }
}
