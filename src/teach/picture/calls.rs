//! Notes beside the hosts' lines: system calls, and states that are too short for a band.

use super::labels::lines_of;
use super::scale::Scale;

/// Distance between two lines of a call, and additional distance between two calls, in pixels.
pub(super) const LINE: f64 = 12.5;
const GAP: f64 = 2.5;
/// Calls less than this many pixels below the first call of a group share that group's label, such as `f–i`.
const LETTER: f64 = 12.0;

/// A note beside a host's line: a system call or a state.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub at: u64,
    pub host: usize,
    pub text: String,
    pub is_state: bool,
    /// Position in the trace.
    pub order: usize,
}

/// A note with its position in the picture.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub at: u64,
    pub is_state: bool,
    pub lines: Vec<String>,
    /// Heights of the first line's baseline, and of the instant that the note belongs to.
    pub y: f64,
    pub instant: f64,
}

impl Row {
    /// Returns the height of the row's lower end.
    pub(super) fn bottom(&self) -> f64 {
        self.y + LINE * (super::number::real_count(self.lines.len()) - 1.0) + 4.0
    }
}

/// Places one host's notes. Each is at the height of its time, or directly below the previous note if that height is
/// taken.
pub(super) fn rows(notes: &[&Note], scale: &Scale, width: usize) -> Vec<Row> {
    let mut free = f64::MIN;
    let place = |note: &&Note| {
        let instant = scale.y(note.at);
        let y = (instant + 4.0).max(free);
        let row = Row {
            at: note.at,
            is_state: note.is_state,
            lines: lines_of(&note.text, width),
            y,
            instant,
        };
        free = row.bottom() - 4.0 + LINE + GAP;
        row
    };
    notes.iter().map(place).collect()
}

/// Returns the height that notes need below an instant, at most 160 pixels. This is the maximum over all hosts. Each
/// host counts with its last note at or before the instant.
pub(super) fn room(rows: &[Vec<Row>], instant: u64) -> f64 {
    let last = |rows: &Vec<Row>| {
        let row = rows.iter().rev().find(|row| row.at <= instant)?;
        Some(row.bottom() - row.instant + 2.0)
    };
    rows.iter().filter_map(last).fold(0.0, f64::max).min(160.0)
}

/// Returns the letter of the n-th call (0-based): a to z, afterwards aa.
pub(super) fn letter(number: usize) -> String {
    let last = char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
    match number / 26 {
        0 => last.to_string(),
        more => letter(more - 1) + &last.to_string(),
    }
}

/// Joins the letters of calls that are close to each other, such as `b`, `b c` or `f–i`. Returns each result with its
/// height.
pub(super) fn letters(rows: &[(usize, f64)]) -> Vec<(f64, String)> {
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for (number, instant) in rows {
        match groups.last_mut() {
            Some((from, group)) if instant - *from < LETTER => group.push(*number),
            _ => groups.push((*instant, vec![*number])),
        }
    }
    groups.into_iter().map(|(y, group)| (y + 4.0, joined(&group))).collect()
}

fn joined(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let run = |run: &[usize]| match run {
        [first, _, .., last] => format!("{}–{}", letter(*first), letter(*last)),
        few => few.iter().map(|it| letter(*it)).collect::<Vec<_>>().join(" "),
    };
    runs.map(run).collect::<Vec<_>>().join(" ")
}
