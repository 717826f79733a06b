//! Bands beside the hosts' lines. They show the states of TCP connections.

use super::calls::Note;
use super::events::State;
use super::number::real_count;
use super::scale::Scale;
use crate::duration::short;
use std::time::Duration;

/// Minimum height of a band in pixels.
const MIN_HEIGHT: f64 = 8.0;
/// Height of one character in pixels. The state's name runs along its band.
const CHARACTER: f64 = 6.9;

/// A state's band. Breaks in the time axis divide the band into pieces.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub host: usize,
    pub name: String,
    pub class: &'static str,
    pub is_hatched: bool,
    pub from: u64,
    pub to: Option<u64>,
    /// For each piece: its top, its bottom, and whether the state's name fits on it.
    pub pieces: Vec<(f64, f64, bool)>,
}

/// Returns the bands. Also returns a note for each state whose name does not fit on its band.
pub(super) fn bands(states: &[State], scale: &Scale) -> (Vec<Band>, Vec<Note>) {
    let (mut bands, mut notes) = (Vec::new(), Vec::new());
    for state in states {
        let band = band(state, scale);
        if !band.pieces.iter().any(|(_, _, fits)| *fits) {
            notes.push(note(state));
        }
        if !band.pieces.is_empty() {
            bands.push(band);
        }
    }
    (bands, notes)
}

fn band(state: &State, scale: &Scale) -> Band {
    let top = scale.y(state.from);
    let bottom = state.to.map_or(scale.bottom(), |to| scale.y(to));
    let length = real_count(state.name.chars().count()) * CHARACTER + 6.0;
    let pieces = if bottom - top < MIN_HEIGHT { Vec::new() } else { scale.pieces(top, bottom) };
    let (class, is_hatched) = class(&state.name);
    Band {
        host: state.host,
        name: state.name.clone(),
        class,
        is_hatched,
        from: state.from,
        to: state.to,
        pieces: pieces.into_iter().map(|(top, end)| (top, end, end - top >= length)).collect(),
    }
}

fn note(state: &State) -> Note {
    let how_long = match state.to {
        Some(to) if to == state.from => ", left at once".to_owned(),
        Some(to) => {
            let time = short(Duration::from_nanos(to.saturating_sub(state.from)));
            format!(" for {}", time.replace(' ', "\u{a0}"))
        }
        None => String::new(),
    };
    let text = format!("{}{how_long}", state.name);
    Note { at: state.from, host: state.host, text, is_state: true, order: state.order }
}

/// Returns a state's CSS class, and whether its band is hatched. A hatched band means that the host is waiting, either
/// for its peer or for a timer.
fn class(state: &str) -> (&'static str, bool) {
    match state {
        "SYN-SENT" | "SYN-RECEIVED" => ("opening", true),
        "ESTABLISHED" => ("open", false),
        "CLOSE-WAIT" | "FIN-WAIT-2" => ("half", false),
        "CLOSING" | "FIN-WAIT-1" | "LAST-ACK" => ("closing", false),
        "TIME-WAIT" => ("waiting", true),
        _ => ("closed", false),
    }
}
