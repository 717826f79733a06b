//! Wrong values of a packet's field that students commonly give.

use crate::teach::item::{FieldValue, PacketField, PacketRow, PacketTable, WrongValue};
use crate::wire::decode::Flags;

/// Returns the known wrong values of a field. They differ from each other and from the right value.
pub(super) fn of(table: &PacketTable, row: usize, field: PacketField) -> Vec<WrongValue> {
    let Some(packet) = table.rows.get(row) else { return Vec::new() };
    let known = match field {
        PacketField::Acknowledgement => acknowledgement(packet),
        PacketField::Flags => flags(packet.flags),
        PacketField::Length => length(packet),
        PacketField::Sequence => sequence(packet),
    };
    let mut wrong: Vec<WrongValue> = Vec::new();
    for (value, explanation) in known {
        let is_new = wrong.iter().all(|it| it.value != value);
        if is_new && packet.value(field) != Some(value) {
            wrong.push(WrongValue { value, explanation });
        }
    }
    wrong
}

type Known = Vec<(FieldValue, &'static str)>;

/// The last number that arrives before each packet of a table is that of a SYN or a FIN.
fn acknowledgement(packet: &PacketRow) -> Known {
    let Some(right) = packet.acknowledgement else { return Vec::new() };
    vec![
        (
            number(right.wrapping_sub(1)),
            "This number is one too low: the SYN or the FIN that has arrived takes a number too.",
        ),
        (
            number(packet.sequence),
            "This is the packet's own sequence number. A host acknowledges the octets of the other host.",
        ),
    ]
}

fn sequence(packet: &PacketRow) -> Known {
    let next = packet.sequence.wrapping_add(packet.numbers());
    let mut known = vec![(
        number(next),
        "This is the number after the packet. The sequence number is that of the packet's first octet, and a SYN or a \
         FIN counts as an octet.",
    )];
    if !packet.flags.contains(Flags::SYN) {
        known.push((
            number(packet.sequence.wrapping_sub(1)),
            "This number is one too low: the host's SYN takes a number too.",
        ));
    }
    let own =
        "This is the packet's acknowledgement number, which counts the octets of the other host.";
    known.extend(packet.acknowledgement.map(|it| (number(it), own)));
    known
}

fn length(packet: &PacketRow) -> Known {
    let explanation = "This counts the SYN or the FIN: it takes a sequence number, but it is not an octet of data.";
    vec![(number(packet.numbers()), explanation)]
}

fn flags(right: Flags) -> Known {
    let with = |flag, explanation| (FieldValue::Flags(right | flag), explanation);
    let without = |flag, explanation| (FieldValue::Flags(right.without(flag)), explanation);
    vec![
        with(
            Flags::ACK,
            "The first SYN has no ACK: the client has received nothing that it could acknowledge.",
        ),
        with(Flags::FIN, "FIN is needless: the packet does not close its direction."),
        with(Flags::SYN, "SYN is needless: the packet does not open its direction."),
        without(Flags::ACK, "ACK is missing: every packet after the first SYN has this flag."),
        without(Flags::FIN, "FIN is missing: the packet closes its direction."),
        without(Flags::SYN, "SYN is missing: the packet opens its direction."),
    ]
}

fn number(value: u32) -> FieldValue {
    FieldValue::Number(value.into())
}
