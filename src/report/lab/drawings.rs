//! Draws a lab run's traces as ladder diagrams. All diagrams use the same unit of time, so that their times can be
//! compared.

use super::observed;
use crate::duration::Unit;
use crate::lab::{Finding, Lab, Part, Report, Value};
use crate::report::ladder::{self, Form, Line, Pointer, ReferenceTrace};
use crate::report::page::WIDTH;
use crate::trace::{Action, Event};
use crate::transport::Transport;
use std::time::Duration;

/// Draws every part of a run. The diagrams for TCP and UDP are side by side if the terminal is wide enough, otherwise
/// one below the other.
pub(super) fn drawings(report: &Report, form: Form) -> String {
    let parts = &drawn_parts(report)[..];
    let hosts = parts.iter().map(|part| part.trace.hosts.len()).max().unwrap_or_default();
    let (half, alone) = match form {
        Form::Ladder(width) => (ladder::half_width(width, hosts), Form::Ladder(width.min(WIDTH))),
        Form::List => (None, Form::List),
    };
    let count = |transport| parts.iter().filter(|part| part.transport == transport).count();
    let pairs = count(Transport::Tcp).min(count(Transport::Udp));
    let form_of = |number| half.filter(|_| number < pairs).map_or(alone, Form::Ladder);
    let unit = unit_of(report, parts);
    let [tcp, udp] = Transport::BOTH.map(|transport| column(parts, transport, unit, form_of));
    let Some(half) = half else {
        let all = tcp.iter().chain(&udp).map(|lines| ladder::text(lines));
        return all.collect::<Vec<_>>().join("\n");
    };
    let rows =
        (0..tcp.len().max(udp.len())).map(|number| match (tcp.get(number), udp.get(number)) {
            (Some(tcp), Some(udp)) => ladder::side_by_side(tcp, udp, half),
            (Some(one), None) | (None, Some(one)) => ladder::text(one),
            (None, None) => String::new(),
        });
    rows.collect::<Vec<_>>().join("\n")
}

/// Whether a lab's diagrams leave out TCP states and shutdown(2) calls. The questions of these labs do not need them.
/// In `exchange`, the diagrams show both, and the packet with the FIN shows the effect of shutdown(2). JSON contains
/// all events in every lab.
pub(super) fn leave_out_states(lab: &Lab) -> bool {
    ["loss", "stale"].contains(&lab.name)
}

/// Returns the parts of a run, each with the events to draw.
fn drawn_parts(report: &Report) -> Vec<Part> {
    let mut parts = report.parts().to_vec();
    if leave_out_states(report.lab) {
        for part in &mut parts {
            part.trace.events.retain(|event| match &event.action {
                Action::State(..) => false,
                Action::Call { call, .. } => !call.starts_with("shutdown"),
                Action::Packet(_) => true,
            });
        }
    }
    parts
}

/// Draws the parts of a run that use one transport. Each later diagram leaves out rows that also appear in the first
/// one.
fn column(
    parts: &[Part],
    transport: Transport,
    unit: Unit,
    form_of: impl Fn(usize) -> Form,
) -> Vec<Vec<Line>> {
    let of_transport = parts.iter().filter(|part| part.transport == transport);
    let draw = |(number, part): (usize, &Part)| {
        let first = first_trace(parts, part);
        ladder::draw(&part.trace, first, &title(part), unit, form_of(number))
    };
    of_transport.enumerate().map(draw).collect()
}

/// Returns the trace to which the diagram of a part refers: the first one over the same transport, if this is another
/// part's.
fn first_trace<'a>(parts: &'a [Part], part: &Part) -> Option<ReferenceTrace<'a>> {
    let first = parts.iter().find(|it| it.transport == part.transport)?;
    let name = match part.transport {
        Transport::Tcp => "the first TCP drawing",
        Transport::Udp => "the first UDP drawing",
    };
    (!std::ptr::eq(first, part)).then_some(ReferenceTrace { trace: &first.trace, name })
}

/// Describes an event of the part with this index as the part's diagram shows it. Returns `None` if the diagram leaves
/// the event out.
pub(super) fn pointer(report: &Report, part: usize, event: &Event) -> Option<Pointer> {
    let parts = drawn_parts(report);
    let part = parts.get(part)?;
    ladder::pointer(&part.trace, first_trace(&parts, part), event, unit_of(report, &parts))
}

/// Returns the unit of all time axes. If the table contains times, returns the table's unit; otherwise, the unit that
/// suits the longest diagram. If the table is in seconds but the longest diagram is shorter than one second, returns
/// milliseconds.
pub(crate) fn axis_unit(report: &Report) -> Unit {
    unit_of(report, &drawn_parts(report))
}

fn unit_of(report: &Report, drawn: &[Part]) -> Unit {
    let longest = drawn.iter().map(|part| ladder::duration(&part.trace)).max();
    let longest = longest.unwrap_or_default();
    match report.lab.time_unit {
        _ if !report.findings().iter().any(has_time) => Unit::of(longest),
        Unit::Seconds if longest < Duration::from_secs(1) => Unit::Milliseconds,
        of_table => of_table,
    }
}

fn has_time(finding: &Finding) -> bool {
    let values = [finding.observed(), finding.expected().lowest()];
    values.into_iter().flatten().any(|value| matches!(value, Value::Time { .. }))
}

pub(crate) fn title(part: &Part) -> String {
    let transport = observed::name(part.transport);
    if part.name.is_empty() { transport.to_owned() } else { format!("{transport}, {}", part.name) }
}
