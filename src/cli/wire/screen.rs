//! Where packets go that were seen: to standard output and, if wanted, to a file.

use super::Wire;
use super::elsewhere::Elsewhere;
use super::output::Output;
use crate::cli::failure::Failure;
use crate::cli::{complain, print, width};
use crate::report;
use crate::trace::Fate;
use crate::wire::decode::decode;
use crate::wire::talk::{Talks, trace};
use crate::wire::{Captured, pcapng};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

pub(super) struct Screen<'a> {
    arguments: &'a Wire,
    talks: Talks,
    file: Option<Output>,
    /// When the first of them was seen.
    begin: Option<Duration>,
    /// How long after that the last was.
    pub lasted: Duration,
    /// How many were shown.
    pub packets: u64,
    /// Those that are about other ports, as long as none was shown.
    pub elsewhere: Elsewhere,
    /// Somebody still reads standard output.
    is_read: bool,
    /// Those for the ladder, if one is wanted.
    kept: Vec<Captured>,
}

/// A ladder of more would be shortened to nothing.
const MOST_KEPT: usize = 10_000;

impl<'a> Screen<'a> {
    pub(super) fn new(
        arguments: &'a Wire,
        interface: &str,
        file: Option<Output>,
    ) -> Result<Self, Failure> {
        let mut screen = Self {
            arguments,
            talks: Talks::with(arguments.ports.clone()),
            file,
            begin: None,
            lasted: Duration::ZERO,
            packets: 0,
            elsewhere: Elsewhere::default(),
            is_read: true,
            kept: Vec::new(),
        };
        screen.save(&pcapng::begin(interface))?;
        Ok(screen)
    }

    /// Shows a packet, if it is about the ports; breaks when there were enough, or nobody wants more.
    pub(super) fn show(&mut self, mut captured: Captured) -> Result<ControlFlow<()>, Failure> {
        let Some(packet) = decode(&captured.octets) else { return Ok(ControlFlow::Continue(())) };
        let Some(said) = self.talks.hear(captured.interface, &packet) else {
            if self.packets == 0 {
                self.elsewhere.note(&packet);
            }
            return Ok(ControlFlow::Continue(()));
        };
        self.packets += 1;
        self.lasted = captured.at.saturating_sub(*self.begin.get_or_insert(captured.at));
        // That it was seen goes without saying on the screen.
        let seen = Fate::Seen.words(captured.at);
        captured.comment = captured.comment.filter(|comment| *comment != seen);
        let text = if self.arguments.json {
            format!("{}\n", report::wire::json(self.lasted, &said, &packet, &captured))
        } else {
            report::wire::lines(self.lasted, &said, &packet, captured.comment.as_deref())
        };
        captured.comment.get_or_insert(seen);
        self.save(&pcapng::packet(&captured))?;
        if !self.keep(captured) && !self.is_for_file() {
            self.print(&text)?;
        }
        let enough = self.arguments.count.is_some_and(|count| self.packets >= count);
        // A file is wanted whoever looks.
        let in_vain = !self.is_read && self.file.is_none();
        Ok(if enough || in_vain { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Keeps a packet for the ladder at the end; false if none is wanted.
    fn keep(&mut self, captured: Captured) -> bool {
        if self.arguments.ladder && self.kept.len() < MOST_KEPT {
            self.kept.push(captured);
        }
        self.arguments.ladder
    }

    /// Standard output is taken, by the file.
    fn is_for_file(&self) -> bool {
        self.file.as_ref().is_some_and(Output::is_standard)
    }

    /// To standard output, as long as somebody reads it.
    fn print(&mut self, text: &str) -> Result<(), Failure> {
        if !self.is_read {
            return Ok(());
        }
        let printed = print(text);
        self.is_read = printed.is_ok();
        match printed {
            Err(Failure::NobodyReads) => Ok(()),
            printed => printed,
        }
    }

    fn save(&mut self, block: &[u8]) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), |file| file.write(block))
    }

    /// Draws the ladder, if one is wanted, and sums up.
    pub(super) fn finish(mut self, lasted: Duration, quiet: bool) -> Result<ExitCode, Failure> {
        if !self.kept.is_empty() {
            let trace = trace(&self.kept, self.arguments.ports.clone());
            let drawn = report::ladder::draw(&trace, "", width());
            self.print(&report::ladder::text(&drawn))?;
        }
        let summary = report::wire::summary(self.packets, self.talks.count, lasted);
        match self.arguments.json || quiet {
            true => {}
            false if self.is_for_file() => complain(&format!("daytime: {}", summary.trim_end())),
            false => self.print(&summary)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
