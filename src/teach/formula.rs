//! Keeps spreadsheets from taking a text for a formula.

/// Characters at which a spreadsheet begins a formula, with their full-width forms.
const STARTS: [char; 8] = ['=', '+', '@', '-', '＝', '＋', '＠', '－'];
/// Characters at which a spreadsheet may split a text into cells, though commas separate the fields of the file.
const SEPARATORS: [char; 2] = [';', '\t'];

/// Returns a text that no spreadsheet takes for a formula: an apostrophe before a formula makes the formula a text.
pub(super) fn inert(text: &str) -> String {
    let (mut inert, mut is_start) = (String::new(), true);
    for it in text.chars() {
        inert.extend((is_start && STARTS.contains(&it)).then_some('\''));
        inert.push(it);
        is_start = is_start_after(is_start, it);
    }
    inert
}

/// Returns a text without the apostrophes of [`inert`].
pub(super) fn active(text: &str) -> String {
    let (mut active, mut is_start) = (String::new(), true);
    let mut rest = text.chars();
    while let Some(it) = rest.next() {
        if is_start && it == '\'' && rest.clone().next().is_some_and(|it| STARTS.contains(&it)) {
            continue;
        }
        active.push(it);
        is_start = is_start_after(is_start, it);
    }
    active
}

/// Whether the next character may be the first one in a cell. A spreadsheet may remove spaces and quotes before it.
fn is_start_after(is_start: bool, it: char) -> bool {
    SEPARATORS.contains(&it) || is_start && (it == '"' || it.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apostrophe_is_put_before_each_formula_and_removed_again() {
        for (text, wanted) in [
            ("=1+1", "'=1+1"),
            ("Fine;=1+1; @SUM(1);\t-2", "Fine;'=1+1; '@SUM(1);\t'-2"),
            (" \";\"\"+1", " \";\"\"'+1"),
            ("＝1;－1", "'＝1;'－1"),
            ("a = 1, -2; b's = '=", "a = 1, -2; b's = '="),
        ] {
            assert_eq!((&*inert(text), &*active(wanted)), (wanted, text));
        }
    }
}
