//! Computes the contrast of each colour of the pages with what is below it, light and dark, from the style of a page.
//! Texts need 4.5, lines and arrows 3 (WCAG 2.2, 1.4.3 and 1.4.11).

use super::{Shot, read};
use std::collections::{BTreeMap, BTreeSet};

/// Colours of texts, and of lines and shapes that say something. Some are both.
const TEXTS: [&str; 7] = ["ink", "muted", "tcp", "udp", "icmp", "lost", "good"];
const LINES: [&str; 7] = ["line", "ink", "tcp", "udp", "icmp", "lost", "good"];

/// Colours on which texts and lines are.
const PAPERS: [&str; 2] = ["paper", "raise"];

/// Colours of states. Only ink is on them.
const BANDS: [&str; 6] = ["opening", "open", "half", "closing", "waiting", "closed"];

/// Faint lines that say nothing more: separators of rows, the grid, and the hatching of bands that have a name.
const FAINT: [&str; 2] = ["rule", "hatch"];

type Colours = BTreeMap<String, [f64; 3]>;

/// Returns the colours of `:root` in a part of a style.
fn colours(style: &str) -> Colours {
    let (_, root) = style.split_once(":root{").expect("a root");
    let (root, _) = root.split_once('}').expect("an end");
    let pairs = root.split(';').filter_map(|it| it.trim().strip_prefix("--")?.split_once(":#"));
    pairs.map(|(name, hex)| (name.to_owned(), channels(hex))).collect()
}

fn channels(hex: &str) -> [f64; 3] {
    let channel = |at: usize| {
        let octet = hex.get(at..at + 2).and_then(|it| u8::from_str_radix(it, 16).ok());
        f64::from(octet.unwrap_or_else(|| panic!("a colour: {hex}"))) / 255.0
    };
    [channel(0), channel(2), channel(4)]
}

/// The contrast ratio of two colours, as WCAG 2.2 defines it.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let linear =
        |it: f64| if it <= 0.040_45 { it / 12.92 } else { ((it + 0.055) / 1.055).powf(2.4) };
    let luminance = |[red, green, blue]: [f64; 3]| {
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Returns the pairs that have too little contrast: colour, what is below it, and the ratio.
fn too_faint(colours: &Colours) -> Vec<(String, String, f64)> {
    let bands = BANDS.map(|it| ("ink", it, 4.5));
    let pairs = |above: &[&'static str], least| {
        let pair = move |it: &&'static str| PAPERS.map(|paper| (*it, paper, least));
        above.iter().flat_map(pair).collect::<Vec<_>>()
    };
    let all = pairs(&TEXTS, 4.5).into_iter().chain(pairs(&LINES, 3.0)).chain(bands);
    let all =
        all.map(|(one, other, least)| (one, other, contrast(colours[one], colours[other]), least));
    let faint = all.filter(|it| it.2 < it.3);
    faint.map(|(one, other, ratio, _)| (one.to_owned(), other.to_owned(), ratio)).collect()
}

/// Returns the names of the variables in the values of some properties.
fn used(style: &str, is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for declaration in style.split(['{', '}', ';']) {
        let Some((property, value)) = declaration.split_once(':') else { continue };
        if is_wanted(property.trim()) {
            let found = value.split("var(--").skip(1).filter_map(|it| it.split(')').next());
            names.extend(found.map(str::to_owned));
        }
    }
    names
}

fn style_of(page: &str) -> String {
    let (_, style) = page.split_once("<style>").expect("a style");
    style.split_once("</style>").expect("its end").0.to_owned()
}

#[test]
fn every_text_and_line_has_enough_contrast_light_and_dark() {
    let shot = Shot::of(&["loss"]);
    let style = style_of(&read(&shot.runs[0]["html"]));
    let (light, dark) = style.split_once("prefers-color-scheme:dark").expect("dark colours");
    let (light, dark) = (colours(light), colours(dark));
    assert!(light.keys().eq(dark.keys()), "{light:?} {dark:?}");
    for (theme, colours) in [("light", &light), ("dark", &dark)] {
        let faint = too_faint(colours);
        assert!(faint.is_empty(), "{theme}: {faint:?}");
    }
}

/// Returns every colour that the check knows.
fn known() -> Vec<&'static str> {
    [&TEXTS[..], &LINES, &PAPERS, &BANDS, &FAINT].concat()
}

#[test]
fn every_colour_of_the_style_has_a_place_in_the_check_of_contrast() {
    let shot = Shot::of(&["loss"]);
    let style = style_of(&read(&shot.runs[0]["html"]));
    let unknown = |names: BTreeSet<String>, known: &[&str]| -> Vec<String> {
        names.into_iter().filter(|it| !known.contains(&it.as_str())).collect()
    };
    let none = Vec::<String>::new();
    assert_eq!(unknown(used(&style, |it| it == "color"), &TEXTS), none);
    let shapes =
        |it: &str| ["fill", "stroke", "border", "background"].iter().any(|of| it.starts_with(of));
    assert_eq!(unknown(used(&style, shapes), &known()), none);
    let sizes_and_fonts = ["sans", "serif", "mono", "left", "right", "axis", "height"];
    let all = used(&style, |_| true);
    assert_eq!(unknown(all, &[&known()[..], &sizes_and_fonts].concat()), none);
    let outside = style.split('}').filter(|it| !it.contains(":root")).collect::<String>();
    assert_eq!(hexes(&outside), Vec::<&str>::new(), "colours without a name");
}

#[test]
fn a_picture_alone_has_the_light_colours_and_on_a_dark_screen_the_dark_ones() {
    let shot = Shot::of(&["loss"]);
    let run = &shot.runs[0];
    let page = style_of(&read(&run["html"]));
    let (light, dark) = page.split_once("prefers-color-scheme:dark").expect("dark colours");
    let (light, dark) = (hexes(light), hexes(dark));
    let pictures = run["pictures"].as_array().expect("pictures");
    assert!(!pictures.is_empty());
    for picture in pictures.iter().map(read) {
        let style = style_of(&picture);
        assert!(!style.contains("var("), "{style}");
        let (own, own_dark) = style.split_once("@media screen").expect("dark colours");
        let named = hexes(own).into_iter().map(|it| {
            let place = light.iter().position(|colour| *colour == it);
            dark[place.unwrap_or_else(|| panic!("{it} is no light colour: {style}"))]
        });
        assert_eq!(named.collect::<Vec<_>>(), hexes(own_dark), "{style}");
    }
}

/// Returns the first six digits of each colour that is a number.
fn hexes(style: &str) -> Vec<&str> {
    style.split(":#").skip(1).filter_map(|it| it.get(..6)).collect()
}

#[test]
fn the_contrast_of_known_pairs_is_known_and_a_faint_text_is_found() {
    let ratio = |one, other| format!("{:.2}", contrast(channels(one), channels(other)));
    assert_eq!(ratio("000000", "ffffff"), "21.00");
    assert_eq!(ratio("777777", "ffffff"), "4.48");
    let shot = Shot::of(&["loss"]);
    let style = style_of(&read(&shot.runs[0]["html"]));
    let mut faint = colours(&style);
    assert!(too_faint(&faint).is_empty());
    faint.insert("muted".to_owned(), channels("87929d"));
    assert!(too_faint(&faint).iter().any(|it| it.0 == "muted"), "{faint:?}");
}
