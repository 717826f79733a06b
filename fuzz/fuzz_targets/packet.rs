//! Any octets as a packet: what is drawn of it is safe to show and fits the screen, and a checksum is the only
//! thing that is ever changed.

#![no_main]

use daytime::internals::{complete_checksum, draw};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    for line in draw(packet).iter().flat_map(|lines| lines.lines()) {
        assert!(line.chars().all(is_safe), "{line:?}");
    }
    let completed = complete_checksum(packet);
    assert_eq!(completed.len(), packet.len());
    let changed = completed.iter().zip(packet).filter(|(one, other)| one != other).count();
    assert!(changed <= 2, "{changed} octets changed");
    // Nothing that is drawn depends on it.
    assert_eq!(draw(&completed), draw(packet));
});

/// Printable, or of the drawing: its colours and its lines.
fn is_safe(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{1b}' | '│' | '─' | '◀' | '▶' | '…')
}
