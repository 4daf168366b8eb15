//! Turns a policy in YAML into a signed bundle.
