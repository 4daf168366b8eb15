//! The policy compiler: any text is compiled or explained.

use policy_compiler::{Options, compile};
use tracegate_bundle::Bundle;

use super::fixture;

/// Policies to start from.
pub fn seeds() -> Vec<Vec<u8>> {
    vec![
        fixture::policy().into_bytes(),
        include_bytes!("policy.yaml").to_vec(),
        b"a: [b, {c: d}]\n".to_vec(),
    ]
}

/// What the compiler accepts is a bundle that the filter reads, and the same one each time. What it
/// does not accept it explains, and every explanation can be shown.
pub fn run(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    match compile(source, "policy.yaml", &Options::default()) {
        Ok(compiled) => {
            let bytes = compiled.bundle.to_bytes();
            let read = Bundle::from_bytes(&bytes).expect("what the compiler writes can be read");
            assert_eq!(read, compiled.bundle);
            let again = compile(source, "elsewhere.yaml", &Options::default());
            assert_eq!(
                again.map(|compiled| compiled.bundle.to_bytes()).ok(),
                Some(bytes)
            );
        }
        Err(diagnostics) => {
            assert!(diagnostics.has_errors(), "refused without a reason");
            assert!(!diagnostics.to_string().is_empty());
        }
    }
}
