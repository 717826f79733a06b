//! The `daytime` command: see `src/cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daytime::run_command_line()
}
