//! A server's answer and its meaning.

use super::Calls;
use crate::clock::Clock;
use crate::reply::Printable;
use crate::syntax::{Frame, Offset, Recognised, Unrecognised, recognise};
use crate::transport::Transport;
use chrono::{DateTime, TimeDelta, Utc};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A server's answer to a query.
///
/// ```
/// use daytime::{Config, Options, Server, Transport, ask, read::Form};
///
/// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?.spawn()?;
/// let target = server.address(Transport::Udp).expect("UDP is served").into();
/// let answer = ask(&target, Transport::Udp, &Options::default())?;
/// assert!(answer.text().ends_with("-UTC") && answer.octets.ends_with(b"\r\n"));
/// assert_eq!(answer.recognise()?.form, Form::Rfc867);
/// assert!(answer.offset().expect("UTC fixes the instant").agrees());
/// assert!(answer.questions >= 1 && answer.calls.names().contains(&"recv"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The transport over which the answer arrived.
    pub transport: Transport,
    /// The address of the server that answered.
    pub peer: SocketAddr,
    /// The octets as received, without any check. [`Answer::text`] makes them safe to print.
    pub octets: Vec<u8>,
    /// Whether octets of the reply are known to be missing. A datagram or a stream was longer than
    /// [`Options::limit`](crate::Options::limit), or a stream stopped before the end of its first line
    /// ([`AskError::Incomplete`](crate::AskError::Incomplete)). If a stream stopped after a whole line, nothing is
    /// known to be missing. If a server closes the stream early, the client cannot notice: a line without its line
    /// ending may be complete.
    pub truncated: bool,
    /// Time that the client paused before the query because of
    /// [`Options::pace`](crate::Options::pace). The timeout begins after the pause.
    pub waited: Duration,
    /// TCP: time from the start until the connection was established.
    pub connected_after: Option<Duration>,
    /// TCP: time from the start until the end of the stream. UDP: time from the first query to
    /// the answer. If the client sent several queries, RFC 867 gives no way to know which one the
    /// server answered.
    pub elapsed: Duration,
    /// Time between the query and the answer. The server read its clock at an unknown moment in this window. Over TCP the window begins
    /// with the connection's first packet, which acts as the query. The window ends when the client
    /// has read the first line, or at the end of the stream if the line has no line ending. Over
    /// UDP the window begins with the first query to this address and ends with the answer, because
    /// RFC 867 gives no way to know which query the server answered.
    pub round_trip: Duration,
    /// The local time at the end of `round_trip`. The client reads its clock after the exchange,
    /// and subtracts the time that has passed since the answer arrived. `None` if the clock does
    /// not hold a valid date.
    pub arrived: Option<DateTime<Utc>>,
    /// Number of octets that each read returned. Reads that returned none are left out.
    pub reads: Vec<usize>,
    /// Number of queries sent to this address. The number is 0 over TCP, where the server sends
    /// first.
    pub questions: u32,
    /// The system calls of the exchange, except those that resolved the name.
    pub calls: Calls,
}

impl Answer {
    /// Returns the first line without its line ending, escaped so that it is safe for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        Printable::line(&self.octets).to_string()
    }

    /// Reads the time in the reply. If the line is truncated, the result is never an instant,
    /// because the time zone may be missing.
    ///
    /// # Errors
    /// Returns [`Unrecognised`] if the reply has no time in any known form.
    pub fn recognise(&self) -> Result<Recognised<'_>, Unrecognised> {
        let mut read = recognise(&self.octets)?;
        if self.truncated && !Frame::of(&self.octets).ended {
            read.cut();
        }
        Ok(read)
    }

    /// Returns the difference between the local clock and the server's clock. Returns `None` if the
    /// reply is [`truncated`](Self::truncated) or does not fix an instant.
    ///
    /// Daytime is too coarse to set a clock. Use NTP (RFC 5905) for that.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        self.offset_of(&self.recognise().ok()?)
    }

    /// Returns the same difference as [`Answer::offset`], for a caller that has already parsed the
    /// reply.
    pub(crate) fn offset_of(&self, read: &Recognised) -> Option<Offset> {
        if self.truncated { None } else { read.offset(self.arrived?, self.round_trip) }
    }
}

/// Returns the local time at a past moment.
///
/// The wall clock and the monotonic clock cannot be read at the same instant, because the kernel
/// may run another thread between the two readings. So this function reads both clocks several
/// times, and uses the pair of readings that took the least time.
pub(crate) fn clock_at(moment: Instant) -> Option<DateTime<Utc>> {
    const MAX_READING_TIME: Duration = Duration::from_micros(2);
    const MAX_READINGS: usize = 16;
    let mut best: Option<(Duration, Duration, DateTime<Utc>)> = None;
    for _ in 0..MAX_READINGS {
        let before = moment.elapsed();
        let shown = Clock::System.now()?;
        let took = moment.elapsed().saturating_sub(before);
        if best.is_none_or(|(shortest, ..)| took < shortest) {
            best = Some((took, before + took / 2, shown));
        }
        if took <= MAX_READING_TIME {
            break;
        }
    }
    let (_, ago, shown) = best?;
    shown.checked_sub_signed(TimeDelta::from_std(ago).ok()?)
}

#[cfg(test)]
impl Answer {
    /// Returns a sample answer with these octets, received over this transport from 192.0.2.1:13
    /// after 1 ms.
    pub(crate) fn sample(transport: Transport, octets: &[u8]) -> Self {
        Self {
            transport,
            peer: "192.0.2.1:13".parse().expect("address"),
            octets: octets.to_vec(),
            truncated: false,
            waited: Duration::ZERO,
            connected_after: None,
            elapsed: Duration::from_millis(1),
            round_trip: Duration::from_millis(1),
            arrived: "2026-11-22T14:20:31.500Z".parse().ok(),
            reads: vec![octets.len()],
            questions: 1,
            calls: Calls::default(),
        }
    }
}
