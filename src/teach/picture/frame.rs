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

/// Makes the frame for a picture that ends at the height `bottom`. The frame has a fixed width. CSS variables are
/// replaced with their values, because some programs do not support variables. `is_wide` is true for a picture without
/// packets.
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
        style: style(),
        height: Px(end + HEADING + MARGIN),
        listed,
    }
}

/// Returns the style of a standalone file: the light colours, and the dark colours for a screen with a dark theme.
fn style() -> String {
    let css = include_str!("../../../templates/picture.css");
    let light = with_values(css, Theme::Light);
    let dark: String = css.split('}').filter_map(dark_rule).collect();
    format!("{light}@media screen and (prefers-color-scheme:dark){{{dark}}}\n")
}

/// Returns a rule that has only the dark colours of this rule. Returns `None` if the rule has no colours.
///
/// A program without media queries may read the rule as if it always applied. Such a program does not know the selector
/// `:root` either, so it ignores the rule.
fn dark_rule(rule: &str) -> Option<String> {
    let (selectors, declarations) = rule.split_once('{')?;
    let coloured = |it: &&str| variables(Theme::Dark).any(|(name, _)| it.contains(&of(name)));
    let coloured: Vec<&str> = declarations.split(';').filter(coloured).collect();
    let selectors: Vec<String> =
        selectors.trim().split(',').map(|it| format!(":root {it}")).collect();
    let declarations = with_values(&coloured.join(";"), Theme::Dark);
    (!coloured.is_empty()).then(|| format!("{}{{{declarations}}}", selectors.join(",")))
}

#[derive(Clone, Copy)]
enum Theme {
    Light,
    Dark,
}

/// Replaces each use of a CSS variable with the variable's value in this theme.
fn with_values(css: &str, theme: Theme) -> String {
    variables(theme).fold(css.to_owned(), |css, (name, value)| css.replace(&of(name), value))
}

/// Returns the use of a CSS variable.
fn of(name: &str) -> String {
    format!("var(--{name})")
}

/// Iterates over the variables of a theme. In the file, the light theme is the first rule, and the dark theme is the
/// rule after it.
fn variables(theme: Theme) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut rules = include_str!("../../../templates/colours.css").split('}');
    let rule = match theme {
        Theme::Light => rules.next(),
        Theme::Dark => rules.nth(1),
    };
    let declarations = rule.unwrap_or_default().split(['{', ';', '\n']);
    declarations.filter_map(|it| it.trim().strip_prefix("--")?.split_once(':'))
}
