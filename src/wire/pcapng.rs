//! Writes capture files as Wireshark reads them (draft-ietf-opsawg-pcapng).
//!
//! Times are in nanoseconds, packets begin with their IP header. A file is the same to the octet whenever
//! and wherever it is written: it has no date, no host and no system in it.

use super::Captured;
use super::decode::decode;
use crate::trace::{Fate, HostId, Trace, What};
use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, Linktype, OptionCode, PcapNGOption,
    SectionHeaderBlock, ToVec,
};
use std::borrow::Cow;
use std::time::Duration;

/// What one host saw of a trace: the packets that it sent and those that came, each with its fate.
#[cfg_attr(not(feature = "lab"), allow(dead_code, reason = "labs have traces"))]
pub(crate) fn pcapng(trace: &Trace, host: HostId) -> Vec<u8> {
    let name = trace.hosts.get(host.0).map_or("unknown", |host| &host.name);
    let mut seen: Vec<(Duration, &[u8], String)> = Vec::new();
    for event in &trace.events {
        let What::Packet(packet) = &event.what else { continue };
        let words = packet.fate.words(event.at);
        let mut saw = |at: Duration| seen.push((at, &packet.octets, words.clone()));
        if event.host == host {
            saw(event.at);
        }
        if packet.to == host {
            match &packet.fate {
                Fate::Arrived(times) => times.iter().copied().for_each(saw),
                // On a host that sends to itself it is there already.
                Fate::Seen if event.host != host => saw(event.at),
                Fate::Lost(_) | Fate::Seen => {}
            }
        }
    }
    seen.sort_by_key(|(at, ..)| *at);
    let packets = seen.iter().flat_map(|(at, octets, words)| block(*at, octets, Some(words)));
    begin(name).into_iter().chain(packets).collect()
}

/// What a file begins with: who wrote it, and the interface, or the host, that all of it was seen at.
pub(crate) fn begin(interface: &str) -> Vec<u8> {
    let mut section = SectionHeaderBlock {
        block_type: 0,
        block_len1: 0,
        bom: 0,
        major_version: 1,
        minor_version: 0,
        section_len: -1, // until the end
        options: vec![text(OptionCode::ShbUserAppl, "daytime")],
        block_len2: 0,
    };
    let mut description = InterfaceDescriptionBlock {
        block_type: 0,
        block_len1: 0,
        linktype: Linktype::RAW,
        reserved: 0,
        snaplen: 0, // packets are whole
        options: vec![text(OptionCode::IfName, interface)],
        block_len2: 0,
        if_tsresol: 9,
        if_tsoffset: 0,
    };
    let mut octets = octets(&mut section);
    octets.extend(self::octets(&mut description));
    octets
}

/// A packet as it is added to a file, with the comment that it has.
pub(crate) fn packet(captured: &Captured) -> Vec<u8> {
    block(captured.at, &captured.octets, captured.comment.as_deref())
}

fn block(at: Duration, packet: &[u8], comment: Option<&str>) -> Vec<u8> {
    // 64 bits of nanoseconds reach until 2554.
    let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
    // Where a capture has cut it, its own header knows how long it was.
    let whole = decode(packet).map_or(0, |decoded| decoded.octets).max(packet.len());
    octets(&mut EnhancedPacketBlock {
        block_type: 0,
        block_len1: 0,
        if_id: 0,
        ts_high: high(at),
        ts_low: low(at),
        caplen: length(packet.len()),
        origlen: length(whole),
        data: packet,
        options: comment.map(|comment| text(OptionCode::Comment, comment)).into_iter().collect(),
        block_len2: 0,
    })
}

fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

const fn high(number: u64) -> u32 {
    (number >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
const fn low(number: u64) -> u32 {
    number as u32
}

/// The block with its lengths filled in. It is written to memory, which cannot fail.
fn octets(block: &mut impl ToVec) -> Vec<u8> {
    block.to_vec().unwrap_or_default()
}

/// A text as an option, cut to what the length of one can say.
fn text(code: OptionCode, text: &str) -> PcapNGOption<'_> {
    let value = &text.as_bytes()[..text.floor_char_boundary(u16::MAX.into())];
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    PcapNGOption { code, len, value: Cow::Borrowed(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Event, Host, Loss, Packet};
    use crate::wire::read::Reading;

    const MS: Duration = Duration::from_millis(1);
    const CLIENT: HostId = HostId(0);
    const SERVER: HostId = HostId(1);

    fn trace(packets: Vec<(HostId, HostId, Duration, Fate)>) -> Trace {
        let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
        let mut trace = Trace::between(vec![host("client"), host("server")]);
        for (number, (from, to, at, fate)) in packets.into_iter().enumerate() {
            let octets = vec![0x45, u8::try_from(number).expect("few")];
            let what = What::Packet(Packet { to, octets, fate });
            trace.push(Event { at, host: from, what });
        }
        trace
    }

    /// Time in milliseconds, number and comment of each packet in a file.
    fn packets(file: &[u8]) -> Vec<(u128, u8, String)> {
        let mut reading = Reading::new(file).expect("a capture file");
        let mut found = Vec::new();
        while let Some(packet) = reading.next().expect("readable") {
            let comment = packet.comment.unwrap_or_default();
            found.push((packet.at.as_millis(), packet.octets[1], comment));
        }
        found
    }

    #[test]
    fn each_host_saw_what_it_sent_and_what_came() {
        let trace = trace(vec![
            (CLIENT, SERVER, MS, Fate::Arrived(vec![21 * MS, 41 * MS])),
            (CLIENT, SERVER, 2 * MS, Fate::Lost(Loss::Chance)),
            (SERVER, CLIENT, 30 * MS, Fate::Arrived(vec![50 * MS])),
        ]);
        let twice = "duplicated: arrived after 20 ms and after 40 ms".to_owned();
        let once = "arrived after 20 ms".to_owned();
        let lost = "lost by chance".to_owned();
        let client = [(1, 0, twice.clone()), (2, 1, lost), (50, 2, once.clone())];
        assert_eq!(packets(&pcapng(&trace, CLIENT)), client);
        let server = [(21, 0, twice.clone()), (30, 2, once), (41, 0, twice)];
        assert_eq!(packets(&pcapng(&trace, SERVER)), server);
    }

    #[test]
    fn what_a_host_sends_to_itself_is_there_once() {
        let trace = trace(vec![(CLIENT, CLIENT, MS, Fate::Seen)]);
        assert_eq!(packets(&pcapng(&trace, CLIENT)), [(1, 0, "seen here".into())]);
    }

    #[test]
    fn the_file_is_the_same_to_the_octet() {
        let trace = trace(vec![(CLIENT, SERVER, MS, Fate::Lost(Loss::Cut))]);
        let file = pcapng(&trace, CLIENT);
        assert_eq!(file, pcapng(&trace, CLIENT));
        let block = &file[begin("client").len()..];
        let expected: &[u8] = &[
            &[6, 0, 0, 0, 68, 0, 0, 0, 0, 0, 0, 0][..],
            &[0, 0, 0, 0, 0x40, 0x42, 0x0f, 0, 2, 0, 0, 0, 2, 0, 0, 0], // 1 000 000 ns
            &[0x45, 0, 0, 0, 1, 0, 22, 0],
            b"lost: the link was cut\0\0",
            &[0, 0, 0, 0, 68, 0, 0, 0],
        ]
        .concat();
        assert_eq!(block, expected);
    }

    #[test]
    fn a_comment_that_is_too_long_is_cut() {
        let long = "\u{fc}".repeat(40_000);
        let packet = packet(&Captured {
            at: MS,
            octets: vec![0x45, 7],
            interface: None,
            comment: Some(long),
        });
        let file = [begin("lo"), packet].concat();
        let [(_, 7, comment)] = &packets(&file)[..] else { panic!("not one packet") };
        assert!(comment.starts_with("\\xc3\\xbc"));
    }
}
