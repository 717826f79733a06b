//! Decodes arbitrary octets as a packet. The diagram must be safe to print, and the program may
//! change nothing but the checksum.

#![no_main]

mod safe;

use daytime::internals::{CaptureFile, complete_checksum};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    let drawn = CaptureFile::of_packet(packet).show();
    safe::assert_safe(&drawn.0);
    let completed = complete_checksum(packet);
    assert_eq!(completed.len(), packet.len());
    let changed = completed.iter().zip(packet).filter(|(one, other)| one != other).count();
    assert!(changed <= 2, "{changed} octets changed");
    // The diagram must not depend on the checksum.
    assert_eq!(CaptureFile::of_packet(&completed).show(), drawn);
});
