//! Pages and pictures are safe to open, small, and the same for the same seed.

use super::{Shot, read};
use crate::support::scripted::Scripted;
use crate::support::{daytime, good};
use roxmltree::Document;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Maximum size of a page in octets.
const MAXIMUM: usize = 300_000;

/// What makes a browser run a script or ask another host.
const FORBIDDEN: [&str; 18] = [
    "<script",
    "javascript:",
    "<iframe",
    "<object",
    "<embed",
    "<link",
    "<base",
    "<form",
    "http-equiv=\"refresh",
    "src=\"http",
    "src=\"//",
    "srcset=",
    "xlink:href",
    "@import",
    "url(http",
    "url(\"",
    "url('",
    "url(//",
];

/// The policy that forbids scripts and requests.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
                      style-src 'unsafe-inline'; img-src data:\">";

#[test]
fn pages_have_no_script_load_nothing_and_are_small() {
    for engine in ["sim", "loopback", "netns"] {
        let shot = Shot::of_engine(engine);
        for run in &shot.runs {
            let name = format!("{} on {engine}", run["lab"]);
            let page = read(&run["html"]);
            assert!(page.len() <= MAXIMUM, "{name}: {} octets", page.len());
            assert_is_inert(&page, &name);
            for picture in run["pictures"].as_array().expect("pictures") {
                assert_is_inert(&read(picture), &name);
            }
        }
        let Some(run) = shot.runs.first() else { continue };
        let page = Path::new(run["html"].as_str().expect("a path"));
        assert_is_inert(
            &fs::read_to_string(page.with_file_name("index.html")).expect("read"),
            engine,
        );
    }
}

/// Asserts that nothing in a page or a picture runs or is loaded. A page has the policy before everything else.
fn assert_is_inert(text: &str, name: &str) {
    let lower = text.to_lowercase();
    for forbidden in FORBIDDEN {
        assert!(!lower.contains(forbidden), "{name} contains {forbidden}");
    }
    assert!(!has_handler(&lower), "{name} has an attribute for an event");
    assert!(!text.contains(is_hidden), "{name} has an invisible character");
    let before_style = text.split("<style>").next().expect("a beginning");
    assert!(before_style.contains(POLICY) || text.starts_with("<svg"), "{name} has no policy");
}

/// Whether a tag has an attribute such as `onclick`.
fn has_handler(text: &str) -> bool {
    let tags = text.split('<').skip(1).filter_map(|it| it.split_once('>'));
    let names = tags.flat_map(|it| it.0.split_whitespace().filter_map(|it| it.split_once('=')));
    names.into_iter().any(|(name, _)| name.starts_with("on"))
}

/// Control characters, and those that change the direction of a text or have no width.
fn is_hidden(it: char) -> bool {
    let is_format = matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    (it.is_control() && it != '\n') || is_format
}

#[test]
fn the_check_of_pages_can_fail() {
    assert!(has_handler("<p class=\"a\" onclick=\"x\">") && !has_handler("<p class=\"on\">on=1"));
    assert!(
        "\u{202e}".contains(is_hidden)
            && "\u{7}".contains(is_hidden)
            && !"é\n–".contains(is_hidden)
    );
}

#[test]
fn every_page_on_the_simulator_is_the_same_again() {
    let [one, other] = [Shot::of_engine("sim"), Shot::of_engine("sim")];
    let texts = |run: &Value| {
        let pictures = run["pictures"].as_array().expect("pictures").iter().map(read);
        pictures.chain([read(&run["html"])]).collect::<Vec<_>>()
    };
    for (one, other) in one.runs.iter().zip(&other.runs) {
        assert!(texts(one) == texts(other), "{} differs", one["lab"]);
    }
}

/// A reply that would run, end a section, turn the direction, or move the cursor, if it were not escaped.
fn hostile() -> Vec<u8> {
    let text = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;]]>--></style>\u{202e}\u{2066}\u{7}\u{1b}[2J\0\u{9b}\r\n";
    text.as_bytes().to_vec()
}

#[test]
fn a_hostile_reply_is_inert_in_the_page_of_a_comparison() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("page.html");
    let server = Scripted { reply: hostile, ..Scripted::default() }.start();
    good(daytime().args(["compare", "--count", "1", &server, "--html"]).arg(&path));
    let page = fs::read_to_string(&path).expect("the page");
    assert!(page.contains("&#60;script&#62;alert(1)"), "the reply is not in the page: {page}");
    assert_is_inert(&page, "the comparison");
    assert!(!page.contains("]]>") && page.matches("</style>").count() == 1, "{page}");
    // What is in the body is well-formed with the elements of every other comparison.
    let elements = |page: &str| {
        let (_, body) = page.split_once("<body>").expect("a body");
        let body = body.split("</body>").next().expect("an end");
        let body = format!("<body>{}</body>", body.replace("<br>", "<br/>"));
        let document = Document::parse(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let names = document.descendants().filter(roxmltree::Node::is_element);
        names.map(|it| it.tag_name().name().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let path = folder.path().join("harmless.html");
    good(daytime().args(["compare", "--count", "1", "--html"]).arg(&path));
    let harmless = elements(&fs::read_to_string(&path).expect("the page"));
    assert!(elements(&page).is_subset(&harmless), "{:?}", elements(&page));
}
