//! Creates items that ask for fields left blank in a packet table.

use super::mistakes;
use crate::teach::draw::Draw;
use crate::teach::item::{Blank, Field, Item, Kind, PacketField, PacketTable, letter};

/// Creates three items from a table. The items ask for a sequence number, an acknowledgement number, and either flags
/// or a length. All three show the same table with all blanks, so no item reveals the answer to another.
pub(super) fn items(lab: &str, mut table: PacketTable, draw: &mut Draw) -> Vec<Item> {
    let Some(blanks) = blanks(&table, draw) else { return Vec::new() };
    table.blanks = blanks.to_vec();
    let names = ["sequence", "acknowledgement", "control"];
    let items = blanks.into_iter().zip(names).enumerate();
    items.filter_map(|(number, (blank, name))| item(lab, &table, number, blank, name)).collect()
}

fn item(lab: &str, table: &PacketTable, number: usize, blank: Blank, name: &str) -> Option<Item> {
    let Blank { row, field } = blank;
    let answer = table.rows.get(row)?.value(field)?;
    // The drawings of a run leave out ACK beside other flags, so a student may forget it.
    let remark = if field == PacketField::Flags { " Name each flag, also ACK." } else { "" };
    let prompt = format!(
        "What is the value at {} in the table: the {} of packet {}?{remark}",
        letter(number),
        field.name(),
        row + 1
    );
    let explanation = explanation(field).to_owned();
    let wrong = mistakes::of(table, row, field);
    let kind = Kind::Field(Field { blank: number, asked: field, answer, explanation, wrong });
    Some(Item { id: format!("{lab}-{name}"), points: 1, prompt, table: Some(table.clone()), kind })
}

/// Draws three blanks in different packets. Each missing value can still be derived from the other packets.
fn blanks(table: &PacketTable, draw: &mut Draw) -> Option<[Blank; 3]> {
    let control = control(table, draw)?;
    let is_free = |row: &usize| *row != control.row;
    let rows: Vec<usize> = (0..table.rows.len()).filter(is_free).collect();
    // If the FIN flag is blank, only the acknowledgement in the next packet may show that there was a FIN.
    let is_acknowledging =
        |row: &&usize| **row != control.row + 1 && table.rows[**row].acknowledgement.is_some();
    let acknowledging: Vec<usize> = rows.iter().filter(is_acknowledging).copied().collect();
    let acknowledgement = *acknowledging.get(draw.below(acknowledging.len()))?;
    // The sequence number after a blank length may be the only trace of this length.
    let is_other = |row: &usize| *row != acknowledgement && *row != control.row + 1;
    let others: Vec<usize> = rows.into_iter().filter(is_other).collect();
    let sequence = *others.get(draw.below(others.len()))?;
    Some([
        Blank { row: sequence, field: PacketField::Sequence },
        Blank { row: acknowledgement, field: PacketField::Acknowledgement },
        control,
    ])
}

/// Draws a blank for flags or a length. Each distinct value has the same probability, so no single guess is right
/// often.
fn control(table: &PacketTable, draw: &mut Draw) -> Option<Blank> {
    let mut by_value: Vec<(String, Vec<Blank>)> = Vec::new();
    for (row, packet) in table.rows.iter().enumerate() {
        for field in [PacketField::Flags, PacketField::Length] {
            let value = packet.value(field)?.to_string();
            match by_value.iter_mut().find(|(other, _)| *other == value) {
                Some((_, blanks)) => blanks.push(Blank { row, field }),
                None => by_value.push((value, vec![Blank { row, field }])),
            }
        }
    }
    let (_, blanks) = by_value.get(draw.below(by_value.len()))?;
    blanks.get(draw.below(blanks.len())).copied()
}

const fn explanation(field: PacketField) -> &'static str {
    match field {
        PacketField::Acknowledgement => {
            "An acknowledgement number is the next sequence number that the sender of this packet expects: the number \
             after the last octet that it has received. A SYN and a FIN count as one octet (RFC 9293, section 3.4)."
        }
        PacketField::Flags => {
            "A SYN opens a direction and a FIN closes it; each takes one sequence number. Every packet after the first \
             SYN has the flag ACK (RFC 9293, sections 3.5 and 3.6)."
        }
        PacketField::Length => {
            "The next sequence number of the same host is larger by the octets of data, and by one for a SYN or a FIN \
             (RFC 9293, section 3.4)."
        }
        PacketField::Sequence => {
            "A sequence number is the number of the packet's first octet. Octets of data count, and a SYN and a FIN \
             count as one each. A retransmission has the number of the first transmission (RFC 9293, section 3.4)."
        }
    }
}
