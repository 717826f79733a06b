//! One connection of the TCP server: sends the reply, then drains the client's octets.

use crate::metrics::{Counters, Event};
use crate::reply::Reply;
use crate::sys;
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::net::SocketAddr;
use std::time::Duration;

options! {
    /// The limits of a draining connection: how long it is kept after its reply, and for how many
    /// octets. A client that sends octets then gets a clean end of stream instead of a reset (RFC
    /// 1122, 4.2.2.13).
    ///
    /// ```
    /// let drain = daytime::server::Drain::default().octets(1024);
    /// assert_eq!((drain.deadline.as_secs(), drain.octets), (5, 1024));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Drain {
        /// The time for the client to read the reply and close, counted from accepting the
        /// connection.
        pub deadline: Duration,
        /// Maximum octets that the client may send in this time. The server discards them.
        pub octets: u64,
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5), octets: 16 << 20 }
    }
}

/// Maximum number of reads per turn, so that datagrams and other connections get a turn.
const MAX_READS: usize = 16;

#[derive(Debug)]
pub(super) struct Connection {
    pub stream: TcpStream,
    /// Distinguishes this connection from earlier ones with the same key. Set when the connection
    /// is kept.
    pub serial: u32,
    /// The rest of the reply and the octets already sent, if the send buffer was full. Boxed,
    /// because that is rare.
    pub unsent: Option<Box<(Reply, usize)>>,
    /// Number of octets that the client may still send. Set when the connection is kept.
    pub octets_left: u64,
    /// Whether the connection is in the list of those with more to read than one turn allows.
    pub unread: bool,
    pub peer: SocketAddr,
}

/// The result of a turn of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    /// Keep the connection: it has more to read than one turn allows.
    KeepReading,
    /// The connection has ended with this event.
    Over(Event),
}

impl Connection {
    /// Creates a connection that was just accepted.
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Self { stream, serial: 0, unsent: None, octets_left: 0, unread: false, peer }
    }

    /// Sends the reply from this octet on, then closes the sending direction.
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

    /// Discards the octets that the client has already sent. The server then closes most
    /// connections without a reset.
    pub(super) fn discard_input(&mut self, sink: &mut [u8]) {
        let _ = self.stream.read(sink);
    }

    /// Discards the received octets, up to the limit of one turn.
    fn drain(&mut self, sink: &mut [u8]) -> Fate {
        for _ in 0..MAX_READS {
            match self.stream.read(sink) {
                Ok(0) if self.unsent.is_none() => return Fate::Over(Event::TcpClosedByPeer),
                Ok(0) => return Fate::Keep, // half-closed by the client, which still gets its reply
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

/// Returns the event for a failed read or write. `ETIMEDOUT` is the effect of `TCP_USER_TIMEOUT`:
/// the client did not acknowledge the reply in time.
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
    fn the_rest_of_a_reply_is_sent_later_and_followed_by_the_fin() {
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
