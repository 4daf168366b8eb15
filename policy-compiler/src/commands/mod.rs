//! The subcommands, one file each.

use clap::{Parser, Subcommand};

use crate::cli::{self, Exit, Outcome};

/// Declares the subcommands: what each does, its name, its module.
macro_rules! subcommands {
    ($( $(#[$meta:meta])* $name:ident = $module:ident; )*) => {
        $( mod $module; )*

        #[derive(Debug, Subcommand)]
        enum Command { $( $(#[$meta])* $name($module::Args), )* }

        impl Command {
            fn run(self) -> Outcome {
                match self { $( Self::$name(args) => $module::run(&args), )* }
            }
        }
    };
}

subcommands! {
    /// Check a policy and build nothing
    Check = check;
    /// Build a policy into a bundle
    Build = build;
    /// Show what a bundle says
    Inspect = inspect;
    /// Add a signature to a bundle
    Sign = sign;
    /// Tell whether a filter would accept a bundle
    Verify = verify;
    /// Make a key pair that signs bundles
    Keygen = keygen;
    /// Find personal data and secrets in a text
    Detect = detect;
    /// Print the configuration of a proxy around a bundle
    Render = render;
    /// Print the reference of the policy language
    #[command(hide = true)]
    Reference = reference;
}

/// Turns a policy in YAML into a signed bundle for the Tracegate filter.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 clean, 1 findings, 64 usage, 65 unreadable input, 74 input or \
                  output failed."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Runs the command line of this process.
pub(crate) fn run() -> std::process::ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => {
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Clean
            };
            return exit.into();
        }
    };
    match command.run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            cli::tell(&format!("policy-compiler: {}\n", failure.message));
            failure.exit.into()
        }
    }
}
