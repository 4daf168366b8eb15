//! The audit record: one per exchange, in the shape of OCSF, as one line of canonical JSON.
