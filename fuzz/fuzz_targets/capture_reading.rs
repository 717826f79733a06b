//! Reads arbitrary octets as a capture file, up to the end or an error. The packets before the
//! error and their comments must be safe to draw and to print as JSON. Written to a new file, they
//! must be read back unchanged.

#![no_main]

mod safe;

use daytime::internals::CaptureFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let capture = CaptureFile::read(file);
    let comments = |comments: &[Vec<u8>]| comments.iter().map(Vec::len).sum::<usize>();
    let octets: usize =
        capture.packets().map(|(packet, said, _)| packet.len() + comments(said)).sum();
    assert!(octets <= file.len(), "{octets} octets from a file of {}", file.len());
    for (packet, ..) in capture.packets() {
        assert!(matches!(packet[0] >> 4, 4 | 6), "{packet:?}");
    }
    let is_printable = |text: &str| text.bytes().all(|octet| (b' '..=b'~').contains(&octet));
    assert!(capture.error.as_deref().is_none_or(is_printable), "{:?}", capture.error);
    let (drawn, objects) = capture.show();
    safe::assert_safe(&drawn);
    assert!(objects.iter().all(|object| is_printable(object)), "{objects:?}");
    write(&capture);
});

/// Writes the packets to a file and reads them back, which must give the same packets. Writing them
/// again must give the same octets.
fn write(capture: &CaptureFile) {
    let written = capture.write();
    let again = CaptureFile::read(&written);
    assert_eq!(again.error, None);
    assert_eq!(again.packets().count(), capture.packets().count());
    for ((octets, comments, at), (others, theirs, then)) in again.packets().zip(capture.packets()) {
        assert_eq!((octets, comments), (others, theirs));
        // A missing timestamp is written as the start of 1970, and a timestamp beyond the year 2554
        // as the maximum.
        let then = then.unwrap_or_default().as_nanos().min(u64::MAX.into());
        assert_eq!(at.map(|at| at.as_nanos()), Some(then));
    }
    assert_eq!(again.write(), written);
}
