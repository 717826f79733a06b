//! What a server answered, and what it means.

use super::Calls;
use crate::clock::Clock;
use crate::reply::Printable;
use crate::syntax::{Frame, Offset, Recognised, Unrecognised, recognise};
use crate::transport::Transport;
use chrono::{DateTime, TimeDelta, Utc};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a server answered.
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
    /// The transport it came over.
    pub transport: Transport,
    /// The address that answered.
    pub peer: SocketAddr,
    /// The octets, as they came and unchecked; show them with [`Answer::text`].
    pub octets: Vec<u8>,
    /// The datagram was longer than [`Options::limit`](crate::Options::limit), or the stream stopped within its
    /// first line; what is missing is lost.
    pub truncated: bool,
    /// How long `Pace::Wait` of [`Options::pace`](crate::Options::pace) kept the question back, before the timeout began.
    pub waited: Duration,
    /// TCP: from the start until the connection was there.
    pub connected_after: Option<Duration>,
    /// TCP: from the start until the end of the stream. UDP: from the first question to the answer; which
    /// of several questions it answers, RFC 867 does not tell.
    pub elapsed: Duration,
    /// The window in which the server must have looked at its clock. TCP: from the first packet of the
    /// connection, which is the question, until the first line was read, or the end of a stream without
    /// any. UDP: from the first question to the peer until its answer; with several questions all of it,
    /// because RFC 867 does not tell which one was answered.
    pub round_trip: Duration,
    /// What the local clock showed at the end of that window. It is read once the exchange is over, and the
    /// time since then is taken off. `None` where the clock holds no valid date.
    pub arrived: Option<DateTime<Utc>>,
    /// Octets of each read that gave any.
    pub reads: Vec<usize>,
    /// Questions sent to the peer. TCP: 0, the server speaks first.
    pub questions: u32,
    /// The system calls it took, but for resolving the name.
    pub calls: Calls,
}

impl Answer {
    /// The line without its ending, safe for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        Printable::line(&self.octets).to_string()
    }

    /// What the reply means. A line that was cut claims no instant: its zone may be cut, too.
    ///
    /// # Errors
    /// [`Unrecognised`]: it is no time in any form that is known here.
    pub fn recognise(&self) -> Result<Recognised<'_>, Unrecognised> {
        let mut read = recognise(&self.octets)?;
        if self.truncated && !Frame::of(&self.octets).ended {
            read.cut();
        }
        Ok(read)
    }

    /// How far the local clock is from the server's; `None` unless the reply came whole and fixes an
    /// instant.
    ///
    /// Daytime is too coarse to set a clock by; that is what NTP (RFC 5905) is for.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        self.offset_of(&self.recognise().ok()?)
    }

    /// The same for a reply that was read already.
    pub(crate) fn offset_of(&self, read: &Recognised) -> Option<Offset> {
        if self.truncated { None } else { read.offset(self.arrived?, self.round_trip) }
    }
}

/// What the local clock showed at a moment that is over.
///
/// Two clocks cannot be read at once, and the kernel may run another thread between the
/// two: the reading that took least of several counts.
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
    /// An answer with these octets over this transport, from port 13 of 192.0.2.1, after a millisecond.
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
