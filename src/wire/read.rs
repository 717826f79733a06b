//! Reads capture files, pcap and pcapng, packet by packet, as they come: a pipe from tcpdump is one too.

mod fields;
mod section;

use super::Captured;
use section::{BlockContent, Section};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Cursor, Read};

/// Maximum length of a block; a longer one is damage and not a packet.
const MAX_BLOCK_OCTETS: usize = 16 << 20;
/// Octets that are read at once.
const BUFFER_OCTETS: usize = 64 << 10;

/// A capture file as it is read.
pub(crate) struct CaptureReader<'a> {
    file: Box<dyn Read + 'a>,
    section: Section,
    /// The block that is being read, or was read last.
    block: Vec<u8>,
    /// Where in the file the next block begins.
    at: u64,
    /// Packets read so far, of any kind.
    pub packets: u64,
    /// How many of them were no IP packets, or of a kind of link that is not read.
    pub skipped: u64,
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
    #[error("it is compressed with {0}")]
    Compressed(&'static str),
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

/// The programs that unpack compressed files, and how such files begin.
const COMPRESSIONS: [(&str, &[u8]); 5] = [
    ("bzip2", b"BZh"),
    ("gzip", b"\x1f\x8b"),
    ("lz4", b"\x04\x22\x4d\x18"),
    ("xz", b"\xfd7zXZ\0"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
];

impl<'a> CaptureReader<'a> {
    /// Begins to read, as far as the file's own header.
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

    /// The next IP packet; `None` at the end.
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

    /// The next block, whatever it holds; `None` at the end.
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

    /// Reads until the block has this many octets; at the end of the file it may have none.
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

/// The header of a pcap file, which is shorter than the first block of any pcapng file.
fn read_header(file: &mut impl Read) -> Result<Vec<u8>, ReadError> {
    const PCAP: usize = 24;
    let mut head = Vec::new();
    fill(file, &mut head, PCAP)?;
    if head.is_empty() { Err(ReadError::Empty) } else { Ok(head) }
}

/// Reads until there are this many octets, or no more.
fn fill(file: &mut impl Read, block: &mut Vec<u8>, octets: usize) -> Result<(), ReadError> {
    let missing = octets.saturating_sub(block.len());
    file.take(missing as u64).read_to_end(block).map_err(ReadError::Io)?;
    Ok(())
}

#[cfg(test)]
mod tests;
