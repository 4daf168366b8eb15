//! The secrets of the matrix: the first example of every detector of the catalogue.

use policy_compiler::automata::built_ins;

/// Shortest stretch of a secret that counts as a leak in the body of an answer.
pub(crate) const PIECE: usize = 5;
/// The same in headers and records, where times and ids hold five digits of anything now and then.
pub(crate) const LONG_PIECE: usize = 9;

/// What stands before and after every example.
pub(crate) const BEFORE: &str = "Note: ";
pub(crate) const AFTER: &str = " -- so be it.";

/// The host, which is on the record.
pub(crate) const HOST: &str = "reasoning.corp.example";

/// A secret in the sentence of its example.
pub(crate) struct Secret {
    /// The detector that has to find it.
    pub(crate) detector: String,
    text: String,
    start: usize,
    end: usize,
}

/// One secret for each detector.
pub(crate) fn secrets() -> Vec<Secret> {
    let secret = |built_in: &policy_compiler::automata::BuiltIn| {
        let example = built_in.finds.first().expect("an example");
        let hit = example.hit.as_ref().unwrap_or(&example.text);
        let at = example.text.find(hit.as_str()).expect("the match is in it");
        let text = format!("{BEFORE}{}{AFTER}", example.text);
        let start = BEFORE.len() + at;
        Secret {
            detector: built_in.name.clone(),
            text,
            start,
            end: start + hit.len(),
        }
    };
    built_ins().iter().map(secret).collect()
}

impl Secret {
    /// The whole sentence.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the secret.
    pub(crate) fn before(&self) -> &str {
        &self.text[..self.start]
    }

    /// What stands after it.
    pub(crate) fn after(&self) -> &str {
        &self.text[self.end..]
    }

    /// The secret.
    pub(crate) fn value(&self) -> &str {
        &self.text[self.start..self.end]
    }

    /// The places in the sentence at which the secret can be cut, its ends included.
    pub(crate) fn cuts(&self, few: bool) -> Vec<usize> {
        let all: Vec<usize> = (self.start..=self.end)
            .filter(|&at| self.text.is_char_boundary(at))
            .collect();
        if !few {
            return all;
        }
        all.get(all.len() / 2).copied().into_iter().collect()
    }

    /// The stretches of the secret that may not be seen: those that are not also in the rest of the
    /// sentence, in the host, or in the name or token of a detector.
    pub(crate) fn pieces(&self, length: usize) -> impl Iterator<Item = &str> {
        let mut known = format!("{}\n{}\n{HOST}", self.before(), self.after());
        for built_in in built_ins() {
            known.push_str(&format!("\n{}\n{}", built_in.name, built_in.token));
        }
        let value = self.value();
        let length = length.min(value.len());
        (0..value.len())
            .filter_map(move |at| value.get(at..at + length))
            .filter(move |piece| !known.contains(*piece) && !piece.contains('\n'))
    }
}
