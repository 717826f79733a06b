//! Formats a ladder as a numbered list of sentences, for a screen reader.

use super::layout::Layout;
use super::rows::{Arrow, ArrowEnd, ArrowKind, Fold, FoldKind, Item, Row};
use super::{Line, PLAIN, STRONG, ShownRows};
use crate::trace::{Host, HostId};

/// Returns the title, the hosts with their addresses, and one sentence per row.
pub(super) fn lines(
    hosts: &[Host],
    title: &str,
    layout: &Layout,
    shown: ShownRows<'_>,
) -> Vec<Line> {
    let mut list = List { hosts, layout, number: 0, lines: Vec::new() };
    list.line(title, STRONG);
    let names: Vec<String> = hosts.iter().map(described).collect();
    list.line(&format!("Hosts: {}", names.join(", ")), PLAIN);
    list.rows(shown.first);
    if let Some(text) = shown.left_out() {
        list.line(&text, PLAIN);
    }
    list.rows(shown.last);
    list.lines
}

/// Returns a host's name with its first address.
fn described(host: &Host) -> String {
    let address = host.addresses.first().map(|address| format!(" {address}"));
    format!("{}{}", host.name, address.unwrap_or_default())
}

#[derive(Debug)]
struct List<'a> {
    hosts: &'a [Host],
    layout: &'a Layout,
    /// Number of the last sentence written.
    number: usize,
    lines: Vec<Line>,
}

impl List<'_> {
    fn line(&mut self, text: &str, style: anstyle::Style) {
        let mut line = Line::default();
        line.put(0, text, style);
        self.lines.push(line);
    }

    fn rows(&mut self, rows: &[Row]) {
        for row in rows {
            let text = match &row.item {
                Item::Folded(fold) => self.folded(fold),
                item => {
                    self.number += 1;
                    let (number, time) = (self.number, self.layout.time(row.at));
                    format!("{number}. {time}, {}", self.sentence(item))
                }
            };
            self.line(&text, PLAIN);
        }
    }

    fn sentence(&self, item: &Item) -> String {
        match item {
            Item::Call(host, call) => format!("{}: {call}", self.name(*host)),
            Item::State(host, state) => {
                let state = state.trim_matches(['[', ']']);
                format!("{}: state {state}", self.name(*host))
            }
            Item::Arrow(arrow) => self.packet(arrow),
            Item::Folded(_) => String::new(),
        }
    }

    fn packet(&self, arrow: &Arrow) -> String {
        let (from, to) = (self.name(arrow.from), self.name(arrow.to));
        let label = &arrow.label;
        let sent = match arrow.kind {
            // A duplicate's row already has its arrival time, so the sentence need not repeat it.
            ArrowKind::Duplicate => {
                return format!("{to}: receives a duplicate of {label} from {from}");
            }
            ArrowKind::Overtaken => format!("{from}: sends {label} to {to}, overtaken"),
            ArrowKind::Retransmitted => format!("{from}: retransmits {label} to {to}"),
            ArrowKind::Usual if from == to => format!("{from}: sends {label} to itself"),
            ArrowKind::Usual => format!("{from}: sends {label} to {to}"),
        };
        let end = match &arrow.end {
            ArrowEnd::Arrived(at) => format!(", arrives at {}", self.layout.time(*at)),
            ArrowEnd::Lost(why) => format!(", {why}"),
            ArrowEnd::Refused(why) => format!(", {why}: no room at {to}"),
            ArrowEnd::Unknown => String::new(),
        };
        let payload = if arrow.payload.is_empty() { "" } else { ": " };
        format!("{sent}{end}{payload}{}", arrow.payload)
    }

    fn folded(&self, fold: &Fold) -> String {
        let span = self.layout.span(fold.from, fold.until);
        let first = (self.number + 1).saturating_sub(fold.rows);
        let steps = match fold.rows {
            1 => format!("Step {first}"),
            _ => format!("Steps {first} to {}", self.number),
        };
        match &fold.kind {
            FoldKind::Repeated(times) => format!("{steps}: {times} times, from {span}"),
            FoldKind::Alternating(times) => {
                format!("{steps}: {times} times in mixed order, from {span}")
            }
            FoldKind::Mirrored { times, other, other_times } => {
                format!("{steps}: {times} times, with the {other} {other_times} times, from {span}")
            }
            FoldKind::SameAs(name) => format!("From {span}: {} steps as in {name}", fold.rows),
        }
    }

    fn name(&self, HostId(number): HostId) -> &str {
        self.hosts.get(number).map_or("", |host| &host.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Form, draw, text};
    use crate::duration::Unit;
    use crate::mentions::each_mentions;
    use crate::trace::{Action, Event, Fate, Host, HostId, Loss, Packet, Trace};
    use crate::transport::Transport;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    fn add(trace: &mut Trace, at: u32, host: usize, action: Action) {
        trace.push(Event { at: at * MS, host: HostId(host), action });
    }

    fn packet(to: usize, fate: Fate) -> Action {
        Action::Packet(Packet { to: HostId(to), octets: vec![0; 5], fate })
    }

    fn call(call: &str) -> Action {
        Action::Call { call: call.into(), outcome: "done".into() }
    }

    fn listed(trace: &Trace) -> Vec<String> {
        let drawn = text(&draw(trace, None, "UDP", Unit::Milliseconds, Form::List));
        let plain = anstream::adapter::strip_str(&drawn).to_string();
        plain.lines().map(str::to_owned).collect()
    }

    fn two() -> Trace {
        let host = |name: &str, last: u8| Host {
            name: name.into(),
            addresses: vec![[192, 0, 2, last].into()],
        };
        Trace::between(vec![host("client", 1), host("server", 2)])
    }

    #[test]
    fn a_list_has_a_numbered_sentence_for_each_row() {
        let mut trace = two();
        add(&mut trace, 0, 0, call("connect()"));
        add(&mut trace, 0, 0, packet(1, Fate::Arrived(vec![20 * MS, 41 * MS])));
        add(&mut trace, 20, 1, Action::State(Transport::Tcp, "ESTABLISHED".into()));
        add(&mut trace, 20, 1, packet(0, Fate::Lost(Loss::Chance)));
        add(&mut trace, 21, 1, packet(0, Fate::Lost(Loss::Overflow)));
        each_mentions(
            listed(&trace),
            &[
                &["UDP"],
                &["client 192.0.2.1", "server 192.0.2.2"],
                &["1. 0.0 ms, client:", "connect() = done"],
                &["2. 0.0 ms, client:", "5 octets", "server", "arrives", "20.0 ms"],
                &["3. 20.0 ms, server:", "ESTABLISHED"],
                &["4. 20.0 ms, server:", "5 octets", "client", "lost"],
                &["5. 21.0 ms, server:", "5 octets", "client", "dropped", "no room"],
                &["6. 41.0 ms, server:", "duplicate", "5 octets", "client"],
            ],
        );
    }

    #[test]
    fn steps_that_repeat_are_listed_once_with_their_count() {
        let mut trace = two();
        for at in 0..10 {
            add(&mut trace, 10 * at, 0, call("send()"));
            add(&mut trace, 10 * at + 1, 1, call("recv()"));
        }
        each_mentions(
            &listed(&trace)[2..],
            &[
                &["1. 0.0 ms, client:", "send() = done"],
                &["2. 1.0 ms, server:", "recv() = done"],
                &["1 to 2", "10 times", "0.0 to 91.0 ms"],
            ],
        );
    }
}
