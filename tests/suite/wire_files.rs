//! Tests `daytime wire` with capture files: it destroys no file, leaves no broken file, and reports
//! their contents.

use crate::or_skip;
use crate::support::capturing::{Capturing, assert_sum, ladder, pcap};
use crate::support::wire::eventually;
use crate::support::{
    bad, before, complains, daytime, good, mentions, on_terminal, program, run, stderr, stdout,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Octets before the first packet of a pcap file.
const HEADER: usize = 24;

/// Returns a capture of this many empty datagrams to port 13.
fn packets(count: usize) -> Vec<u8> {
    let one = pcap();
    [&one[..HEADER], &one[HEADER..].repeat(count)].concat()
}

/// Writes a file into a new folder.
fn file(octets: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("file");
    fs::write(&path, octets).expect("written");
    (folder, path)
}

fn reading(path: &Path) -> Command {
    let mut command = daytime();
    command.args(["wire", "--read"]).arg(path);
    command
}

#[test]
fn the_capture_being_read_is_never_overwritten() {
    let (folder, path) = file(&packets(3));
    let [soft, hard] = ["soft", "hard"].map(|name| folder.path().join(name));
    symlink(&path, &soft).expect("linked");
    fs::hard_link(&path, &hard).expect("linked");
    for written in [&path, &soft, &hard] {
        let from_stdin = {
            let mut command = reading(Path::new("-"));
            command.stdin(File::open(&path).expect("there"));
            command
        };
        for mut command in [reading(&path), from_stdin] {
            let said = bad(2, command.arg("--pcapng").arg(written));
            let name = written.to_str().expect("UTF-8");
            complains(&said, &[name, "same file", "--read", "--pcapng"]);
        }
    }
    // A file appended to itself would never end.
    let mut command = reading(&path);
    let appended = File::options().append(true).open(&path).expect("there");
    command.args(["--pcapng", "-"]).stdout(appended).stderr(Stdio::piped());
    let output = command.spawn().expect("started").wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(fs::read(&path).expect("there"), packets(3));
}

#[test]
fn a_longer_existing_file_is_replaced_completely() {
    let (folder, path) = file(&packets(1));
    let written = folder.path().join("written");
    fs::write(&written, [7; 5000]).expect("written");
    good(reading(&path).arg("--pcapng").arg(&written));
    assert_sum(&good(&mut reading(&written)), 1, 1);
}

#[test]
fn a_signal_ends_reading_from_a_silent_pipe() {
    let mut command = reading(Path::new("-"));
    command.stdin(Stdio::piped());
    let mut wire = Capturing::read(command);
    let _silent = wire.child.stdin.take();
    wire.signal(Signal::SIGINT);
    assert_sum(&wire.end(), 0, 0);
}

#[test]
fn packets_read_from_a_pipe_before_a_signal_are_drawn_and_written() {
    let (folder, written) = file(&[]);
    let mut command = reading(Path::new("-"));
    command.args(["--ladder", "--pcapng"]).arg(&written).stdin(Stdio::piped());
    let mut wire = Capturing::read(command);
    let mut pipe = wire.child.stdin.take().expect("piped");
    pipe.write_all(&packets(2)).expect("taken");
    // More octets than the header and one packet.
    eventually("both are written", || fs::metadata(&written).expect("there").len() > 160);
    wire.signal(Signal::SIGTERM);
    let text = wire.end();
    assert!(text.contains("empty datagram"), "{text}");
    assert_sum(&text, 2, 1);
    assert_sum(&good(&mut reading(&written)), 2, 1);
    drop(folder);
}

#[test]
fn the_second_signal_ends_reading_at_once() {
    // The file is read at once, and its text is more than a pipe can hold.
    let (_folder, path) = file(&packets(1400));
    let wire = Capturing::read(reading(&path));
    let screen = wire.child.stdout.as_ref().expect("piped").as_fd();
    let has_come = || {
        let mut ready = [PollFd::new(screen, PollFlags::POLLIN)];
        poll(&mut ready, PollTimeout::ZERO).expect("polled") == 1
    };
    eventually("it prints", has_come);
    wire.signal(Signal::SIGINT);
    wire.signal(Signal::SIGTERM);
    assert_eq!(wire.ended().status, Some(1));
}

#[test]
fn the_first_signal_ends_waiting_for_the_reader_of_a_fifo() {
    let mkfifo = or_skip!(program("mkfifo"));
    let (folder, path) = file(&packets(1));
    let fifo = folder.path().join("fifo");
    good(Command::new(mkfifo).arg(&fifo));
    let mut command = reading(&path);
    command.arg("--pcapng").arg(&fifo);
    let wire = Capturing::read(command);
    wire.signal(Signal::SIGINT);
    assert_eq!(wire.ended().status, Some(1));
}

#[test]
fn a_capture_on_standard_output_that_never_started_prints_nothing() {
    let mut command = reading(Path::new("-"));
    command.args(["--pcapng", "-"]).stdin(Stdio::piped());
    let wire = Capturing::read(command);
    wire.signal(Signal::SIGINT);
    let ended = wire.ended();
    assert_eq!((ended.text.as_str(), ended.status), ("", Some(1)));
}

#[test]
fn a_file_is_written_completely_even_if_the_output_has_no_reader() {
    let (folder, written) = file(&[]);
    let mut command = reading(Path::new("-"));
    command.arg("--pcapng").arg(&written).stdin(Stdio::piped());
    let mut wire = Capturing::spawn(command);
    drop(wire.child.stdout.take());
    let mut pipe = wire.child.stdin.take().expect("piped");
    pipe.write_all(&packets(500)).expect("taken");
    drop(pipe);
    let ended = wire.ended();
    assert_eq!((ended.said.as_str(), ended.status), ("", Some(0)));
    assert_sum(&good(&mut reading(&written)), 500, 1);
    drop(folder);
}

#[test]
fn a_packet_that_does_not_fit_on_the_disk_is_removed() {
    let (folder, path) = file(&packets(100));
    let written = folder.path().join("written");
    let mut command = Command::new("sh");
    // The file size limit ends within a packet, whatever its unit is. Without the signal, write(2)
    // returns an error.
    command.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_daytime")).args(["wire", "--read"]).arg(&path);
    let output = run(command.arg("--pcapng").arg(&written));
    assert_eq!(output.status.code(), Some(1));
    let name = written.to_str().expect("UTF-8");
    mentions(&stderr(&output), &["cannot write", name, "File too large"]);
    let text = stdout(&output);
    let seen = ladder(&text).len();
    assert!(seen > 0, "{text}");
    assert_eq!(before(&text, "exchange"), Some("1"), "what was seen is summed up: {text}");
    let left = good(&mut reading(&written));
    assert_eq!(ladder(&left).len(), seen, "{left}");
}

#[test]
fn skipped_packets_are_reported_even_if_others_were_shown() {
    // A packet after the datagram that starts with no valid IP version.
    let strange = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x10];
    let (_folder, path) = file(&[packets(1), strange.to_vec()].concat());
    let output = run(&mut reading(&path));
    assert_eq!(output.status.code(), Some(0));
    assert_sum(&stdout(&output), 1, 1);
    complains(&stderr(&output), &["skipped 1 packet", path.to_str().expect("UTF-8"), "not IP"]);
    // If the file has no other packet, another port would not help.
    let (_folder, path) = file(&[&packets(0)[..], &strange].concat());
    let said = stderr(&run(&mut reading(&path)));
    let name = path.to_str().expect("UTF-8");
    let (none, skipped) = said.split_at(said.find('\n').expect("two lines") + 1);
    complains(none, &[name, "1 packet", "port 13"]);
    assert!(!none.contains("--port"), "{none}");
    complains(skipped, &["skipped 1 packet", name, "not IP"]);
}

#[test]
fn a_capture_on_standard_output_is_the_only_output_there() {
    let (folder, path) = file(&packets(3));
    let written = folder.path().join("written");
    good(reading(&path).arg("--pcapng").arg(&written));
    let output = run(reading(&path).args(["--pcapng", "-"]));
    assert_eq!(output.stdout, fs::read(&written).expect("written"));
    let said = stderr(&output);
    assert_sum(&said, 3, 1);
    assert_eq!(output.status.code(), Some(0));
    for option in ["--ladder", "--json"] {
        let said = bad(2, reading(&path).args(["--pcapng", "-", option]));
        mentions(&said, &["--pcapng -", "standard output"]);
    }
    assert!(!Path::new("-").exists());
}

#[test]
fn a_capture_is_not_written_to_a_terminal() {
    let (_folder, path) = file(&packets(1));
    let command = format!("daytime wire --read '{}' --pcapng -", path.display());
    let output = run(&mut or_skip!(on_terminal(&command)));
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    mentions(&said, &["daytime: ", "terminal", "capture"]);
}

/// Returns a fragment of a packet from 127.0.0.1 to itself. `place` counts units of 8 octets.
fn fragment(place: u8, has_more: bool, octets: &[u8]) -> Vec<u8> {
    let length = u8::try_from(20 + octets.len()).expect("short");
    let more = u8::from(has_more) << 5;
    let head =
        [0x45, 0, 0, length, 0x12, 0x34, more, place, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
    [&head, octets].concat()
}

/// Returns a pcap file of IP packets, one millisecond apart.
fn capture_of(packets: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<u8>>();
    let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 101]);
    for (number, packet) in (1u32..).zip(packets) {
        let length = u32::try_from(packet.len()).expect("short");
        file.extend(words(&[9, 1000 * number, length, length]));
        file.extend(packet);
    }
    file
}

/// Returns the two fragments of one reply, from this port to port 40000.
fn fragments_from(port: u8) -> [Vec<u8>; 2] {
    let datagram = [&[0, port, 0x9c, 0x40, 0, 30, 0, 0][..], b"2024-07-03T14:05:11Z\r\n"].concat();
    [fragment(0, true, &datagram[..16]), fragment(2, false, &datagram[16..])]
}

/// Returns the two fragments of one Daytime reply.
fn fragments() -> [Vec<u8>; 2] {
    fragments_from(13)
}

/// Returns the same packet with another identification.
fn identified(mut packet: Vec<u8>, identification: u8) -> Vec<u8> {
    packet[5] = identification;
    packet
}

#[test]
fn fragments_of_other_ports_are_ignored() {
    let [first, later] = fragments();
    let [other_first, other_later] = fragments_from(53).map(|packet| identified(packet, 0xff));
    // In both orders the first fragment was captured, and it has other ports.
    for others in [[&other_first, &other_later], [&other_later, &other_first]] {
        let packets = [others[0], others[1], &first, &later].map(Clone::clone);
        let (_folder, path) = file(&capture_of(&packets));
        let output = run(&mut reading(&path));
        assert_sum(&stdout(&output), 2, 1);
        assert_eq!((&*stderr(&output), output.status.code()), ("", Some(0)));
    }
    // The later fragments of 64 other packets are captured between the two fragments of a reply.
    let mut packets = vec![later];
    for number in 100..164 {
        packets.extend(fragments_from(53).map(|packet| identified(packet, number)));
    }
    packets.push(first);
    let (_folder, path) = file(&capture_of(&packets));
    let output = run(&mut reading(&path));
    assert_sum(&stdout(&output), 2, 1);
    assert_eq!(&*stderr(&output), "");
}

#[test]
fn a_later_fragment_captured_first_is_shown_and_written() {
    let [first, later] = fragments();
    let (folder, path) = file(&capture_of(&[later.clone(), first]));
    let written = folder.path().join("written");
    let printed = good(reading(&path).arg("--pcapng").arg(&written));
    mentions(&printed, &["fragment", "octet 16 "]);
    assert_sum(&printed, 2, 1);
    let again = good(&mut reading(&written));
    assert_sum(&again, 2, 1);
    // Without the first fragment, the exchange is unknown.
    fs::write(&path, capture_of(&[later])).expect("written");
    let output = run(&mut reading(&path));
    let said = stderr(&output);
    let last = said.lines().next_back().expect("a line");
    mentions(last, &["daytime: ", "1 fragment", "first fragment"]);
}

#[test]
fn the_error_for_a_compressed_capture_names_the_program_that_unpacks_it() {
    let mut tried = 0;
    for (name, magic) in [
        ("gzip", &b"\x1f\x8b\x08"[..]),
        ("bzip2", b"BZh9"),
        ("xz", b"\xfd7zXZ\0"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("lz4", b"\x04\x22\x4d\x18"),
    ] {
        let (_folder, path) = file(&[magic, &[0; 100]].concat());
        let said = bad(1, &mut reading(&path));
        let remedy = format!("`{name} -dc FILE | daytime wire --read -`");
        complains(&said, &[path.to_str().expect("UTF-8"), "compressed", &remedy]);
        tried += 1;
    }
    assert_eq!(tried, 5);
    // The output of the decompressing program is read.
    let (_folder, path) = file(&packets(2));
    let packed = run(Command::new("gzip").arg("-c").arg(&path));
    fs::write(&path, &packed.stdout).expect("written");
    complains(&bad(1, &mut reading(&path)), &["compressed", "`gzip -dc "]);
}
