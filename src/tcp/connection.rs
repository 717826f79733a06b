//! One TCP connection, from its reply until the client has closed it or the server gives up.

use crate::metrics::{Counters, Event};
use crate::reply::Reply;
use crate::sys;
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::net::SocketAddr;
use std::time::Duration;

options! {
    /// Limits on how long a TCP connection stays open after its reply, and on how many octets the
    /// client may send. Within these limits, a client that sends data gets a clean end of stream
    /// instead of a reset (RFC 1122, 4.2.2.13).
    ///
    /// ```
    /// let drain = daytime::server::Drain::default().octets(1024);
    /// assert_eq!((drain.deadline.as_secs(), drain.octets), (5, 1024));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Drain {
        /// Maximum time from the acceptance of a connection until the client has closed it.
        pub deadline: Duration,
        /// Maximum number of octets that the client may send. The server discards them.
        pub octets: u64,
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5), octets: 16 << 20 }
    }
}

/// Maximum number of reads per connection and round of the event loop. The limit lets the server
/// handle datagrams and other connections between the reads.
const MAX_READS: usize = 16;

#[derive(Debug)]
pub(super) struct Connection {
    pub stream: TcpStream,
    /// Serial number, set when the server keeps the connection open to drain it. The keys of closed
    /// connections are reused, so the number distinguishes connections that had the same key.
    pub serial: u32,
    /// If the send buffer was full: the reply, and the number of its octets that were sent. Boxed,
    /// because this case is rare.
    pub unsent: Option<Box<(Reply, usize)>>,
    /// Number of octets that the client may still send; set when the server keeps the connection
    /// open to drain it.
    pub octets_left: u64,
    /// Whether the connection is in the list of connections with more input than one round reads.
    pub unread: bool,
    pub peer: SocketAddr,
}

/// State of a connection after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    KeepOpen,
    /// The connection has more input than one round reads.
    ReadMore,
    /// The connection has ended. This event counts how it ended.
    Ended(Event),
}

impl Connection {
    /// Creates a connection from an accepted stream.
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Self { stream, serial: 0, unsent: None, octets_left: 0, unread: false, peer }
    }

    /// Sends the reply from octet `from` on, then half-closes the connection.
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

    pub(super) fn advance(&mut self, sink: &mut [u8], counters: &Counters) -> Progress {
        if let Some(unsent) = self.unsent.take() {
            let (reply, sent) = *unsent;
            if let Err(error) = self.send(&reply, sent, counters) {
                return Progress::Ended(failure_event(&error));
            }
        }
        self.drain(sink)
    }

    /// Discards input that has already arrived, so that most clients see no reset if the server
    /// closes the connection at once.
    pub(super) fn discard_input(&mut self, sink: &mut [u8]) {
        let _ = self.stream.read(sink);
    }

    /// Discards input that has arrived. Reads at most [`MAX_READS`] times.
    fn drain(&mut self, sink: &mut [u8]) -> Progress {
        for _ in 0..MAX_READS {
            match self.stream.read(sink) {
                Ok(0) if self.unsent.is_none() => return Progress::Ended(Event::TcpClosedByPeer),
                // The client has half-closed, but the reply has not been fully sent yet.
                Ok(0) => return Progress::KeepOpen,
                Ok(octets) => {
                    let octets = u64::try_from(octets).unwrap_or(u64::MAX);
                    let Some(left) = self.octets_left.checked_sub(octets) else {
                        return Progress::Ended(Event::TcpOctetLimit);
                    };
                    self.octets_left = left;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::KeepOpen,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Progress::Ended(failure_event(&error)),
            }
        }
        Progress::ReadMore
    }
}

/// Returns the event that counts a failed read or write. `ETIMEDOUT` comes from `TCP_USER_TIMEOUT`:
/// the client did not acknowledge the reply in time.
pub(super) fn failure_event(error: &io::Error) -> Event {
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
    fn the_unsent_rest_of_a_reply_is_sent_later_and_then_the_fin() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let mut client = std::net::TcpStream::connect(address).expect("connected");
        let (stream, peer) = listener.accept().expect("accepted");
        stream.set_nonblocking(true).expect("set");
        let reply = Reply::line("the rest of a long reply").expect("a line");
        let mut connection = Connection::new(TcpStream::from_std(stream), peer);
        connection.octets_left = 100;
        connection.unsent = Some(Box::new((reply, 8)));
        let metrics = Metrics::default();
        assert_eq!(connection.advance(&mut [0; 16], &metrics.worker(0)), Progress::KeepOpen);
        let mut rest = String::new();
        client.read_to_string(&mut rest).expect("the rest and a clean end");
        assert_eq!((rest.as_str(), metrics.count(Event::TcpAnswered)), (" of a long reply\r\n", 1));
    }
}
