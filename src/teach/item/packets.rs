//! A table of TCP packets, and the blank fields in this table that a student has to fill in.

use super::letter;
use crate::trace::{Fate, HostId, Trace};
use crate::wire::decode::{Content, Decoded, Flags, decode};
use std::fmt;

/// The first TCP packets of one conversation in a run, in the order in which they were sent. The table shows no times
/// and not all packets, because other items ask for times and for the number of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PacketTable {
    pub caption: String,
    pub rows: Vec<PacketRow>,
    /// Cells that show a letter instead of their value.
    pub blanks: Vec<Blank>,
}

/// Maximum number of packets in a table. The fifth packet acknowledges the reply.
const MAX_ROWS: usize = 5;

/// One packet of a [`PacketTable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PacketRow {
    /// Names of the hosts.
    pub from: String,
    pub to: String,
    /// TCP flags without PSH, which is irrelevant to these items.
    pub flags: Flags,
    pub sequence: u32,
    /// `None` if the packet does not have the ACK flag.
    pub acknowledgement: Option<u32>,
    /// Number of octets of application data.
    pub length: usize,
    pub is_lost: bool,
}

/// A cell of the table whose value a student fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blank {
    /// Index of the row.
    pub row: usize,
    pub field: PacketField,
}

/// A field of a packet that can be left blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketField {
    Acknowledgement,
    Flags,
    Length,
    Sequence,
}

/// The content of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Letter that is shown in place of the value.
    Blank(char),
    Value(String),
}

/// A blank field of a packet, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Index of the blank in [`PacketTable::blanks`].
    pub blank: usize,
    pub asked: PacketField,
    pub answer: FieldValue,
    /// The derivation of the value from the other packets.
    pub explanation: String,
    /// Wrong values that result from common mistakes. They differ from each other and from the right one.
    pub wrong: Vec<WrongValue>,
}

/// A wrong value of a field, with the mistake that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongValue {
    pub value: FieldValue,
    pub explanation: &'static str,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValue {
    Flags(Flags),
    Number(u64),
}

impl PacketField {
    /// Returns the field's name, as in the heading of its column.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Acknowledgement => "acknowledgement number",
            Self::Flags => "flags",
            Self::Length => "octets of data",
            Self::Sequence => "sequence number",
        }
    }
}

impl Field {
    /// Returns the known mistake that leads to this value, if there is one.
    pub(crate) fn mistake(&self, value: FieldValue) -> Option<&'static str> {
        self.wrong.iter().find(|it| it.value == value).map(|it| it.explanation)
    }
}

impl PacketTable {
    /// Creates a table of a trace's first TCP packets.
    pub(crate) fn of(trace: &Trace, caption: String) -> Self {
        let name =
            |HostId(host): HostId| trace.hosts.get(host).map_or("", |it| &it.name).to_owned();
        let rows = trace.packets().filter_map(|(event, packet)| {
            let (from, to) = (name(event.host), name(packet.to));
            let is_lost = matches!(packet.fate, Fate::Lost(_));
            PacketRow::of(&decode(&packet.octets)?, from, to, is_lost)
        });
        Self { caption, rows: rows.take(MAX_ROWS).collect(), blanks: Vec::new() }
    }

    /// Returns the content of a cell. The acknowledgement number of a packet without the ACK flag is shown as a dash.
    pub(crate) fn cell(&self, row: usize, field: PacketField) -> Cell {
        if let Some(number) = self.blanks.iter().position(|it| *it == Blank { row, field }) {
            return Cell::Blank(letter(number));
        }
        let value = self.rows.get(row).and_then(|row| row.value(field));
        Cell::Value(value.map_or_else(|| "–".to_owned(), |value| value.to_string()))
    }
}

impl PacketRow {
    fn of(packet: &Decoded, from: String, to: String, is_lost: bool) -> Option<Self> {
        let Content::Tcp { flags, sequence, acknowledgement, .. } = packet.content else {
            return None;
        };
        let acknowledgement = flags.contains(Flags::ACK).then_some(acknowledgement);
        let (flags, length) = (flags.without(Flags::PSH), packet.carried);
        Some(Self { from, to, flags, sequence, acknowledgement, length, is_lost })
    }

    /// Returns how many sequence numbers the packet takes: its octets of data, and one for a SYN or a FIN.
    pub(crate) fn numbers(&self) -> u32 {
        let count = |flag| u32::from(self.flags.contains(flag));
        let data = u32::try_from(self.length).unwrap_or(u32::MAX);
        data.saturating_add(count(Flags::SYN)).saturating_add(count(Flags::FIN))
    }

    /// Returns a field's value; `None` for the acknowledgement number of a packet without the ACK flag.
    pub(crate) fn value(&self, field: PacketField) -> Option<FieldValue> {
        match field {
            PacketField::Acknowledgement => {
                self.acknowledgement.map(|number| FieldValue::Number(number.into()))
            }
            PacketField::Flags => Some(FieldValue::Flags(self.flags)),
            PacketField::Length => Some(FieldValue::Number(self.length as u64)),
            PacketField::Sequence => Some(FieldValue::Number(self.sequence.into())),
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags(flags) => flags.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{self, Engine, Setting};

    fn table() -> PacketTable {
        let exchange = lab::find("exchange").expect("a lab of that name");
        let report = exchange.run(Engine::Sim, &Setting::default()).expect("it runs");
        PacketTable::of(&report.parts()[0].trace, "TCP".to_owned())
    }

    #[test]
    fn the_table_has_the_first_segments_with_their_fields() {
        let table = table();
        let flags: Vec<String> = table.rows.iter().map(|row| row.flags.to_string()).collect();
        assert_eq!(flags, ["SYN", "SYN, ACK", "ACK", "FIN, ACK", "ACK"]);
        let [syn, reply] = [&table.rows[0], &table.rows[3]];
        assert_eq!((syn.acknowledgement, syn.length), (None, 0));
        assert_eq!(reply.acknowledgement, Some(syn.sequence.wrapping_add(1)));
        assert_eq!((reply.length, &*reply.from, &*reply.to), (40, "server", "client"));
    }

    #[test]
    fn a_blank_cell_shows_its_letter_and_no_value() {
        let mut table = table();
        table.blanks = vec![
            Blank { row: 3, field: PacketField::Sequence },
            Blank { row: 3, field: PacketField::Length },
        ];
        assert_eq!(table.cell(3, PacketField::Length), Cell::Blank('B'));
        assert_eq!(table.cell(3, PacketField::Flags), Cell::Value("FIN, ACK".to_owned()));
        assert_eq!(table.cell(0, PacketField::Acknowledgement), Cell::Value("–".to_owned()));
    }
}
