//! A JSON document as a tree that keeps every byte, for the reference.

/// A value with the bytes that it is written with.
pub(super) enum Node {
    Scalar(String),
    String(Vec<Character>),
    Container {
        object: bool,
        children: Vec<Child>,
        /// White space in an empty container.
        inside: String,
    },
}

pub(super) struct Character {
    pub(super) decoded: char,
    pub(super) raw: String,
}

pub(super) struct Child {
    pub(super) before: String,
    pub(super) name: Option<Vec<Character>>,
    /// From the name to the value: white space and the colon.
    pub(super) between: String,
    pub(super) value: Node,
    pub(super) after: String,
}

pub(super) struct Reader<'a>(pub(super) &'a str);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    pub(super) fn gap(&mut self) -> String {
        let rest = self.0.trim_start_matches([' ', '\n', '\r', '\t']);
        self.take(self.0.len() - rest.len()).to_owned()
    }

    pub(super) fn value(&mut self) -> Node {
        match self.0.as_bytes()[0] {
            b'"' => Node::String(self.string()),
            b'{' => self.container('}', true),
            b'[' => self.container(']', false),
            _ => {
                let end = self
                    .0
                    .find([',', ']', '}', ' ', '\n', '\r', '\t'])
                    .unwrap_or(self.0.len());
                Node::Scalar(self.take(end).to_owned())
            }
        }
    }

    fn string(&mut self) -> Vec<Character> {
        self.take(1);
        let mut characters = Vec::new();
        loop {
            let first = self.0.chars().next().unwrap();
            if first == '"' {
                self.take(1);
                return characters;
            }
            let length = match (first, self.0.as_bytes()[1]) {
                ('\\', b'u') if self.is_pair() => 12,
                ('\\', b'u') => 6,
                ('\\', _) => 2,
                _ => first.len_utf8(),
            };
            let raw = self.take(length).to_owned();
            let decoded = serde_json::from_str::<String>(&format!("\"{raw}\""));
            let decoded = decoded.map_or('\u{fffd}', |text| text.chars().next().unwrap());
            characters.push(Character { decoded, raw });
        }
    }

    fn is_pair(&self) -> bool {
        let unit = |at: usize| {
            let hex = self.0.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(hex, 16).ok()
        };
        unit(0).is_some_and(|high| high >> 10 == 0x36)
            && unit(6).is_some_and(|low| low >> 10 == 0x37)
    }

    fn container(&mut self, close: char, object: bool) -> Node {
        self.take(1);
        let mut children = Vec::new();
        let mut before = self.gap();
        if self.0.starts_with(close) {
            self.take(1);
            return Node::Container {
                object,
                children,
                inside: before,
            };
        }
        loop {
            let name = object.then(|| self.string());
            let mut between = String::new();
            if object {
                between = self.gap();
                between.push_str(self.take(1));
                between.push_str(&self.gap());
            }
            let value = self.value();
            let after = self.gap();
            children.push(Child {
                before,
                name,
                between,
                value,
                after,
            });
            if self.take(1).starts_with(close) {
                let inside = String::new();
                return Node::Container {
                    object,
                    children,
                    inside,
                };
            }
            before = self.gap();
        }
    }
}

/// The bytes of a value as they came.
pub(super) fn write(node: &Node) -> String {
    let raw = |characters: &[Character]| {
        let inside: String = characters.iter().map(|c| &*c.raw).collect();
        format!("\"{inside}\"")
    };
    match node {
        Node::Scalar(text) => text.clone(),
        Node::String(characters) => raw(characters),
        Node::Container {
            object,
            children,
            inside,
        } => {
            let children = children.iter().map(|child| {
                let name = child.name.as_deref().map(raw).unwrap_or_default();
                let value = write(&child.value);
                format!(
                    "{}{name}{}{value}{}",
                    child.before, child.between, child.after
                )
            });
            let children: Vec<String> = children.collect();
            let (open, close) = if *object { ('{', '}') } else { ('[', ']') };
            format!("{open}{inside}{}{close}", children.join(","))
        }
    }
}
