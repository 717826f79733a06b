//! Reads the blocks in a capture file. A block contains a packet, or describes an interface with
//! its link type and time unit.

use super::super::pcapng::{MAX_INTERFACES, block_type, option_code};
use super::super::{Captured, Interface, InterfaceId, link};
use super::ReadError;
use super::fields::Fields;
use std::sync::Arc;
use std::time::Duration;

/// A block's content.
pub(super) enum BlockContent {
    Nothing,
    /// A packet that this program skips. The value is the packet's link type if this program cannot
    /// read that type, or `None` if the packet is not IP.
    Other(Option<u32>),
    Packet(Captured),
}

/// The section of the file that is being read. A pcap file is treated as one section with one
/// interface.
pub(super) struct Section {
    format: Format,
    is_big_endian: bool,
    interfaces: Vec<DescribedInterface>,
    /// Number of interfaces in all previous sections. The file numbers each section's interfaces
    /// from 0.
    interfaces_before: usize,
    /// The previous packet's timestamp, which is also used for a packet without a timestamp.
    last_time: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A pcap file. The value is the length of a packet header in octets.
    Pcap(usize),
    Pcapng,
}

/// An interface as the file describes it, with its time unit.
struct DescribedInterface {
    link_type: u32,
    name: Option<Arc<[u8]>>,
    /// Maximum number of octets captured from each packet; 0 means no limit. Needed for simple
    /// packet blocks, which do not record how many octets they contain.
    kept: usize,
    /// Number of this interface's time units per second.
    units: u64,
    /// Number of seconds to add to each of this interface's times.
    offset: i64,
}

impl Section {
    /// Creates the first section of a file that begins with this header.
    pub(super) fn begin(head: &[u8]) -> Result<Self, ReadError> {
        let magic = |is_big_endian| Fields { rest: head, is_big_endian }.next_u32();
        for is_big_endian in [false, true] {
            let (units, of_packet) = match magic(is_big_endian) {
                Some(block_type::SECTION) => return Ok(Self::new(Format::Pcapng, is_big_endian)),
                Some(0xa1b2_c3d4) => (1_000_000, 16),
                Some(0xa1b2_3c4d) => (1_000_000_000, 16),
                // In this variant of pcap, packet headers are eight octets longer.
                Some(0xa1b2_cd34) => (1_000_000, 24),
                _ => continue,
            };
            let mut section = Self::new(Format::Pcap(of_packet), is_big_endian);
            section.interfaces.push(DescribedInterface::of_pcap(section.fields(head), units)?);
            return Ok(section);
        }
        Err(ReadError::NotACapture)
    }

    fn new(format: Format, is_big_endian: bool) -> Self {
        Self {
            format,
            is_big_endian,
            interfaces: Vec::new(),
            interfaces_before: 0,
            last_time: None,
        }
    }

    fn fields<'a>(&self, rest: &'a [u8]) -> Fields<'a> {
        Fields { rest, is_big_endian: self.is_big_endian }
    }

    pub(super) fn is_pcapng(&self) -> bool {
        self.format == Format::Pcapng
    }

    /// Returns the length in octets of a block header, which contains the block's length.
    pub(super) fn header_octets(&self) -> usize {
        match self.format {
            Format::Pcap(octets) => octets,
            Format::Pcapng => 12,
        }
    }

    /// Returns the length of the block that has this header, or `None` if the length is impossible.
    pub(super) fn length(&mut self, head: &[u8]) -> Option<usize> {
        if let Format::Pcap(of_packet) = self.format {
            let [_seconds, _fraction, captured] = self.fields(head).next_u32s()?;
            return of_packet.checked_add(captured as usize);
        }
        let [kind, _length, order] = self.fields(head).next_u32s()?;
        // A section block's type is the same in both byte orders, and the block declares its own
        // byte order.
        if kind == block_type::SECTION {
            self.is_big_endian ^= match order {
                0x1a2b_3c4d => false,
                0x4d3c_2b1a => true,
                _ => return None,
            };
        }
        let [_kind, length] = self.fields(head).next_u32s()?;
        // A section block is at least 16 octets longer than an empty block.
        let least = if kind == block_type::SECTION { 28 } else { 12 };
        (length >= least).then_some(length as usize)
    }

    /// Reads a block and returns its content. Returns `None` if the block is damaged.
    pub(super) fn take(&mut self, block: &[u8]) -> Option<BlockContent> {
        let mut fields = self.fields(block);
        if let Format::Pcap(of_packet) = self.format {
            let [seconds, fraction] = fields.next_u32s()?;
            self.last_time = Some(self.interfaces.first()?.time(seconds.into(), fraction.into()));
            return self.packet(0, block.get(of_packet..)?, Vec::new());
        }
        let [kind, length] = fields.next_u32s()?;
        let (body, end) = fields.rest.split_last_chunk::<4>()?;
        // In a section block, the reader tolerates a wrong second length, because it finds the
        // block's end without that length.
        if self.fields(end).next_u32()? != length && kind != block_type::SECTION {
            return None;
        }
        let body = self.fields(body);
        match kind {
            block_type::SECTION => {
                self.interfaces_before += self.interfaces.len();
                self.interfaces.clear();
                self.last_time = None;
            }
            block_type::INTERFACE if self.interfaces.len() >= MAX_INTERFACES => return None,
            block_type::INTERFACE => self.interfaces.push(DescribedInterface::of_pcapng(body)?),
            block_type::SIMPLE_PACKET => return self.simple_packet(body),
            block_type::ENHANCED_PACKET | block_type::OLD_PACKET => {
                return self.timed_packet(kind, body);
            }
            _ => {}
        }
        Some(BlockContent::Nothing)
    }

    /// Reads a simple packet block. Such a packet belongs to the first interface, whose description
    /// limits how many octets are captured.
    fn simple_packet(&self, mut body: Fields) -> Option<BlockContent> {
        let whole = body.next_u32()? as usize;
        let kept = self.interfaces.first()?.kept;
        let kept = if kept == 0 { whole } else { kept.min(whole) };
        self.packet(0, &body.rest[..kept.min(body.rest.len())], Vec::new())
    }

    /// Reads a packet block that carries a timestamp in the interface's time unit.
    fn timed_packet(&mut self, kind: u32, mut body: Fields) -> Option<BlockContent> {
        let interface = if kind == block_type::OLD_PACKET {
            let interface = body.next_u16()?;
            let _lost_before = body.next_u16()?;
            interface.into()
        } else {
            body.next_u32()?
        };
        let [high, low, captured, _whole] = body.next_u32s()?;
        let count = u64::from(high) << 32 | u64::from(low);
        let link = self.interfaces.get(interface as usize)?;
        self.last_time = Some(link.time(count / link.units, count % link.units));
        let frame = body.take(captured as usize)?;
        let comments = body.options().filter(|(code, _)| *code == option_code::COMMENT);
        self.packet(interface, frame, comments.map(|(_, comment)| comment.to_vec()).collect())
    }

    fn packet(&self, number: u32, frame: &[u8], comments: Vec<Vec<u8>>) -> Option<BlockContent> {
        let link = self.interfaces.get(number as usize)?;
        if !link::is_read(link.link_type) {
            return Some(BlockContent::Other(Some(link.link_type)));
        }
        let Some(octets) = link::packet(link.link_type, frame) else {
            return Some(BlockContent::Other(None));
        };
        let number = u32::try_from(self.interfaces_before + number as usize).unwrap_or(u32::MAX);
        let id = InterfaceId { number, passed: link::passed_interface(link.link_type, frame) };
        Some(BlockContent::Packet(Captured {
            at: self.last_time,
            octets: octets.to_vec(),
            interface: Some(Interface { id, name: link.name.clone() }),
            comments,
        }))
    }
}

impl DescribedInterface {
    fn of_pcap(mut head: Fields, units: u64) -> Result<Self, ReadError> {
        let [_magic, _version, _zone, _accuracy, _kept, link_type] =
            head.next_u32s().ok_or(ReadError::NotACapture)?;
        // The upper half of this field contains the length of the checksum that follows each frame.
        let link_type = link_type & 0xffff;
        if !link::is_read(link_type) {
            return Err(ReadError::LinkType(link_type));
        }
        Ok(Self { link_type, name: None, kept: 0, units, offset: 0 })
    }

    fn of_pcapng(mut body: Fields) -> Option<Self> {
        let link_type = body.next_u16()?.into();
        let _reserved = body.next_u16()?;
        let kept = body.next_u32()? as usize;
        let mut link = Self { link_type, name: None, kept, units: 1_000_000, offset: 0 };
        for (code, value) in body.options() {
            let mut number = Fields { rest: value, ..body };
            match code {
                option_code::INTERFACE_NAME if link.name.is_none() => {
                    link.name = Some(value.into());
                }
                option_code::TIME_RESOLUTION => {
                    link.units = value.first().and_then(|it| units(*it)).unwrap_or(link.units);
                }
                option_code::TIME_OFFSET => link.offset = number.next_i64().unwrap_or(0),
                _ => {}
            }
        }
        Some(link)
    }

    /// Converts a timestamp. A fraction of more than one second, which only a damaged file has, is
    /// added to the seconds.
    fn time(&self, seconds: u64, fraction: u64) -> Duration {
        let seconds = seconds.saturating_add_signed(self.offset).min(u64::MAX / 4);
        let nanoseconds = u128::from(fraction) * 1_000_000_000 / u128::from(self.units);
        Duration::from_secs(seconds)
            + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Returns the number of time units per second for a value of the option if_tsresol: an exponent of
/// ten, or of two if the high bit is set.
fn units(resolution: u8) -> Option<u64> {
    match resolution & 0x80 {
        0 => 10_u64.checked_pow(resolution.into()),
        _ => 2_u64.checked_pow((resolution & 0x7f).into()),
    }
}
