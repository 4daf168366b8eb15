//! YAML as a tree whose nodes know where they stand.
//!
//! Typed decoders lose the places of what they decode, and a diagnostic without a place is a riddle.
//! So the events of the parser become a small tree of our own, and the decoding is done by hand
//! ([`syntax`](crate::syntax)).
//!
//! What makes YAML dangerous in a security policy is refused here, whatever stands in it: duplicate
//! keys (one reader takes the first, another the last), anchors and aliases (a text that says less
//! than it means), tags, tabs, several documents, and characters that a reviewer cannot see.

mod text;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;
use text::Offsets;

/// Longest policy, in bytes: twice what a bundle may have.
const MAX_SOURCE: usize = 1024 * 1024;

/// Deepest nesting; the language needs 12 levels.
const MAX_DEPTH: usize = 32;

/// A node of the document.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands. For a block of several lines: its first key or item.
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Without quotes, so that `true`, `12` and `null` are not text.
    pub(crate) plain: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) span: Span,
}

impl Node {
    /// A plain scalar that does not stand in the file: the default of a field.
    pub(crate) fn implied(text: &str, span: Span) -> Self {
        let text = text.to_owned();
        let value = Value::Scalar(Scalar { text, plain: true });
        Self { span, value }
    }

    /// What the node is, in the words of a message.
    pub(crate) fn kind(&self) -> String {
        match &self.value {
            Value::Scalar(Scalar { text, .. }) if text.is_empty() => "nothing".to_owned(),
            Value::Scalar(Scalar { text, plain }) => match text::plain_kind(text) {
                Some(kind) if *plain => format!("{kind} `{text}`"),
                _ => "text".to_owned(),
            },
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

/// Whether an unquoted text means something else than text to some reader of YAML.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    text::plain_kind(text).is_some()
}

/// Reads the one document of `source`. `None` means that there is none to go on with, and that the
/// reason is among the diagnostics.
pub(crate) fn parse(source: &str, out: &mut Diagnostics) -> Option<Node> {
    if source.len() > MAX_SOURCE {
        let message = format!("the policy is longer than {MAX_SOURCE} bytes");
        out.push(
            Diagnostic::new(Code::SourceSize, Span::default(), message)
                .help("split it into several policies"),
        );
        return None;
    }
    if let Some((span, name)) = text::hidden_character(source) {
        let message = format!("the policy holds the invisible character {name}");
        out.push(
            Diagnostic::new(Code::Syntax, span, message)
                .help("delete it; in a quoted text, write its escape"),
        );
        return None;
    }
    let mut reader = Reader {
        source,
        offsets: Offsets::new(source),
        stack: Vec::new(),
        root: None,
        blocks: Vec::new(),
        unknown: false,
        out,
    };
    reader.run()?;
    let Reader {
        root,
        blocks,
        unknown,
        ..
    } = reader;
    if let Some(span) = text::tab_in_indentation(source, &blocks) {
        out.push(tab(span));
        return None;
    }
    if root.is_none() {
        let message = "the file holds no policy";
        out.push(
            Diagnostic::new(Code::Empty, Span::default(), message)
                .help("a policy begins with `apiVersion: tracegate.dev/v1alpha1`"),
        );
    }
    root.filter(|_| !unknown)
}

fn tab(span: Span) -> Diagnostic {
    Diagnostic::new(Code::Tab, span, "the line is indented with a tab")
        .help("YAML is indented with spaces; set your editor to insert them")
}

/// A collection that is still open.
enum Frame {
    Sequence {
        span: Span,
        items: Vec<Node>,
    },
    Mapping {
        span: Span,
        entries: Vec<(Key, Node)>,
        seen: HashMap<String, Span>,
        pending: Pending,
    },
}

/// What a mapping waits for.
enum Pending {
    Key,
    /// The value of this key, or of one that was refused.
    Value(Option<Key>),
}

struct Reader<'a> {
    source: &'a str,
    offsets: Offsets,
    stack: Vec<Frame>,
    root: Option<Node>,
    /// Where texts of several lines stand, in which tabs are content.
    blocks: Vec<Span>,
    /// Whether a part of the document is not known.
    unknown: bool,
    out: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn run(&mut self) -> Option<()> {
        let mut documents = 0;
        let mut parser = Parser::new_from_str(self.source);
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(found) => found,
                Err(error) => {
                    self.syntax_error(error.info(), error.marker().index());
                    return None;
                }
            };
            let span = self.offsets.span(span);
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
                if documents > 1 {
                    let message = "the file holds more than one document";
                    self.out.push(
                        Diagnostic::new(Code::Documents, span, message)
                            .help("put every policy into a file of its own"),
                    );
                    return None;
                }
            }
            self.event(event, span)?;
        }
        Some(())
    }

    fn syntax_error(&mut self, info: &str, index: usize) {
        let at = self.offsets.byte(index);
        let diagnostic = match text::tab_in_indentation(self.source, &[]) {
            Some(span) if span.start <= at || info.contains("tab") => tab(span),
            _ => Diagnostic::new(Code::Syntax, Span::new(at, at), format!("not YAML: {info}"))
                .help("look at the brackets, quotes and indentation here and before"),
        };
        self.out.push(diagnostic);
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), span);
                let span = text::scalar_span(self.source, span, style);
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
                    || text::has_line_break(self.source, span)
                {
                    self.blocks.push(span);
                }
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                let value = Value::Scalar(Scalar { text, plain });
                self.place(Node { span, value });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), span);
                let items = Vec::new();
                self.open(Frame::Sequence { span, items })?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), span);
                self.open(Frame::Mapping {
                    span,
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    pending: Pending::Key,
                })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(_) => {
                self.out
                    .push(refused(Code::Anchor, span, "aliases are not allowed"));
                // There is no node to go on with.
                self.unknown = true;
                self.place(Node::implied("", span));
            }
            _ => {}
        }
        Some(())
    }

    fn refuse_properties(&mut self, anchor: usize, tagged: bool, span: Span) {
        if anchor != 0 {
            self.out
                .push(refused(Code::Anchor, span, "anchors are not allowed"));
        }
        if tagged {
            self.out
                .push(refused(Code::Tag, span, "tags are not allowed"));
        }
    }

    fn open(&mut self, frame: Frame) -> Option<()> {
        if self.stack.len() >= MAX_DEPTH {
            let (Frame::Sequence { span, .. } | Frame::Mapping { span, .. }) = frame;
            let message = format!("the policy is nested deeper than {MAX_DEPTH} levels");
            self.out.push(
                Diagnostic::new(Code::SourceSize, span, message)
                    .help("no part of the language is nested like this"),
            );
            return None;
        }
        self.stack.push(frame);
        Some(())
    }

    fn close(&mut self, end: Span) {
        let node = match self.stack.pop() {
            Some(Frame::Sequence { span, items }) => {
                let first = items.first().map(|item| item.span);
                let span = text::collection_span(self.source, span, end, first);
                let value = Value::Sequence(items);
                Node { span, value }
            }
            Some(Frame::Mapping { span, entries, .. }) => {
                let first = entries.first().map(|(key, _)| key.span);
                let span = text::collection_span(self.source, span, end, first);
                let value = Value::Mapping(entries);
                Node { span, value }
            }
            None => return,
        };
        self.place(node);
    }

    /// Puts a complete node where it belongs.
    fn place(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::Sequence { items, .. }) => items.push(node),
            Some(Frame::Mapping {
                entries,
                seen,
                pending,
                ..
            }) => match std::mem::replace(pending, Pending::Key) {
                Pending::Key => *pending = Pending::Value(key(node, seen, self.out)),
                Pending::Value(Some(key)) => entries.push((key, node)),
                Pending::Value(None) => {}
            },
        }
    }
}

/// The key that a node is, unless it cannot be one.
fn key(node: Node, seen: &mut HashMap<String, Span>, out: &mut Diagnostics) -> Option<Key> {
    let span = node.span;
    let Value::Scalar(Scalar { text: name, .. }) = node.value else {
        out.push(refused(
            Code::KeyType,
            span,
            "a list or a mapping cannot be a key",
        ));
        return None;
    };
    if let Some(&first) = seen.get(&name) {
        out.push(
            Diagnostic::new(Code::DuplicateKey, span, format!("`{name}` is set twice"))
                .label("again here")
                .related(first, "first here")
                .help("keep one of the two"),
        );
        return None;
    }
    seen.insert(name.clone(), span);
    Some(Key { name, span })
}

fn refused(code: Code, span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(code, span, format!("{what} in a policy"))
        .help("write out what you mean: a policy must say what it says where it says it")
}

#[cfg(test)]
mod tests;
