//! What a capture file says of its packets before they come: the kind of link, and how times are counted.

use super::super::{Captured, link};
use crate::reply::Printable;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, InterfaceDescriptionBlock, OptionCode, PcapBlockOwned};
use pcap_parser::{PcapHeader, PcapNGOption};
use std::time::Duration;

/// What a block was.
pub(super) enum Found {
    Nothing,
    /// A packet that is not IP, or with the type of link that is not read.
    Other(Option<u32>),
    Packet(Captured),
}

/// Why a block makes no sense.
pub(super) enum Wrong {
    Damaged,
    LinkType(u32),
}

/// What has been said so far of the packets to come. A pcap file is a section with one interface.
#[derive(Default)]
pub(super) struct Section {
    is_pcapng: bool,
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Of the packet before, for those that have no time.
    last: Duration,
}

/// Where packets were seen, and how their times are counted.
struct Interface {
    link_type: u32,
    /// How many of them make a second.
    units: u64,
    /// Added to the seconds.
    offset: i64,
}

impl Section {
    /// Notes what a block says, and gives the packet that it holds.
    pub(super) fn take(&mut self, block: &PcapBlockOwned) -> Result<Found, Wrong> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.interfaces = vec![Interface::of_pcap(header)?];
            }
            PcapBlockOwned::Legacy(packet) => {
                let time = u64::from(packet.ts_sec);
                let fraction = packet.ts_usec.into();
                let interface = self.interfaces.first().ok_or(Wrong::Damaged)?;
                self.last = interface.time(time, fraction);
                return self.packet(0, packet.data, &[]);
            }
            PcapBlockOwned::NG(Block::SectionHeader(section)) => {
                let big_endian = section.big_endian();
                *self = Self { is_pcapng: true, big_endian, ..Self::default() };
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
                self.interfaces.push(Interface::of_pcapng(description, self.big_endian));
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let count = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let interface = self.interfaces.get(packet.if_id as usize).ok_or(Wrong::Damaged)?;
                self.last = interface.time(count / interface.units, count % interface.units);
                return self.packet(packet.if_id, packet.packet_data(), &packet.options);
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                return self.packet(0, packet.packet_data(), &[]);
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(Found::Nothing)
    }

    /// True if the next block of a pcapng file says that it ends before its own length does: the crate would
    /// subtract one from the other.
    pub(super) fn is_too_short(&self, file: &[u8]) -> bool {
        const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
        const ENDS: u32 = 12;
        let Some([kind, length]) = file.first_chunk::<8>().map(|head| {
            let (words, _) = head.as_chunks::<4>();
            [words[0], words[1]]
        }) else {
            return false;
        };
        let length =
            if self.big_endian { u32::from_be_bytes(length) } else { u32::from_le_bytes(length) };
        // Another section may come with the other order, in which only itself says its length.
        self.is_pcapng && kind != SECTION && length < ENDS
    }

    fn packet(&self, number: u32, frame: &[u8], said: &[PcapNGOption]) -> Result<Found, Wrong> {
        let interface = self.interfaces.get(number as usize).ok_or(Wrong::Damaged)?;
        if !link::is_read(interface.link_type) {
            return Ok(Found::Other(Some(interface.link_type)));
        }
        let Some(octets) = link::packet(interface.link_type, frame) else {
            return Ok(Found::Other(None));
        };
        Ok(Found::Packet(Captured {
            at: self.last,
            octets: octets.to_vec(),
            interface: Some(number),
            comment: comment(said),
        }))
    }
}

fn comment(options: &[PcapNGOption]) -> Option<String> {
    let comments = options.iter().filter(|option| option.code == OptionCode::Comment);
    let texts = comments.filter_map(|option| option.as_bytes().ok());
    let texts: Vec<String> = texts.map(|octets| Printable(octets).to_string()).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

impl Interface {
    fn of_pcap(header: &PcapHeader) -> Result<Self, Wrong> {
        // The upper half says how long a checksum behind each frame is.
        let link_type = header.network.0.cast_unsigned() & 0xffff;
        if !link::is_read(link_type) {
            return Err(Wrong::LinkType(link_type));
        }
        let units = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
        Ok(Self { link_type, units, offset: 0 })
    }

    fn of_pcapng(description: &InterfaceDescriptionBlock, big_endian: bool) -> Self {
        // The crate reads the offset as if every file were little-endian.
        let offset = description.if_tsoffset;
        Self {
            link_type: description.linktype.0.cast_unsigned(),
            units: units(description.if_tsresol).unwrap_or(1_000_000),
            offset: if big_endian { offset.swap_bytes() } else { offset },
        }
    }

    /// A fraction that is not less than a second, as only a damaged file has it, adds to the seconds.
    fn time(&self, seconds: u64, fraction: u64) -> Duration {
        let seconds = seconds.saturating_add_signed(self.offset).min(u64::MAX / 4);
        let nanoseconds = u128::from(fraction) * 1_000_000_000 / u128::from(self.units);
        Duration::from_secs(seconds)
            + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// How many make a second, as the option if_tsresol has it: a power of ten, or with the high bit of two.
/// The crate's own function knows no power of two.
fn units(resolution: u8) -> Option<u64> {
    match resolution & 0x80 {
        0 => 10_u64.checked_pow(resolution.into()),
        _ => 2_u64.checked_pow((resolution & 0x7f).into()),
    }
}
