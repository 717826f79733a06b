//! The characters that a terminal can show: Unicode or only ASCII. All output is produced in Unicode. For an ASCII
//! terminal, this module replaces all non-ASCII characters.

use std::borrow::Cow;
use std::sync::OnceLock;

/// Whether output is restricted to ASCII. Unset until the command line has been read.
static IS_ASCII: OnceLock<bool> = OnceLock::new();

/// Chooses ASCII if the user requests it or the locale's charset is not UTF-8.
pub(super) fn choose(is_requested: bool) {
    let variable = |name: &str| std::env::var(name).ok();
    IS_ASCII.get_or_init(|| is_requested || is_locale_without_utf8(variable));
}

pub(super) fn is_ascii() -> bool {
    IS_ASCII.get().copied().unwrap_or(false)
}

/// Returns the text in the chosen alphabet.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if is_ascii() { Cow::Owned(to_ascii(text)) } else { Cow::Borrowed(text) }
}

/// Whether the locale has a charset other than UTF-8. `LC_ALL` overrides `LC_CTYPE`, which overrides `LANG`; empty
/// variables do not count (POSIX.1-2024, Base Definitions, section 8.2). If none of these variables is set, the result
/// is false: containers set no locale, but their terminals show UTF-8.
fn is_locale_without_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.into_iter().find_map(|name| variable(name).filter(|it| !it.is_empty()));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    })
}

/// One column in a line: a character or its replacement.
#[derive(Debug)]
struct Cell {
    /// Colour escape sequences before the character.
    colours: String,
    text: String,
}

impl Cell {
    fn is_blank(&self) -> bool {
        self.text == " "
    }

    /// Whether this cell is part of a host's vertical line in a ladder.
    fn is_axis(&self) -> bool {
        self.text == "|" || self.text == ":"
    }
}

/// Replaces the non-ASCII characters in ladders and tables. If a replacement has several characters, the additional
/// ones take the place of spaces in the same table column, so that the next columns keep their positions.
fn to_ascii(text: &str) -> String {
    text.split_inclusive('\n').map(line_to_ascii).collect()
}

fn line_to_ascii(line: &str) -> String {
    if line.is_ascii() {
        return line.to_owned();
    }
    let mut cells = cells(line);
    let mut at = 0;
    while at < cells.len() {
        let extra = cells[at].text.chars().count().saturating_sub(1);
        let found = (0..extra).filter(|_| take_blank(&mut cells, &mut at)).count();
        // If there are not enough spaces for three dots, an ellipsis gets fewer dots.
        if cells[at].text == "..." {
            cells[at].text.truncate(1 + found);
        }
        at += 1;
    }
    cells.into_iter().map(|cell| cell.colours + &cell.text).collect()
}

/// Makes room for one more character in the cell by removing one of two adjacent spaces after the cell, or otherwise
/// before the cell. Returns false if there are no such spaces. The last column in a line may always grow.
fn take_blank(cells: &mut Vec<Cell>, at: &mut usize) -> bool {
    let is_pair = |cells: &[Cell], one: usize| cells[one].is_blank() && cells[one - 1].is_blank();
    let end = (*at + 1..cells.len()).find(|it| cells[*it].is_axis());
    let Some(end) = end.or_else(|| has_columns_after(cells, *at)) else { return true };
    if let Some(pair) = (*at + 2..end).find(|it| is_pair(cells, *it)) {
        remove(cells, pair);
        return true;
    }
    let begin = (0..*at).rev().find(|it| cells[*it].is_axis()).map_or(0, |axis| axis + 1);
    if let Some(pair) = (begin + 1..*at).rev().find(|it| is_pair(cells, *it)) {
        remove(cells, pair);
        *at -= 1;
        return true;
    }
    false
}

/// Returns the end of the line if another table column follows the cell. Two adjacent spaces separate table columns.
fn has_columns_after(cells: &[Cell], at: usize) -> Option<usize> {
    let is_pair = |pair: &[Cell]| pair.iter().all(Cell::is_blank);
    cells[at + 1..].windows(2).any(is_pair).then_some(cells.len())
}

/// Removes a cell and moves the cell's colours to the next cell.
fn remove(cells: &mut Vec<Cell>, at: usize) {
    let removed = cells.remove(at);
    match cells.get_mut(at) {
        Some(next) => next.colours.insert_str(0, &removed.colours),
        None => cells.push(Cell { colours: removed.colours, text: String::new() }),
    }
}

/// Splits a line into cells and replaces their characters. Escape sequences that end with `m` are colours.
fn cells(line: &str) -> Vec<Cell> {
    let (mut cells, mut colours) = (Vec::new(), String::new());
    let mut is_colour = false;
    for character in line.chars() {
        if is_colour || character == '\x1b' {
            is_colour = character != 'm';
            colours.push(character);
        } else {
            let text = replacement(character).map_or_else(|| character.to_string(), str::to_owned);
            cells.push(Cell { colours: std::mem::take(&mut colours), text });
        }
    }
    if !colours.is_empty() {
        cells.push(Cell { colours, text: String::new() });
    }
    cells
}

fn replacement(character: char) -> Option<&'static str> {
    Some(match character {
        '│' => "|",
        '┊' => ":",
        '┼' | '✓' => "+",
        '─' | '–' | '−' => "-",
        '╌' => ".",
        '▶' => ">",
        '◀' => "<",
        '✗' => "X",
        '×' => "x",
        'µ' => "u",
        '±' => "+/-",
        '→' => "->",
        '≤' => "<=",
        '≥' => ">=",
        '…' => "...",
        '·' => "*",
        '²' => "^2",
        'ⁿ' => "^n",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let is_ascii = |all: &str, ctype: &str, lang: &str| {
            let given = [("LC_ALL", all), ("LC_CTYPE", ctype), ("LANG", lang)];
            is_locale_without_utf8(|name| {
                let found = given.into_iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| value.to_owned())
            })
        };
        for locale in ["C", "POSIX", "en_US.ISO-8859-1", "de_DE"] {
            assert!(is_ascii(locale, "C.UTF-8", "C.UTF-8"), "{locale}");
            assert!(is_ascii("", locale, "C.UTF-8"), "{locale}");
            assert!(is_ascii("", "", locale), "{locale}");
        }
        assert!(!is_ascii("C.UTF-8", "C", "C") && !is_ascii("", "en_US.utf8", "C"));
        assert!(!is_ascii("", "", "") && !is_locale_without_utf8(|_| None));
    }

    #[test]
    fn a_ladder_in_ascii_keeps_its_columns() {
        let drawn = "     µs client      server\n\
                     \x20   0.0 │── SYN ────▶│  20.0\n\
                     \x20   0.1 │◀╌ ACK ╌╌╌✗ │ µs\n\
                     \x20       ┊ x × 3 …    ┊\n\
                     \x20       │ \"…1982\" │\n";
        let expected = "     us client      server\n\
                        \x20   0.0 |-- SYN ---->|  20.0\n\
                        \x20   0.1 |<. ACK ...X | us\n\
                        \x20       : x x 3 ...  :\n\
                        \x20       | \".1982\" |\n";
        assert_eq!(to_ascii(drawn), expected);
    }

    #[test]
    fn a_longer_replacement_takes_its_room_from_the_blanks_of_its_column() {
        assert_eq!(to_ascii("offset  3 ± 1 ms     4 ms\n"), "offset  3 +/- 1 ms   4 ms\n");
        assert_eq!(to_ascii("tcp 1: a → b\n"), "tcp 1: a -> b\n");
        assert_eq!(to_ascii("  \x1b[31m±\x1b[0m   x  y"), "  \x1b[31m+/-\x1b[0m x  y");
    }

    #[test]
    fn what_is_ascii_or_has_no_replacement_stays() {
        assert_eq!(to_ascii("MÄRZ 1982, 15:59\\xe9\r\n"), "MÄRZ 1982, 15:59\\xe9\r\n");
    }
}
