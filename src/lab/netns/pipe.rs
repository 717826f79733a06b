//! What comes through a pipe, but not for ever.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Everything up to its end; `TimedOut` if that does not come in time.
pub(super) fn read_to_end(pipe: &mut (impl Read + AsFd), limit: Duration) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    let (mut octets, mut room) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        wait(&*pipe, limit.saturating_sub(began.elapsed()))?;
        match pipe.read(&mut room) {
            Ok(0) => return Ok(octets),
            Ok(read) => octets.extend_from_slice(&room[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Until there is something to read, be it the end. What is there already counts even if it is late.
fn wait(pipe: &impl AsFd, limit: Duration) -> io::Result<()> {
    let mut pipes = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    match poll(&mut pipes, PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX)) {
        Ok(0) => Err(ErrorKind::TimedOut.into()),
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn all_that_came_before_the_end_is_read_however_late() {
        let (mut pipe, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(b"all of it").expect("written");
        drop(writer);
        assert_eq!(read_to_end(&mut pipe, Duration::ZERO).expect("read"), b"all of it");
    }

    #[test]
    fn more_than_a_pipe_holds_is_read_while_it_is_written() {
        let (mut pipe, mut writer) = io::pipe().expect("a pipe");
        let much = vec![7; 1 << 20];
        let written = much.clone();
        let writing = std::thread::spawn(move || writer.write_all(&written));
        assert_eq!(read_to_end(&mut pipe, LONG).expect("read"), much);
        writing.join().expect("no panic").expect("written");
    }

    #[test]
    fn a_pipe_that_does_not_end_is_not_waited_for_for_ever() {
        let (mut pipe, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(b"some of it").expect("written");
        let late = read_to_end(&mut pipe, Duration::from_millis(1)).expect_err("no end");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
    }
}
