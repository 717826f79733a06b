//! Reads saved replies from standard input, one per line. Prints the time in each reply, and the reason to distrust it
//! if there is one.
//!
//! `cargo run --no-default-features --example read < replies.txt`
#![allow(clippy::print_stdout, reason = "a program prints")]

use daytime::read::{Printable, Recognised, ReplyTime};
use daytime::recognise;
use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut reply = Vec::new(); // octets, because a reply may contain invalid UTF-8
    while input.read_until(b'\n', &mut reply)? > 0 {
        if reply.trim_ascii().is_empty() {
            continue; // a reply from NIST begins with a line feed, which the reader skips
        }
        let meaning = match recognise(&reply) {
            Ok(read) => meaning(&read),
            Err(error) => format!("not a time: {error}"),
        };
        println!("{}\n    {meaning}", Printable::line(&reply));
        reply.clear();
    }
    Ok(())
}

/// Describes the time in a reply, and the reason to distrust it if there is one.
fn meaning(read: &Recognised) -> String {
    let time = match read.time {
        ReplyTime::Instant { utc, .. } => utc.to_rfc3339(),
        ReplyTime::WallClock { local } => format!("{local} in an unknown zone"),
        ReplyTime::Ambiguous { candidates } => {
            let candidates: Vec<String> = candidates.iter().map(|it| it.to_string()).collect();
            format!("{} in an unknown zone", candidates.join(" or "))
        }
    };
    match read.validate() {
        Ok(()) => format!("{time} ({})", read.form),
        Err(distrust) => format!("{time} ({}), but {distrust}", read.form),
    }
}
