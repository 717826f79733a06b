//! One connection of the stream service: its reply, and the drain after it.

use crate::metrics::{Counters, Event};
use crate::reply::Reply;
use crate::sys;
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::net::SocketAddr;
use std::time::Duration;

options! {
    /// How long, and for how many octets, a TCP connection is kept after its reply, so that a client that
    /// talks gets a clean end of stream and not a reset (RFC 1122, 4.2.2.13).
    ///
    /// ```
    /// let drain = daytime::server::Drain::default().octets(1024);
    /// assert_eq!((drain.deadline.as_secs(), drain.octets), (5, 1024));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Drain {
        /// The client has this long to read the line and close, from the moment it was accepted.
        pub deadline: Duration,
        /// It may send this many octets meanwhile, all thrown away.
        pub octets: u64,
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5), octets: 16 << 20 }
    }
}

/// Maximum number of reads of one connection in a round, so that datagrams and other connections get a turn.
const MAX_READS: usize = 16;

#[derive(Debug)]
pub(super) struct Connection {
    pub stream: TcpStream,
    /// Given when it is kept; distinguishes it from another one with the same key.
    pub serial: u32,
    /// What is left of the reply, where the send buffer could not take all of it. Almost never there, so
    /// not in place.
    pub unsent: Option<Box<(Reply, usize)>>,
    /// Octets that the client may still send; given when it is kept.
    pub octets_left: u64,
    /// It is in the list of connections with more to read than one turn takes.
    pub unread: bool,
    pub peer: SocketAddr,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    /// There is more to read than one turn takes.
    KeepReading,
    /// It ended otherwise.
    Over(Event),
}

impl Connection {
    /// One that was accepted.
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Self { stream, serial: 0, unsent: None, octets_left: 0, unread: false, peer }
    }

    /// Sends the reply from an octet on and closes our direction after it.
    pub(super) fn send(
        &mut self,
        reply: &Reply,
        from: usize,
        counters: &Counters,
    ) -> io::Result<()> {
        let octets = reply.octets();
        let mut sent = from;
        while sent < octets.len() {
            match sys::send_before_fin(&self.stream, &octets[sent..]) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent = Some(Box::new((reply.clone(), sent)));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.unsent = None;
        self.stream.shutdown(Shutdown::Write)?;
        counters.add_of(Event::TcpAnswered, self.peer);
        Ok(())
    }

    pub(super) fn advance(&mut self, sink: &mut [u8], counters: &Counters) -> Fate {
        if let Some(unsent) = self.unsent.take() {
            let (reply, sent) = *unsent;
            if let Err(error) = self.send(&reply, sent, counters) {
                return Fate::Over(failed(&error));
            }
        }
        self.drain(sink)
    }

    /// Throws away what a client that talks first has sent already, so that most of those that are closed
    /// at once see no reset.
    pub(super) fn discard_input(&mut self, sink: &mut [u8]) {
        let _ = self.stream.read(sink);
    }

    /// Throws away what has come, as much as one turn takes.
    fn drain(&mut self, sink: &mut [u8]) -> Fate {
        for _ in 0..MAX_READS {
            match self.stream.read(sink) {
                Ok(0) if self.unsent.is_none() => return Fate::Over(Event::TcpClosedByPeer),
                Ok(0) => return Fate::Keep, // half closed: the line is still owed
                Ok(octets) => {
                    let octets = u64::try_from(octets).unwrap_or(u64::MAX);
                    let Some(left) = self.octets_left.checked_sub(octets) else {
                        return Fate::Over(Event::TcpOctetLimit);
                    };
                    self.octets_left = left;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Fate::Keep,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Fate::Over(failed(&error)),
            }
        }
        Fate::KeepReading
    }
}

/// How a connection ended that could not be written to, or read from. `ETIMEDOUT` comes of
/// `TCP_USER_TIMEOUT`: the reply was not acknowledged in time.
pub(super) fn failed(error: &io::Error) -> Event {
    match error.kind() {
        ErrorKind::TimedOut => Event::TcpWriteDeadline,
        _ => Event::TcpFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn what_the_send_buffer_had_no_room_for_is_sent_later_with_the_fin_behind_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let mut client = std::net::TcpStream::connect(address).expect("connected");
        let (stream, peer) = listener.accept().expect("accepted");
        stream.set_nonblocking(true).expect("set");
        let reply = Reply::line("half of it had been sent").expect("a line");
        let mut connection = Connection::new(TcpStream::from_std(stream), peer);
        connection.octets_left = 100;
        connection.unsent = Some(Box::new((reply, 8)));
        let metrics = Metrics::default();
        assert_eq!(connection.advance(&mut [0; 16], &metrics.worker(0)), Fate::Keep);
        let mut rest = String::new();
        client.read_to_string(&mut rest).expect("the rest and a clean end");
        assert_eq!((rest.as_str(), metrics.count(Event::TcpAnswered)), ("it had been sent\r\n", 1));
    }
}
