//! Functions shared by the labs that run on `netns`.

use super::network::address;
use crate::duration::short;
use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::loopback::{PATIENCE, RecordedSocket};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, LabOption, Obstacle, OptionRange, Prediction, Procedure, Results, Setting,
    Values,
};
use crate::transport::Transport;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Creates a lab's procedure for `netns`. The delay is limited to one second: with a longer delay, the kernel would
/// retransmit each packet before the first copy arrives.
pub(in crate::lab) const fn procedure(
    predict: fn(&Setting) -> Vec<Prediction>,
    run: fn(&Setting, &mut Results) -> Result<(), Obstacle>,
) -> Procedure {
    Procedure::new(Engine::Netns, predict, run).with(OPTIONS, values)
}

const OPTIONS: &[OptionRange] = &[LabOption::Delay.within(0..=1000)];

/// Default one-way delay. This delay is much longer than the kernel's own delays, so that a ladder diagram shows which
/// host is waiting for the other.
const DELAY: Duration = Duration::from_millis(20);

/// Time without packets after which the lab considers an exchange over. This time is longer than the 40 ms for which
/// Linux delays an acknowledgement (RFC 9293, section 3.8.6.3, allows more).
pub(in crate::lab) const QUIET_TIME: Duration = Duration::from_millis(100);

/// Returns the link conditions that most experiments use.
pub(in crate::lab) fn conditions(setting: &Setting) -> Conditions {
    Conditions::of(&setting.options, DELAY)
}

/// Returns the values that most labs insert into their text: the delay and the client's timeout.
pub(in crate::lab) fn values(setting: &Setting) -> Values {
    let [delay, patience] = [conditions(setting).delay, reply_timeout(setting)].map(short);
    vec![("delay", delay), ("patience", patience)]
}

/// Returns whether a round trip takes so long that a SYN is retransmitted before its answer arrives.
pub(in crate::lab) fn is_late(setting: &Setting) -> bool {
    2 * setting.options.delay.unwrap_or_default() >= FIRST_TIMEOUT
}

/// Predicts exactly this count, or at least this count if packets are retransmitted before their answers arrive.
pub(in crate::lab) fn exactly(setting: &Setting, count: u64, of: &'static str) -> Expected {
    let count = (count, of);
    if is_late(setting) { Expected::at_least(count) } else { Expected::is(count) }
}

/// Time after which a SYN is retransmitted, 1 s (RFC 6298, section 2), minus a margin.
const FIRST_TIMEOUT: Duration = Duration::from_millis(800);

/// Returns how long a client waits for a reply: more than one round trip.
pub(in crate::lab) fn reply_timeout(setting: &Setting) -> Duration {
    Duration::from_millis(300) + 4 * conditions(setting).delay
}

/// Returns a client's socket, connected to the server's port 13, whose receives time out after `timeout`.
pub(in crate::lab) fn connect(
    recorder: &Recorder,
    transport: Transport,
    timeout: Duration,
) -> io::Result<RecordedSocket> {
    let client = client_socket(recorder, transport, timeout)?;
    let server = SocketAddr::from(address(SERVER)).into();
    // The timeout allows for a SYN that is lost and retransmitted.
    client.socket.connect_timeout(&server, PATIENCE + 10 * timeout)?;
    Ok(client)
}

/// Returns a socket bound to the client's address, whose receives time out after `timeout`.
pub(in crate::lab) fn client_socket(
    recorder: &Recorder,
    transport: Transport,
    timeout: Duration,
) -> io::Result<RecordedSocket> {
    let client = RecordedSocket::open(recorder, CLIENT, transport)?;
    client.socket.set_read_timeout(Some(timeout))?;
    client.socket.bind(&SocketAddr::from((*address(CLIENT).ip(), 0)).into())?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{LABS, LabOptions, Value};

    fn setting(options: LabOptions) -> Setting {
        Setting { seed: 1, options }
    }

    fn labs() -> Vec<&'static Procedure> {
        LABS.iter().filter_map(|lab| lab.procedure_on(Engine::Netns)).collect()
    }

    fn exchange() -> &'static Procedure {
        crate::lab::find("exchange")
            .and_then(|lab| lab.procedure_on(Engine::Netns))
            .expect("it runs here")
    }

    #[test]
    fn no_finding_is_predicted_twice() {
        let setting = setting(LabOptions::default());
        assert_eq!(labs().len(), 7);
        for Procedure { predict, .. } in labs() {
            let predictions = predict(&setting);
            assert!(predictions.len() >= 4, "{predictions:?}");
            let mut names: Vec<_> = predictions.iter().map(|it| (it.transport, it.what)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), predictions.len(), "{names:?}");
        }
    }

    #[test]
    fn a_delay_is_printed_like_every_other_time() {
        let values = |nanoseconds| {
            let delay = Some(Duration::from_nanos(nanoseconds));
            values(&setting(LabOptions { delay, ..LabOptions::default() }))
        };
        assert_eq!(values(500_000)[0], ("delay", "500 µs".to_owned()));
        assert_eq!(values(20_000_000)[0], ("delay", "20 ms".to_owned()));
    }

    #[test]
    fn a_longer_delay_predicts_a_later_answer() {
        let delay = Some(Duration::from_millis(50));
        let predictions =
            (exchange().predict)(&setting(LabOptions { delay, ..LabOptions::default() }));
        let expected = |it: &Prediction| match it.expected.lowest() {
            Some(Value::Time { time }) => Some(*time),
            _ => None,
        };
        let times: Vec<Duration> = predictions.iter().filter_map(expected).collect();
        assert_eq!(times, [200, 100].map(Duration::from_millis));
    }
}
