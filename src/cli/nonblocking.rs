//! Output that never waits for its reader. Text that does not fit into the pipe or terminal is dropped.
//!
//! A server must be able to answer clients and to shut down even if no program reads its log or its list of addresses.

use nix::fcntl::OFlag;
use nix::libc::PIPE_BUF;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{ttyname, write};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// A descriptor for writes that never wait. Its [`Write`] implementation reports every write as complete.
///
/// `O_NONBLOCK` is not set on the given descriptor, because it would apply to every process that shares the descriptor.
#[derive(Debug)]
pub(super) struct NonBlocking<T> {
    given: T,
    /// The same terminal, opened a second time, so that `O_NONBLOCK` applies only to this process.
    terminal: Option<File>,
    /// Number of octets that a ready descriptor accepts at once.
    at_once: usize,
    /// Whether the last line was truncated.
    cut: AtomicBool,
}

impl<T: AsFd + IsTerminal> NonBlocking<T> {
    /// If `given` is a terminal, opens it a second time now, because the sandbox would forbid this later.
    ///
    /// A ready pipe accepts `PIPE_BUF` octets at once (pipe(7)). A ready terminal accepts at least one octet; a longer
    /// write would wait until the reader has taken all octets. Some terminals cannot be opened a second time, for
    /// example another user's terminal. For these, each octet is written separately. Such a write waits in only two
    /// cases: the terminal turns a line ending into two octets but has space for only one, or another process fills the
    /// space first.
    pub(super) fn new(given: T) -> Self {
        let terminal =
            if given.is_terminal() { open_nonblocking(given.as_fd()).ok() } else { None };
        let at_once = if terminal.is_none() && given.is_terminal() { 1 } else { PIPE_BUF };
        Self { given, terminal, at_once, cut: AtomicBool::new(false) }
    }
}

/// Opens this descriptor's terminal a second time, with `O_NONBLOCK`.
fn open_nonblocking(terminal: BorrowedFd) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().write(true).custom_flags(flags.bits()).open(ttyname(terminal)?)
}

impl<T: AsFd> NonBlocking<T> {
    /// Writes as many octets as the descriptor accepts at once. Returns whether it accepted all of them. If the last
    /// line was truncated, begins a new line first.
    pub(super) fn write_text(&self, text: &[u8]) -> io::Result<bool> {
        if self.cut.load(Ordering::Relaxed) && self.write_some(b"\n")? == 0 {
            return Ok(false);
        }
        let written = self.write_some(text)?;
        self.cut.store(0 < written && written < text.len(), Ordering::Relaxed);
        Ok(written == text.len())
    }

    fn write_some(&self, octets: &[u8]) -> io::Result<usize> {
        let output = self.terminal.as_ref().map_or_else(|| self.given.as_fd(), AsFd::as_fd);
        let mut written = 0;
        while written < octets.len() {
            let mut ready = [PollFd::new(output, PollFlags::POLLOUT)];
            if poll(&mut ready, PollTimeout::ZERO) == Ok(0) {
                break;
            }
            let end = octets.len().min(written + self.at_once);
            match write(output, &octets[written..end]) {
                Ok(more) => written += more,
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(written)
    }
}

impl<T: AsFd> Write for &NonBlocking<T> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_text(octets).map(|_| octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use std::io::Read;

    /// Returns an output for a descriptor that cannot be opened a second time.
    fn as_given<T>(given: T, at_once: usize) -> NonBlocking<T> {
        NonBlocking { given, terminal: None, at_once, cut: AtomicBool::new(false) }
    }

    fn written(mut output: impl Write, text: &[u8]) -> usize {
        output.write(text).expect("written")
    }

    #[test]
    fn a_full_pipe_loses_text_and_an_empty_pipe_takes_several_writes() {
        let (mut reader, mut writer) = io::pipe().expect("a pipe");
        let output = as_given(writer.try_clone().expect("a second handle"), PIPE_BUF);
        let text = vec![b'.'; 3 * PIPE_BUF + 1];
        assert!(output.write_text(&text).expect("written"));
        let mut filled = text.len();
        while output.write_some(&[b'.'; PIPE_BUF]).expect("written") > 0 {
            filled += PIPE_BUF;
        }
        assert_eq!(written(&output, b"lost"), 4);
        reader.read_exact(&mut vec![0; filled]).expect("there");
        writer.write_all(b"!").expect("there is room");
        drop((writer, output));
        let mut rest = String::new();
        reader.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "!");
    }

    #[test]
    fn a_pipe_without_a_reader_is_an_error() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let error = as_given(writer, PIPE_BUF).write_text(b"lost").expect_err("no reader");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn no_write_waits_for_a_full_terminal_and_the_text_after_a_cut_line_begins_a_new_line() {
        let terminal = openpty(None, None).expect("a terminal");
        let (mut master, output) =
            (File::from(terminal.master), NonBlocking::new(File::from(terminal.slave)));
        assert!(output.terminal.is_some());
        let is_written = || output.write_text(b"a whole line\n").expect("as if");
        let whole = (0..10_000).filter(|_| is_written()).count();
        assert!((100..9_000).contains(&whole), "{whole}");
        let mut text = Vec::new();
        while !is_written() {
            let mut octet = [0];
            master.read_exact(&mut octet).expect("there");
            text.extend(octet);
        }
        drop(output);
        let _ = master.read_to_end(&mut text); // at the end, a pseudo-terminal returns EIO
        let text = String::from_utf8(text).expect("text");
        assert!(text.ends_with("a whole line\r\n"), "{text}");
        let is_part = |line: &str| !line.is_empty() && "a whole line".starts_with(line);
        assert!(text.lines().all(is_part), "{text}");
    }

    #[test]
    fn a_terminal_that_cannot_be_opened_again_takes_single_octets() {
        let terminal = openpty(None, None).expect("a terminal");
        let output = as_given(File::from(terminal.slave), 1);
        // The text has no line ending, because the terminal would turn a line feed into two octets.
        let mut octets = 0;
        while output.write_text(b"a whole line.").expect("written") {
            octets += 13;
        }
        assert!(octets > 1000, "{octets}");
        assert_eq!(written(&output, b"lost"), 4);
    }
}
