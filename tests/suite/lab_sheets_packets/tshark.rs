//! Packets of capture files, as tshark reads them.

use crate::lab_grade_readers::read_by;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The fields that tshark prints for each packet.
const FIELDS: [&str; 13] = [
    "frame.interface_id",
    "frame.interface_name",
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq",
    "tcp.ack",
    "tcp.flags",
    "tcp.len",
    "udp.length",
    "icmp.type",
];

/// TCP flags.
pub const FIN: u16 = 0x01;
pub const SYN: u16 = 0x02;
pub const RST: u16 = 0x04;
pub const ACK: u16 = 0x10;

/// One packet in a capture file.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Milliseconds since the beginning of a simulated run, or since 1970.
    pub at: f64,
    pub source: String,
    pub destination: String,
    /// Ports, if the packet is a TCP segment.
    pub ports: Option<(u16, u16)>,
    pub sequence: u32,
    pub acknowledgement: u32,
    /// TCP flags; none in another packet.
    pub flags: u16,
    /// Octets of data.
    pub data: u32,
    pub is_icmp: bool,
}

impl Packet {
    fn of(fields: &[&str]) -> Self {
        assert_eq!(fields.len(), FIELDS.len(), "{fields:?}");
        let [_, _, at, source, destination, from, to, sequence, acknowledgement, rest @ ..] =
            fields
        else {
            unreachable!()
        };
        let [flags, tcp, udp, icmp] = rest else { unreachable!() };
        // An ICMP message has the addresses of the quoted packet too.
        let first = |text: &str| text.split(',').next().unwrap_or_default().to_owned();
        let number = |text: &str| first(text).parse::<u32>().unwrap_or(0);
        let port = |text: &str| first(text).parse().ok();
        let data = if tcp.is_empty() { number(udp).saturating_sub(8) } else { number(tcp) };
        Self {
            at: at.parse::<f64>().expect("seconds") * 1e3,
            source: first(source),
            destination: first(destination),
            ports: port(from).zip(port(to)),
            sequence: number(sequence),
            acknowledgement: number(acknowledgement),
            flags: u16::from_str_radix(first(flags).trim_start_matches("0x"), 16).unwrap_or(0),
            data,
            is_icmp: !icmp.is_empty(),
        }
    }

    /// Whether the packet has all these flags.
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    /// Returns the flags as a sheet names them, without PSH.
    pub fn names(&self) -> String {
        let names = [(SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (ACK, "ACK")];
        let set = names.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name);
        set.collect::<Vec<_>>().join(", ")
    }
}

/// The capture files in a folder. Each file has the packets that one host sent and received, on one interface.
pub struct Captures(BTreeMap<String, Vec<Packet>>);

impl Captures {
    /// Reads all files at once: to start tshark takes longer than to read a file.
    pub fn read(folder: &Path) -> Self {
        let files = fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path());
        let files: Vec<PathBuf> = files.collect::<BTreeSet<_>>().into_iter().collect();
        if files.is_empty() {
            return Self(BTreeMap::new());
        }
        let merged = folder.join("merged");
        let mut merge = Command::new("mergecap");
        merge.args(["-a", "-I", "none", "-w"]).arg(&merged).args(&files);
        read_by(&mut merge);
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&merged).args(["-o", "tcp.relative_sequence_numbers:FALSE"]);
        tshark.args(["-T", "fields"]).args(FIELDS.iter().flat_map(|field| ["-e", field]));
        let rows = read_by(&mut tshark);
        fs::remove_file(merged).expect("removed");
        let name = |it: &PathBuf| it.file_stem().expect("a name").to_string_lossy().into_owned();
        let names: Vec<String> = files.iter().map(name).collect();
        let mut captures: BTreeMap<String, Vec<Packet>> =
            names.iter().map(|name| (name.clone(), Vec::new())).collect();
        for row in rows.lines() {
            let fields: Vec<&str> = row.split('\t').collect();
            // Interface n is that of file n, and has the name of the host.
            let name = &names[fields[0].parse::<usize>().expect("a number")];
            assert!(name.ends_with(&format!("-{}", fields[1])), "{row:?} in {name}");
            captures.get_mut(name).expect("a file").push(Packet::of(&fields));
        }
        Self(captures)
    }

    /// Returns the packets of a file whose name is given without its extension.
    pub fn of(&self, name: &str) -> &[Packet] {
        self.0.get(name).unwrap_or_else(|| panic!("no file {name} in {:?}", self.0.keys()))
    }

    /// Returns the packets that a host sent, from the file `RUN-HOST`.
    pub fn sent(&self, run: &str, host: &str) -> Vec<Packet> {
        self.by(run, host, |is_sent| is_sent)
    }

    /// Returns the packets that a host received.
    pub fn received(&self, run: &str, host: &str) -> Vec<Packet> {
        self.by(run, host, |is_sent| !is_sent)
    }

    fn by(&self, run: &str, host: &str, is_wanted: fn(bool) -> bool) -> Vec<Packet> {
        let packets = self.of(&format!("{run}-{host}"));
        // The client and the forger send first. The server and the victim receive first.
        let begins = ["client", "forger"].contains(&host);
        let first = packets.first().map(|it| it.source.clone()).unwrap_or_default();
        let is_sent = |it: &Packet| (it.source == first) == begins;
        packets.iter().filter(|it| is_wanted(is_sent(it))).cloned().collect()
    }
}
