//! Reads capture files, pcap and pcapng, packet by packet, as they come: a pipe from tcpdump is one too.

mod obsolete;
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
    #[error("it is compressed with {0}")]
    Compressed(Compression),
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

/// How a file is compressed, as its first octets say. The names are those of the programs that unpack it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Bzip2,
    Gzip,
    Lz4,
    Xz,
    Zstd,
}

impl Compression {
    const ALL: [(Self, &'static str, &'static [u8]); 5] = [
        (Self::Bzip2, "bzip2", b"BZh"),
        (Self::Gzip, "gzip", b"\x1f\x8b"),
        (Self::Lz4, "lz4", b"\x04\x22\x4d\x18"),
        (Self::Xz, "xz", b"\xfd7zXZ\0"),
        (Self::Zstd, "zstd", b"\x28\xb5\x2f\xfd"),
    ];

    /// The compression of a file that begins like this, if it is compressed.
    fn of(head: &[u8]) -> Option<Self> {
        let fits = |(_, _, magic): &&(Self, &str, &[u8])| head.starts_with(magic);
        Self::ALL.iter().find(fits).map(|(compression, ..)| *compression)
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = Self::ALL.iter().find(|(compression, ..)| compression == self);
        f.pad(known.map_or("", |(_, name, _)| name))
    }
}

impl<'a> Reading<'a> {
    /// Begins to read, as far as the file's own header.
    pub(crate) fn new(mut file: impl Read + Send + 'a) -> Result<Self, ReadError> {
        let head = head(&mut file)?;
        if let Some(compression) = Compression::of(&head) {
            return Err(ReadError::Compressed(compression));
        }
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
mod tests;
