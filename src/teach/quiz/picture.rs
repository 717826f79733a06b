//! The picture of a packet table: hosts are vertical lines, packets are arrows. A blank field shows its letter, as in the
//! table. The picture shows no times, because other items ask for them.

use super::table::FIELDS;
use crate::teach::item::{Cell, PacketField, PacketTable};
use askama::Template;

const LEFT: usize = 90;
const WIDTH: usize = 760;
/// Height of the names of the hosts.
const TOP: usize = 40;
/// Height of a packet's row.
const ROW: usize = 52;
/// Difference in height between the two ends of an arrow.
const FALL: usize = 18;

#[derive(Debug, Template)]
#[template(path = "packets.svg")]
struct View<'a> {
    title: &'a str,
    description: String,
    width: usize,
    height: usize,
    hosts: Vec<HostView<'a>>,
    packets: Vec<PacketView>,
}

#[derive(Debug)]
struct HostView<'a> {
    name: &'a str,
    x: usize,
}

#[derive(Debug)]
struct PacketView {
    number: usize,
    from: usize,
    /// End of the arrow: the other host, or halfway there if the packet is lost.
    to: usize,
    top: usize,
    end: usize,
    is_lost: bool,
    middle: usize,
    fields: Vec<FieldView>,
}

#[derive(Debug)]
struct FieldView {
    name: &'static str,
    text: String,
    is_blank: bool,
}

/// Returns the picture as an SVG file.
///
/// # Errors
/// Returns an error if the template cannot be written to memory.
pub(super) fn svg(table: &PacketTable) -> askama::Result<String> {
    let names = names(table);
    let hosts: Vec<HostView> =
        (0..).zip(&names).map(|(at, name)| HostView { name, x: x(at, names.len()) }).collect();
    let packets: Vec<PacketView> =
        (0..table.rows.len()).filter_map(|row| packet(table, row, &names)).collect();
    let view = View {
        title: &table.caption,
        description: description(table),
        width: WIDTH,
        height: TOP + ROW * packets.len() + 20,
        hosts,
        packets,
    };
    view.render()
}

/// Returns the description of the picture, for a screen reader.
pub(super) fn description(table: &PacketTable) -> String {
    format!(
        "{} packets as arrows between two hosts, with the values of the table.",
        table.rows.len()
    )
}

/// Returns the names of the hosts, each once.
fn names(table: &PacketTable) -> Vec<&str> {
    let mut names = Vec::new();
    for name in table.rows.iter().flat_map(|row| [&*row.from, &*row.to]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns the x coordinate of a host's line.
fn x(host: usize, hosts: usize) -> usize {
    LEFT + (WIDTH - 2 * LEFT) * host / hosts.saturating_sub(1).max(1)
}

fn packet(table: &PacketTable, row: usize, names: &[&str]) -> Option<PacketView> {
    let packet = table.rows.get(row)?;
    let place = |name: &str| names.iter().position(|it| *it == name).map(|at| x(at, names.len()));
    let (from, to) = (place(&packet.from)?, place(&packet.to)?);
    let (top, middle) = (TOP + ROW * row + 28, usize::midpoint(from, to));
    let (to, fall) = if packet.is_lost { (middle, FALL / 2) } else { (to, FALL) };
    let fields = FIELDS.map(|field| field_view(table, row, field)).into();
    let (number, is_lost) = (row + 1, packet.is_lost);
    Some(PacketView { number, from, to, top, end: top + fall, is_lost, middle, fields })
}

fn field_view(table: &PacketTable, row: usize, field: PacketField) -> FieldView {
    let name = match field {
        PacketField::Acknowledgement => "ack",
        PacketField::Flags => "flags",
        PacketField::Length => "octets",
        PacketField::Sequence => "seq",
    };
    match table.cell(row, field) {
        Cell::Blank(letter) => FieldView { name, text: letter.to_string(), is_blank: true },
        Cell::Value(text) => FieldView { name, text, is_blank: false },
    }
}
