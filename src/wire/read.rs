//! Reads capture files, pcap and pcapng, packet by packet, as they come: a pipe from tcpdump is one too.

mod section;

use super::Captured;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{PcapError, create_reader};
use section::{Found, Section, Wrong};
use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Octets that one block of a file may have; a longer one is damage and not a packet.
const MOST_OCTETS: usize = 16 << 20;
/// Octets that are read at once, to begin with.
const ROOM: usize = 64 << 10;

/// A capture file as it is read.
pub(crate) struct Reading<'a> {
    reader: Box<dyn PcapReaderIterator + Send + 'a>,
    /// What went wrong with reading itself, which the reader keeps to itself.
    broken: Arc<Mutex<Option<io::Error>>>,
    room: usize,
    section: Section,
    /// Where in the file the next block begins.
    at: u64,
    /// Packets read so far, of any kind.
    pub packets: u64,
    /// How many of them were no IP packets, or of a kind of link that is not read.
    pub passed_over: u64,
    /// The types of link that are not read and yet are in the file.
    pub unread_links: BTreeSet<u32>,
}

/// Why a capture file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("it is empty")]
    Empty,
    #[error("it is neither a pcap nor a pcapng file")]
    NotACapture,
    #[error("its packets have link type {0}, which is not read")]
    LinkType(u32),
    /// How many packets were read, and where the one begins that is not whole.
    #[error("it is cut off in what begins at octet {1}, after packet {0}")]
    Cut(u64, u64),
    /// Likewise.
    #[error("what begins at octet {1}, after packet {0}, is damaged")]
    Damaged(u64, u64),
    #[error("it cannot be read")]
    Io(#[source] io::Error),
}

impl<'a> Reading<'a> {
    /// Begins to read, as far as the file's own header.
    pub(crate) fn new(mut file: impl Read + Send + 'a) -> Result<Self, ReadError> {
        let head = head(&mut file)?;
        let room = ROOM.max(2 * head.len());
        let broken: Arc<Mutex<Option<io::Error>>> = Arc::default();
        let file = Watched { file, broken: Arc::clone(&broken) };
        let reader = create_reader(room, Cursor::new(head).chain(file));
        // It has read on behind the header already.
        let reader = reader.map_err(|_| match take(&broken) {
            Some(error) => ReadError::Io(error),
            None => ReadError::NotACapture,
        })?;
        let mut reading = Self {
            reader,
            broken,
            room,
            section: Section::default(),
            at: 0,
            packets: 0,
            passed_over: 0,
            unread_links: BTreeSet::new(),
        };
        reading.block()?;
        Ok(reading)
    }

    /// The next IP packet; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Captured>, ReadError> {
        loop {
            match self.block()? {
                None => return Ok(None),
                Some(Found::Nothing) => {}
                Some(Found::Packet(packet)) => {
                    self.packets += 1;
                    return Ok(Some(packet));
                }
                Some(Found::Other(link_type)) => {
                    self.packets += 1;
                    self.passed_over += 1;
                    self.unread_links.extend(link_type);
                }
            }
        }
    }

    /// The next block, whatever it holds; `None` at the end.
    fn block(&mut self) -> Result<Option<Found>, ReadError> {
        loop {
            if self.section.is_too_short(self.reader.data()) {
                return Err(self.damaged());
            }
            match self.reader.next() {
                Ok((length, block)) => {
                    let found = self.section.take(&block);
                    drop(block);
                    let found = found.map_err(|wrong| match wrong {
                        Wrong::Damaged => self.damaged(),
                        Wrong::LinkType(number) => ReadError::LinkType(number),
                    })?;
                    self.reader.consume(length);
                    self.at += length as u64;
                    return Ok(Some(found));
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_) | PcapError::BufferTooSmall) => {}
                Err(PcapError::UnexpectedEof) => return Err(ReadError::Cut(self.packets, self.at)),
                Err(_) => return Err(self.damaged()),
            }
            self.refill()?;
        }
    }

    /// Reads on, with more room where there is none.
    fn refill(&mut self) -> Result<(), ReadError> {
        let before = self.reader.data().len();
        if self.reader.refill().is_err() {
            let error = take(&self.broken).unwrap_or_else(|| io::ErrorKind::Other.into());
            return Err(ReadError::Io(error));
        }
        if self.reader.data().len() == before && !self.reader.reader_exhausted() {
            self.room *= 2;
            if self.room > MOST_OCTETS || !self.reader.grow(self.room) {
                return Err(self.damaged());
            }
        }
        Ok(())
    }

    fn damaged(&self) -> ReadError {
        ReadError::Damaged(self.packets, self.at)
    }
}

/// The header of the file, whole, so that the reader can tell its kind at once: a pipe may give it in pieces.
fn head(file: &mut impl Read) -> Result<Vec<u8>, ReadError> {
    const PCAP: usize = 24;
    const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
    const BIG_ENDIAN: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];
    let mut head = Vec::new();
    fill(file, &mut head, PCAP)?;
    if head.is_empty() {
        return Err(ReadError::Empty);
    }
    let Some([kind, length, order]) = head.first_chunk::<12>().map(|head| {
        let (words, _) = head.as_chunks::<4>();
        [words[0], words[1], words[2]]
    }) else {
        return Err(ReadError::NotACapture);
    };
    if kind == SECTION {
        let length = match order {
            BIG_ENDIAN => u32::from_be_bytes(length),
            _ => u32::from_le_bytes(length),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MOST_OCTETS / 4 {
            return Err(ReadError::NotACapture);
        }
        fill(file, &mut head, length)?;
    }
    Ok(head)
}

/// Reads until there are so many octets, or no more.
fn fill(file: &mut impl Read, head: &mut Vec<u8>, octets: usize) -> Result<(), ReadError> {
    let missing = octets.saturating_sub(head.len());
    file.take(missing as u64).read_to_end(head).map_err(ReadError::Io)?;
    Ok(())
}

/// Keeps the error that the reader takes for itself.
struct Watched<R> {
    file: R,
    broken: Arc<Mutex<Option<io::Error>>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return Err(kind.into());
                }
                read => return read,
            }
        }
    }
}

fn take(broken: &Mutex<Option<io::Error>>) -> Option<io::Error> {
    broken.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pcapng;
    use proptest::prelude::*;
    use std::time::Duration;

    const PACKET: &[u8] = &[0x45, 1, 2, 3, 4];

    /// Numbers in one order of octets.
    #[derive(Clone, Copy)]
    struct Order {
        big_endian: bool,
    }

    impl Order {
        const BOTH: [Self; 2] = [Self { big_endian: false }, Self { big_endian: true }];

        fn long(self, number: u32) -> [u8; 4] {
            if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
        }

        fn short(self, number: u16) -> [u8; 2] {
            if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
        }

        fn longs(self, numbers: &[u32]) -> Vec<u8> {
            numbers.iter().flat_map(|number| self.long(*number)).collect()
        }

        /// A pcap file of one packet, 3 seconds and this fraction after 1970.
        fn pcap(self, magic: u32, link_type: u32, fraction: u32) -> Vec<u8> {
            [
                self.long(magic).to_vec(),
                [self.short(2), self.short(4)].concat(),
                self.longs(&[0, 0, 65535, link_type]),
                self.longs(&[3, fraction, 5, 5]),
                PACKET.to_vec(),
            ]
            .concat()
        }

        fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
            let length = u32::try_from(12 + body.len()).expect("short");
            [&self.longs(&[kind, length])[..], body, &self.long(length)].concat()
        }

        /// A pcapng file of two packets, one without a time, seen on an interface with these options.
        fn pcapng(self, link_type: u16, options: &[u8], count: u64) -> Vec<u8> {
            let version = [self.short(1), self.short(0)].concat();
            let section = [&self.long(0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat();
            let link = [self.short(link_type), self.short(0)].concat();
            let interface = [&link[..], &self.long(0), options].concat();
            let (high, low) = ((count >> 32) as u32, (count & 0xffff_ffff) as u32);
            let padded = [PACKET, &[0; 3]].concat();
            let timed = [self.longs(&[0, high, low, 5, 5]), padded.clone()].concat();
            let simple = [&self.long(5)[..], &padded].concat();
            [
                self.block(0x0a0d_0d0a, &section),
                self.block(1, &interface),
                self.block(6, &timed),
                self.block(3, &simple),
            ]
            .concat()
        }
    }

    fn all(file: &[u8]) -> Result<Vec<Captured>, ReadError> {
        let mut reading = Reading::new(file)?;
        let mut packets = Vec::new();
        while let Some(packet) = reading.next()? {
            packets.push(packet);
        }
        Ok(packets)
    }

    fn times(file: &[u8]) -> Vec<Duration> {
        let packets = all(file).expect("readable");
        assert!(packets.iter().all(|packet| packet.octets == PACKET), "{packets:?}");
        packets.iter().map(|packet| packet.at).collect()
    }

    #[test]
    fn pcap_is_read_in_both_orders_and_both_units_of_time() {
        for order in Order::BOTH {
            for (magic, nanoseconds) in [(0xa1b2_c3d4, 70_000), (0xa1b2_3c4d, 70)] {
                let file = order.pcap(magic, 101, 70);
                assert_eq!(times(&file), [Duration::new(3, nanoseconds)]);
            }
        }
    }

    #[test]
    fn pcapng_is_read_in_both_orders_and_any_unit_of_time() {
        for order in Order::BOTH {
            let option = |code, length, value: &[u8]| {
                [&order.short(code)[..], &order.short(length), value].concat()
            };
            let tsresol = |value| option(9, 1, &[value, 0, 0, 0]);
            let micro = Duration::from_micros(5_000_001);
            for (options, count, expected) in [
                (Vec::new(), 5_000_001, micro),
                (tsresol(9), 5_000_001_000, micro),
                (tsresol(0x80 | 0x14), 5 << 20 | 1 << 19, Duration::from_millis(5500)),
                (tsresol(99), 5_000_001, micro), // makes no sense, so it is the default
            ] {
                let file = order.pcapng(101, &options, count);
                assert_eq!(times(&file), [expected, expected]);
            }
            let seconds = if order.big_endian { 7_i64.to_be_bytes() } else { 7_i64.to_le_bytes() };
            let file = order.pcapng(101, &option(14, 8, &seconds), 1_000_000);
            assert_eq!(times(&file)[0], Duration::from_secs(8));
        }
    }

    #[test]
    fn the_comments_of_a_packet_are_read_and_made_safe() {
        let packet = Captured {
            at: Duration::from_nanos(1),
            octets: PACKET.into(),
            interface: Some(0),
            comment: Some("lost\u{1b}[2J".into()),
        };
        let file = [pcapng::begin("lo"), pcapng::packet(&packet)].concat();
        let read = all(&file).expect("readable");
        assert_eq!(read, [Captured { comment: Some("lost\\x1b[2J".into()), ..packet }]);
    }

    #[test]
    fn a_pipe_may_give_it_in_pieces() {
        /// One octet a call.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                let one = room.len().min(1);
                self.0.read(&mut room[..one])
            }
        }
        for file in [Order::BOTH[0].pcap(0xa1b2_c3d4, 101, 0), Order::BOTH[1].pcapng(101, &[], 0)] {
            let mut reading = Reading::new(Slow(&file)).expect("a capture file");
            assert_eq!(reading.next().expect("readable").expect("a packet").octets, PACKET);
        }
    }

    #[test]
    fn packets_on_links_that_are_not_read_are_counted() {
        let file = Order::BOTH[0].pcapng(127, &[], 0);
        let mut reading = Reading::new(&file[..]).expect("a capture file");
        assert_eq!(reading.next().expect("readable"), None);
        assert_eq!((reading.packets, reading.passed_over), (2, 2));
        assert_eq!(reading.unread_links, BTreeSet::from([127]));
        // A pcap file has one kind only, so there is nothing to hope for.
        let error = all(&Order::BOTH[0].pcap(0xa1b2_c3d4, 127, 0)).expect_err("unread");
        assert_eq!(error.to_string(), "its packets have link type 127, which is not read");
    }

    #[test]
    fn a_file_that_is_none_says_so() {
        let told = |file: &[u8]| all(file).expect_err("no capture file").to_string();
        assert_eq!(told(b""), "it is empty");
        let neither = "it is neither a pcap nor a pcapng file";
        assert_eq!(told(b"Monday"), neither);
        assert_eq!(told(b"Monday, November 23, 2026 10:00:00-UTC\r\n"), neither);
        assert_eq!(told(&[&b"\x0a\x0d\x0d\x0a"[..], &[0xff; 40]].concat()), neither);
        assert_eq!(told(&Order::BOTH[0].pcap(0xa1b2_c3d4, 101, 0)[..20]), neither);
    }

    #[test]
    fn what_is_cut_off_tells_how_far_it_was_read() {
        let whole = Order::BOTH[0].pcapng(101, &[], 0);
        let last = whole.len() - 24; // the block without a time
        let error = all(&whole[..last + 9]).expect_err("cut");
        let expected = format!("it is cut off in what begins at octet {last}, after packet 1");
        assert_eq!(error.to_string(), expected);
        assert_eq!(all(&whole[..last]).expect("whole blocks").len(), 1);
    }

    #[test]
    fn a_block_that_cannot_be_is_damage() {
        let mut file = Order::BOTH[0].pcapng(101, &[], 0);
        let first = 28 + 20;
        file[first + 4..first + 8].copy_from_slice(&7_u32.to_le_bytes());
        let error = all(&file).expect_err("damaged");
        assert_eq!(error.to_string(), "what begins at octet 48, after packet 0, is damaged");
        // A packet on an interface that was never described.
        let mut file = Order::BOTH[0].pcapng(101, &[], 0);
        file[first + 8] = 1;
        assert!(matches!(all(&file), Err(ReadError::Damaged(0, 48))));
    }

    #[test]
    fn a_block_of_any_kind_that_is_shorter_than_its_own_ends_is_damage() {
        for order in Order::BOTH {
            let whole = order.pcapng(101, &[], 0);
            for kind in [2, 4, 5, 9, 10, 0xbad, 0x4000_0bad, 0x8000_0001, 77] {
                for length in 0..12 {
                    let file = [&whole[..], &order.longs(&[kind, length, 0, 0, 0, 0])].concat();
                    assert!(matches!(all(&file), Err(ReadError::Damaged(2, _))), "{kind}");
                }
            }
        }
    }

    #[test]
    fn a_packet_of_gigabytes_is_damage_and_takes_no_room() {
        let mut file = Order::BOTH[0].pcap(0xa1b2_c3d4, 101, 0);
        file[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(all(&file), Err(ReadError::Cut(0, 24))), "{:?}", all(&file));
        file.resize(MOST_OCTETS * 2, 0);
        assert!(matches!(all(&file), Err(ReadError::Damaged(0, 24))));
    }

    #[test]
    fn an_error_of_the_file_itself_is_told() {
        /// Gives the header and then fails.
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
        let mut reading = Reading::new(Broken(&file)).expect("a capture file");
        assert!(reading.next().expect("readable").is_some());
        let errors = [reading.next().err(), Reading::new(Broken(&file[..24])).err()];
        for error in errors {
            let Some(ReadError::Io(cause)) = error else { panic!("{error:?}") };
            assert_eq!(cause.to_string(), "the disk is on fire");
        }
    }

    proptest! {
        #[test]
        fn no_damage_panics_or_goes_on_for_ever(
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
}
