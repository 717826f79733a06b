//! The picture in `README.md` is what `daytime lab run exchange` draws, 120 columns wide. With `DAYTIME_UPDATE_DOCS=1`
//! a picture that is out of date is written anew.

use crate::support::{daytime, run, stdout};
use std::fmt::Write;
use std::{env, fs};

const FILE: &str = "docs/pictures/exchange.svg";

#[test]
fn the_picture_in_the_readme_is_what_the_program_draws() {
    let screen = stdout(&run(daytime().args(["lab", "run", "exchange"]).env("COLUMNS", "120")));
    let drawing = screen.lines().skip_while(|line| *line != "WHAT HAPPENED").skip(1);
    let lines: Vec<&str> = drawing.take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() > 20, "{screen}");
    let drawn = svg(&lines);
    if env::var("DAYTIME_UPDATE_DOCS").as_deref() == Ok("1") {
        fs::write(FILE, &drawn).expect("written");
    }
    let shown = fs::read_to_string(FILE).expect("the picture");
    assert!(shown == drawn, "out of date: DAYTIME_UPDATE_DOCS=1 cargo test pictures writes {FILE}");
}

/// The lines of a screen as a picture for light and dark pages.
fn svg(lines: &[&str]) -> String {
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let (width, height) = (columns * 8 + 32, lines.len() * 17 + 30);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-size=\"13\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\">\n\
         <style>svg{{background:#fff}}text{{fill:#1f2328;white-space:pre}}.to{{fill:#0550ae}}.from{{fill:#116329}}\n\
         @media(prefers-color-scheme:dark){{svg{{background:#0d1117}}text{{fill:#e6edf3}}.to{{fill:#79c0ff}}\
         .from{{fill:#7ee787}}}}</style>\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let (y, length) = (row * 17 + 28, line.chars().count() * 8);
        // With its length given, a line is as long in every font, so the lifelines stay straight.
        writeln!(
            svg,
            "<text x=\"16\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" \
             xml:space=\"preserve\">{}</text>",
            arrows_in_colour(line)
        )
        .expect("a string");
    }
    svg + "</svg>\n"
}

/// One line, escaped, with each arrow in the colour of its direction.
fn arrows_in_colour(line: &str) -> String {
    let parts = line.split('│').map(|part| {
        let text = part.replace('&', "&amp;").replace('<', "&lt;");
        match (part.starts_with('◀'), part.ends_with('▶')) {
            (true, _) => format!("<tspan class=\"from\">{text}</tspan>"),
            (_, true) => format!("<tspan class=\"to\">{text}</tspan>"),
            _ => text,
        }
    });
    parts.collect::<Vec<String>>().join("│")
}
