//! Reads pcap and pcapng capture files, one packet at a time. The file may be a pipe from tcpdump.

mod fields;
mod section;

use super::Captured;
use section::{BlockContent, Section};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Cursor, Read};

/// Maximum length of a block in octets. A longer block means that the file is damaged.
const MAX_BLOCK_OCTETS: usize = 16 << 20;
/// Number of octets requested with each read from the file.
const BUFFER_OCTETS: usize = 64 << 10;

/// Reads one capture file.
pub(crate) struct CaptureReader<'a> {
    file: Box<dyn Read + 'a>,
    section: Section,
    /// The block that is being read, or the last one that was read.
    block: Vec<u8>,
    /// The next block's position in the file, in octets.
    at: u64,
    /// Number of packets read, including skipped ones.
    pub packets: u64,
    /// Number of packets skipped because they are not IP or their link type cannot be read.
    pub skipped: u64,
    /// Link types in the file that this program cannot read.
    pub unread_links: BTreeSet<u32>,
}

/// The reason why a capture file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the file is empty")]
    Empty,
    #[error("the file is neither pcap nor pcapng")]
    NotACapture,
    #[error("the file is compressed with {0}")]
    Compressed(&'static str),
    #[error("link type {0} is not supported")]
    LinkType(u32),
    /// The file ends inside a block. The values are the number of packets read and the block's
    /// position.
    #[error("the file ends within the block at octet {1}, after packet {0}")]
    Cut(u64, u64),
    /// A block is invalid. The values are the number of packets read and the block's position.
    #[error("the block at octet {1}, after packet {0}, is damaged")]
    Damaged(u64, u64),
    #[error("reading failed")]
    Io(#[source] io::Error),
}

/// Compression programs, each with the octets that begin its files.
const COMPRESSIONS: [(&str, &[u8]); 5] = [
    ("bzip2", b"BZh"),
    ("gzip", b"\x1f\x8b"),
    ("lz4", b"\x04\x22\x4d\x18"),
    ("xz", b"\xfd7zXZ\0"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
];

impl<'a> CaptureReader<'a> {
    /// Opens a capture file and reads its header.
    pub(crate) fn new(mut file: impl Read + 'a) -> Result<Self, ReadError> {
        let head = read_header(&mut file)?;
        if let Some((program, _)) = COMPRESSIONS.iter().find(|(_, magic)| head.starts_with(magic)) {
            return Err(ReadError::Compressed(program));
        }
        let section = Section::begin(&head)?;
        let (read, before) = if section.is_pcapng() { (0, head) } else { (head.len(), Vec::new()) };
        let file = BufReader::with_capacity(BUFFER_OCTETS, Cursor::new(before).chain(file));
        let mut reading = Self {
            file: Box::new(file),
            section,
            block: Vec::new(),
            at: read as u64,
            packets: 0,
            skipped: 0,
            unread_links: BTreeSet::new(),
        };
        if reading.at == 0 {
            reading.block().map_err(|error| match error {
                ReadError::Io(cause) => ReadError::Io(cause),
                _ => ReadError::NotACapture,
            })?;
        }
        Ok(reading)
    }

    /// Returns the next IP packet, or `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Captured>, ReadError> {
        while let Some(found) = self.block()? {
            self.packets += u64::from(!matches!(found, BlockContent::Nothing));
            match found {
                BlockContent::Nothing => {}
                BlockContent::Packet(packet) => return Ok(Some(packet)),
                BlockContent::Other(link_type) => {
                    self.skipped += 1;
                    self.unread_links.extend(link_type);
                }
            }
        }
        Ok(None)
    }

    /// Returns the next block's content, or `None` at the end of the file.
    fn block(&mut self) -> Result<Option<BlockContent>, ReadError> {
        self.block.clear();
        self.fill(self.section.header_octets())?;
        if self.block.is_empty() {
            return Ok(None);
        }
        let length = self.section.length(&self.block).ok_or_else(|| self.damaged())?;
        self.fill(length)?;
        let found = self.section.take(&self.block).ok_or_else(|| self.damaged())?;
        self.at += self.block.len() as u64;
        Ok(Some(found))
    }

    /// Reads until `self.block` has this many octets. If the file ends before the block begins, the
    /// buffer stays empty.
    fn fill(&mut self, octets: usize) -> Result<(), ReadError> {
        fill(&mut self.file, &mut self.block, octets.min(MAX_BLOCK_OCTETS))?;
        match self.block.len() {
            0 => Ok(()),
            read if read < octets.min(MAX_BLOCK_OCTETS) => {
                Err(ReadError::Cut(self.packets, self.at))
            }
            read if read < octets => Err(self.damaged()),
            _ => Ok(()),
        }
    }

    fn damaged(&self) -> ReadError {
        ReadError::Damaged(self.packets, self.at)
    }
}

/// Reads as many octets as a pcap file header has. The first block of a pcapng file is at least as
/// long.
fn read_header(file: &mut impl Read) -> Result<Vec<u8>, ReadError> {
    const PCAP: usize = 24;
    let mut head = Vec::new();
    fill(file, &mut head, PCAP)?;
    if head.is_empty() { Err(ReadError::Empty) } else { Ok(head) }
}

/// Reads until `block` has this many octets or the file ends.
fn fill(file: &mut impl Read, block: &mut Vec<u8>, octets: usize) -> Result<(), ReadError> {
    let missing = octets.saturating_sub(block.len());
    file.take(missing as u64).read_to_end(block).map_err(ReadError::Io)?;
    Ok(())
}

#[cfg(test)]
mod tests;
