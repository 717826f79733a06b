//! Numbers with separators of thousands, such as `1,080,000`. They are not read, because a comma may also be a decimal
//! comma. The student gets advice.

/// Maximum number of characters of a number in advice. Every right answer is shorter.
const MAX_CHARACTERS: usize = 20;

/// A number with separators between its digits.
struct Separated<'a> {
    /// `-`, or empty.
    sign: &'static str,
    separator: char,
    /// The digits before the decimals, in groups.
    groups: Vec<&'a str>,
    decimals: &'a str,
}

/// Returns what to write instead of a number with separators of thousands. Returns `None` if the text begins with
/// another number, or with none.
pub(crate) fn advice(text: &str) -> Option<String> {
    let number = Separated::read(text)?;
    match (number.separator, &number.groups[..], number.decimals) {
        ('.', [_, _], "") => None, // a decimal point
        (',', [whole, part], "") => {
            let sign = number.sign;
            Some(format!("write {sign}{whole}{part} or {sign}{whole}.{part}, without a comma"))
        }
        _ => Some(number.advice()),
    }
}

/// Returns what to write instead of a whole number with separators. The number has no minus sign.
pub(crate) fn advice_on_whole(text: &str) -> Option<String> {
    let is_whole = |it: &Separated| it.decimals.is_empty() && it.sign.is_empty();
    Separated::read(text).filter(is_whole).map(|it| it.advice())
}

impl<'a> Separated<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (sign, text) = match text.strip_prefix('-') {
            Some(text) => ("-", text),
            None => ("", text.trim_start_matches('+')),
        };
        let end = text.find(|it: char| !it.is_ascii_digit() && !is_separator(it));
        let number = text[..end.unwrap_or(text.len())].trim_end();
        let separator = number.chars().find(|it| !it.is_ascii_digit())?;
        let point = number.rfind(['.', ',']).filter(|at| !number[*at..].starts_with(separator));
        let (whole, decimals) = match point {
            Some(at) => (&number[..at], &number[at + 1..]),
            None => (number, ""),
        };
        let groups: Vec<&str> = whole.split(separator).collect();
        let is_short = number.chars().nth(MAX_CHARACTERS).is_none();
        let is_number = is_short && are_groups(&groups) && is_digits(decimals);
        is_number.then_some(Self { sign, separator, groups, decimals })
    }

    fn advice(&self) -> String {
        let point = if self.decimals.is_empty() { "" } else { "." };
        let whole = self.groups.concat();
        format!("write {}{whole}{point}{}, without separators", self.sign, self.decimals)
    }
}

/// Whether a character separates thousands in some country.
const fn is_separator(it: char) -> bool {
    matches!(it, ',' | '.' | ' ' | '\'' | '’' | '_' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// Whether these are the groups of a number: one to three digits, then three in each group.
fn are_groups(groups: &[&str]) -> bool {
    let [first, others @ ..] = groups else { return false };
    let is_first = matches!(first.len(), 1..=3) && *first != "0" && is_digits(first);
    is_first && others.iter().all(|it| it.len() == 3 && is_digits(it))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_of_thousands_get_the_number_without_them() {
        for (text, number) in [
            ("1,080,000", "1080000"),
            ("+1,080,000 ms", "1080000"),
            ("1.080.000", "1080000"),
            ("1 080", "1080"),
            ("4 294 967 295", "4294967295"),
            ("1'080", "1080"),
            ("12_345", "12345"),
            ("1\u{202f}080 ms", "1080"),
            ("1,080.5", "1080.5"),
            ("1.080,5 ms", "1080.5"),
            ("1 080,5", "1080.5"),
            ("-1,080,000", "-1080000"),
            ("4\u{202f}294\u{202f}967\u{202f}295,25", "4294967295.25"),
        ] {
            let wanted = format!("write {number}, without separators");
            assert_eq!(advice(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn one_comma_may_mean_decimals_and_has_two_meanings_in_a_whole_number_only_one() {
        assert_eq!(advice("1,080").as_deref(), Some("write 1080 or 1.080, without a comma"));
        assert_eq!(advice("-1,080").as_deref(), Some("write -1080 or -1.080, without a comma"));
        let whole = advice_on_whole("1,080");
        assert_eq!(whole.as_deref(), Some("write 1080, without separators"));
    }

    #[test]
    fn other_numbers_and_texts_get_no_advice() {
        let long = "1,000".to_owned() + &",000".repeat(50_000);
        for text in [
            "", "80", "80 ms", "1.080", "0,080", "1,08", "1,0,0", "8 0", "1,0800", "1,080,",
            ",080", "1080,000", "1,,080", "1.08,0.0", "ms", "é", "+", "80, 90", "1 080 00", "-",
            "-80", "--1,080", &long,
        ] {
            assert_eq!(advice(text), None, "{text}");
        }
        assert_eq!((advice_on_whole("1,080.5"), advice_on_whole("-1,080")), (None, None));
    }
}
