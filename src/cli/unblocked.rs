//! Output that never waits for its reader: what a full pipe does not take is lost.
//!
//! A server has more to do than to print. A log or a list of addresses that no program reads must keep it
//! neither from answering nor from ending.

use nix::libc::PIPE_BUF;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// A descriptor that takes what it can at once, and claims to have taken all.
pub(super) struct Unblocked<T>(pub T);

impl<T: AsFd> Write for Unblocked<T> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        write_unblocked(&self.0, octets).map(|_| octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes as much as the descriptor takes at once. Returns the number of octets written.
///
/// The descriptor stays as it is: `O_NONBLOCK` would count for every process that shares it.
pub(super) fn write_unblocked(output: &impl AsFd, octets: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < octets.len() {
        let mut ready = [PollFd::new(output.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut ready, PollTimeout::ZERO) == Ok(0) {
            break;
        }
        // A pipe that is ready takes this many without waiting (pipe(7)).
        let end = octets.len().min(written + PIPE_BUF);
        match write(output, &octets[written..end]) {
            Ok(more) => written += more,
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::EAGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_full_pipe_takes_nothing_and_an_empty_one_more_than_a_single_write() {
        let (mut reader, mut writer) = io::pipe().expect("a pipe");
        let text = vec![b'.'; 3 * PIPE_BUF + 1];
        assert_eq!(write_unblocked(&writer, &text).expect("written"), text.len());
        let mut filled = text.len();
        while write_unblocked(&writer, &[b'.'; PIPE_BUF]).expect("written") > 0 {
            filled += PIPE_BUF;
        }
        assert_eq!(Unblocked(&writer).write(b"lost").expect("as if"), 4);
        reader.read_exact(&mut vec![0; filled]).expect("there");
        writer.write_all(b"!").expect("there is room");
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "!");
    }

    #[test]
    fn a_pipe_without_a_reader_is_an_error() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let error = write_unblocked(&writer, b"lost").expect_err("no reader");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
