//! The drawings of a run, all with one unit of time.

use super::observed;
use crate::duration::Unit;
use crate::lab::{Finding, Part, Report, Value};
use crate::report::ladder;
use crate::report::page::WIDTH;
use crate::transport::Transport;
use std::time::Duration;

/// Draws every part of a run: TCP and UDP side by side where the screen has room for both, else one below the other.
pub(super) fn drawings(report: &Report, width: usize) -> String {
    let parts = report.parts();
    let unit = axis_unit(report);
    let of = |transport| parts.iter().filter(move |part| part.transport == transport);
    let draw = |part: &Part, width| ladder::draw(&part.trace, &title(part), unit, width);
    let below = |part| ladder::text(&draw(part, width.min(WIDTH)));
    let hosts = parts.iter().map(|part| part.trace.hosts.len()).max().unwrap_or_default();
    let Some(half) = ladder::half_width(width, hosts) else {
        let all = of(Transport::Tcp).chain(of(Transport::Udp)).map(below);
        return all.collect::<Vec<_>>().join("\n");
    };
    let (mut tcp, mut udp) = (of(Transport::Tcp), of(Transport::Udp));
    let mut drawn = Vec::new();
    loop {
        drawn.push(match (tcp.next(), udp.next()) {
            (Some(tcp), Some(udp)) => {
                ladder::side_by_side(&draw(tcp, half), &draw(udp, half), half)
            }
            (Some(one), None) | (None, Some(one)) => below(one),
            (None, None) => return drawn.join("\n"),
        });
    }
}

/// Returns the unit of every axis: the table's, if the table has times, else the unit that suits the longest drawing.
/// A drawing that ends within its first second is in milliseconds where the table is in seconds.
fn axis_unit(report: &Report) -> Unit {
    let longest = report.parts().iter().map(|part| ladder::duration(&part.trace)).max();
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

fn title(part: &Part) -> String {
    let transport = observed::name(part.transport);
    if part.name.is_empty() { transport.to_owned() } else { format!("{transport}, {}", part.name) }
}
