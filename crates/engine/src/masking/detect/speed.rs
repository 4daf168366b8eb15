//! How fast the scanner is with all built-in detectors:
//! `cargo test --release -p tracegate-engine detect::speed -- --ignored --nocapture`

use std::hint::black_box;

use super::tests::built_in_detectors_once;
use super::{Detectors, Scanner};

const TEXTS: [(&str, &str); 6] = [
    (
        "clean JSON",
        r#"{"id":"prod-00017","title":"The quick brown fox jumps over the lazy dog","price":1299.95,"stock":17,"created":1700000000000,"tags":["garden","outdoor","wood"],"text":"A sturdy bench of oak, weatherproof and easy to set up. Delivery within five working days."},"#,
    ),
    (
        "personal data",
        r#"{"name":"Ada Lovelace","email":"ada.lovelace@example.com","phone":"+1 (555) 123-4567","ssn":"123-45-6789","card":"4111 1111 1111 1111","iban":"DE89 3704 0044 0532 0130 00","ip":"203.0.113.7","note":"call before noon"},"#,
    ),
    (
        "prose",
        "The model thinks about what the user asked, and then answers in plain words. ",
    ),
    ("digits", "4 2 3 4 5 6 7 8 9 "),
    ("near tokens", "eyJ-eyJ-sk-"),
    ("near addresses", "a.b-c_d%e+"),
];

/// Nanoseconds that this thread has spent on a processor: a busy machine does not distort them much.
/// They advance in steps of up to 4 ms.
fn processor_time() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse().unwrap()
}

/// Bytes per microsecond of `work` on `bytes` bytes, repeated for about half a second.
fn rate(bytes: usize, mut work: impl FnMut()) -> f64 {
    let begin = processor_time();
    let mut times = 0;
    while processor_time() < begin + 500_000_000 {
        work();
        times += 1;
    }
    (times * bytes) as f64 / (processor_time() - begin) as f64 * 1e3
}

#[test]
#[ignore = "measures, asserts nothing"]
fn throughput() {
    let detectors = built_in_detectors_once();
    let set = detectors.set().clone();
    let build = rate(1, || drop(black_box(Detectors::new(set.clone()))));
    println!("tables: {:.2} ms", 1e-3 / build);
    for (name, unit) in TEXTS {
        let text = unit.repeat((1 << 20) / unit.len());
        // What one look-up per byte costs: the yardstick on whatever machine this runs.
        let step = |state, byte| detectors.next(state, byte).max(1);
        let bare = rate(text.len(), || {
            black_box(text.bytes().fold(1, step));
        });
        print!("{name:>14}: bare look-ups {bare:4.0} MB/s");
        let mut scanner = Scanner::new();
        let mut found = Vec::new();
        for (how, chunk) in [("16 KiB", 16_384), ("64 B", 64)] {
            let rate = rate(text.len(), || {
                found.clear();
                for piece in text.as_bytes().chunks(chunk) {
                    scanner.push(detectors, u64::MAX, piece, &mut found);
                }
                scanner.finish(detectors, u64::MAX, &mut found);
            });
            print!(", in pieces of {how} {rate:4.0} MB/s");
        }
        println!(", {} found", found.len());
    }
}
