//! Any octets as a packet: what is drawn of it is safe to show, and a checksum is the only thing that is ever
//! changed.

#![no_main]

mod safe;

use daytime::internals::{complete_checksum, draw};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    let drawn = draw(packet);
    safe::assert_safe(drawn.as_deref().unwrap_or_default());
    let completed = complete_checksum(packet);
    assert_eq!(completed.len(), packet.len());
    let changed = completed.iter().zip(packet).filter(|(one, other)| one != other).count();
    assert!(changed <= 2, "{changed} octets changed");
    // Nothing that is drawn depends on it.
    assert_eq!(draw(&completed), drawn);
});
