//! Reads sample files in both formats, which the tests build octet by octet.

use super::*;
use crate::mentions::mentions;
use proptest::prelude::*;
use std::time::Duration;

const PACKET: &[u8] = &[0x45, 1, 2, 3, 4];

/// A byte order: little or big endian.
#[derive(Clone, Copy)]
struct Order {
    big_endian: bool,
}

impl Order {
    const BOTH: [Self; 2] = [Self { big_endian: false }, Self { big_endian: true }];

    fn next_u32(self, number: u32) -> [u8; 4] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn next_u16(self, number: u16) -> [u8; 2] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn next_u32s(self, numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| self.next_u32(*number)).collect()
    }

    /// Returns a pcap file with one packet, whose timestamp is 3 seconds plus `fraction` after the
    /// start of 1970.
    fn pcap(self, magic: u32, link_type: u32, fraction: u32) -> Vec<u8> {
        [
            self.next_u32(magic).to_vec(),
            [self.next_u16(2), self.next_u16(4)].concat(),
            self.next_u32s(&[0, 0, 65535, link_type]),
            self.next_u32s(&[3, fraction, 5, 5]),
            PACKET.to_vec(),
        ]
        .concat()
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(12 + body.len()).expect("short");
        [&self.next_u32s(&[kind, length])[..], body, &self.next_u32(length)].concat()
    }

    /// Returns a pcapng file with two packets on an interface that has these options. The second
    /// packet has no timestamp.
    fn pcapng(self, link_type: u16, options: &[u8], count: u64) -> Vec<u8> {
        [self.section(link_type, options), self.timed(0, count), self.simple()].concat()
    }

    /// Returns a section's first blocks: its header and the description of its first interface.
    fn section(self, link_type: u16, options: &[u8]) -> Vec<u8> {
        let version = [self.next_u16(1), self.next_u16(0)].concat();
        let section = [&self.next_u32(0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat();
        let link = [self.next_u16(link_type), self.next_u16(0)].concat();
        let interface = [&link[..], &self.next_u32(0), options].concat();
        [self.block(0x0a0d_0d0a, &section), self.block(1, &interface)].concat()
    }

    fn timed(self, interface: u32, count: u64) -> Vec<u8> {
        let (high, low) = ((count >> 32) as u32, (count & 0xffff_ffff) as u32);
        self.block(6, &[self.next_u32s(&[interface, high, low, 5, 5]), padded(PACKET)].concat())
    }

    fn simple(self) -> Vec<u8> {
        self.block(3, &[&self.next_u32(5)[..], &padded(PACKET)].concat())
    }
}

fn padded(frame: &[u8]) -> Vec<u8> {
    let mut padded = frame.to_vec();
    padded.resize(frame.len().next_multiple_of(4), 0);
    padded
}

fn all(file: &[u8]) -> Result<Vec<Captured>, ReadError> {
    let mut reading = CaptureReader::new(file)?;
    let mut packets = Vec::new();
    while let Some(packet) = reading.next()? {
        packets.push(packet);
    }
    Ok(packets)
}

fn times(file: &[u8]) -> Vec<Duration> {
    let packets = all(file).expect("readable");
    assert!(packets.iter().all(|packet| packet.octets == PACKET), "{packets:?}");
    packets.iter().map(|packet| packet.at.expect("a time")).collect()
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_both_time_units() {
    for order in Order::BOTH {
        for (magic, nanoseconds) in [(0xa1b2_c3d4, 70_000), (0xa1b2_3c4d, 70)] {
            let file = order.pcap(magic, 101, 70);
            assert_eq!(times(&file), [Duration::new(3, nanoseconds)]);
        }
    }
}

#[test]
fn pcap_with_longer_packet_headers_is_read() {
    let mut file = Order::BOTH[0].pcap(0xa1b2_cd34, 101, 70);
    let head_end = file.len() - PACKET.len();
    file.splice(head_end..head_end, [0xff; 8]);
    assert_eq!(times(&file), [Duration::new(3, 70_000)]);
}

#[test]
fn pcapng_is_read_in_both_byte_orders_and_any_time_unit() {
    for order in Order::BOTH {
        let option = |code, length, value: &[u8]| {
            [&order.next_u16(code)[..], &order.next_u16(length), value].concat()
        };
        let tsresol = |value| option(9, 1, &[value, 0, 0, 0]);
        let micro = Duration::from_micros(5_000_001);
        for (options, count, expected) in [
            (Vec::new(), 5_000_001, micro),
            (tsresol(9), 5_000_001_000, micro),
            (tsresol(0x80 | 0x14), 5 << 20 | 1 << 19, Duration::from_millis(5500)),
            // This unit is impossible, so the default unit is used.
            (tsresol(99), 5_000_001, micro),
        ] {
            let file = order.pcapng(101, &options, count);
            assert_eq!(times(&file), [expected, expected]);
        }
        let seconds = if order.big_endian { 7_i64.to_be_bytes() } else { 7_i64.to_le_bytes() };
        let file = order.pcapng(101, &option(14, 8, &seconds), 1_000_000);
        assert_eq!(times(&file)[0], Duration::from_secs(8));
    }
}

/// Returns each packet's interface: its number in the file, and the index of the interface through
/// which the packet passed.
fn interfaces(file: &[u8]) -> Vec<(u32, Option<u32>)> {
    let id = |packet: Captured| packet.interface.expect("an interface").id;
    let ids = all(file).expect("readable").into_iter().map(id);
    ids.map(|id| (id.number, id.passed)).collect()
}

#[test]
fn the_interfaces_of_another_section_have_new_numbers() {
    let order = Order::BOTH[0];
    let section = [order.section(101, &[]), order.timed(0, 1)].concat();
    assert_eq!(interfaces(&[&section[..], &section].concat()), [(0, None), (1, None)]);
}

#[test]
fn a_capture_on_all_interfaces_keeps_the_interface_of_each_packet() {
    let order = Order::BOTH[0];
    let frame = |index: u8| {
        let head = [8, 0, 0, 0, 0, 0, 0, index, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0];
        [&head[..], PACKET].concat()
    };
    let packet = |index| {
        let head = order.next_u32s(&[0, 0, 1, 25, 25]);
        order.block(6, &[head, padded(&frame(index))].concat())
    };
    let file = [order.section(276, &[]), packet(3), packet(4)].concat();
    assert_eq!(interfaces(&file), [(0, Some(3)), (0, Some(4))]);
}

#[test]
fn a_section_with_too_many_interfaces_is_damaged() {
    let order = Order::BOTH[0];
    let another = order.block(1, &[&order.next_u16(101)[..], &[0; 6]].concat());
    let file = |more| [order.section(101, &[]), another.repeat(more), order.timed(0, 1)].concat();
    assert_eq!(all(&file(4095)).expect("readable").len(), 1);
    assert!(all(&file(4096)).is_err());
}

#[test]
fn the_name_of_an_interface_is_read() {
    for order in Order::BOTH {
        let name = [&order.next_u16(2)[..], &order.next_u16(3), b"br0\0"].concat();
        for packet in all(&order.pcapng(101, &name, 1)).expect("readable") {
            let interface = packet.interface.expect("one");
            assert_eq!(interface.name.as_deref(), Some(&b"br0"[..]));
        }
    }
}

#[test]
fn a_packet_block_of_the_first_pcapng_files_is_read() {
    for order in Order::BOTH {
        // In the old packet block, the interface number and the number of dropped packets, both 0
        // here, have two octets each.
        let packet = [order.next_u32s(&[0, 0, 5_000_001, 5, 5]), padded(PACKET)].concat();
        let file = [order.section(101, &[]), order.block(2, &packet)].concat();
        assert_eq!(times(&file), [Duration::from_micros(5_000_001)]);
        let file = [order.section(101, &[]), order.block(2, &packet[..24])].concat();
        assert!(matches!(all(&file), Err(ReadError::Damaged(0, 48))));
    }
}

#[test]
fn a_packet_before_the_first_time_has_none() {
    let order = Order::BOTH[0];
    let blocks = [order.simple(), order.timed(0, 7_000_000), order.simple()].concat();
    let section = [order.section(101, &[]), blocks].concat();
    let packets = all(&[&section[..], &section].concat()).expect("readable");
    let times: Vec<Option<u64>> =
        packets.iter().map(|packet| packet.at.map(|at| at.as_secs())).collect();
    assert_eq!(times, [None, Some(7), Some(7), None, Some(7), Some(7)]);
}

#[test]
fn the_padding_of_a_cut_packet_is_ignored() {
    let order = Order::BOTH[0];
    let mut file = [order.section(101, &[]), order.simple()].concat();
    file[28 + 12..28 + 16].copy_from_slice(&3_u32.to_le_bytes());
    assert_eq!(all(&file).expect("readable")[0].octets, PACKET[..3]);
}

#[test]
fn a_file_in_pieces_from_a_pipe_is_read() {
    /// A reader that returns only one octet per call.
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let one = room.len().min(1);
            self.0.read(&mut room[..one])
        }
    }
    for file in [Order::BOTH[0].pcap(0xa1b2_c3d4, 101, 0), Order::BOTH[1].pcapng(101, &[], 0)] {
        let mut reading = CaptureReader::new(Slow(&file)).expect("a capture file");
        assert_eq!(reading.next().expect("readable").expect("a packet").octets, PACKET);
    }
}

#[test]
fn packets_with_unsupported_link_types_are_counted() {
    let file = Order::BOTH[0].pcapng(127, &[], 0);
    let mut reading = CaptureReader::new(&file[..]).expect("a capture file");
    assert_eq!(reading.next().expect("readable"), None);
    assert_eq!((reading.packets, reading.skipped), (2, 2));
    assert_eq!(reading.unread_links, BTreeSet::from([127]));
    // A pcap file has only one link type, so no packet in it can be read.
    let error = all(&Order::BOTH[0].pcap(0xa1b2_c3d4, 127, 0)).expect_err("unread");
    mentions(&error, &["link type 127"]);
}

#[test]
fn a_file_of_another_format_is_refused() {
    mentions(&all(b"").expect_err("no octets"), &["empty"]);
    for file in [
        b"Monday",
        &b"Monday, November 23, 2026 10:00:00-UTC\r\n"[..],
        &[&b"\x0a\x0d\x0d\x0a"[..], &[0xff; 40]].concat(),
        &Order::BOTH[0].pcap(0xa1b2_c3d4, 101, 0)[..20],
    ] {
        mentions(&all(file).expect_err("no capture file"), &["neither", "pcap", "pcapng"]);
    }
}

#[test]
fn the_error_for_a_cut_file_has_packet_and_position() {
    let whole = Order::BOTH[0].pcapng(101, &[], 0);
    let last = whole.len() - 24; // the last block has 24 octets
    let error = all(&whole[..last + 9]).expect_err("cut");
    mentions(&error, &["ends", &format!("octet {last}"), "packet 1"]);
    assert_eq!(all(&whole[..last]).expect("whole blocks").len(), 1);
}

#[test]
fn an_impossible_block_is_damage() {
    let mut file = Order::BOTH[0].pcapng(101, &[], 0);
    let first = 28 + 20;
    file[first + 4..first + 8].copy_from_slice(&7_u32.to_le_bytes());
    let error = all(&file).expect_err("damaged");
    mentions(&error, &["damaged", "octet 48", "packet 0"]);
    // Changes a packet's interface number to that of an interface that the file does not describe.
    let mut file = Order::BOTH[0].pcapng(101, &[], 0);
    file[first + 8] = 1;
    assert!(matches!(all(&file), Err(ReadError::Damaged(0, 48))));
}

#[test]
fn a_block_shorter_than_its_own_lengths_is_damage() {
    for order in Order::BOTH {
        let whole = order.pcapng(101, &[], 0);
        for kind in [2, 4, 5, 9, 10, 0xbad, 0x4000_0bad, 0x8000_0001, 77] {
            for length in 0..12 {
                let file = [&whole[..], &order.next_u32s(&[kind, length, 0, 0, 0, 0])].concat();
                assert!(matches!(all(&file), Err(ReadError::Damaged(2, _))), "{kind}");
            }
        }
    }
}

#[test]
fn a_packet_of_gigabytes_is_damage_and_allocates_nothing() {
    let mut file = Order::BOTH[0].pcap(0xa1b2_c3d4, 101, 0);
    file[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(all(&file), Err(ReadError::Cut(0, 24))), "{:?}", all(&file));
    file.resize(MAX_BLOCK_OCTETS * 2, 0);
    assert!(matches!(all(&file), Err(ReadError::Damaged(0, 24))));
}

#[test]
fn a_read_error_is_returned() {
    /// A reader that returns these octets and then fails.
    struct Broken<'a>(&'a [u8]);
    impl Read for Broken<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            match self.0.read(room)? {
                0 => Err(io::Error::other("the disk is on fire")),
                octets => Ok(octets),
            }
        }
    }
    let file = Order::BOTH[0].pcap(0xa1b2_c3d4, 101, 0);
    let mut reading = CaptureReader::new(Broken(&file)).expect("a capture file");
    assert!(reading.next().expect("readable").is_some());
    let errors = [reading.next().err(), CaptureReader::new(Broken(&file[..20])).err()];
    for error in errors {
        let Some(ReadError::Io(cause)) = error else { panic!("{error:?}") };
        assert_eq!(cause.to_string(), "the disk is on fire");
    }
}

proptest! {
    #[test]
    fn no_damage_causes_a_panic_or_an_endless_loop(
        at: prop::sample::Index,
        octet: u8,
        cut: prop::sample::Index,
        big_endian: bool,
    ) {
        let order = Order { big_endian };
        for mut file in [order.pcap(0xa1b2_c3d4, 101, 0), order.pcapng(1, &[], 0)] {
            let at = at.index(file.len());
            file[at] = octet;
            let _ = all(&file);
            let _ = all(&file[..cut.index(file.len())]);
        }
    }
}
