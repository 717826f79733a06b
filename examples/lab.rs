//! Runs a lab on the simulator, and prints its predictions, observations and lesson.
//!
//! `cargo run --example lab -- 30` makes the link drop 30 % of all packets.
#![allow(clippy::print_stdout, reason = "a program prints")]

use daytime::lab::{self, Engine, Setting};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let percent = std::env::args().nth(1).map_or(Ok(25.0), |percent| percent.parse())?;
    let loss = lab::find("loss").ok_or("no such lab")?;
    println!("{}", loss.question());

    let setting = Setting::default().loss(percent).count(100).seed(867);
    let report = loss.run(Engine::Sim, &setting)?;
    for finding in report.findings() {
        let observed = finding.observed().map_or("nothing".to_owned(), ToString::to_string);
        println!(
            "{} {}: expected {}, observed {observed}: {}",
            finding.transport(),
            finding.name(),
            finding.expected(),
            finding.verdict(),
        );
    }
    for sentence in report.lesson() {
        println!("Lesson: {sentence}");
    }
    Ok(())
}
