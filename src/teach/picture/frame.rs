//! The markup that turns a picture into a standalone file.

use super::items::CallLine;
use super::number::Px;

/// Everything around the picture in a standalone file: margins, heading, and the list of calls.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) width: i32,
    /// Width of the space to the left of the hosts' lines.
    pub(super) left: i32,
    /// Distance between the first host's line and the last host's.
    pub(super) stage: i32,
    pub(super) style: String,
    /// Height of the file's image, including the heading and the list of calls.
    pub(super) height: Px,
    /// The calls for which the picture shows only a letter, with the heights of their lines in the list.
    pub(super) listed: Vec<(Px, String)>,
}

/// Makes the frame for a picture that ends at the height `bottom`. The frame has a fixed width and the light colours.
/// CSS variables are replaced with their values, because some programs do not support variables. `is_wide` is true for
/// a picture without packets.
pub(super) fn frame(is_wide: bool, bottom: f64, calls: &[CallLine]) -> Frame {
    const WIDTH: i32 = 680;
    /// Height of the heading, which the template also contains.
    const HEADING: f64 = 34.0;
    const LIST_LINE: f64 = 16.0;
    const MARGIN: f64 = 8.0;
    let (left, right) = if is_wide { (280, 240) } else { (210, 170) };
    let mut end = bottom;
    let mut line = |call: &CallLine| {
        end += LIST_LINE;
        let CallLine { letter, time, host, text, .. } = call;
        (Px(end), format!("{letter}  {time}  {host}: {text}"))
    };
    let listed = calls.iter().filter(|call| call.is_letter_only).map(&mut line).collect();
    Frame {
        width: WIDTH,
        left,
        stage: WIDTH - left - right,
        style: without_variables(include_str!("../../../templates/picture.css")),
        height: Px(end + HEADING + MARGIN),
        listed,
    }
}

/// Replaces each `var(--name)` with the variable's value in the light colours.
fn without_variables(css: &str) -> String {
    let mut plain = css.to_owned();
    for (name, value) in variables(include_str!("../../../templates/colours.css")) {
        plain = plain.replace(&format!("var(--{name})"), value);
    }
    plain
}

/// Iterates over the variables in the first CSS rule, which defines the light colours.
fn variables(css: &str) -> impl Iterator<Item = (&str, &str)> {
    let first = css.split('}').next().unwrap_or_default();
    let rules = first.split(['{', ';', '\n']);
    rules.filter_map(|rule| rule.trim().strip_prefix("--")?.split_once(':'))
}
