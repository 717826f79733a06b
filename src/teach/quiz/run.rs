//! The pictures of the run that decides an answer. They reveal the answer, so a student sees them only after answering.

use super::Variant;
use crate::teach::page::pictures;
use crate::teach::picture::standalone;
use crate::transport::Transport;
use std::io;

/// Maximum length of a picture in octets. A longer picture would show hundreds of packets, and each variant has its own
/// pictures.
const MAX_PICTURE: usize = 40_000;

/// For each part of the run over the item's transport, returns the title and the SVG file.
///
/// An item with a packet table gets no pictures, because its sequence numbers are not those of the run.
///
/// # Errors
/// Returns an error if the template cannot be written to memory.
pub(super) fn pictures_of(variant: &Variant) -> io::Result<Vec<(String, String)>> {
    let Some(run) = variant.run.as_ref().filter(|_| variant.item.table.is_none()) else {
        return Ok(Vec::new());
    };
    let mut made = Vec::new();
    for (part, picture) in
        pictures(run).filter(|(part, _)| concerns(&variant.item.prompt, part.transport))
    {
        let title = format!("Packets of the run: {} {}", part.transport, part.name);
        let picture = standalone(picture).map_err(io::Error::other)?;
        if picture.len() <= MAX_PICTURE {
            made.push((title.trim_end().to_owned(), picture));
        }
    }
    Ok(made)
}

/// Whether the task is about this transport. A task that names no transport is about both.
fn concerns(prompt: &str, transport: Transport) -> bool {
    let names = |name: &str| prompt.contains(&format!("over {name}"));
    match transport {
        Transport::Tcp => names("TCP") || !names("UDP"),
        Transport::Udp => names("UDP") || !names("TCP"),
    }
}
