//! What a capture file says of its packets before they come: the kind of link, and how times are counted.

use super::super::{Captured, Interface, InterfaceId, link};
use super::obsolete::{self, PACKET_BLOCK};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, InterfaceDescriptionBlock, OptionCode, PcapBlockOwned};
use pcap_parser::{PcapHeader, PcapNGOption};
use std::sync::Arc;
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

/// Interfaces of a section: as many as are written. A pipe could go on telling of new ones for ever.
const MOST_INTERFACES: usize = super::super::pcapng::MOST_INTERFACES;

/// What has been said so far of the packets to come. A pcap file is a section with one interface.
#[derive(Default)]
pub(super) struct Section {
    is_pcapng: bool,
    big_endian: bool,
    links: Vec<Link>,
    /// Interfaces of the sections before: each section numbers its own from 0.
    before: usize,
    /// Of the packet before, for those that have no time.
    last: Option<Duration>,
}

/// An interface where packets were seen, and how their times are counted.
struct Link {
    kind: u32,
    name: Option<Arc<[u8]>>,
    /// Octets that it kept of each packet, for blocks that do not say how many; 0 is all.
    most: usize,
    /// How many of them make a second.
    units: u64,
    /// Added to the seconds.
    offset: i64,
}

impl Section {
    /// Notes what a block says, and gives the packet that it holds.
    pub(super) fn take(&mut self, block: &PcapBlockOwned) -> Result<Found, Wrong> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => self.links = vec![Link::of_pcap(header)?],
            PcapBlockOwned::Legacy(packet) => {
                let time = self.link(0)?.time(packet.ts_sec.into(), packet.ts_usec.into());
                self.last = Some(time);
                return self.packet(0, packet.data, Vec::new());
            }
            PcapBlockOwned::NG(Block::SectionHeader(section)) => {
                self.is_pcapng = true;
                self.big_endian = section.big_endian();
                self.before += self.links.len();
                self.links.clear();
                self.last = None;
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
                if self.links.len() >= MOST_INTERFACES {
                    return Err(Wrong::Damaged);
                }
                self.links.push(Link::of_pcapng(description, self.big_endian));
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let count = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let comments = comments(&packet.options);
                return self.timed(packet.if_id, count, packet.packet_data(), comments);
            }
            PcapBlockOwned::NG(Block::Unknown(block)) if self.is_obsolete(block.block_type) => {
                let packet = obsolete::packet(block.data, self.big_endian).ok_or(Wrong::Damaged)?;
                return self.timed(packet.interface, packet.count, packet.frame, packet.comments);
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let (frame, most) = (packet.packet_data(), self.link(0)?.most);
                let kept = if most == 0 { frame.len() } else { most.min(frame.len()) };
                return self.packet(0, &frame[..kept], Vec::new());
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(Found::Nothing)
    }

    /// The crate reads the types that it does not know as if every file were little-endian.
    const fn is_obsolete(&self, kind: u32) -> bool {
        let kind = if self.big_endian { kind.swap_bytes() } else { kind };
        kind == PACKET_BLOCK
    }

    fn link(&self, number: u32) -> Result<&Link, Wrong> {
        self.links.get(number as usize).ok_or(Wrong::Damaged)
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

    /// A packet with its time, in the units of its interface.
    fn timed(
        &mut self,
        number: u32,
        count: u64,
        frame: &[u8],
        comments: Vec<Vec<u8>>,
    ) -> Result<Found, Wrong> {
        let link = self.link(number)?;
        self.last = Some(link.time(count / link.units, count % link.units));
        self.packet(number, frame, comments)
    }

    fn packet(&self, number: u32, frame: &[u8], comments: Vec<Vec<u8>>) -> Result<Found, Wrong> {
        let link = self.link(number)?;
        if !link::is_read(link.kind) {
            return Ok(Found::Other(Some(link.kind)));
        }
        let Some(octets) = link::packet(link.kind, frame) else {
            return Ok(Found::Other(None));
        };
        let number = u32::try_from(self.before + number as usize).unwrap_or(u32::MAX);
        let id = InterfaceId { number, passed: link::passed(link.kind, frame) };
        Ok(Found::Packet(Captured {
            at: self.last,
            octets: octets.to_vec(),
            interface: Some(Interface { id, name: link.name.clone() }),
            comments,
        }))
    }
}

fn comments(options: &[PcapNGOption]) -> Vec<Vec<u8>> {
    let comments = options.iter().filter(|option| option.code == OptionCode::Comment);
    comments.filter_map(|option| option.as_bytes().ok()).map(<[u8]>::to_vec).collect()
}

impl Link {
    fn of_pcap(header: &PcapHeader) -> Result<Self, Wrong> {
        // The upper half says how long a checksum behind each frame is.
        let kind = header.network.0.cast_unsigned() & 0xffff;
        if !link::is_read(kind) {
            return Err(Wrong::LinkType(kind));
        }
        let units = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
        Ok(Self { kind, name: None, most: 0, units, offset: 0 })
    }

    fn of_pcapng(description: &InterfaceDescriptionBlock, big_endian: bool) -> Self {
        let mut names = description.options.iter().filter(|it| it.code == OptionCode::IfName);
        let name = names.next().and_then(|option| option.as_bytes().ok());
        // The crate reads the offset as if every file were little-endian.
        let offset = description.if_tsoffset;
        Self {
            kind: description.linktype.0.cast_unsigned(),
            name: name.map(Arc::from),
            most: description.snaplen as usize,
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
