//! Tests the quizzes: the drawn variants, and whether all texts survive each format.

use super::*;
use crate::lab;
use crate::teach::item::{Choice, Criterion, Number, Order};
use quick_xml::Reader;
use quick_xml::events::Event;
use std::collections::{BTreeMap, BTreeSet};

/// A text with every character sequence that is special in one of the formats.
const HOSTILE: &str = r#"%50% & &amp; < <script>alert(1)</script> ]]> { } = ~ # #### : :: \ \n // $a$ -> `b` **c** 1. d... -- "e" 'f'"#;

fn quiz(labs: &[&str], variants: usize) -> Quiz {
    let labs: Vec<&Lab> = labs.iter().filter_map(|name| lab::find(name)).collect();
    Quiz::draw(&labs, variants, 7)
}

/// Returns a quiz with a question of each kind, whose texts are all hostile.
fn hostile() -> Quiz {
    let text = || HOSTILE.to_owned();
    let choice = |is_right, before: &str| Choice {
        text: format!("{before}{HOSTILE}"),
        is_right,
        explanation: text(),
    };
    let number = Number::new(80.0, 1.0, "ms", text()).wrong(40.0, HOSTILE);
    let labels = [1, 2, 3].map(|it| format!("{it} {HOSTILE}")).to_vec();
    let kinds = [
        Kind::Choice(vec![choice(true, ""), choice(false, "[html]"), choice(false, "*a) ")]),
        Kind::Number(number),
        Kind::Order(Order { labels, right: vec![2, 0, 1], explanation: text() }),
        Kind::Explanation(vec![Criterion { points: 2, text: text() }]),
    ];
    let categories = kinds.into_iter().enumerate().map(|(number, kind)| {
        let id = format!("hostile-{number}");
        let item = Item {
            id: id.clone(),
            points: 2,
            prompt: format!("{number} {HOSTILE}"),
            table: None,
            kind,
        };
        Category {
            lab: "loss",
            id,
            variants: vec![Variant { options: vec![text()], item, run: None }],
        }
    });
    Quiz { categories: categories.collect() }
}

/// Returns the texts of all elements of an XML file, and the names of all elements.
fn texts(xml: &str) -> (Vec<String>, BTreeMap<String, usize>) {
    let (mut reader, mut texts, mut names) = (Reader::from_str(xml), Vec::new(), BTreeMap::new());
    let mut open: Vec<String> = Vec::new();
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => {
                let name = String::from_utf8(start.name().as_ref().to_vec()).expect("UTF-8");
                *names.entry(name).or_insert(0) += 1;
                open.push(String::new());
            }
            Event::Text(text) => {
                let text = text.decode().expect("UTF-8");
                for it in &mut open {
                    it.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                let name = format!("&{};", reference.decode().expect("UTF-8"));
                let text = quick_xml::escape::unescape(&name).expect("a known entity").into_owned();
                for it in &mut open {
                    it.push_str(&text);
                }
            }
            Event::End(_) => texts.extend(open.pop()),
            Event::Eof => return (texts, names),
            _ => {}
        }
    }
}

#[test]
fn an_item_has_a_category_whose_variants_all_differ_and_one_without_numbers_has_one_variant() {
    let quiz = quiz(&["exchange", "loss", "notes"], 5);
    let ids: BTreeSet<&String> = quiz.categories.iter().map(|it| &it.id).collect();
    assert_eq!(ids.len(), quiz.categories.len());
    for category in &quiz.categories {
        let asked: BTreeSet<String> = category.variants.iter().map(Variant::asked).collect();
        assert_eq!(asked.len(), category.variants.len(), "{}", category.id);
        let wanted = if category.id.ends_with("explanation") { 1..=1 } else { 1..=5 };
        assert!(wanted.contains(&asked.len()), "{}: {}", category.id, asked.len());
    }
    let of = |id: &str| quiz.categories.iter().find(|it| it.id == id).expect(id).variants.len();
    assert_eq!((of("exchange-tcp-time"), of("exchange-sequence")), (5, 5));
}

#[test]
fn a_choice_without_options_does_not_name_the_options_of_a_run() {
    let quiz = quiz(&["exchange"], 2);
    let variants = quiz.categories.iter().flat_map(|it| &it.variants);
    let (with, without): (Vec<_>, Vec<_>) = variants.partition(|it| !it.options.is_empty());
    assert!(
        with.iter().all(|it| !it.item.prompt.starts_with("In a run of this lab without options"))
    );
    assert!(without.len() >= 2 && without.iter().all(|it| it.run.is_none()));
}

#[test]
fn the_same_seed_gives_the_same_octets_and_another_seed_others() {
    let made = |seed| {
        let labs = [lab::find("loss").expect("a lab")];
        let quiz = Quiz::draw(&labs, 3, seed);
        (moodle(&quiz, Ordering::Ordering).expect("XML"), gift(&quiz), text2qti(&quiz))
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}

#[test]
fn hostile_texts_survive_moodle_xml() {
    let xml = moodle(&hostile(), Ordering::Ordering).expect("XML");
    assert!(!xml.contains("<script"));
    let (texts, _) = texts(&xml);
    let escaped = xml::html(HOSTILE);
    assert!(
        escaped.contains("&amp; &amp;amp; &lt; &lt;script&gt;") && escaped.contains("]]&gt; { }")
    );
    // The hostile text occurs in three choices and their explanations, a wrong number, three events, a rubric, four
    // tasks with options, and two further explanations.
    let found = texts.iter().filter(|it| it.contains(&escaped) && !it.contains('\n')).count();
    assert!(found >= 15, "{found} of {texts:?}");
    assert!(texts.iter().any(|it| *it == format!("<p>{escaped}</p><p>0 {escaped}</p>")));
    let matching = moodle(&hostile(), Ordering::Matching).expect("XML");
    assert!(
        self::texts(&matching)
            .0
            .contains(&format!("<p>{}</p>", xml::html(&format!("1 {HOSTILE}"))))
    );
}

#[test]
fn characters_that_xml_does_not_allow_are_replaced() {
    let mut quiz = hostile();
    quiz.categories[0].variants[0].item.prompt = "a\u{0}b\u{1b}c\u{85}d\u{fffe}e".to_owned();
    let (texts, _) = texts(&moodle(&quiz, Ordering::Ordering).expect("XML"));
    assert!(texts.iter().any(|it| it.ends_with("<p>a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e</p>")));
}

#[test]
fn the_moodle_xml_keeps_to_the_rules_of_the_import() {
    let quiz = quiz(&["exchange", "loss", "notes"], 4);
    let xml = moodle(&quiz, Ordering::Ordering).expect("XML");
    let (_, names) = texts(&xml);
    let questions = quiz.categories.iter().map(|it| it.variants.len() + 1).sum::<usize>();
    assert_eq!(names["question"], questions);
    assert_eq!(names["category"], quiz.categories.len());
    for kind in ["numerical", "multichoice", "ordering", "essay"] {
        let question = xml.split("<question type=\"").find(|it| it.starts_with(kind));
        let (_, names) = texts(question_of(question.expect(kind)).as_str());
        let fields: &[&str] = match kind {
            "numerical" => &["answer", "tolerance", "showunits"],
            "multichoice" => &["answer", "single", "shuffleanswers"],
            "ordering" => {
                &["answer", "layouttype", "selecttype", "selectcount", "gradingtype", "showgrading"]
            }
            _ => &["responseformat", "graderinfo", "responsetemplate"],
        };
        assert!(
            fields.iter().chain(&["name", "questiontext"]).all(|it| names.contains_key(*it)),
            "{kind}: {names:?}"
        );
        let fractions = question.unwrap_or_default().split("fraction=\"").skip(1);
        let fractions: Vec<&str> = fractions.filter_map(|it| it.split('"').next()).collect();
        match kind {
            "ordering" => assert!(fractions.windows(2).all(|it| it[0] < it[1]), "{fractions:?}"),
            "essay" => assert!(fractions.is_empty()),
            _ => {
                assert_eq!(fractions.iter().filter(|it| **it == "100").count(), 1, "{kind}");
                assert!(fractions.iter().all(|it| ["0", "100"].contains(it)), "{fractions:?}");
            }
        }
    }
}

/// Completes an element from which `<question type="` was cut off.
fn question_of(text: &str) -> String {
    let (element, _) = text.split_once("</question>").expect("a whole element");
    format!("<question type=\"{element}</question>")
}

#[test]
fn without_ordering_questions_an_order_is_a_matching_question() {
    let quiz = quiz(&["loss"], 2);
    let [ordering, matching] =
        [Ordering::Ordering, Ordering::Matching].map(|it| moodle(&quiz, it).expect("XML"));
    assert!(ordering.contains("type=\"ordering\"") && !ordering.contains("type=\"matching\""));
    assert!(!matching.contains("type=\"ordering\"") && matching.contains("type=\"matching\""));
}

#[test]
fn each_file_of_a_question_is_shown_and_a_picture_of_packets_has_no_blank_value() {
    use base64::Engine as _;
    let quiz = quiz(&["exchange"], 3);
    let xml = moodle(&quiz, Ordering::Ordering).expect("XML");
    let files: Vec<&str> = xml.split("<file name=\"").skip(1).collect();
    assert_eq!(files.len(), xml.matches("@@PLUGINFILE@@/").count());
    let pictures =
        files.iter().filter_map(|it| it.split_once("encoding=\"base64\">")?.1.split('<').next());
    let decode = |it| base64::engine::general_purpose::STANDARD.decode(it).expect("base64");
    let pictures: Vec<String> =
        pictures.map(|it| String::from_utf8(decode(it)).expect("SVG")).collect();
    assert!(pictures.iter().all(|it| it.starts_with("<svg") && !it.contains("<script")));
    let mut checked = 0;
    for variant in quiz.categories.iter().flat_map(|it| &it.variants) {
        let (Kind::Field(field), Some(table)) = (&variant.item.kind, &variant.item.table) else {
            continue;
        };
        let picture = picture::svg(table).expect("a picture");
        assert!(pictures.contains(&picture));
        let lines = [table::as_lines(table).join("\n"), table::as_html(table), picture];
        let letter = crate::teach::item::letter(field.blank);
        assert!(
            lines[0].contains(&format!("({letter})"))
                && lines[1].contains(&format!("<strong>{letter}</strong>"))
        );
        assert!(lines[2].contains(&format!("class=\"blank\">{letter}</tspan>")));
        assert_eq!(lines[2].matches("class=\"blank\"").count(), table.blanks.len());
        checked += 1;
    }
    assert_eq!(checked, 9);
}

/// Parses only the special characters of GIFT. Returns the text with escapes resolved, and the special characters that
/// are not escaped.
fn read_gift(text: &str) -> (String, String) {
    let (mut resolved, mut special, mut rest) = (String::new(), String::new(), text.chars());
    while let Some(it) = rest.next() {
        match it {
            '\\' => resolved.push(rest.next().map_or('\\', |it| if it == 'n' { '\n' } else { it })),
            '~' | '=' | '#' | '{' | '}' | ':' => special.push(it),
            it => resolved.push(it),
        }
    }
    (resolved, special)
}

#[test]
fn hostile_texts_survive_gift() {
    let text = gift(&hostile());
    let mut questions = text.split("\n\n").filter(|it| it.starts_with("::"));
    let (choice, special) = read_gift(questions.next().expect("a choice"));
    assert_eq!(special, "::::{=#~#~#}");
    // The hostile text occurs in the task, its options, three choices and their explanations.
    let in_answer = HOSTILE.replace("->", "→");
    assert_eq!(choice.matches(HOSTILE).count(), 2, "{choice}");
    assert_eq!(choice.matches(&in_answer).count(), 6, "{choice}");
    assert!(choice.contains(&format!("[plain]{in_answer}")) && choice.contains("[plain][html]"));
    let (number, special) = read_gift(questions.next().expect("a number"));
    assert_eq!(special, "::::{#=:=:#####}");
    assert!(number.contains("80") && number.matches(HOSTILE).count() == 3, "{number}");
    let (order, special) = read_gift(questions.next().expect("an order"));
    assert_eq!(special, "::::{===####}");
    assert_eq!(order.matches(" -> ").count(), 3 + 3, "the task, its options and the explanation");
    let (_, special) = read_gift(questions.next().expect("an essay"));
    assert_eq!((special.as_str(), questions.next()), ("::::{####}", None));
}

/// Replaces character references by their characters.
fn without_references(text: &str) -> String {
    quick_xml::escape::unescape(text).expect("known references").into_owned()
}

#[test]
fn hostile_texts_survive_text2qti() {
    let text = text2qti(&hostile());
    let marked = text
        .lines()
        .map(|line| line.trim_start().split_once(' ').map_or("", |it| it.1.trim_start()));
    let found = marked.filter(|it| without_references(it).contains(HOSTILE)).count();
    // The hostile text occurs in four tasks with options, of which only the first line has a mark, in choices and
    // explanations, in events, and in a rubric.
    assert!(found >= 16, "{found} in {text}");
    assert!(!text.contains(['<', '$', '`', '{']) && !text.contains("[html]"), "{text}");
    assert!(text.contains("\n=   80 +- 1\n") && text.contains("\n*   CAB\n"), "{text}");
    assert_eq!(text.matches("\nGROUP\npick: 1\npoints per question: 2\n").count(), 4);
}

#[test]
fn a_tolerance_that_reaches_zero_is_a_range_for_text2qti() {
    let mut quiz = hostile();
    quiz.categories[1].variants[0].item.kind =
        Kind::Number(Number::new(1.0, 1.0, "datagrams", String::new()));
    assert!(text2qti(&quiz).contains("\n=   [0.0001, 2]\n"));
}

#[test]
fn a_field_of_zero_octets_is_a_short_answer_for_text2qti() {
    let quiz = quiz(&["exchange", "silent"], 40);
    let zero = quiz
        .categories
        .iter()
        .flat_map(|it| &it.variants)
        .find(|it| it.item.right_answer().as_deref() == Some("0"));
    let item = zero.expect("a length of zero").item.clone();
    let category = Category {
        lab: "exchange",
        id: item.id.clone(),
        variants: vec![Variant { options: Vec::new(), item, run: None }],
    };
    let text = text2qti(&Quiz { categories: vec![category] });
    assert!(text.contains("\n*   0\n") && !text.contains("\n= "), "{text}");
}

#[test]
fn a_wrong_number_in_a_field_has_its_explanation() {
    let xml = moodle(&quiz(&["exchange"], 3), Ordering::Ordering).expect("XML");
    let fields: Vec<&str> = xml
        .split("<question type=\"numerical\">")
        .filter(|it| it.contains("<text>exchange-acknowledgement "))
        .collect();
    assert_eq!(fields.len(), 3);
    assert!(fields.iter().all(|it| it.contains("This number is one too low")));
}
