//! Writes capture files in Wireshark's pcapng format (draft-ietf-opsawg-pcapng).
//!
//! Times are in nanoseconds, and packets start with their IP header. The file contains no creation
//! date, host name or system name, so the same packets always produce the same octets.

use super::decode::decode;
use super::{Captured, InterfaceId, link};
use crate::trace::{Action, Fate, HostId, Trace};
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum number of interfaces in a section, so that no peer can exhaust the memory. The next
/// interface starts a new section.
pub(super) const MAX_INTERFACES: usize = 4096;

/// Block types in a pcapng file.
pub(super) mod block_type {
    pub(crate) const INTERFACE: u32 = 1;
    /// The packet block in the first pcapng files. The enhanced packet block has replaced it
    /// (appendix A of the draft).
    pub(crate) const OLD_PACKET: u32 = 2;
    pub(crate) const SIMPLE_PACKET: u32 = 3;
    pub(crate) const ENHANCED_PACKET: u32 = 6;
    pub(crate) const SECTION: u32 = 0x0a0d_0d0a;
}

/// Option codes. `APPLICATION` belongs to sections, `COMMENT` to packets, and the others to
/// interfaces.
pub(super) mod option_code {
    pub(crate) const COMMENT: u16 = 1;
    pub(crate) const INTERFACE_NAME: u16 = 2;
    pub(crate) const APPLICATION: u16 = 4;
    pub(crate) const TIME_RESOLUTION: u16 = 9;
    pub(crate) const TIME_OFFSET: u16 = 14;
}

/// Returns a capture file with the packets in a trace that one host sent or received. A comment on
/// each packet describes the packet's fate.
#[cfg_attr(not(feature = "lab"), allow(dead_code, reason = "labs have traces"))]
pub(crate) fn pcapng(trace: &Trace, host: HostId) -> Vec<u8> {
    let name = trace.hosts.get(host.0).map_or("unknown", |host| &host.name);
    let mut seen: Vec<(Duration, &[u8], Vec<u8>)> = Vec::new();
    for event in &trace.events {
        let Action::Packet(packet) = &event.action else { continue };
        let words = packet.fate.words(event.at).into_bytes();
        let mut saw = |at: Duration| seen.push((at, &packet.octets, words.clone()));
        if event.host == host {
            saw(event.at);
        }
        if packet.to == host {
            match &packet.fate {
                Fate::Arrived(times) => times.iter().copied().for_each(saw),
                // If a host sends a packet to itself, `seen` already contains the packet.
                Fate::Seen if event.host != host => saw(event.at),
                Fate::Lost(_) | Fate::Seen => {}
            }
        }
    }
    seen.sort_by_key(|(at, ..)| *at);
    let head = [begin(), interface(Some(name.as_bytes()))].concat();
    let packets = seen.into_iter().flat_map(|(at, octets, words)| packet(0, at, octets, &[words]));
    head.into_iter().chain(packets).collect()
}

/// Returns the section header that begins a file and names the application.
pub(crate) fn begin() -> Vec<u8> {
    const BYTE_ORDER: [u8; 4] = 0x1a2b_3c4d_u32.to_le_bytes();
    const VERSION: [u8; 4] = [1, 0, 0, 0];
    /// Marks the section's length as unknown: the section ends at the end of the file.
    const LENGTH: [u8; 8] = [0xff; 8];
    let application = options(&[(option_code::APPLICATION, b"daytime")]);
    block(block_type::SECTION, &[&BYTE_ORDER[..], &VERSION, &LENGTH, &application].concat())
}

/// Writes packets into a file that starts with [`begin`].
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Each interface's number in the current section.
    interfaces: BTreeMap<Option<InterfaceId>, u32>,
}

impl Writer {
    /// Returns the octets that a packet adds to the file. A description of the interface precedes
    /// the interface's first packet.
    pub(crate) fn packet(&mut self, captured: &Captured) -> Vec<u8> {
        let id = captured.interface.as_ref().map(|it| it.id);
        let mut before = Vec::new();
        if !self.interfaces.contains_key(&id) {
            if self.interfaces.len() >= MAX_INTERFACES {
                self.interfaces.clear();
                before.extend(begin());
            }
            let name = captured.interface.as_ref().and_then(|it| it.name.as_deref());
            before.extend(interface(name));
        }
        let next = length(self.interfaces.len());
        let number = *self.interfaces.entry(id).or_insert(next);
        let at = captured.at.unwrap_or_default();
        before.extend(packet(number, at, &captured.octets, &captured.comments));
        before
    }
}

/// Returns the block that describes an interface or host. The block contains no maximum packet
/// length, because packets are recorded in full.
fn interface(name: Option<&[u8]>) -> Vec<u8> {
    const MAX_LENGTH: [u8; 4] = [0; 4];
    const NANOSECONDS: (u16, &[u8]) = (option_code::TIME_RESOLUTION, &[9]);
    const OFFSET: (u16, &[u8]) = (option_code::TIME_OFFSET, &[0; 8]);
    let name = name.map(|name| (option_code::INTERFACE_NAME, name));
    let options = options(&name.into_iter().chain([NANOSECONDS, OFFSET]).collect::<Vec<_>>());
    block(block_type::INTERFACE, &[&link::RAW.to_le_bytes()[..], &MAX_LENGTH, &options].concat())
}

fn packet(interface: u32, at: Duration, packet: &[u8], comments: &[Vec<u8>]) -> Vec<u8> {
    // 64 bits of nanoseconds last until the year 2554.
    let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
    let [high, low] = [at >> 32, at & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or(0));
    // If the capture has truncated the packet, the IP header still contains the original length.
    let whole = decode(packet).map_or(0, |decoded| decoded.octets).max(packet.len());
    let head = [interface, high, low, length(packet.len()), length(whole)].map(u32::to_le_bytes);
    let comments: Vec<_> = comments.iter().map(|it| (option_code::COMMENT, &it[..])).collect();
    block(
        block_type::ENHANCED_PACKET,
        &[head.concat(), padded(packet), options(&comments)].concat(),
    )
}

/// Returns a block. The block's length both precedes and follows the body.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = length(12 + body.len()).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// Returns a block's options, followed by an end mark if there are any. A value that is too long
/// for an option is truncated; no value read from a file is that long.
fn options(options: &[(u16, &[u8])]) -> Vec<u8> {
    let option = |(code, value): &(u16, &[u8])| {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        let head = [code.to_le_bytes(), length.to_le_bytes()].concat();
        [head, padded(&value[..length.into()])].concat()
    };
    let end = if options.is_empty() { &[][..] } else { &[0; 4] };
    options.iter().flat_map(option).chain(end.iter().copied()).collect()
}

/// Pads the octets with zeros to a multiple of four.
fn padded(octets: &[u8]) -> Vec<u8> {
    let mut padded = octets.to_vec();
    padded.resize(octets.len().next_multiple_of(4), 0);
    padded
}

fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Event, Host, Loss, Packet};
    use crate::wire::Interface;
    use crate::wire::read::CaptureReader;

    const MS: Duration = Duration::from_millis(1);
    const CLIENT: HostId = HostId(0);
    const SERVER: HostId = HostId(1);

    fn trace(packets: Vec<(HostId, HostId, Duration, Fate)>) -> Trace {
        let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
        let mut trace = Trace::between(vec![host("client"), host("server")]);
        for (number, (from, to, at, fate)) in packets.into_iter().enumerate() {
            let octets = vec![0x45, u8::try_from(number).expect("few")];
            let action = Action::Packet(Packet { to, octets, fate });
            trace.push(Event { at, host: from, action });
        }
        trace
    }

    /// Returns each packet's time in milliseconds, number and comment.
    fn packets(file: &[u8]) -> Vec<(u128, u8, String)> {
        let mut reading = CaptureReader::new(file).expect("a capture file");
        let mut found = Vec::new();
        while let Some(packet) = reading.next().expect("readable") {
            let [comment] = &packet.comments[..] else { panic!("{packet:?}") };
            let comment = String::from_utf8(comment.clone()).expect("UTF-8");
            let at = packet.at.expect("a time").as_millis();
            found.push((at, packet.octets[1], comment));
        }
        found
    }

    #[test]
    fn each_file_has_the_packets_that_its_host_sent_and_received() {
        let trace = trace(vec![
            (CLIENT, SERVER, MS, Fate::Arrived(vec![21 * MS, 41 * MS])),
            (CLIENT, SERVER, 2 * MS, Fate::Lost(Loss::Chance)),
            (SERVER, CLIENT, 30 * MS, Fate::Arrived(vec![50 * MS])),
        ]);
        let twice = Fate::Arrived(vec![21 * MS, 41 * MS]).words(MS);
        let once = Fate::Arrived(vec![50 * MS]).words(30 * MS);
        let lost = Fate::Lost(Loss::Chance).words(2 * MS);
        let client = [(1, 0, twice.clone()), (2, 1, lost), (50, 2, once.clone())];
        assert_eq!(packets(&pcapng(&trace, CLIENT)), client);
        let server = [(21, 0, twice.clone()), (30, 2, once), (41, 0, twice)];
        assert_eq!(packets(&pcapng(&trace, SERVER)), server);
    }

    #[test]
    fn a_packet_that_a_host_sends_to_itself_is_written_once() {
        let trace = trace(vec![(CLIENT, CLIENT, MS, Fate::Seen)]);
        assert_eq!(packets(&pcapng(&trace, CLIENT)), [(1, 0, "seen here".into())]);
    }

    #[test]
    fn the_same_trace_gives_the_same_octets() {
        let trace = trace(vec![(CLIENT, SERVER, MS, Fate::Lost(Loss::Cut))]);
        let file = pcapng(&trace, CLIENT);
        assert_eq!(file, pcapng(&trace, CLIENT));
        let block = &file[[begin(), interface(Some(b"client"))].concat().len()..];
        let expected: &[u8] = &[
            &[6, 0, 0, 0, 68, 0, 0, 0, 0, 0, 0, 0][..],
            &[0, 0, 0, 0, 0x40, 0x42, 0x0f, 0, 2, 0, 0, 0, 2, 0, 0, 0], // the time is 1 000 000 ns
            &[0x45, 0, 0, 0, 1, 0, 22, 0],
            b"lost: the link was cut\0\0",
            &[0, 0, 0, 0, 68, 0, 0, 0],
        ]
        .concat();
        assert_eq!(block, expected);
    }

    fn seen(number: u32, name: Option<&[u8]>) -> Captured {
        let id = InterfaceId { number, passed: None };
        let interface = Some(Interface { id, name: name.map(Into::into) });
        Captured { at: Some(MS), octets: vec![0x45, 7], interface, comments: Vec::new() }
    }

    fn write(packets: &[Captured]) -> Vec<u8> {
        let mut writer = Writer::default();
        let packets = packets.iter().flat_map(|packet| writer.packet(packet));
        begin().into_iter().chain(packets).collect()
    }

    fn read(file: &[u8]) -> Vec<Captured> {
        let mut reading = CaptureReader::new(file).expect("a capture file");
        std::iter::from_fn(|| reading.next().expect("readable")).collect()
    }

    #[test]
    fn each_interface_is_described_once_and_its_packets_refer_to_it() {
        let packets = [
            seen(7, Some(b"br0")),
            seen(3, Some(b"ve0")),
            seen(7, Some(b"br0")),
            seen(9, None),
            Captured { interface: None, ..seen(0, None) },
        ];
        let found: Vec<_> = read(&write(&packets))
            .into_iter()
            .map(|packet| {
                let interface = packet.interface.expect("one");
                (interface.id.number, interface.name.map(|name| name.to_vec()))
            })
            .collect();
        let named = |name: &str| Some(name.as_bytes().to_vec());
        let expected =
            [(0, named("br0")), (1, named("ve0")), (0, named("br0")), (2, None), (3, None)];
        assert_eq!(found, expected);
    }

    #[test]
    fn more_interfaces_than_the_limit_start_another_section() {
        let most = u32::try_from(MAX_INTERFACES).expect("few");
        let mut writer = Writer::default();
        let packets = (0..=most).flat_map(|number| writer.packet(&seen(number, None)));
        let found = read(&begin().into_iter().chain(packets).collect::<Vec<u8>>());
        assert_eq!(writer.interfaces.len(), 1);
        let numbers: Vec<u32> =
            found.iter().filter_map(|it| Some(it.interface.as_ref()?.id.number)).collect();
        assert_eq!(numbers, (0..=most).collect::<Vec<_>>());
    }

    #[test]
    fn each_comment_is_kept_unchanged() {
        let comments = vec![b"lost \\ \x1b[2J".to_vec(), Vec::new(), "versp\u{e4}tet".into()];
        let packet = Captured { comments, ..seen(0, None) };
        let once = read(&write(std::slice::from_ref(&packet)));
        assert_eq!(once, [packet]);
        assert_eq!(write(&once), write(&read(&write(&once))));
    }

    #[test]
    fn a_comment_that_is_too_long_is_cut() {
        let packet = Captured { comments: vec![vec![b'y'; 70_000]], ..seen(0, None) };
        let [packet] = &read(&write(&[packet]))[..] else { panic!("not one packet") };
        assert_eq!(packet.comments, [vec![b'y'; 65_535]]);
    }
}
