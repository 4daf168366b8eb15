//! What the compiler has to say about a policy.
//!
//! A [`Diagnostic`] has a stable [`Code`], a sentence, the place it is about, and where possible a
//! help text that says what to do. How it is shown is another matter (`render`).

mod codes;
mod render;

use std::ops::Range;
use std::sync::Arc;

pub use codes::{Code, Severity};
pub use render::Style;

use crate::source::{self, Position, Source, Span};

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of finding it is.
    pub code: Code,
    /// What is the matter: one sentence without capital and full stop.
    pub message: String,
    /// The place.
    pub label: Label,
    /// Other places that explain it.
    pub related: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A place and what is to be seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be seen there; empty where the message says it all.
    pub text: String,
}

impl Diagnostic {
    /// A finding about `span`.
    #[must_use]
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let label = Label {
            span,
            text: String::new(),
        };
        Self {
            code,
            message: message.into(),
            label,
            related: Vec::new(),
            help: None,
        }
    }

    /// The same with a help text.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with words at its place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label.text = text.into();
        self
    }

    /// The same with another place.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label {
            span,
            text: text.into(),
        });
        self
    }
}

/// The findings about one file.
#[derive(Clone)]
pub struct Diagnostics {
    source: Arc<Source>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// No finding yet about the text `source` of the file `file_name`.
    #[must_use]
    pub fn new(file_name: &str, source: &str) -> Self {
        Self {
            source: Arc::new(Source::new(file_name, source)),
            list: Vec::new(),
        }
    }

    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// The findings in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any of them stops the build.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|diagnostic| diagnostic.code.severity() == Severity::Error)
    }

    /// How many errors and how many warnings there are: `2 errors, 1 warning`.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |severity: Severity| {
            let found = self
                .list
                .iter()
                .filter(|found| found.code.severity() == severity)
                .count();
            let plural = if found == 1 { "" } else { "s" };
            format!("{found} {}{plural}", severity.as_str())
        };
        format!("{}, {}", count(Severity::Error), count(Severity::Warning))
    }

    /// Where the finding begins and ends.
    #[must_use]
    pub fn positions(&self, diagnostic: &Diagnostic) -> (Position, Position) {
        let Span { start, end } = diagnostic.label.span;
        (self.source.position(start), self.source.position(end))
    }
}

impl Diagnostics {
    /// The place of a stretch of a text's content, if the text stands in the source as it is, in one
    /// line or line by line; else the place of the whole text.
    pub(crate) fn within(&self, span: Span, text: &str, stretch: Range<usize>) -> Span {
        let source = self
            .source
            .text
            .get(span.start..span.end)
            .unwrap_or_default();
        let quoted = source.starts_with(['"', '\'']);
        let content = source.get(usize::from(quoted)..).unwrap_or_default();
        if content.starts_with(text) && stretch.end <= text.len() {
            let start = span.start + usize::from(quoted);
            return Span::new(start + stretch.start, start + stretch.end);
        }
        let place = |at| source::in_block(source, text, at).map(|at| span.start + at);
        match (place(stretch.start), place(stretch.end)) {
            (Some(start), Some(end)) => Span::new(start, end),
            _ => span,
        }
    }

    /// Puts the findings into the order of the file.
    pub(crate) fn sort(&mut self) {
        self.list
            .sort_by_key(|diagnostic| diagnostic.label.span.start);
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_human(Style::Plain))
    }
}

/// As [`Display`](std::fmt::Display) shows them, so that a failing `unwrap` in a test can be read.
impl std::fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Diagnostics {}
