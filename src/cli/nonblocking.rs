//! Output that never waits for its reader: what finds no room is lost.
//!
//! A server has more to do than to print. A log or a list of addresses that no program reads must keep it
//! neither from answering nor from ending.

use nix::fcntl::OFlag;
use nix::libc::PIPE_BUF;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{ttyname, write};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// A descriptor that takes what it can at once. As a [`Write`] it claims to have taken all.
///
/// The given descriptor stays as it is: `O_NONBLOCK` would count for every process that shares it.
#[derive(Debug)]
pub(super) struct NonBlocking<T> {
    given: T,
    /// The same terminal, opened anew: here `O_NONBLOCK` counts for this process only.
    terminal: Option<File>,
    /// The number of octets that a ready descriptor takes without waiting.
    at_once: usize,
    /// The last line was cut.
    cut: AtomicBool,
}

impl<T: AsFd + IsTerminal> NonBlocking<T> {
    /// Opens a terminal anew, which the sandbox would refuse later.
    ///
    /// A ready pipe takes `PIPE_BUF` octets without waiting (pipe(7)). A ready terminal has room for one octet, and a
    /// longer write sleeps until the reader has taken all of it. So where a terminal cannot be opened anew, as that of
    /// another user, each octet is a write of its own. Then only two things can still make a write wait: a line end,
    /// of which the terminal makes two octets, with room for one; and another process that takes the room first.
    pub(super) fn new(given: T) -> Self {
        let terminal =
            if given.is_terminal() { open_nonblocking(given.as_fd()).ok() } else { None };
        let at_once = if terminal.is_none() && given.is_terminal() { 1 } else { PIPE_BUF };
        Self { given, terminal, at_once, cut: AtomicBool::new(false) }
    }
}

/// Opens the terminal of this descriptor for writes that never wait.
fn open_nonblocking(terminal: BorrowedFd) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().write(true).custom_flags(flags.bits()).open(ttyname(terminal)?)
}

impl<T: AsFd> NonBlocking<T> {
    /// Writes as much as the descriptor takes at once. Returns whether it took all. After a line that was cut, the
    /// next text begins on a line of its own.
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

    /// An output that cannot be opened anew.
    fn as_given<T>(given: T, at_once: usize) -> NonBlocking<T> {
        NonBlocking { given, terminal: None, at_once, cut: AtomicBool::new(false) }
    }

    fn written(mut output: impl Write, text: &[u8]) -> usize {
        output.write(text).expect("written")
    }

    #[test]
    fn a_full_pipe_takes_nothing_and_an_empty_one_more_than_a_single_write() {
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
    fn a_full_terminal_makes_no_write_wait_and_after_a_cut_line_the_next_has_a_line_of_its_own() {
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
        let _ = master.read_to_end(&mut text); // at the end a terminal says EIO
        let text = String::from_utf8(text).expect("text");
        assert!(text.ends_with("a whole line\r\n"), "{text}");
        let is_part = |line: &str| !line.is_empty() && "a whole line".starts_with(line);
        assert!(text.lines().all(is_part), "{text}");
    }

    #[test]
    fn a_full_terminal_that_cannot_be_opened_anew_takes_octet_for_octet() {
        let terminal = openpty(None, None).expect("a terminal");
        let output = as_given(File::from(terminal.slave), 1);
        // Without a line end: no octet takes the room of two.
        let mut octets = 0;
        while output.write_text(b"a whole line.").expect("written") {
            octets += 13;
        }
        assert!(octets > 1000, "{octets}");
        assert_eq!(written(&output, b"lost"), 4);
    }
}
