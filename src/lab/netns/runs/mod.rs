//! What is done on the network of namespaces, by lab.
//!
//! Each has the [`PROCEDURE`](exchange::PROCEDURE) of its lab.

pub(in crate::lab) mod exchange;
pub(in crate::lab) mod loop_;
pub(in crate::lab) mod multihome;
pub(in crate::lab) mod raw;
pub(in crate::lab) mod refused;
pub(in crate::lab) mod silent;
pub(in crate::lab) mod unread;

use super::super::link::{CLIENT, Conditions, SERVER};
use super::super::{
    Dial, Engine, Expected, Knob, Obstacle, Prediction, Procedure, Run, Setting, draws_nothing,
};
use crate::duration::short;
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

/// How a lab is done here. What is under way for longer than a second, a kernel sends again before it has come, and
/// again: hence the limit of the delay.
const fn procedure(
    method: fn(&Setting) -> String,
    predict: fn(&Setting) -> Vec<Prediction>,
    run: fn(&Setting) -> Result<Run, Obstacle>,
) -> Procedure {
    Procedure { engine: Engine::Netns, draws: draws_nothing, knobs: KNOBS, method, predict, run }
}

const KNOBS: &[Dial] = &[Knob::Delay.within(0..=1000)];

/// How long a packet takes from host to host, unless it is said: long beside what a kernel needs, so that
/// a drawing shows who waits for whom.
const DELAY: Duration = Duration::from_millis(20);

/// Delayed acknowledgements come within it (RFC 9293, section 3.8.6.3, allows more; Linux takes 40 ms).
const QUIET: Duration = Duration::from_millis(100);

/// How the link is in most experiments.
fn conditions(setting: &Setting) -> Conditions {
    Conditions::of(&setting.knobs, DELAY)
}

/// How long a packet takes in most experiments, in words.
fn delay(setting: &Setting) -> String {
    short(conditions(setting).delay)
}

/// So many; or more, where an answer comes so late that the question was asked again.
fn exactly(setting: &Setting, count: u64, of: &'static str) -> Expected {
    let is_late = 2 * setting.knobs.delay.unwrap_or_default() >= FIRST_TIMEOUT;
    let count = (count, of).into();
    if is_late { Expected::AtLeast(count) } else { Expected::Is(count) }
}

/// After which a SYN is sent again (RFC 6298, section 2), with a margin.
const FIRST_TIMEOUT: Duration = Duration::from_millis(800);

/// How long silence is waited for: whatever comes needs one round trip.
fn patience(setting: &Setting) -> Duration {
    Duration::from_millis(300) + 4 * conditions(setting).delay
}

/// A stream to the server that does not wait for its reply for ever.
fn connect(limit: Duration) -> io::Result<TcpStream> {
    let server = super::network::address(SERVER).into();
    let stream =
        TcpStream::connect_timeout(&server, super::super::loopback::PATIENCE + 10 * limit)?;
    stream.set_read_timeout(Some(limit))?;
    Ok(stream)
}

/// A datagram socket that does not wait for ever, connected to the server or not.
fn datagram_socket(limit: Duration, peer: Peer) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((super::ADDRESSES[CLIENT.0], 0))?;
    socket.set_read_timeout(Some(limit))?;
    if let Peer::Connected = peer {
        socket.connect(super::network::address(SERVER))?;
    }
    Ok(socket)
}

/// Whether a datagram socket has one peer.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Connected,
    Unconnected,
}

/// What came of a call, for an observation: the error's name or what it gave.
fn told<T>(called: &io::Result<T>, words: impl FnOnce(&T) -> String) -> String {
    match called {
        Ok(value) => words(value),
        Err(error) => super::super::loopback::name(error),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what a call gives is shown by reference")]
fn octets(count: &usize) -> String {
    super::super::loopback::octets(*count)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Knobs, Value};
    use super::*;

    fn setting(knobs: Knobs) -> Setting {
        Setting { seed: 1, knobs }
    }

    #[test]
    fn nothing_is_predicted_twice() {
        let setting = setting(Knobs::default());
        let all = [
            exchange::PROCEDURE,
            loop_::PROCEDURE,
            multihome::PROCEDURE,
            raw::PROCEDURE,
            refused::PROCEDURE,
            silent::PROCEDURE,
            unread::PROCEDURE,
        ];
        for Procedure { predict, .. } in all {
            let predictions = predict(&setting);
            assert!(predictions.len() >= 4, "{predictions:?}");
            let mut names: Vec<_> = predictions.iter().map(|it| (it.transport, it.what)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), predictions.len(), "{names:?}");
        }
    }

    #[test]
    fn a_delay_is_told_as_every_time_is() {
        let method = |nanoseconds| {
            let delay = Some(Duration::from_nanos(nanoseconds));
            (exchange::PROCEDURE.method)(&setting(Knobs { delay, ..Knobs::default() }))
        };
        assert!(method(500_000).contains(" 500 µs away"), "{}", method(500_000));
        assert!(method(20_000_000).contains(" 20 ms away"), "{}", method(20_000_000));
    }

    #[test]
    fn one_octet_is_singular() {
        assert_eq!([1, 26].map(|count| octets(&count)), ["1 octet", "26 octets"]);
    }

    #[test]
    fn a_longer_delay_predicts_a_later_answer() {
        let delay = Some(Duration::from_millis(50));
        let predictions =
            (exchange::PROCEDURE.predict)(&setting(Knobs { delay, ..Knobs::default() }));
        let expected = |it: &Prediction| match &it.expected {
            Expected::AtLeast(Value::Time(time)) => Some(*time),
            _ => None,
        };
        let times: Vec<Duration> = predictions.iter().filter_map(expected).collect();
        assert_eq!(times, [200, 100].map(Duration::from_millis));
    }
}
