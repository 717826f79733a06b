//! Starts the `daytime` command, which is in `src/cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daytime::run_command_line()
}
