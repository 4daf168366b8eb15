//! How the story looks in a terminal: at most 100 columns, colours only where there is a terminal.

use std::io::{IsTerminal as _, Write as _, stdout};

use serde_json::Value;
use tracegate_tests::http::{Request, Response};
use tracegate_tests::standins::engine::put_together;

/// Columns that a line may have.
const WIDTH: usize = 100;
/// What stands before the lines of a step.
const INDENT: &str = "   ";
/// Columns of the names in a record.
const MARGIN: usize = 19;

/// Writes the story.
pub(crate) struct Show {
    coloured: bool,
    steps: usize,
}

/// Colours by what they say.
#[derive(Clone, Copy)]
enum Colour {
    Bold,
    Dim,
    Good,
    Bad,
    Hidden,
}

impl Show {
    pub(crate) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none();
        Self {
            coloured: wanted && stdout().is_terminal(),
            steps: 0,
        }
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.coloured {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Bold => "1",
            Colour::Dim => "2",
            Colour::Good => "32",
            Colour::Bad => "31",
            Colour::Hidden => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A line as it stands. The story goes on when nobody listens any more.
    pub(crate) fn line(&self, text: &str) {
        let _ = writeln!(stdout(), "{text}");
    }

    /// The heading of a step and what it is about.
    pub(crate) fn step(&mut self, title: &str, about: &str) {
        self.steps += 1;
        self.line("");
        self.line(&self.paint(Colour::Bold, &format!("{}. {title}", self.steps)));
        for line in wrap(about, WIDTH - INDENT.len()) {
            self.line(&format!("{INDENT}{line}"));
        }
        self.line("");
    }

    /// A request, its token named and not shown.
    pub(crate) fn request(&self, request: &Request, token: &str) {
        let Request {
            method,
            authority,
            path,
            ..
        } = request;
        self.line(&format!("{INDENT}> {method} http://{authority}{path}"));
        self.line(&format!(
            "{INDENT}> authorization: {}",
            self.paint(Colour::Dim, token)
        ));
        let body = request.body.concat();
        if !body.is_empty() {
            self.block("> ", &String::from_utf8_lossy(&body));
        }
    }

    /// The answer: its status, its challenge, what of its body tells the story.
    pub(crate) fn response(&self, response: &Response) {
        let colour = if response.status < 400 {
            Colour::Good
        } else {
            Colour::Bad
        };
        let status = format!("{} {}", response.status, reason(response.status));
        self.line(&format!("{INDENT}< {}", self.paint(colour, &status)));
        if let Some(challenge) = response.headers.get("www-authenticate") {
            self.block("< ", &format!("www-authenticate: {challenge}"));
        }
        let streamed = put_together(response);
        if streamed.is_some() {
            let events = response.text().matches("data: ").count();
            self.line(&format!(
                "{INDENT}< ({events} events; their texts put together:)"
            ));
        }
        for (name, text) in telling(&streamed.unwrap_or_else(|| response.json())) {
            self.block("< ", &format!("{name}: {text}"));
        }
        self.line("");
    }

    /// The essence of an audit record.
    pub(crate) fn record(&self, record: &Value) {
        for (index, (name, text)) in essence(record).into_iter().enumerate() {
            let title = if index == 0 { "record" } else { "" };
            let margin = format!(
                "{INDENT}{}",
                self.paint(Colour::Dim, &format!("{title:<8}{name:<11}"))
            );
            let mut lines = wrap(&text, WIDTH - INDENT.len() - MARGIN).into_iter();
            self.line(&format!("{margin}{}", lines.next().unwrap_or_default()));
            for line in lines {
                self.line(&format!("{INDENT}{:MARGIN$}{line}", ""));
            }
        }
    }

    fn block(&self, margin: &str, text: &str) {
        for (index, line) in wrap(text, WIDTH - INDENT.len() - margin.len() - 2)
            .iter()
            .enumerate()
        {
            let indent = if index == 0 { "" } else { "  " };
            self.line(&format!("{INDENT}{margin}{indent}{}", self.highlight(line)));
        }
    }

    /// Marks what stands in place of something hidden.
    fn highlight(&self, line: &str) -> String {
        let mut shown = String::with_capacity(line.len());
        for word in line.split_inclusive(' ') {
            let hidden = word.contains("[")
                && word.contains("]")
                && word.chars().any(|c| c.is_ascii_uppercase())
                || word.contains("****")
                || word.contains("hmac:");
            shown.push_str(&if hidden {
                self.paint(Colour::Hidden, word)
            } else {
                word.to_owned()
            });
        }
        shown
    }
}

/// Breaks a text at its spaces.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let fits = |line: &&mut String| line.chars().count() + 1 + word.chars().count() <= width;
        match lines.last_mut().filter(fits) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        _ => "",
    }
}

/// The members of a body that tell the story: of a problem its code, title and rule; of a chat the
/// message.
fn telling(body: &Value) -> Vec<(&'static str, String)> {
    let places = [
        ("code", "/code"),
        ("title", "/title"),
        ("rule", "/rule"),
        ("content", "/choices/0/message/content"),
        ("reasoning_content", "/choices/0/message/reasoning_content"),
        (
            "tool call",
            "/choices/0/message/tool_calls/0/function/arguments",
        ),
    ];
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str);
    places
        .into_iter()
        .filter_map(|(name, pointer)| Some((name, text(pointer)?.to_owned())))
        .collect()
}

/// Who, what, how it was decided, what was hidden.
fn essence(record: &Value) -> Vec<(&'static str, String)> {
    let found = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let text = |pointer: &str| found(pointer).unwrap_or("-");
    let who = match found("/actor/user/uid") {
        Some(subject) => format!("{subject}, says {}", text("/actor/session/issuer")),
        None => text("/actor/user/name").to_owned(),
    };
    let supplier = found("/unmapped/tracegate/supplier");
    let what = format!(
        "{} on {}{}",
        text("/api/operation"),
        text("/unmapped/tracegate/connection"),
        supplier.map_or(String::new(), |name| format!(", run by {name}")),
    );
    // What is refused for its token is refused before any rule; the record calls that `authn`.
    let by = match text("/firewall_rule/name") {
        "authn" => "the check of the token".to_owned(),
        rule => format!("the rule {rule}"),
    };
    let decided = format!(
        "{} ({}) by {by}; policy {} revision {}",
        text("/action"),
        text("/disposition"),
        text("/policy/name"),
        text("/policy/version"),
    );
    let mut lines = vec![("who", who), ("what", what), ("decided", decided)];
    if let Some(code) = found("/unmapped/tracegate/code") {
        lines.push(("code", code.to_owned()));
        return lines;
    }
    let masked = masked(record);
    let none = masked.is_empty();
    lines.push((
        "masked",
        if none {
            "nothing".to_owned()
        } else {
            masked.join("; ")
        },
    ));
    lines.push((
        "inspected",
        text("/unmapped/tracegate/inspected").to_owned(),
    ));
    lines
}

/// What was hidden: detector, count, place.
fn masked(record: &Value) -> Vec<String> {
    let found = record.pointer("/resources/0/data_classifications");
    let lists = found.and_then(Value::as_array).into_iter().flatten();
    let details = lists.flat_map(|list| list["discovery_details"].as_array().into_iter().flatten());
    details
        .map(|detail| {
            let occurrences = detail["occurrences"].as_array().into_iter().flatten();
            let paths: Vec<_> = occurrences
                .filter_map(|occurrence| occurrence["json_path"].as_str())
                .map(|path| {
                    let ends = [".message", ".delta"];
                    let mut ends = ends.iter().filter_map(|inner| path.rsplit_once(inner));
                    ends.next().map_or(path, |(_, end)| end)
                })
                .collect();
            format!(
                "{} x{} in {}",
                detail["type"].as_str().unwrap_or("-"),
                detail["count"],
                paths.join(", ")
            )
        })
        .collect()
}
