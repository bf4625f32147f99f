//! The `flowctl` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowctl::cli::main(std::env::args_os())
}
