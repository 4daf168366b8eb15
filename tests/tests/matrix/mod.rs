//! What the matrix is made of.

pub(crate) mod secrets;
pub(crate) mod shapes;

use std::fmt::Write as _;

use policy_compiler::automata::built_in_names;

use secrets::secrets;
use shapes::SHAPES;

/// A policy with every detector, for everyone.
pub(crate) fn policy() -> String {
    let detectors: Vec<&str> = built_in_names().collect();
    format!(
        "apiVersion: tracegate.dev/v1alpha1\n\
         kind: TracePolicy\n\
         metadata: {{name: leak-matrix, revision: 1}}\n\
         spec:\n\
         \x20 connections:\n\
         \x20 - name: everything\n\
         \x20   hosts: [reasoning.corp.example]\n\
         \x20   allowMissing: true\n\
         \x20   decode: [gzip]\n\
         \x20   rules:\n\
         \x20   - {{name: reading, action: ALLOW, to: [{{operation: {{methods: [GET]}}}}]}}\n\
         \x20   mask:\n\
         \x20   - detect: [{}]\n",
        detectors.join(", ")
    )
}

/// `docs/leak-matrix.md`.
pub(crate) fn page() -> String {
    let secrets = secrets();
    let mut page = String::from(PAGE);
    let (mut all, mut few) = (0, 0);
    for shape in SHAPES {
        let count = |slow| -> usize {
            let cases = secrets.iter().map(|secret| shape.cases(secret, slow).len());
            cases.sum()
        };
        let (every, some) = (count(false), count(true));
        let rival = shape.rival.unwrap_or("not tried");
        let _ = writeln!(
            page,
            "| {} | {every} | {some} | nothing | {rival} |",
            shape.name
        );
        all += every;
        few += some;
    }
    let _ = writeln!(page, "| **all** | **{all}** | **{few}** | | |");
    page
}

const PAGE: &str = "\
# The leak matrix

<!-- Written by `UPDATE_DOCS=1 cargo test --workspace --test leak_matrix the_page`. -->

A mask is worth what it does on the worst day of the wire. So each secret of the catalogue (the first
example of every detector in [detectors.md](detectors.md)) is sent in each shape in which an answer can
come, and cut at every place: the bytes of the body into two writes, the text of a stream into two events,
and into one event a character. An exchange counts as clean when the answer comes whole, with the sentence
around the secret, and no five neighbouring characters of the secret stand anywhere in the answer or in the
text that a client puts together from its events, nor nine in its headers or the audit record (which have
times, ids and digests, where five digits of anything turn up).

The engine and the compiled filter play every cut (of the two long bodies the middle one); a real Envoy, over
HTTP/1.1 and again over HTTP/2, plays the middle one for each secret.
`cargo test --workspace --test leak_matrix -- --nocapture` repeats it and prints the counts; one of its tests
sees to it that an answer that is passed on as it came is caught in every shape.

Not in the table, because it is refused: events streamed as the elements of a JSON array
([streams.md](streams.md)).

The last column is what hoop-inspect 0.1.0 let through when the same shapes were put to it with an e-mail
address and a card number (November 2026, run from source; later versions were not looked at).

| shape | exchanges, engine and wasm | exchanges, Envoy | Tracegate lets through | hoop-inspect let through |
|---|---|---|---|---|
";
