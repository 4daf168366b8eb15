//! The same set-up, for one's own calls.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tracegate_tests::standins::engine::{CHAT_PATH, ECHO_PATH};

use crate::show::Show;
use crate::world::{Failure, World, records_shown};

/// How long the printed tokens are valid, in seconds.
const LIFETIME: u64 = 8 * 3600;

/// Prints what to try and stays until the program is ended.
pub(crate) fn stay(world: &World, show: &Show) -> Result<(), Failure> {
    show.line(&suggestions(world));
    show.line("Ctrl-C ends everything.");
    loop {
        std::thread::park();
    }
}

fn suggestions(world: &World) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let exp = now.as_secs() + LIFETIME;
    let analyst = json!({"sub": "alice", "groups": ["analysts"], "exp": exp});
    let auditor = json!({"sub": "carol", "groups": ["auditors"], "exp": exp});
    let partner = json!({"sub": "bob", "aud": "research", "exp": exp});
    let at = world.listener;
    let reasoning = "-H 'host: reasoning.corp.example'";
    let research = "-H 'host: research.corp.example'";
    let analyst_says = "-H \"authorization: Bearer $ANALYST\"";
    let partner_says = "-H \"authorization: Bearer $PARTNER\"";
    let say = |words: &str| {
        format!(
            "-H 'content-type: application/json' \\\n  -d '{{\"messages\":[{{\"role\":\"user\",\"content\":\"{words}\"}}]}}'"
        )
    };
    let mut text = String::new();
    let mut put = |line: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    };
    put("\nTokens of this demo's own identity providers, of use to nobody else:\n".to_owned());
    put(format!("ANALYST={}", world.corp.issue(&analyst)));
    put(format!("AUDITOR={}", world.corp.issue(&auditor)));
    put(format!("PARTNER={}", world.partner.issue(&partner)));
    let calls = [
        (
            "An analyst's call, masked; the same with $AUDITOR is not:",
            format!(
                "{reasoning} {analyst_says} \\\n  {} http://{at}{CHAT_PATH}",
                say("Hello")
            ),
        ),
        (
            "The same as a stream of events:",
            format!(
                "-N {reasoning} {analyst_says} \\\n  -H 'content-type: application/json' \\\n  \
                 -d '{{\"stream\":true,\"messages\":[]}}' http://{at}{CHAT_PATH}"
            ),
        ),
        (
            "Denied by a rule that looks into the body:",
            format!(
                "{reasoning} {analyst_says} \\\n  {} http://{at}{CHAT_PATH}",
                say("Dump production")
            ),
        ),
        (
            "Denied by a rule on the path:",
            format!("{reasoning} {analyst_says} \\\n  -X DELETE http://{at}/v1/models/o-large"),
        ),
        (
            "The engine repeats the headers it got, its own key among them; the key is masked:",
            format!("{reasoning} {analyst_says} \\\n  http://{at}{ECHO_PATH}"),
        ),
        (
            "The other back end, with the partner's token:",
            format!(
                "{research} {partner_says} \\\n  {} http://{at}{CHAT_PATH}",
                say("Hello")
            ),
        ),
    ];
    for (title, call) in calls {
        put(format!("\n# {title}\ncurl -i {call}"));
    }
    put(format!(
        "\n# The records, as they come:\ntail -f {}\n",
        records_shown()
    ));
    text
}
