//! The positions of all elements in a picture.

use super::bands::{Band, bands};
use super::calls::{Note, Row, letter, letters, room, rows};
use super::events::{Events, ShownPacket};
use super::labels::{Arrow, Label, arrows, labels};
use super::scale::{Instants, Scale, is_middle};

/// Maximum number of characters in one line of a note beside arrows. `WIDE_CALL_WIDTH` is the maximum in a picture
/// without packets.
const CALL_WIDTH: usize = 20;
const WIDE_CALL_WIDTH: usize = 30;

/// A picture's elements with their positions.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub scale: Scale,
    pub arrows: Vec<Arrow<'a>>,
    pub labels: Vec<Label>,
    pub bands: Vec<Band>,
    /// Each host's notes.
    pub columns: Vec<Column>,
    /// The notes that have letters, ordered by time.
    pub listed: Vec<(String, Note)>,
}

/// The calls and short states that have a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lettered {
    /// All of them: a narrow picture shows only letters.
    All,
    /// Those of middle hosts: a picture of a fixed width shows the text of all others.
    MiddleHosts,
}

impl Lettered {
    /// Returns the letters' numbers, one for each note.
    fn numbers(self, notes: &[Note], hosts: usize) -> Vec<Option<usize>> {
        let mut next = 0..;
        let has_letter = |note: &Note| self == Self::All || is_middle(note.host, hosts);
        notes.iter().map(|note| if has_letter(note) { next.next() } else { None }).collect()
    }
}

/// One host's notes.
#[derive(Debug)]
pub(super) struct Column {
    pub host: usize,
    pub rows: Vec<Row>,
    /// Letters that replace the notes in a narrow picture, with their heights.
    pub letters: Vec<(f64, String)>,
}

impl<'a> Layout<'a> {
    /// Computes all positions. `flight_text` returns the text below a packet's name.
    pub(super) fn of(
        events: &'a Events,
        usual_flight: u64,
        lettered: Lettered,
        flight_text: impl Fn(&ShownPacket) -> String,
    ) -> Self {
        let instants = Instants::of(events, usual_flight);
        let first = Scale::new(&instants, &|_| 0.0);
        let (_, notes) = sorted_notes(events, &first);
        let rows = all_rows(events, &notes, &first);
        // The second scale has room for the notes before each break.
        let scale = Scale::new(&instants, &|instant| room(&rows, instant));
        let (bands, notes) = sorted_notes(events, &scale);
        let rows = all_rows(events, &notes, &scale);
        let arrows = arrows(events.shown_packets(), &scale, events.hosts.len());
        let labels = labels(&arrows, &scale.breaks, flight_text);
        let numbers = lettered.numbers(&notes, events.hosts.len());
        let columns = rows.into_iter().enumerate().map(|(host, rows)| {
            let own = notes.iter().zip(&numbers).filter(|(note, _)| note.host == host);
            let own: Vec<(usize, f64)> =
                own.filter_map(|(note, number)| Some(((*number)?, scale.y(note.at)))).collect();
            Column { host, rows, letters: letters(&own) }
        });
        let columns = columns.collect();
        let listed = notes.into_iter().zip(numbers);
        let listed = listed.filter_map(|(note, number)| Some((letter(number?), note))).collect();
        Self { scale, arrows, labels, bands, columns, listed }
    }

    /// Returns the height at which the lowest line, text or arrow ends.
    pub(super) fn bottom(&self) -> f64 {
        let rows = self.columns.iter().flat_map(|column| column.rows.iter().map(Row::bottom));
        let lines = self
            .arrows
            .iter()
            .flat_map(|arrow| &arrow.lines)
            .map(|line| line.y1.max(line.y2) + 14.0);
        let quotes = self.labels.iter().filter_map(|label| label.quote.as_ref());
        let quotes = quotes.map(|quote| {
            quote.y + super::number::real_count(quote.lines.len()) * super::labels::QUOTE_HEIGHT
        });
        rows.chain(lines).chain(quotes).fold(self.scale.bottom(), f64::max)
    }
}

/// Returns the bands, and the notes for calls and short states, ordered by time.
fn sorted_notes(events: &Events, scale: &Scale) -> (Vec<Band>, Vec<Note>) {
    let (bands, states) = bands(&events.states, scale);
    let call = |call: &super::events::Call| Note {
        at: call.at,
        host: call.host,
        text: call.text.clone(),
        is_state: false,
        order: call.order(),
    };
    let mut notes: Vec<Note> = events.shown_calls().map(call).chain(states).collect();
    notes.sort_by_key(|note| (note.at, note.order));
    (bands, notes)
}

fn all_rows(events: &Events, notes: &[Note], scale: &Scale) -> Vec<Vec<Row>> {
    let is_wide = events.packets.is_empty() && events.hosts.len() <= 2;
    let width = if is_wide { WIDE_CALL_WIDTH } else { CALL_WIDTH };
    let of = |host| {
        let own: Vec<&Note> = notes.iter().filter(|note| note.host == host).collect();
        rows(&own, scale, width)
    };
    (0..events.hosts.len()).map(of).collect()
}
