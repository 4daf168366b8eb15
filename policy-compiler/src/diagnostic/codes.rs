//! Every kind of finding, in one table.
//!
//! A code is never renamed or given a second meaning. The hundreds tell the part of the policy:
//! `TG00` the file, `TG01` the shape of the document, `TG02` issuers, `TG03` connections and rules,
//! `TG04` masks and paths, `TG05` the bundle, `TG09` what a later version will understand.

/// Whether a finding stops the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Declares the codes: variant, code, severity, and the doc comment, which is also the reference.
macro_rules! codes {
    ($( #[doc = $doc:literal] $variant:ident = $code:literal, $severity:ident; )*) => {
        /// The kind of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $( #[doc = $doc] $variant, )* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[ $( Self::$variant, )* ];

            /// The stable code: `TG0103`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $code, )* }
            }

            /// Whether it stops the build.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $( Self::$variant => Severity::$severity, )* }
            }

            /// What it means, for the reference.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $( Self::$variant => $doc.trim_ascii(), )* }
            }
        }
    };
}

codes! {
    /// The file is not YAML, or not UTF-8.
    Syntax = "TG0001", Error;
}

impl Code {
    /// Whether the file could not be read at all, so that nothing else was checked.
    #[must_use]
    pub fn is_unreadable(self) -> bool {
        self == Self::Syntax
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
