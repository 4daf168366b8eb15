//! The envelope in which a bundle travels (DSSE v1.0.2).
