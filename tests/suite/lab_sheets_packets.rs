//! Derives the keys of sheets from the packets that `daytime lab key --pcapng` writes, by tshark.

use crate::lab_sheets::{Desk, of};
use crate::or_skip;
use crate::support::{good, program, run, stderr, stdout};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the fields of each packet of a capture, by tshark.
fn packets(file: &Path, fields: &[&str]) -> Vec<Vec<String>> {
    let mut tshark = Command::new("tshark");
    tshark.args([
        "-r",
        file.to_str().expect("UTF-8"),
        "-o",
        "tcp.relative_sequence_numbers:FALSE",
        "-T",
        "fields",
    ]);
    tshark.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = run(&mut tshark);
    let rows = stdout(&output);
    assert!(!rows.is_empty(), "{}: {}", file.display(), stderr(&output));
    rows.lines().map(|row| row.split('\t').map(str::to_owned).collect()).collect()
}

/// Returns the number of the flags as the key writes them.
fn flags(hex: &str) -> String {
    let bits = u16::from_str_radix(hex.trim_start_matches("0x"), 16).expect("flags");
    let names = [(2, "SYN"), (1, "FIN"), (4, "RST"), (16, "ACK")];
    let set: Vec<&str> =
        names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    set.join(", ")
}

#[test]
fn tshark_derives_the_same_key_from_the_packets() {
    or_skip!(program("tshark"));
    let desk = Desk::new();
    let labs = "exchange,loss,silent,loop";
    good(&mut desk.lab(&format!("key {} --pcapng packets", of(labs))));
    let mut compared = 0;
    for (student, items) in desk.keys(labs) {
        let folder = desk.path("packets").join(&student);
        for item in &items {
            let id = item["item"].as_str().expect("an id");
            if let Some(field) = field(item, &folder) {
                assert_eq!(item["answer"], *field, "{student}: {id}");
                compared += 1;
            }
            if let Some(number) = number(item, &folder) {
                let [key, tolerance] =
                    ["number", "tolerance"].map(|it| item[it].as_f64().expect("a number"));
                assert!((key - number).abs() <= tolerance, "{student}: {id} {number}");
                compared += 1;
            }
        }
    }
    // Each student has two tables with three blanks each, three times and a count.
    assert_eq!(compared, 3 * (2 * 3 + 3 + 1 + 1));
}

/// Returns the field of a packet that an item asks for.
fn field(item: &Value, folder: &Path) -> Option<String> {
    let (field, number) = (item["field"].as_str()?, item["packet"].as_u64()?);
    let lab = item["item"].as_str()?.split('-').next()?;
    let file = folder.join(format!("{lab}-sim-tcp-server.pcapng"));
    let rows = packets(&file, &["tcp.seq", "tcp.ack", "tcp.flags", "tcp.len"]);
    let row = &rows[usize::try_from(number).ok()? - 1];
    Some(match field {
        "sequence number" => row[0].clone(),
        "acknowledgement number" => row[1].clone(),
        "flags" => flags(&row[2]),
        _ => row[3].clone(),
    })
}

/// Returns the number that an item asks for.
fn number(item: &Value, folder: &Path) -> Option<f64> {
    let file = |name: &str| -> PathBuf { folder.join(format!("{name}.pcapng")) };
    Some(match item["item"].as_str()? {
        "exchange-tcp-time" => reply_time(&file("exchange-sim-tcp-client")),
        "exchange-udp-time" => reply_time(&file("exchange-sim-udp-client")),
        "loss-tcp-time" => reply_time(&file("loss-sim-tcp-client")),
        "loop-datagrams" => {
            let file = file("loop-sim-udp-datagrams-without-guard-server");
            f64::from(u32::try_from(packets(&file, &["udp.length"]).len()).ok()?)
        }
        "silent-retransmission" => {
            let prompt = item["prompt"].as_str()?;
            let number = ["first", "second", "third"]
                .iter()
                .position(|it| prompt.contains(&format!("for the {it} time")))?;
            // The times of a capture count from the beginning of the run.
            let rows = packets(&file("silent-sim-tcp-server"), &["frame.time_epoch", "tcp.len"]);
            let reply = rows.iter().filter(|row| row[1] == "40").nth(number + 1)?;
            reply[0].parse::<f64>().ok()? * 1e3
        }
        _ => return None,
    })
}

/// Returns the milliseconds from the first packet to the first one with 40 octets of data.
fn reply_time(file: &Path) -> f64 {
    let rows = packets(file, &["frame.time_relative", "tcp.len", "udp.length"]);
    let is_reply = |row: &&Vec<String>| row[1] == "40" || row[2] == "48";
    let reply = rows.iter().find(is_reply).unwrap_or_else(|| panic!("no reply in {rows:?}"));
    let [first, reply] = [&rows[0][0], &reply[0]].map(|it| it.parse::<f64>().expect("seconds"));
    (reply - first) * 1e3
}
