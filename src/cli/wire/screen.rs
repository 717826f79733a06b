//! Where packets go that were seen: to standard output and, if wanted, to a file.

use super::Wire;
use super::elsewhere::Elsewhere;
use super::held::Held;
use super::output::Output;
use crate::cli::failure::Failure;
use crate::cli::{complain, print, width};
use crate::report;
use crate::report::ladder::{Exchanges, Sight};
use crate::trace::Fate;
use crate::wire::decode::{Decoded, Kind, decode};
use crate::wire::talk::{Said, Talks};
use crate::wire::times::Times;
use crate::wire::{Captured, pcapng};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

pub(super) struct Screen<'a> {
    arguments: &'a Wire,
    talks: Talks,
    file: Option<Output>,
    blocks: pcapng::Writer,
    pub times: Times,
    /// How many were shown.
    pub packets: u64,
    /// Those that are about other ports, as long as none was shown.
    pub elsewhere: Elsewhere,
    /// Later fragments of packets whose first fragment has not come.
    held: Held,
    /// Somebody still reads standard output.
    is_read: bool,
    /// For the ladders, if they are wanted.
    exchanges: Exchanges,
}

impl<'a> Screen<'a> {
    pub(super) fn new(arguments: &'a Wire, file: Option<Output>) -> Result<Self, Failure> {
        let mut screen = Self {
            arguments,
            talks: Talks::with(arguments.ports.clone()),
            file,
            blocks: pcapng::Writer::default(),
            times: Times::default(),
            packets: 0,
            elsewhere: Elsewhere::default(),
            held: Held::default(),
            is_read: true,
            exchanges: Exchanges::default(),
        };
        screen.save(&pcapng::begin())?;
        Ok(screen)
    }

    /// Shows a packet and, in ladders, what became of it, if it is about the ports; breaks when there were
    /// enough, or nobody wants more.
    pub(super) fn show(
        &mut self,
        captured: &Captured,
        fate: &Fate,
    ) -> Result<ControlFlow<()>, Failure> {
        let Some(packet) = decode(&captured.octets) else { return Ok(ControlFlow::Continue(())) };
        let interface = captured.interface.as_ref();
        let Some(said) = self.talks.hear(interface.map(|it| it.id), &packet) else {
            if is_later_fragment(&packet) {
                self.held.hold(captured);
            } else if self.packets == 0 {
                self.elsewhere.note(&packet);
            }
            return Ok(ControlFlow::Continue(()));
        };
        let mut then = self.tell(captured, fate, &packet, &said)?;
        if packet.fragment_of.is_some() && !is_later_fragment(&packet) {
            for fragment in self.held.take() {
                match then {
                    ControlFlow::Continue(()) => then = self.show(&fragment, &Fate::Seen)?,
                    ControlFlow::Break(()) => break,
                }
            }
        }
        Ok(then)
    }

    fn tell(
        &mut self,
        captured: &Captured,
        fate: &Fate,
        packet: &Decoded,
        said: &Said,
    ) -> Result<ControlFlow<()>, Failure> {
        let interface = captured.interface.as_ref();
        self.packets += 1;
        let since_ns = self.times.since_ns(captured.at);
        if self.file.is_some() {
            let block = self.blocks.packet(captured);
            self.save(&block)?;
        }
        if self.arguments.ladder {
            let sight = Sight { at: captured.at, since_ns, interface };
            self.exchanges.note(said, packet, sight, fate);
        } else if self.arguments.json {
            let object = report::wire::json(since_ns, said, packet, captured);
            self.print(&format!("{object}\n"))?;
        } else if !self.is_for_file() {
            self.print(&report::wire::lines(since_ns, said, packet, &captured.comments))?;
        }
        let enough = self.arguments.count.is_some_and(|count| self.packets >= count);
        // A file is wanted whoever looks.
        let in_vain = !self.is_read && self.file.is_none();
        Ok(if enough || in_vain { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
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

    /// Draws the ladders, if they are wanted, and sums up.
    pub(super) fn finish(mut self, lasted: Duration, quiet: bool) -> Result<ExitCode, Failure> {
        if self.arguments.ladder && self.packets > 0 {
            let below = if quiet { "" } else { "\n" };
            self.print(&(self.exchanges.draw(width()) + below))?;
        }
        if self.held.count() > 0 {
            let fragments = report::plural(self.held.count(), "fragment");
            complain(&format!(
                "daytime: passed over {fragments}: the first of each packet did not come"
            ));
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

/// A fragment without ports: which exchange it belongs to, only the first one says.
fn is_later_fragment(packet: &Decoded) -> bool {
    matches!(packet.kind, Kind::Fragment { .. })
}
