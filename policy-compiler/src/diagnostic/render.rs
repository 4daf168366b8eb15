//! Findings for people and for machines.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use serde::Serialize;

use super::{Diagnostic, Diagnostics, Label, Severity};
use crate::source::Source;

/// How findings look to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Colours and box characters, for a terminal.
    Fancy,
    /// ASCII, for a log.
    Plain,
}

impl Diagnostics {
    /// The findings with the lines that they are about.
    #[must_use]
    pub fn to_human(&self, style: Style) -> String {
        let theme = match style {
            Style::Fancy => GraphicalTheme::unicode(),
            Style::Plain => GraphicalTheme::none(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_wrap_lines(false)
            .with_links(false);
        let mut out = String::new();
        for diagnostic in self {
            // Writing to a String cannot fail.
            let _ = handler.render_report(&mut out, &Report::new(diagnostic, &self.source));
            out.push('\n');
        }
        out
    }

    /// One JSON object per line and finding: `code`, `severity`, `message`, `file`, `line`,
    /// `column`, `endLine`, `endColumn` and `help` (or `null`). The end is exclusive.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        for diagnostic in self {
            let (start, end) = self.positions(diagnostic);
            let line = Line {
                code: diagnostic.code.as_str(),
                severity: diagnostic.code.severity().as_str(),
                message: &diagnostic.message,
                file: &self.source.name,
                line: start.line,
                column: start.column,
                end_line: end.line,
                end_column: end.column,
                help: diagnostic.help.as_deref(),
            };
            out.push_str(&serde_json::to_string(&line).unwrap_or_default());
            out.push('\n');
        }
        out
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    help: Option<&'a str>,
}

/// A finding in the terms of miette.
#[derive(Debug)]
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    source: NamedSource<String>,
}

impl<'a> Report<'a> {
    fn new(diagnostic: &'a Diagnostic, source: &Source) -> Self {
        let source = NamedSource::new(&source.name, source.text.clone());
        Self { diagnostic, source }
    }
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let Diagnostic { code, .. } = self.diagnostic;
        Some(Box::new(format!("{}[{code}]", code.severity().as_str())))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.code.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let help = self.diagnostic.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labelled = |label: &Label| {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            (text, label.span.start, label.span.end - label.span.start)
        };
        let (text, start, length) = labelled(&self.diagnostic.label);
        let primary = LabeledSpan::new_primary_with_span(text, (start, length));
        let related = self.diagnostic.related.iter().map(move |label| {
            let (text, start, length) = labelled(label);
            LabeledSpan::new(text, start, length)
        });
        Some(Box::new(std::iter::once(primary).chain(related)))
    }
}
