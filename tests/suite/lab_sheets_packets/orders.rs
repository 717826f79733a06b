//! Orders, from the times at which the captures have the packets.

use super::sheet::letter;
use super::tshark::{ACK, Captures, FIN, Packet, RST, SYN};

/// An event with its time in milliseconds.
type Event = (f64, String);

/// Returns the letters of a sheet's labels in the order of their times.
///
/// # Panics
/// If a label is of no event or of several ones, or if two of the events have the same time.
pub fn letters(labels: &[String], events: &[Event]) -> String {
    let mut timed: Vec<(f64, char)> = Vec::new();
    for (number, label) in labels.iter().enumerate() {
        let found: Vec<f64> = events.iter().filter(|it| it.1 == *label).map(|it| it.0).collect();
        let [at] = found[..] else { panic!("{label} is at {found:?} in {events:?}") };
        timed.push((at, letter(number)));
    }
    timed.sort_by(|one, other| one.0.total_cmp(&other.0));
    assert!(timed.is_sorted_by(|one, next| one.0 < next.0), "{labels:?}: {timed:?}");
    timed.iter().map(|(_, letter)| letter.to_string()).collect::<Vec<_>>().join(" ")
}

/// Returns the sending of each TCP segment of a run. `delay` is the milliseconds from host to host.
pub fn segments(captures: &Captures, run: &str, hosts: &[&str], delay: f64) -> Vec<Event> {
    let mut events = Vec::new();
    for host in hosts {
        let received: Vec<Packet> = hosts
            .iter()
            .filter(|other| *other != host)
            .flat_map(|other| captures.received(run, other))
            .collect();
        let mut before: Vec<Packet> = Vec::new();
        for packet in captures.sent(run, host) {
            let is_again = before.iter().any(|it| is_same(it, &packet));
            let again = if is_again && takes_numbers(&packet) { "again: " } else { "" };
            let arrives =
                |it: &Packet| is_same(it, &packet) && (it.at - packet.at - delay).abs() < 0.001;
            let lost = if received.iter().any(arrives) { "" } else { " (lost)" };
            events.push((packet.at, format!("The {host} sends {again}{}{lost}", name(&packet))));
            before.push(packet);
        }
    }
    events
}

/// Whether two packets are the same segment, possibly sent twice.
fn is_same(one: &Packet, other: &Packet) -> bool {
    let fields = |it: &Packet| (it.sequence, it.flags, it.data, it.source.clone());
    fields(one) == fields(other)
}

/// Whether a segment takes sequence numbers. Another segment is never a retransmission.
fn takes_numbers(packet: &Packet) -> bool {
    packet.data > 0 || packet.has(SYN) || packet.has(FIN)
}

/// Returns the name of a segment: its data, and the flags that are special.
fn name(packet: &Packet) -> String {
    let octets = (packet.data > 0).then(|| format!("{} octets", packet.data));
    let flags = [(SYN, "SYN"), (FIN, "FIN"), (RST, "RST")];
    let special = flags.iter().filter(|(flag, _)| packet.has(*flag)).map(|it| it.1.to_owned());
    let names: Vec<String> = octets.into_iter().chain(special).collect();
    match &names[..] {
        [] => "ACK".to_owned(),
        [one] if packet.has(SYN | ACK) => format!("{one}, ACK"),
        names => names.join(", "),
    }
}

/// Returns the questions and replies of the lab `stale` over UDP. The link keeps their order and the server needs the
/// same time for each, so the n-th reply is the one to question n.
pub fn questions(captures: &Captures, run: &str) -> Vec<Event> {
    let numbered = |packets: Vec<Packet>, text: &str| {
        let events = packets.into_iter().enumerate();
        events.map(|(number, it)| (it.at, format!("{text} {}", number + 1))).collect::<Vec<_>>()
    };
    [
        numbered(captures.sent(run, "client"), "The client sends question"),
        numbered(captures.sent(run, "server"), "The server sends the reply to question"),
        numbered(captures.received(run, "client"), "The client receives the reply to question"),
    ]
    .concat()
}
