//! The command line of the policy compiler.
//!
//! A subcommand is a file in `commands/`; what they share (exit codes, reading, writing, reporting)
//! is in `cli`.

mod cli;
mod commands;

fn main() -> std::process::ExitCode {
    commands::run()
}
