//! Opens TCP connections in which the client sends or half-closes before it reads.
//!
//! A server's TCP resets the connection if the server closes while input is unread, or if input arrives after the close
//! (RFC 1122, 4.2.2.13). The client may read the reply and the end of stream before the reset arrives; with inetd, this
//! happened in 2 of 20 exchanges. The reset arrives either during the client's read or after the end of stream, so the
//! client checks for it at both points.

use super::observed::{Conversation, StreamEnd};
use super::ready::{FOLLOW_UP_TIME, ready};
use nix::poll::PollFlags;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The client's action before it reads the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Sends CR LF.
    Crlf,
    /// Sends 64 KiB, more than a server would discard with a single read.
    LongInput,
    /// Half-closes the connection.
    HalfClose,
}

/// Maximum length of a reply in octets, equal to the client's default limit.
const MAX_REPLY_OCTETS: usize = 4096;

/// Connects, performs `opening`, and reads until the end of stream.
pub(super) fn send_first(peer: SocketAddr, opening: Opening, timeout: Duration) -> Conversation {
    let started = Instant::now();
    let mut octets = Vec::new();
    let ended = connect(peer, timeout).and_then(|mut stream| {
        open(&mut stream, opening)?;
        read(&mut stream, &mut octets, started + timeout, opening)
    });
    let end = match ended {
        Ok(end) => end,
        Err(error) if is_reset(&error) => StreamEnd::Reset,
        Err(error) if is_timeout(&error) => StreamEnd::Never(started.elapsed()),
        Err(error) => StreamEnd::Failed(error),
    };
    Conversation { octets, end }
}

fn connect(peer: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&peer, timeout)?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}

/// Performs the client's first action. Ignores a reset, because octets received earlier can still be read. Later reads
/// report the reset too, unless the write has already consumed the error.
fn open(stream: &mut TcpStream, opening: Opening) -> io::Result<()> {
    let done = match opening {
        Opening::Crlf => stream.write_all(b"\r\n"),
        Opening::LongInput => stream.write_all(&b"\r\n".repeat(32 << 10)),
        Opening::HalfClose => stream.shutdown(Shutdown::Write),
    };
    match done {
        Err(error) if is_reset(&error) || error.kind() == ErrorKind::NotConnected => Ok(()),
        done => done,
    }
}

/// Reads until the end of stream, then waits for a reset that may follow.
fn read(
    stream: &mut TcpStream,
    octets: &mut Vec<u8>,
    deadline: Instant,
    opening: Opening,
) -> io::Result<StreamEnd> {
    let mut buffer = [0; 2048];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => octets.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if octets.len() > MAX_REPLY_OCTETS {
            return Ok(StreamEnd::TooLong);
        }
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
    // Once both directions are closed, the connection can no longer be reset.
    let reset = opening != Opening::HalfClose && is_reset_after_the_end(stream)?;
    Ok(if reset { StreamEnd::Reset } else { StreamEnd::Clean })
}

/// Waits for an error or a hang-up (POLLERR, POLLHUP). While the client has not closed its direction, either means a
/// reset.
fn is_reset_after_the_end(stream: &TcpStream) -> io::Result<bool> {
    let hung_up = ready(stream.as_fd(), PollFlags::empty(), Instant::now() + FOLLOW_UP_TIME)?;
    Ok(hung_up || stream.take_error()?.is_some())
}

fn is_reset(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
