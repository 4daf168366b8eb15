//! The command line as its users see it: the real binary, its files and its exit codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const POLICY: &str = include_str!("policies/reasoning.yaml");

fn run_in(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_policy-compiler"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

/// A directory with a policy and a key.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        let workshop = Self(TempDir::new().unwrap());
        workshop.write("policy.yaml", POLICY);
        workshop.succeeds(&["keygen", "-o", "author"]);
        workshop
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run_in(self.0.path(), arguments)
    }

    /// The exit code.
    fn exit(&self, arguments: &[&str]) -> i32 {
        self.run(arguments).status.code().unwrap()
    }

    /// What is printed by a run that ends with 0.
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn built(self) -> Self {
        self.succeeds(&[
            "build",
            "policy.yaml",
            "-o",
            "bundle.json",
            "--key",
            "author.key",
        ]);
        self
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_policy_goes_from_yaml_to_a_bundle_that_a_filter_would_accept() {
    let workshop = Workshop::new().built();
    let verified = workshop.succeeds(&["verify", "bundle.json", "--trust", "author.pub"]);
    assert!(verified.starts_with("bundle.json: verified\nreasoning revision 7\nsha256:"));
    let trust = workshop.read("author.pub");
    workshop.succeeds(&["verify", "bundle.json", "--trust", trust.trim()]);
    let inspected = workshop.succeeds(&["inspect", "bundle.json"]);
    assert!(inspected.contains("DENY  no-model-deletion"), "{inspected}");
    assert!(
        inspected.contains("expires    2027-01-15T08:00:00Z"),
        "{inspected}"
    );
}

/// What `detect` prints about a text, and its exit code.
fn detect(text: &str, arguments: &[&str]) -> (Vec<Value>, i32) {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("text"), text).unwrap();
    let output = run_in(directory.path(), &[&["detect", "text"], arguments].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    (
        lines.lines().map(json).collect(),
        output.status.code().unwrap(),
    )
}

#[test]
fn detect_tells_where_what_is_found_and_how_certain_but_not_the_value() {
    let text = "ada@example.com, 123-45-6789, SSN 123-45-6789";
    let found = vec![
        serde_json::json!({"start": 0, "end": 15, "detector": "email", "score": 0.9}),
        serde_json::json!({"start": 17, "end": 28, "detector": "us-ssn", "score": 0.7}),
        serde_json::json!({"start": 34, "end": 45, "detector": "us-ssn", "score": 0.9}),
    ];
    assert_eq!(
        detect(text, &["--detector", "email,us-ssn"]),
        (found.clone(), 1)
    );
    let strict = ["--detector", "us-ssn", "--min-score", "0.9"];
    assert_eq!(detect(text, &strict), (found[2..].to_vec(), 1));
    let (shown, _) = detect(text, &["--detector", "email", "--show"]);
    assert_eq!(shown[0]["text"], "ada@example.com");
    assert_eq!(detect("nothing to see", &[]), (Vec::new(), 0));
}

#[test]
fn detect_takes_lines_for_texts_of_their_own() {
    let text = "SSN\n123456789\nSSN 123456789";
    let starts = |arguments: &[&str]| -> Vec<u64> {
        let (found, _) = detect(text, &[&["--detector", "us-ssn"], arguments].concat());
        found
            .iter()
            .map(|it| it["start"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(starts(&[]), [4, 18]);
    assert_eq!(starts(&["--lines"]), [18]);
}

#[test]
fn detect_refuses_what_it_does_not_know() {
    assert_eq!(detect("", &["--detector", "e-mail"]).1, 64);
    assert_eq!(detect("", &["--min-score", "2"]).1, 64);
    let nowhere = TempDir::new().unwrap();
    let output = run_in(nowhere.path(), &["detect", "missing"]);
    assert_eq!(output.status.code(), Some(74));
}

#[test]
fn the_same_policy_gives_the_same_bytes_wherever_it_lies() {
    let (here, there) = (Workshop::new().built(), Workshop::new());
    there.write("author.key", here.read("author.key"));
    std::fs::create_dir(there.0.path().join("deep")).unwrap();
    there.write("deep/other.yml", POLICY);
    let output = here.0.path().join("copy.json");
    let output = output.to_str().unwrap();
    there.succeeds(&[
        "build",
        "deep/other.yml",
        "-o",
        output,
        "--key",
        "author.key",
    ]);
    assert_eq!(here.read("copy.json"), here.read("bundle.json"));
}

#[test]
fn exit_codes_tell_findings_usage_unreadable_input_and_io_apart() {
    let workshop = Workshop::new().built();
    workshop.write("findings.yaml", POLICY.replace("issuer:", "isuer:"));
    workshop.write("warnings.yaml", POLICY.replace(", revision: 7", ""));
    workshop.write("broken.yaml", "spec: [");
    workshop.write("latin1.yaml", b"spec: caf\xe9");
    workshop.write("empty.json", "{}");
    let cases: &[(i32, &[&str])] = &[
        (0, &["check", "policy.yaml"]),
        (0, &["check", "warnings.yaml"]),
        (0, &["--help"]),
        (1, &["check", "findings.yaml"]),
        (1, &["build", "findings.yaml", "-o", "x.json"]),
        (
            1,
            &["build", "warnings.yaml", "-o", "x.json", "--deny-warnings"],
        ),
        (64, &[]),
        (64, &["chekc", "policy.yaml"]),
        (64, &["build", "policy.yaml"]),
        (
            64,
            &["build", "policy.yaml", "-o", "x.json", "--expires", "30d"],
        ),
        (
            64,
            &["build", "policy.yaml", "-o", "x.json", "--revision", "0"],
        ),
        (65, &["check", "broken.yaml"]),
        (65, &["check", "latin1.yaml"]),
        (65, &["inspect", "policy.yaml"]),
        (65, &["inspect", "empty.json"]),
        (
            65,
            &[
                "build",
                "policy.yaml",
                "-o",
                "x.json",
                "--key",
                "author.pub",
            ],
        ),
        (65, &["verify", "bundle.json", "--trust", "sha256:0=AAAA"]),
        (74, &["check", "missing.yaml"]),
        (
            74,
            &["build", "policy.yaml", "-o", "no/such/directory.json"],
        ),
        (74, &["keygen", "-o", "author"]),
    ];
    for (expected, arguments) in cases {
        assert_eq!(workshop.exit(arguments), *expected, "{arguments:?}");
    }
    assert!(
        !workshop.0.path().join("x.json").exists(),
        "a failed build leaves no bundle"
    );
}

#[test]
fn findings_for_programs_are_objects_with_a_place() {
    let workshop = Workshop::new();
    workshop.write(
        "p.yaml",
        POLICY.replace("issuer: https://login", "isuer: https://login"),
    );
    let output = workshop.run(&["check", "p.yaml", "--format", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(json).collect();
    let unknown = lines.iter().find(|line| line["code"] == "TG0101").unwrap();
    let expected = serde_json::json!({
        "code": "TG0101", "severity": "error", "message": "jwtRule has no field `isuer`",
        "file": "p.yaml", "line": 9, "column": 5, "endLine": 9, "endColumn": 10,
        "help": "did you mean `issuer`?",
    });
    assert_eq!(*unknown, expected);
}

#[test]
fn findings_for_people_show_the_line_and_no_colours_in_a_pipe() {
    let workshop = Workshop::new();
    workshop.write(
        "p.yaml",
        POLICY.replace("issuer: https://login", "isuer: https://login"),
    );
    let output = workshop.run(&["check", "p.yaml"]);
    let text = String::from_utf8(output.stderr).unwrap();
    for part in [
        "error[TG0101]",
        "p.yaml:9:5",
        " 9 |   - isuer: https://login.corp.example\n",
        "^^^^^",
        "help: did you mean `issuer`?",
        "errors, 0 warnings",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_second_signature_stands_beside_the_first() {
    let workshop = Workshop::new().built();
    workshop.succeeds(&["keygen", "-o", "security"]);
    workshop.succeeds(&[
        "sign",
        "bundle.json",
        "--key",
        "security.key",
        "-o",
        "both.json",
    ]);
    for key in ["author.pub", "security.pub"] {
        workshop.succeeds(&["verify", "both.json", "--trust", key]);
    }
    assert_eq!(
        workshop.exit(&["verify", "bundle.json", "--trust", "security.pub"]),
        1
    );
    let inspected = json(&workshop.succeeds(&["inspect", "both.json", "--format", "json"]));
    assert_eq!(inspected["signedBy"].as_array().unwrap().len(), 2);
    assert_eq!(inspected["bundle"]["name"], "reasoning");
}

#[test]
fn an_unsigned_changed_or_expired_bundle_is_not_verified() {
    let workshop = Workshop::new().built();
    let verify = |file: &str| {
        let trust = ["verify", file, "--trust", "author.pub", "--format", "json"];
        let output = workshop.run(&trust);
        let verdict = json(&String::from_utf8(output.stdout).unwrap());
        (
            output.status.code().unwrap(),
            verdict["reason"].as_str().unwrap().to_owned(),
        )
    };
    workshop.succeeds(&["build", "policy.yaml", "-o", "unsigned.json"]);
    assert_eq!(
        verify("unsigned.json"),
        (1, "the bundle is not signed".to_owned())
    );

    let past = "2020-01-01T00:00:00Z";
    workshop.succeeds(&[
        "build",
        "policy.yaml",
        "-o",
        "expired.json",
        "--key",
        "author.key",
        "--expires",
        past,
    ]);
    assert_eq!(
        verify("expired.json"),
        (1, format!("the bundle expired at {past}"))
    );

    let signed = json(&workshop.read("bundle.json"));
    let other = json(&workshop.read("expired.json"));
    let mut changed = signed;
    changed["payload"] = other["payload"].clone();
    workshop.write("changed.json", changed.to_string());
    let (code, reason) = verify("changed.json");
    assert_eq!(code, 1);
    assert!(reason.contains("changed after it was signed"), "{reason}");
}

#[test]
fn what_is_no_bundle_is_not_signed() {
    let workshop = Workshop::new().built();
    let mut envelope = json(&workshop.read("bundle.json"));
    envelope["payload"] = "e30=".into();
    workshop.write("other.json", envelope.to_string());
    assert_eq!(
        workshop.exit(&["sign", "other.json", "--key", "author.key"]),
        65
    );
}

#[test]
fn a_bundle_is_found_inside_a_plugin_configuration() {
    let workshop = Workshop::new().built();
    let configuration = serde_json::json!({ "bundle": json(&workshop.read("bundle.json")) });
    workshop.write("configuration.json", configuration.to_string());
    workshop.succeeds(&["verify", "configuration.json", "--trust", "author.pub"]);
}

#[test]
fn a_build_can_go_through_pipes() {
    let workshop = Workshop::new();
    let text = workshop.succeeds(&["build", "policy.yaml", "-o", "-", "--key", "author.key"]);
    assert_eq!(
        json(&text)["payloadType"],
        "application/vnd.tracegate.bundle.v1+json"
    );
}

#[test]
fn the_command_line_overrides_revision_and_expiry() {
    let workshop = Workshop::new();
    let time = "2030-01-01T00:00:00Z";
    workshop.succeeds(&[
        "build",
        "policy.yaml",
        "-o",
        "b.json",
        "--revision",
        "42",
        "--expires",
        time,
    ]);
    let inspected = workshop.succeeds(&["inspect", "b.json"]);
    assert!(inspected.contains("revision   42\n"), "{inspected}");
    assert!(inspected.contains(time), "{inspected}");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_a_private_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let workshop = Workshop::new();
    let metadata = std::fs::metadata(workshop.0.path().join("author.key")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

#[test]
fn keygen_prints_the_public_key_alone() {
    let workshop = Workshop::new();
    let printed = workshop.succeeds(&["keygen", "-o", "other"]);
    assert_eq!(printed, workshop.read("other.pub"));
    assert!(printed.starts_with("sha256:"), "{printed}");
}

#[test]
fn every_finding_of_a_run_is_told_and_in_both_formats_they_are_the_same() {
    let workshop = Workshop::new();
    let broken = POLICY
        .replace("issuer: https://login", "isuer: https://login")
        .replace("kind: TracePolicy", "kind: TracePolicy\nkind: TracePolicy")
        .replace("action: DENY", "action: REFUSE");
    workshop.write("p.yaml", &broken);
    let json_lines = workshop.run(&["check", "p.yaml", "--format", "json"]);
    let people = workshop.run(&["check", "p.yaml"]);
    assert_eq!(json_lines.status.code(), Some(1));
    assert_eq!(people.status.code(), Some(1));
    let people = String::from_utf8(people.stderr).unwrap();
    let text = String::from_utf8(json_lines.stdout).unwrap();
    let found: Vec<Value> = text.lines().map(json).collect();
    let codes: Vec<_> = found
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    for code in ["TG0006", "TG0101", "TG0104"] {
        assert!(codes.contains(&code), "{code} is not in {codes:?}");
    }
    assert_eq!(people.matches("[TG").count(), found.len(), "{people}");
    for one in &found {
        let place = format!("p.yaml:{}:{}", one["line"], one["column"]);
        assert!(people.contains(&place), "{place} is not in\n{people}");
    }
}

#[test]
fn a_tab_is_unreadable_input_and_told_with_its_place() {
    let workshop = Workshop::new();
    workshop.write("p.yaml", POLICY.replace("  jwtRules:", "\tjwtRules:"));
    let output = workshop.run(&["check", "p.yaml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(65));
    let found = json(&String::from_utf8(output.stdout).unwrap());
    let line = POLICY
        .lines()
        .position(|line| line == "  jwtRules:")
        .unwrap()
        + 1;
    assert_eq!(
        (&found["code"], &found["line"]),
        (&"TG0003".into(), &line.into())
    );
}
