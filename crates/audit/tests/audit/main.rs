//! Tests of the audit record: its shape, its bounds, its documentation.

#![cfg(test)]

mod canonical;
mod documentation;
mod outcomes;
mod support;
