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
    /// The file is not YAML, not UTF-8, or holds characters that cannot be seen.
    Syntax = "TG0001", Error;
    /// The file is too long or nested too deeply.
    SourceSize = "TG0002", Error;
    /// A line is indented with a tab.
    Tab = "TG0003", Error;
    /// The file holds no document.
    Empty = "TG0004", Error;
    /// The file holds more than one document.
    Documents = "TG0005", Error;
    /// A key is set twice in one mapping.
    DuplicateKey = "TG0006", Error;
    /// An anchor or an alias.
    Anchor = "TG0007", Error;
    /// A tag.
    Tag = "TG0008", Error;
    /// A key that is a list or a mapping.
    KeyType = "TG0009", Error;

    /// A field that the language does not have here.
    UnknownField = "TG0101", Error;
    /// A field that must be set is not.
    MissingField = "TG0102", Error;
    /// A value of another type than the field has, or an unquoted text that could be one.
    WrongType = "TG0103", Error;
    /// A value that the field cannot have.
    InvalidValue = "TG0104", Error;
    /// A list that must have an entry has none.
    EmptyList = "TG0105", Error;
    /// Fields that exclude one another, or of which one needs the other.
    FieldConflict = "TG0106", Error;
    /// More entries than a bundle can hold.
    TooMany = "TG0107", Error;

    /// Two `jwtRules` have the same issuer.
    DuplicateIssuer = "TG0201", Error;
    /// An issuer's keys come from nowhere, or from two places.
    KeySource = "TG0202", Error;
    /// `jwks` is not a JSON Web Key Set, or has no key that can verify signatures.
    KeySet = "TG0203", Error;
    /// `jwks` holds a private or symmetric key.
    PrivateKey = "TG0204", Error;
    /// `issuers` names one that no `jwtRules` entry has.
    UnknownIssuer = "TG0205", Error;
    /// A connection accepts no token, so that every request to it is refused.
    NoIssuer = "TG0206", Warning;
    /// A key of `jwks` that verifies no token.
    UnusableKey = "TG0207", Warning;
    /// A key of `jwks` without a `kid`, which is not alone.
    KeyWithoutId = "TG0208", Warning;

    /// Two connections have the same name.
    DuplicateConnection = "TG0301", Error;
    /// Two connections have the same host.
    DuplicateHost = "TG0302", Error;
    /// Two rules of a connection have the same name.
    DuplicateRule = "TG0303", Error;
    /// An ALLOW rule without `from`, `to` and `when`.
    AllowsEverything = "TG0304", Warning;
    /// A connection without an ALLOW rule.
    DeniesEverything = "TG0305", Warning;
    /// A path template that Istio would not accept.
    PathTemplate = "TG0306", Error;
    /// A pattern that no request can match.
    NeverMatches = "TG0307", Error;
    /// A `key` that is not an attribute of a request.
    UnknownAttribute = "TG0308", Error;
    /// A condition, source or operation that compares with nothing.
    EmptyCondition = "TG0309", Error;
    /// A regular expression that cannot be compiled.
    Expression = "TG0310", Error;
    /// A regular expression that matches the empty text, and so everything.
    ExpressionMatchesEmpty = "TG0311", Error;

    /// A JSON path that is malformed or cannot be decided while the document streams by.
    JsonPath = "TG0401", Error;
    /// A detector that is not in the catalogue.
    UnknownDetector = "TG0402", Error;
    /// A pattern that cannot become a detector.
    DetectorPattern = "TG0403", Error;
    /// A detector that a mask rule lists twice.
    RepeatedDetector = "TG0404", Warning;
    /// One name for two different patterns, or for a pattern and a detector of the catalogue.
    DetectorName = "TG0405", Error;
    /// A replacement text that would need an escape somewhere.
    Replacement = "TG0406", Error;
    /// `drop` or `nullify` on a detector.
    DropDetector = "TG0407", Error;
    /// `unless` or `only` depends on the request body.
    UnlessBody = "TG0408", Error;

    /// A channel at whose path no text of a stream can be looked for.
    ChannelPath = "TG0409", Error;

    /// The policy has no revision.
    NoRevision = "TG0501", Warning;
    /// The bundle is so large that the proxy's control plane may not carry it.
    LargeBundle = "TG0502", Warning;
    /// The bundle is larger than the filter reads, or breaks another of its limits.
    BundleLimit = "TG0503", Error;
    /// The policy expires in the past.
    Expired = "TG0504", Warning;

    /// Part of the language that this version does not have yet.
    NotYet = "TG0901", Error;
}

impl Code {
    /// Whether the file could not be read at all, so that nothing else was checked.
    #[must_use]
    pub fn is_unreadable(self) -> bool {
        matches!(self, Self::Syntax | Self::SourceSize | Self::Tab)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
