//! The templates, and how values are put into them.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
};

use super::plan::Plan;
use super::{Part, RenderError};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("envoy/", $name)))),*]
    };
}

const TEMPLATES: &[(&str, &str)] = templates![
    "access_log.yaml",
    "access_log_sink.yaml",
    "bootstrap.yaml",
    "cluster.yaml",
    "clusters.yaml",
    "ecds.yaml",
    "http_filters.yaml",
    "stats_tags.yaml",
    "wasm.yaml",
];

pub(super) fn render(part: Part, plan: &Plan) -> Result<String, RenderError> {
    let name = match part {
        Part::Bootstrap => "bootstrap.yaml",
        Part::HttpFilters => "http_filters.yaml",
        Part::AccessLog => "access_log.yaml",
        Part::Clusters => "clusters.yaml",
        Part::StatsTags => "stats_tags.yaml",
        Part::Ecds => "ecds.yaml",
    };
    let text = environment()?.get_template(name)?.render(Serde(plan))?;
    Ok(text)
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .keep_trailing_newline(true)
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("yaml".into()));
    environment.set_formatter(write_value);
    environment.add_filter("indent", indent);
    environment.add_filter("comment", comment);
    environment.add_filter("single_quoted", single_quoted);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// Puts a value into a template, as YAML.
fn write_value(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    let text = match value.kind() {
        ValueKind::String if !value.is_safe() => scalar(value.as_str().unwrap_or_default()),
        ValueKind::String | ValueKind::Number => value.to_string(),
        ValueKind::Bool => value.is_true().to_string(),
        kind => {
            let message = format!("{kind} cannot stand in YAML");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
    };
    out.write_str(&text).map_err(Error::from)
}

/// A YAML scalar that is read as exactly this text: plain where that is certain, else in double
/// quotes, whose escapes are those of JSON (YAML 1.2 §7.3.1).
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    // JSON leaves DEL as it is, which YAML does not allow.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.replace('\u{7f}', "\\u007f")
}

/// Whether a text needs no quotes wherever it stands: a word that is no number, boolean or null.
fn is_plain(text: &str) -> bool {
    const TAKEN: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
        && !TAKEN.iter().any(|taken| text.eq_ignore_ascii_case(taken))
}

// === Filters ===

/// Moves every line that is not empty to the right.
fn indent(text: &str, by: usize) -> Value {
    let mut indented = String::with_capacity(text.len() * 2);
    for line in text.split_inclusive('\n') {
        if line != "\n" {
            indented.extend(std::iter::repeat_n(' ', by));
        }
        indented.push_str(line);
    }
    Value::from_safe_string(indented)
}

/// A text within a comment: it must not end it.
fn comment(text: &str) -> Value {
    let printable = |c: char| {
        if c.is_control() || "\u{2028}\u{2029}".contains(c) {
            ' '
        } else {
            c
        }
    };
    Value::from_safe_string(text.chars().map(printable).collect())
}

/// A text of one line in single quotes, in which JSON stays readable.
fn single_quoted(text: &str) -> Value {
    Value::from_safe_string(format!("'{}'", text.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_as_something_else_is_quoted() {
        for text in [
            "",
            "true",
            "No",
            "1.40",
            "127.0.0.1",
            "*",
            "a: b",
            "a #b",
            "- a",
            "a,b",
            "é",
        ] {
            assert_eq!(scalar(text), format!("{text:?}"), "{text}");
        }
        assert_eq!(scalar("a\"\n\u{7f}"), r#""a\"\n\u007f""#);
    }

    #[test]
    fn names_and_paths_stay_as_they_are() {
        for text in [
            "o-series",
            "/etc/envoy/filter.wasm",
            "x-api-key",
            "reasoning.corp.example",
        ] {
            assert_eq!(scalar(text), text);
        }
    }

    #[test]
    fn a_comment_ends_where_its_line_ends() {
        assert_eq!(comment("a\nb: c\u{2028}d").to_string(), "a b: c d");
    }
}
