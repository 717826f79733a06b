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
use crate::wire::talk::{Said, Talks, Whole};
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
    /// Later fragments of packets whose first fragment has not been captured yet.
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
        let interface = captured.interface.as_ref().map(|it| it.id);
        let whole = Whole::of(interface, &packet);
        let Some(said) = self.talks.hear(interface, &packet) else {
            match whole {
                Some(whole) if is_later_fragment(&packet) => {
                    self.held.hold(whole, captured, fate);
                }
                Some(whole) => self.held.ignore(whole),
                None => {}
            }
            if self.packets == 0 {
                self.elsewhere.note(&packet);
            }
            return Ok(ControlFlow::Continue(()));
        };
        let mut then = self.tell(captured, fate, &packet, &said)?;
        if let Some(whole) = whole.filter(|_| !is_later_fragment(&packet)) {
            for (fragment, fate) in self.held.take(whole) {
                match then {
                    ControlFlow::Continue(()) => then = self.show(&fragment, &fate)?,
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
            Err(Failure::OutputClosed) => Ok(()),
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
        self.report_fragments();
        let summary = report::wire::summary(self.packets, self.talks.count, lasted);
        match self.arguments.json || quiet {
            true => {}
            false if self.is_for_file() => complain(&format!("daytime: {}", summary.trim_end())),
            false => self.print(&summary)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Reports the later fragments that may belong to an exchange and were not shown.
    fn report_fragments(&self) {
        let reasons = [
            (self.held.count(), "the first fragment of each packet was not captured"),
            (self.held.replaced, "too many waited for the first fragment of their packet"),
        ];
        for (count, reason) in reasons.into_iter().filter(|(count, _)| *count > 0) {
            complain(&format!("daytime: ignored {}: {reason}", report::plural(count, "fragment")));
        }
    }
}

/// Whether this is a fragment without ports. Only the first fragment identifies the exchange.
fn is_later_fragment(packet: &Decoded) -> bool {
    matches!(packet.kind, Kind::Fragment { .. })
}
