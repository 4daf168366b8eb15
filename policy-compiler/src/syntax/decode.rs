//! From a tree of YAML to types.
//!
//! [`mapping!`] declares a type once: its fields, how each is written, what it stands for and what
//! it is when it is left out. The decoder and the reference of the language (`docs/policy.md`) both
//! come from that declaration, so they cannot differ.
//!
//! A decoder that fails leaves a diagnostic and returns `None`; whoever called it goes on with the
//! rest, so that one run finds everything.

use super::suggest;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;
use crate::yaml::{Key, Node, Scalar, Value, is_ambiguous};

/// A type that is written in a policy.
pub(crate) trait Decode: Sized {
    /// How it is written.
    fn shape() -> Shape;

    /// Reads it; `None` if it cannot be, with the reason among the diagnostics.
    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self>;
}

/// How a value is written, for messages and for the reference.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// In words: `a list of text`.
    pub(crate) words: String,
    /// The mapping that it is, or that its entries are.
    pub(crate) mappings: Vec<&'static Mapping>,
}

impl Shape {
    pub(crate) fn words(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            mappings: Vec::new(),
        }
    }
}

/// A declared mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Its name in the reference.
    pub(crate) title: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
    /// Its fields in the order of the declaration.
    pub(crate) fields: &'static [Field],
}

/// A declared field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) presence: Presence,
    pub(crate) shape: fn() -> Shape,
}

/// Whether a field has to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Optional,
    Default(&'static str),
    /// A later version will have it.
    Later,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T: Decode> Decode for Spanned<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let value = T::decode(node, out)?;
        let span = node.span;
        Some(Self { value, span })
    }
}

/// A list. Entries that cannot be decoded are left out; the build has failed by then.
#[derive(Clone, Debug)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) span: Span,
    /// Whether every entry could be decoded.
    pub(crate) complete: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            span: Span::default(),
            complete: true,
        }
    }
}

impl<T: Decode> Decode for List<T> {
    fn shape() -> Shape {
        let Shape { words, mappings } = T::shape();
        let words = format!("list of {words}");
        Shape { words, mappings }
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let Value::Sequence(nodes) = &node.value else {
            out.push(wrong_type(node, "a list").help("put the value in brackets: `[…]`"));
            return None;
        };
        let items: Vec<T> = nodes
            .iter()
            .filter_map(|node| T::decode(node, out))
            .collect();
        Some(Self {
            complete: items.len() == nodes.len(),
            items,
            span: node.span,
        })
    }
}

impl<T> List<T> {
    /// Whether the author wrote no entry at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.complete
    }
}

/// A list with at least one entry.
#[derive(Clone, Debug)]
pub(crate) struct NonEmpty<T>(pub(crate) List<T>);

impl<T: Decode> Decode for NonEmpty<T> {
    fn shape() -> Shape {
        List::<T>::shape()
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let list = List::decode(node, out)?;
        if list.is_empty() {
            let message = "the list has no entry";
            out.push(
                Diagnostic::new(Code::EmptyList, node.span, message)
                    .help("add an entry, or delete the field if it may be left out"),
            );
            return None;
        }
        Some(Self(list))
    }
}

impl Decode for bool {
    fn shape() -> Shape {
        Shape::words("`true` or `false`")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Scalar(Scalar { text, plain: true }) if text == "true" => Some(true),
            Value::Scalar(Scalar { text, plain: true }) if text == "false" => Some(false),
            _ => {
                out.push(wrong_type(node, "`true` or `false`").help("write it without quotes"));
                None
            }
        }
    }
}

impl Decode for u64 {
    fn shape() -> Shape {
        Shape::words("number")
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let number = match &node.value {
            Value::Scalar(Scalar { text, plain: true })
                if text.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                text.parse().ok()
            }
            _ => None,
        };
        if number.is_none() {
            out.push(wrong_type(node, "a whole number").help("write digits alone, without quotes"));
        }
        number
    }
}

/// Reads a text. A text without quotes that some reader of YAML takes for something else is refused:
/// `values: [no]` is the word for one and `false` for another.
pub(crate) fn text<'n>(node: &'n Node, out: &mut Diagnostics) -> Option<&'n str> {
    let Value::Scalar(Scalar { text, plain }) = &node.value else {
        out.push(wrong_type(node, "text").help("write one value"));
        return None;
    };
    if *plain && is_ambiguous(text) {
        let diagnostic = wrong_type(node, "text");
        out.push(match text.as_str() {
            "" => diagnostic.help("write a value, or delete the field"),
            text => diagnostic.help(format!(
                "if you mean the text, put it in quotes: \"{text}\""
            )),
        });
        return None;
    }
    if text.is_empty() {
        out.push(
            Diagnostic::new(Code::InvalidValue, node.span, "the text is empty")
                .help("write a value, or delete the field"),
        );
        return None;
    }
    Some(text)
}

/// Reads one of several words.
pub(crate) fn choice<T: Clone>(
    node: &Node,
    choices: &[(&str, T)],
    out: &mut Diagnostics,
) -> Option<T> {
    let text = text(node, out)?;
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Some(value.clone());
    }
    let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
    let message = format!("`{text}` is not one of the values of this field");
    out.push(
        Diagnostic::new(Code::InvalidValue, node.span, message).help(suggest::among(text, &names)),
    );
    None
}

/// The words of a [`choice`], for its shape.
pub(crate) fn choices_shape<T>(choices: &[(&str, T)]) -> Shape {
    let names: Vec<String> = choices
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    Shape::words(&suggest::either(&names))
}

pub(crate) fn wrong_type(node: &Node, expected: &str) -> Diagnostic {
    let message = format!("expected {expected}, found {}", node.kind());
    Diagnostic::new(Code::WrongType, node.span, message)
}

// === Mappings ===

/// The fields of a mapping that is being decoded.
pub(crate) struct Fields<'a> {
    entries: &'a [(Key, Node)],
    span: Span,
    title: &'static str,
    out: &'a mut Diagnostics,
}

impl<'a> Fields<'a> {
    /// Opens a mapping and reports fields that it does not have.
    pub(crate) fn open(
        node: &'a Node,
        mapping: &'static Mapping,
        out: &'a mut Diagnostics,
    ) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            out.push(wrong_type(node, "a mapping").help(known_fields(mapping)));
            return None;
        };
        for (key, _) in entries {
            match mapping.fields.iter().find(|field| field.name == key.name) {
                Some(field) if field.presence == Presence::Later => {
                    let message = format!("`{}` is not supported yet", key.name);
                    out.push(
                        Diagnostic::new(Code::NotYet, key.span, message)
                            .help("it comes with a later version; delete it until then"),
                    );
                }
                Some(_) => {}
                None => out.push(unknown_field(key, mapping)),
            }
        }
        Some(Self {
            entries,
            span: node.span,
            title: mapping.title,
            out,
        })
    }

    fn find(&self, name: &str) -> Option<&'a Node> {
        self.entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
    }

    pub(crate) fn required<T: Decode>(&mut self, name: &str) -> Option<T> {
        let Some(node) = self.find(name) else {
            let message = format!("{} has no `{name}`", self.title);
            let help = format!("add `{name}: …` ({})", T::shape().words);
            self.out
                .push(Diagnostic::new(Code::MissingField, self.span, message).help(help));
            return None;
        };
        T::decode(node, self.out)
    }

    pub(crate) fn optional<T: Decode>(&mut self, name: &str) -> Option<Option<T>> {
        Some(self.find(name).and_then(|node| T::decode(node, self.out)))
    }

    /// An optional field whose presence decides what the others mean: one that is set and cannot be
    /// decoded is not taken for one that is left out.
    pub(crate) fn either<T: Decode>(&mut self, name: &str) -> Option<Option<T>> {
        match self.find(name) {
            Some(node) => T::decode(node, self.out).map(Some),
            None => Some(None),
        }
    }

    /// A field whose default is this text.
    pub(crate) fn default<T: Decode>(&mut self, name: &str, default: &str) -> Option<T> {
        let implied = Node::implied(default, self.span);
        self.optional(name)?
            .or_else(|| T::decode(&implied, self.out))
    }

    /// A list that is empty when it is left out. One that is there and has no entry is refused: as a
    /// part of a rule it would match everything, and a template that lost its values looks like that.
    pub(crate) fn list<T: Decode>(&mut self, name: &str) -> Option<List<T>> {
        let Some(node) = self.find(name) else {
            return Some(List::default());
        };
        let list = NonEmpty::decode(node, self.out).map(|NonEmpty(list)| list);
        Some(list.unwrap_or(List {
            items: Vec::new(),
            span: node.span,
            complete: false,
        }))
    }
}

fn unknown_field(key: &Key, mapping: &Mapping) -> Diagnostic {
    let names: Vec<&str> = mapping.fields.iter().map(|field| field.name).collect();
    let message = format!("{} has no field `{}`", mapping.title, key.name);
    let help = match suggest::nearest(&key.name, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => known_fields(mapping),
    };
    Diagnostic::new(Code::UnknownField, key.span, message).help(help)
}

fn known_fields(mapping: &Mapping) -> String {
    let fields = mapping.fields.iter();
    let names: Vec<String> = fields.map(|field| format!("`{}`", field.name)).collect();
    format!("its fields are {}", names.join(", "))
}

/// Declares mappings: `kind field: Type = "name";` where kind is `required`, `optional`, `either`,
/// `list` or `default("text")`, and `later "name";` for a field that is refused until a later version.
macro_rules! mapping {
    ($(
        $(#[doc = $about:literal])+
        struct $name:ident = $title:literal {
            $(
                $(#[doc = $doc:literal])+
                $kind:ident $(($default:literal))? $field:ident: $type:ty = $key:literal;
            )*
            $( later { $( $(#[doc = $later_doc:literal])+ $later:literal; )* } )?
        }
    )*) => { $(
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        #[allow(dead_code, reason = "some fields say all they have to say by being decoded")]
        pub(crate) struct $name {
            $( $(#[doc = $doc])+ pub(crate) $field: $type, )*
        }

        impl $name {
            /// The declaration.
            pub(crate) const MAPPING: &'static Mapping = &Mapping {
                title: $title,
                about: concat!($($about, "\n"),+),
                fields: &[
                    $( Field {
                        name: $key,
                        about: concat!($($doc, "\n"),+),
                        presence: mapping!(@presence $kind $(($default))?),
                        shape: <$type as Decode>::shape,
                    }, )*
                    $( $( Field {
                        name: $later,
                        about: concat!($($later_doc, "\n"),+),
                        presence: Presence::Later,
                        shape: later_shape,
                    }, )* )?
                ],
            };
        }

        impl Decode for $name {
            fn shape() -> Shape {
                Shape {
                    words: $title.to_owned(),
                    mappings: vec![Self::MAPPING],
                }
            }

            fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
                let mut fields = Fields::open(node, Self::MAPPING, out)?;
                // All fields are decoded before the first failure ends it.
                $( let $field = fields.$kind($key $(, $default)?); )*
                Some(Self { $( $field: $field?, )* })
            }
        }
    )* };
    (@presence required) => { Presence::Required };
    (@presence optional) => { Presence::Optional };
    (@presence either) => { Presence::Optional };
    (@presence list) => { Presence::Optional };
    (@presence default($default:literal)) => { Presence::Default($default) };
}

pub(crate) use mapping;

/// The shape of what does not exist yet.
pub(crate) fn later_shape() -> Shape {
    Shape::words("not supported yet")
}

impl<T: Decode> Decode for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        T::decode(node, out).map(Some)
    }
}
