//! Shows captured packets on standard output, and writes them to a file with `--pcapng`.

use super::Wire;
use super::early_fragments::EarlyFragments;
use super::other_ports::OtherPorts;
use super::output::Output;
use crate::cli::failure::Failure;
use crate::cli::{complain, print, print_exactly, width};
use crate::report;
use crate::report::ladder::{Form, Ladders, Sighting};
use crate::trace::Fate;
use crate::wire::conversation::{Conversations, FragmentedPacket};
use crate::wire::decode::{Content, decode};
use crate::wire::times::Times;
use crate::wire::{Captured, pcapng};
use std::fs::Metadata;
use std::process::ExitCode;
use std::time::Duration;

pub(super) struct Screen<'a> {
    arguments: &'a Wire,
    conversations: Conversations,
    file: Option<Output>,
    blocks: pcapng::Writer,
    pub times: Times,
    /// Number of packets shown.
    pub packets: u64,
    /// Counts packets on unwanted ports, until the first packet is shown.
    pub other_ports: OtherPorts,
    /// Later fragments of packets whose first fragments have not been captured yet.
    early_fragments: EarlyFragments,
    /// Whether standard output still has a reader.
    is_read: bool,
    /// Exchanges to draw as ladders or lists at the end, with `--ladder` or `--text`.
    ladders: Ladders,
}

impl<'a> Screen<'a> {
    /// Opens the output for `--pcapng`, if the option is given. `read` contains the metadata of the file that `--read`
    /// reads.
    pub(super) fn open(arguments: &'a Wire, read: Option<&Metadata>) -> Result<Self, Failure> {
        let file = arguments.pcapng.as_deref().map(|path| Output::open(path, read)).transpose()?;
        let mut screen = Self {
            arguments,
            conversations: Conversations::with(arguments.ports.clone()),
            file,
            blocks: pcapng::Writer::default(),
            times: Times::default(),
            packets: 0,
            other_ports: OtherPorts::default(),
            early_fragments: EarlyFragments::default(),
            is_read: true,
            ladders: Ladders::default(),
        };
        screen.save(&pcapng::begin())?;
        Ok(screen)
    }

    /// Shows a packet if it has wanted ports. If it is a first fragment, also shows the later fragments of the same
    /// packet that were captured earlier.
    pub(super) fn show(&mut self, captured: &Captured, fate: &Fate) -> Result<(), Failure> {
        let Some(packet) = decode(&captured.octets) else { return Ok(()) };
        let interface = captured.interface.as_ref().map(|it| it.id);
        let whole = FragmentedPacket::of(interface, &packet);
        // Only the first fragment has ports.
        let is_later_fragment = matches!(packet.content, Content::Fragment { .. });
        let Some(role) = self.conversations.assign(interface, &packet) else {
            match whole {
                Some(whole) if is_later_fragment => {
                    self.early_fragments.hold(whole, captured, fate);
                }
                Some(whole) => self.early_fragments.ignore(whole),
                None => {}
            }
            if self.packets == 0 {
                self.other_ports.note(&packet);
            }
            return Ok(());
        };
        let since_ns = self.times.since_ns(captured.at);
        self.print_packet(&Sighting { role: &role, packet: &packet, captured, since_ns, fate })?;
        let Some(whole) = whole.filter(|_| !is_later_fragment) else { return Ok(()) };
        for (fragment, fate) in self.early_fragments.take(whole) {
            if !self.is_done() {
                self.show(&fragment, &fate)?;
            }
        }
        Ok(())
    }

    /// Whether the number of packets has reached `--count`, or neither a reader nor an output file is left.
    pub(super) fn is_done(&self) -> bool {
        let reached_count = self.arguments.count.is_some_and(|count| self.packets >= count);
        reached_count || !self.is_read && self.file.is_none()
    }

    fn print_packet(&mut self, seen: &Sighting) -> Result<(), Failure> {
        self.packets += 1;
        if self.file.is_some() {
            let block = self.blocks.packet(seen.captured);
            self.save(&block)?;
        }
        if self.form().is_some() {
            self.ladders.add(seen);
        } else if self.arguments.json {
            self.print_with(print_exactly, &format!("{}\n", report::wire::json(seen)))?;
        } else if !self.is_for_file() {
            self.print(&seen.row())?;
        }
        Ok(())
    }

    /// Returns the form in which to draw the exchanges at the end, or `None` if they are not drawn.
    fn form(&self) -> Option<Form> {
        match self.arguments {
            Wire { ladder: true, .. } => Some(Form::Ladder(width())),
            Wire { text: true, .. } => Some(Form::List),
            _ => None,
        }
    }

    /// Whether the capture file goes to standard output.
    fn is_for_file(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.is_standard)
    }

    /// Prints to standard output if it still has a reader.
    fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.print_with(print, text)
    }

    fn print_with(
        &mut self,
        print: fn(&str) -> Result<(), Failure>,
        text: &str,
    ) -> Result<(), Failure> {
        if !self.is_read {
            return Ok(());
        }
        let printed = print(text);
        self.is_read = printed.is_ok();
        match printed {
            Err(Failure::OutputClosed) => Ok(()),
            printed => printed,
        }
    }

    fn save(&mut self, block: &[u8]) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), |file| file.write(block))
    }

    /// Draws the exchanges if `--ladder` or `--text` is given, and prints the summary.
    pub(super) fn finish(mut self, lasted: Duration, quiet: bool) -> Result<ExitCode, Failure> {
        if let Some(form) = self.form().filter(|_| self.packets > 0) {
            let below = if quiet { "" } else { "\n" };
            self.print(&(self.ladders.draw(form) + below))?;
        }
        self.report_fragments();
        let summary = report::wire::summary(self.packets, self.conversations.count, lasted);
        match self.arguments.json || quiet {
            true => {}
            false if self.is_for_file() => complain(&format!("daytime: {}", summary.trim_end())),
            false => self.print(&summary)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Reports later fragments that were not shown although they may belong to an exchange.
    fn report_fragments(&self) {
        let reasons = [
            (self.early_fragments.count(), "the first fragment of each packet was not captured"),
            (
                self.early_fragments.replaced,
                "too many waited for the first fragment of their packet",
            ),
        ];
        for (count, reason) in reasons.into_iter().filter(|(count, _)| *count > 0) {
            complain(&format!("daytime: ignored {}: {reason}", report::plural(count, "fragment")));
        }
    }
}
