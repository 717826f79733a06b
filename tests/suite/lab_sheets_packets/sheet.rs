//! The letters on a student's sheet, from its HTML.

/// Returns the letter of the n-th choice or label (0-based).
pub fn letter(number: usize) -> char {
    char::from(b'A' + u8::try_from(number).expect("a few"))
}

/// Returns the texts of an item's choices in the order in which the sheet shows them.
pub fn choices(page: &str, item: &str) -> Vec<String> {
    let begin = format!("name=\"{item}\" value=\"");
    page.split(&begin)
        .skip(1)
        .map(|rest| between(rest, "<span>", "</span>"))
        .enumerate()
        .map(lettered)
        .collect()
}

/// Returns the labels of the events that an item asks to order, as the sheet shows them.
pub fn labels(page: &str, item: &str) -> Vec<String> {
    let (before, _) = page.split_once(&format!("name=\"{item}\"")).expect("the item");
    let (_, list) = before.rsplit_once("<ol class=\"labels\">").expect("its labels");
    list.split("<li>")
        .skip(1)
        .map(|rest| between(rest, "", "</li>"))
        .enumerate()
        .map(lettered)
        .collect()
}

/// Returns the text between two tags.
fn between(rest: &str, begin: &str, end: &str) -> String {
    let (_, rest) = rest.split_once(begin).expect("a tag");
    let (text, _) = rest.split_once(end).expect("its end");
    [("&#39;", "'"), ("&#34;", "\""), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (name, character)| text.replace(name, character))
}

/// Removes the letter in front of a text, which must be the one of its place.
fn lettered((number, text): (usize, String)) -> String {
    let (front, text) = text.split_once(". ").expect("a letter");
    assert_eq!(front, letter(number).to_string());
    text.to_owned()
}
