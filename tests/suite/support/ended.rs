//! Runs commands until they end.

#[cfg(feature = "teach")]
use super::running::clean;
use super::{TO_END, program, stderr, stdout};
use std::env;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs a command until it ends. Kills the command and panics if it does not end within [`TO_END`].
pub fn run(command: &mut Command) -> Output {
    run_within(TO_END, command)
}

/// Runs a command until it ends. Kills the command and panics if it does not end within `patience`.
pub fn run_within(patience: Duration, command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(patience) else {
        let _ = Command::new("kill").args(["-s", "KILL", &id.to_string()]).status();
        panic!("no end within {patience:?}: {command:?}");
    };
    output.expect("waited for")
}

/// Runs a command that must succeed and print nothing on standard error. Returns its standard output.
pub fn good(command: &mut Command) -> String {
    let output = run(command);
    assert_eq!(stderr(&output), "", "{command:?}");
    assert_eq!(output.status.code(), Some(0), "{command:?}");
    stdout(&output)
}

/// Runs a command that must fail with this status and print nothing on standard output. Returns its standard error.
pub fn bad(status: i32, command: &mut Command) -> String {
    let output = run(command);
    let said = stderr(&output);
    assert_eq!(stdout(&output), "", "{command:?}: {said}");
    assert_eq!(output.status.code(), Some(status), "{command:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// Returns a command that runs the same program without the capabilities by which root opens any file.
///
/// # Errors
/// The error is the reason to pass to [`skip`](super::skip).
#[cfg(feature = "teach")]
pub fn without_override(command: &Command) -> Result<Command, String> {
    let setpriv = || -> Result<Command, String> {
        let mut setpriv = clean(Command::new(program("setpriv")?));
        setpriv.arg("--bounding-set=-dac_override,-dac_read_search");
        Ok(setpriv)
    };
    let trial = run(setpriv()?.arg("true"));
    if !trial.status.success() {
        return Err(stderr(&trial));
    }
    let mut same = setpriv()?;
    same.arg(command.get_program()).args(command.get_args());
    same.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    Ok(same)
}

/// Returns a command that runs a shell command line on its own terminal, through script(1) and without a pager. In it,
/// `daytime` is the binary under test.
///
/// # Errors
/// The error is the reason to pass to [`skip`](super::skip).
pub fn on_terminal(command: &str) -> Result<Command, String> {
    let folder = Path::new(env!("CARGO_BIN_EXE_daytime")).parent().expect("a folder");
    let path = env::var("PATH").unwrap_or_default();
    let mut script = Command::new(program("script")?);
    script.args(["-qec", command, "/dev/null"]).stdin(Stdio::null());
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").env("DAYTIME_PAGER", "cat");
    script.env("PATH", format!("{}:{path}", folder.display()));
    Ok(script)
}
