//! A terminal with a command on it, for tests that type and read.

use super::{PATIENCE, on_terminal};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

/// A shell command on its own terminal of 24 rows and 80 columns, without colours.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    /// All that the command has printed and the terminal has echoed so far.
    pub shown: String,
    /// Number of octets of `shown` that [`Terminal::expect`] has passed.
    passed: usize,
}

impl Terminal {
    /// Starts the command.
    ///
    /// # Errors
    /// The reason for [`skip`](super::skip).
    pub fn start(command: &str) -> Result<Self, String> {
        let mut script = on_terminal(&format!("stty rows 24 cols 80; {command}"))?;
        script.env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.stderr(Stdio::null()).spawn().expect("it starts");
        let mut output = child.stdout.take().expect("piped");
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut some) {
                let _ = sender.send(some[..count].to_vec());
            }
        });
        let keyboard = child.stdin.take().expect("piped");
        Ok(Self { child, keyboard, screen, shown: String::new(), passed: 0 })
    }

    /// Waits until the terminal shows this text. Returns what it showed since the last call, up to the text.
    pub fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.passed..].find(text) {
                let (from, to) = (self.passed, self.passed + at + text.len());
                self.passed = to;
                return self.shown[from..to].to_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let more = self.screen.recv_timeout(left);
            let more = more.unwrap_or_else(|_| panic!("no {text:?} after: {}", self.shown));
            self.shown += &String::from_utf8_lossy(&more).replace('\r', "");
        }
    }

    /// Types these characters.
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("typed");
        self.keyboard.flush().expect("typed");
    }

    /// Waits for the end of the command. Returns its exit status, and what it showed since the last call of
    /// [`Terminal::expect`].
    pub fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown += &String::from_utf8_lossy(&more).replace('\r', ""),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end after: {}", self.shown),
            }
        }
        let status = self.child.wait().expect("waited for");
        (status.code(), self.shown.split_off(self.passed))
    }
}

/// Ends the command, also after a failed test.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
