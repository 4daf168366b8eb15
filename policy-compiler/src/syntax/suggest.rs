//! "Did you mean": the nearest of a list of names.

/// Longest name that is compared; the work grows with the product of the lengths.
const MAX_LENGTH: usize = 64;

/// The name that the author most likely meant, if one is near enough to be worth saying.
pub(crate) fn nearest<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    if written.len() > MAX_LENGTH {
        return None;
    }
    let fold = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let folded = fold(written);
    names
        .iter()
        .map(|&name| (distance(&folded, &fold(name)), name))
        .filter(|&(distance, name)| distance <= (name.len() + 1) / 3)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// A help text that names the nearest, or all if none is near.
pub(crate) fn among(written: &str, names: &[&str]) -> String {
    match nearest(written, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("it can be {}", either(&names))
        }
    }
}

/// `a, b or c`.
pub(crate) fn either(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

/// Edits that turn one text into the other: insertions, deletions, replacements (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (above, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let best = (diagonal + usize::from(a != b))
                .min(left + 1)
                .min(*above + 1);
            diagonal = std::mem::replace(above, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (from, to, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(from, to), expected, "{from} to {to}");
            assert_eq!(distance(to, from), expected, "{to} to {from}");
        }
    }

    #[test]
    fn another_case_or_separator_is_always_near_and_nonsense_never() {
        let names = ["jwksUri", "audiences", "issuer", "in"];
        assert_eq!(nearest("jwks_uri", &names), Some("jwksUri"));
        assert_eq!(nearest("audience", &names), Some("audiences"));
        assert_eq!(nearest("isuer", &names), Some("issuer"));
        assert_eq!(nearest("banana", &names), None);
        assert_eq!(nearest(&"x".repeat(1000), &names), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(either(&names), "a, b or c");
        assert_eq!(either(&names[..1]), "a");
    }
}
