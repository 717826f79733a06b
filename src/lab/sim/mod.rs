//! Two hosts of `smoltcp` on a link of our own, in virtual time: the same setting gives the same trace, to
//! the byte, on every system and without any right.
//!
//! What is simulated is the network and the two TCP/IP stacks. The services and the clients on top are
//! this program's own decisions (the responder, the guard, the exchange of the UDP client), on sockets
//! of `smoltcp` ([`stream`], [`datagram`]).
//!
//! Where it is not Linux: its FIN rides on the data; its first retransmission comes after a second at
//! least; it has no backlog but so many sockets that listen; to close with unread input sends FIN, not RST.

mod datagram;
mod device;
mod host;
mod network;
mod stream;

pub(crate) use datagram::{Asker, Policy, Service as DatagramService};
pub(crate) use network::{Application, Network, Place, address};
pub(crate) use stream::{Client as StreamClient, Service as StreamService};

use crate::clock::{Clock, Reading};
use crate::responder::Responder;
use crate::syntax::{Syntax, Zone};
use chrono::DateTime;
use std::time::{Duration, Instant};

/// When a simulation begins, for the clock that its servers tell the time from: the example of RFC 867's
/// second syntax.
const BEGINNING: i64 = 381_513_541; // 1982-02-02 15:59:01 UTC

/// The line of the real responder for a clock that goes with virtual time.
fn line(now: Duration) -> Option<Vec<u8>> {
    let seconds = i64::try_from(now.as_secs()).ok()?;
    let utc = DateTime::from_timestamp(BEGINNING + seconds, now.subsec_nanos())?;
    let clock = Clock::Fixed(Reading::at(utc));
    let mut responder = Responder::new(clock, Syntax::default(), Zone::UTC, false);
    Some(responder.reply(Instant::now())?.octets().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_goes_with_virtual_time() {
        let told = |seconds| String::from_utf8(line(Duration::from_secs(seconds)).expect("a time"));
        assert_eq!(told(0).expect("ASCII"), "Tuesday, February 2, 1982 15:59:01-UTC\r\n");
        assert_eq!(told(61).expect("ASCII"), "Tuesday, February 2, 1982 16:00:02-UTC\r\n");
    }
}
