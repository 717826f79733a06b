//! Any octets as a capture file: it is read to its end or to what is wrong with it, and the packets before that
//! are drawn.

#![no_main]

use daytime::internals::{draw, read_capture};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let (packets, error) = read_capture(file);
    let octets: usize = packets.iter().map(Vec::len).sum();
    assert!(octets <= file.len(), "{octets} octets from a file of {}", file.len());
    for packet in &packets {
        assert!(matches!(packet[0] >> 4, 4 | 6), "{packet:?}");
        let _ = draw(packet);
    }
    if let Some(error) = error {
        assert!(error.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{error:?}");
    }
});
