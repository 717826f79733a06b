//! Commands that are expected to end by themselves.

use super::{TO_END, stderr, stdout};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs a command to its end; one that does not end within [`TO_END`] is killed and a failure.
pub fn run(command: &mut Command) -> Output {
    run_within(TO_END, command)
}

/// The same for a command that may take another time.
pub fn run_within(patience: Duration, command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(patience) else {
        let _ = Command::new("kill").args(["-s", "KILL", &id.to_string()]).status();
        panic!("it did not end within {patience:?}: {command:?}");
    };
    output.expect("waited for")
}

/// Runs a command that has to succeed without a word on standard error: its standard output.
pub fn good(command: &mut Command) -> String {
    let output = run(command);
    assert_eq!(stderr(&output), "", "{command:?}");
    assert_eq!(output.status.code(), Some(0), "{command:?}");
    stdout(&output)
}

/// Runs a command that has to fail with this status and print nothing: its standard error.
pub fn bad(status: i32, command: &mut Command) -> String {
    let output = run(command);
    let said = stderr(&output);
    assert_eq!(stdout(&output), "", "{command:?}: {said}");
    assert_eq!(output.status.code(), Some(status), "{command:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}
