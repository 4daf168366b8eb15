//! Numbers, `true`, `false` and `null`, byte by byte.

/// What has been read of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// What is still to come of a literal name.
    Literal(&'static [u8]),
    /// Nothing yet of a number.
    Sign,
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Scalar {
    /// The scalar that begins with `byte`, before that byte is read.
    pub(super) fn start(byte: u8) -> Option<Self> {
        match byte {
            b't' => Some(Self::Literal(b"true")),
            b'f' => Some(Self::Literal(b"false")),
            b'n' => Some(Self::Literal(b"null")),
            b'-' | b'0'..=b'9' => Some(Self::Sign),
            _ => None,
        }
    }

    /// The scalar with `byte` added; `None` if the byte does not belong to it.
    #[inline]
    pub(super) fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Literal([first, rest @ ..]), _) if *first == byte => Self::Literal(rest),
            (Self::Sign, b'-') => Self::Minus,
            (Self::Sign | Self::Minus, b'0') => Self::Zero,
            (Self::Sign | Self::Minus, b'1'..=b'9') => Self::Integer,
            (Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::ExponentSign,
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Self::ExponentDigits
            }
            _ => return None,
        })
    }

    /// Whether it may end here.
    pub(super) fn is_complete(self) -> bool {
        matches!(
            self,
            Self::Literal([]) | Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits
        )
    }
}
