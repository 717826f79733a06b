//! The packet table as HTML and as plain text.

use super::xml::html;
use crate::teach::item::{Cell, PacketField, PacketTable};

/// The fields of a packet, in the order of the columns.
pub(super) const FIELDS: [PacketField; 4] =
    [PacketField::Flags, PacketField::Sequence, PacketField::Acknowledgement, PacketField::Length];

/// Returns the table as HTML. A blank is shown as a bold letter.
pub(super) fn as_html(table: &PacketTable) -> String {
    let heads = ["packet", "from", "to"].into_iter().chain(FIELDS.map(PacketField::name));
    let heads: Vec<String> =
        heads.map(|it| format!("<th scope=\"col\">{}</th>", html(it))).collect();
    let heads = heads.concat();
    let rows: String = (0..table.rows.len()).map(|row| html_row(table, row)).collect();
    format!(
        "<table border=\"1\" cellpadding=\"4\"><caption>{}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>",
        html(&table.caption)
    )
}

fn html_row(table: &PacketTable, row: usize) -> String {
    let Some(packet) = table.rows.get(row) else { return String::new() };
    let lost = if packet.is_lost { " (lost)" } else { "" };
    let cells = FIELDS.map(|field| match table.cell(row, field) {
        Cell::Blank(letter) => format!("<td><strong>{letter}</strong></td>"),
        Cell::Value(value) => format!("<td>{}</td>", html(&value)),
    });
    let (from, to) = (html(&packet.from), html(&packet.to));
    format!("<tr><td>{}{lost}</td><td>{from}</td><td>{to}</td>{}</tr>", row + 1, cells.concat())
}

/// Returns the caption and a line for each packet. A quiz format without tables shows these lines as paragraphs.
pub(super) fn as_lines(table: &PacketTable) -> Vec<String> {
    let rows = table.rows.iter().enumerate().map(|(row, packet)| {
        let fields = FIELDS.map(|field| match table.cell(row, field) {
            Cell::Blank(letter) => format!("{}: ({letter})", field.name()),
            Cell::Value(value) => format!("{}: {value}", field.name()),
        });
        let lost = if packet.is_lost { " (lost)" } else { "" };
        format!(
            "Packet {}{lost}, {} to {}; {}.",
            row + 1,
            packet.from,
            packet.to,
            fields.join("; ")
        )
    });
    [table.caption.clone()].into_iter().chain(rows).collect()
}
