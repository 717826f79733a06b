//! Quizzes as Moodle XML: one file, with the pictures inside.

use super::question::{Question, plain, rubric};
use super::xml::{allowed, html, paragraph};
use super::{Category, Ordering, Quiz, Variant, picture, run, table};
use crate::teach::item::{Choice, Number, Order};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;

type Xml = Writer<Vec<u8>>;

/// Name of the picture inside a question.
const PICTURE: &str = "packets.svg";
/// Grades of an answer in percent. Moodle accepts only the numbers in its own list, which contains these two.
const RIGHT: &str = "100";
const WRONG: &str = "0";

/// Returns the quiz as one file for Moodle's import.
///
/// # Errors
/// Returns an error if a picture cannot be drawn or the XML cannot be written to memory.
pub(crate) fn moodle(quiz: &Quiz, ordering: Ordering) -> io::Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("quiz").write_inner_content(|xml| {
        quiz.categories.iter().try_for_each(|it| category(xml, it, ordering))
    })?;
    let text = String::from_utf8(xml.into_inner()).map_err(io::Error::other)?;
    Ok(text + "\n")
}

fn category(xml: &mut Xml, category: &Category, ordering: Ordering) -> io::Result<()> {
    let path = format!("$course$/top/daytime/{}/{}", category.lab, category.id);
    question(xml, "category", |xml| nested(xml, "category", &path))?;
    let variants = category.variants.iter().enumerate();
    variants.into_iter().try_for_each(|(number, it)| variant(xml, it, number + 1, ordering))
}

fn variant(xml: &mut Xml, variant: &Variant, number: usize, ordering: Ordering) -> io::Result<()> {
    let asked = Question::of(&variant.item);
    let kind = match (&asked, ordering) {
        (Question::Choice(..), _) => "multichoice",
        (Question::Number(_), _) => "numerical",
        (Question::Order(_), Ordering::Ordering) => "ordering",
        (Question::Order(_), Ordering::Matching) => "matching",
        (Question::Essay(_), _) => "essay",
    };
    question(xml, kind, |xml| {
        nested(xml, "name", &format!("{} {number}", variant.item.id))?;
        text_of_question(xml, variant, &asked)?;
        explanation(xml, variant, &asked)?;
        element(xml, "defaultgrade", &variant.item.points.to_string())?;
        element(xml, "penalty", "0.3333333")?;
        element(xml, "hidden", "0")?;
        match asked {
            Question::Choice(choices, _) => multichoice(xml, &choices),
            Question::Number(number) => numerical(xml, &number),
            Question::Order(order) if ordering == Ordering::Matching => matching(xml, order),
            Question::Order(order) => in_order(xml, order),
            Question::Essay(criteria) => {
                essay(xml, &rubric(criteria).map(|it| paragraph(&it)).collect::<String>())
            }
        }
    })
}

/// Writes the options, the task, and the packets as a picture and as a table.
fn text_of_question(xml: &mut Xml, variant: &Variant, asked: &Question) -> io::Result<()> {
    let Variant { options, item, .. } = variant;
    let form = asked.form();
    let paragraphs = options.iter().chain([&item.prompt]).chain(&form);
    let mut text: String = paragraphs.map(|it| paragraph(it)).collect();
    let picture = item.table.as_ref().map(picture::svg).transpose().map_err(io::Error::other)?;
    if let Some(table) = &item.table {
        text.push_str(&image(PICTURE, &picture::description(table)));
        text += &table::as_html(table);
    }
    let picture = picture.map(|it| (PICTURE.to_owned(), it));
    with_files(xml, "questiontext", &text, picture.as_slice())
}

/// Writes the text that a student reads after answering: the derivation of the right answer, and the pictures of the
/// run.
fn explanation(xml: &mut Xml, variant: &Variant, asked: &Question) -> io::Result<()> {
    let mut text = optional(asked.explanation());
    let mut files = Vec::new();
    for (number, (title, picture)) in (1..).zip(run::pictures_of(variant)?) {
        let name = format!("run-{number}.svg");
        text.push_str(&image(&name, &title));
        files.push((name, picture));
    }
    with_files(xml, "generalfeedback", &text, &files)
}

/// Returns the HTML that shows a file embedded in the same element.
fn image(file: &str, alternative: &str) -> String {
    format!("<p><img src=\"@@PLUGINFILE@@/{file}\" alt=\"{}\"/></p>", html(alternative))
}

/// Writes an element with HTML, and embeds the files that the HTML shows.
fn with_files(xml: &mut Xml, name: &str, html: &str, files: &[(String, String)]) -> io::Result<()> {
    let outer = xml.create_element(name).with_attribute(("format", "html"));
    outer.write_inner_content(|xml| {
        element(xml, "text", html)?;
        files.iter().try_for_each(|(name, content)| {
            let attributes = [("name", &**name), ("path", "/"), ("encoding", "base64")];
            let content = STANDARD.encode(content);
            let file = xml.create_element("file").with_attributes(attributes);
            file.write_text_content(BytesText::new(&content))?;
            Ok(())
        })
    })?;
    Ok(())
}

fn multichoice(xml: &mut Xml, choices: &[Choice]) -> io::Result<()> {
    element(xml, "single", "true")?;
    element(xml, "shuffleanswers", "true")?;
    element(xml, "answernumbering", "ABCD")?;
    choices.iter().try_for_each(|it| {
        let grade = if it.is_right { RIGHT } else { WRONG };
        answer(xml, (grade, "html"), &html(&it.text), &it.explanation, |_| Ok(()))
    })
}

/// Writes the right number, and the wrong numbers that have an explanation.
fn numerical(xml: &mut Xml, number: &Number) -> io::Result<()> {
    let tolerance = plain(number.tolerance);
    let right = (RIGHT, number.answer, "");
    let wrong = number.wrong.iter().map(|it| (WRONG, it.value, it.explanation));
    [right].into_iter().chain(wrong).try_for_each(|(grade, value, why)| {
        answer(xml, (grade, "moodle_auto_format"), &plain(value), why, |xml| {
            element(xml, "tolerance", &tolerance)
        })
    })?;
    element(xml, "unitgradingtype", "0")?;
    element(xml, "unitpenalty", "0.1")?;
    // 3 means that the student does not enter a unit.
    element(xml, "showunits", "3")?;
    element(xml, "unitsleft", "0")
}

/// Writes an ordering question, whose answers must be in the right order in the file.
fn in_order(xml: &mut Xml, order: &Order) -> io::Result<()> {
    element(xml, "layouttype", "VERTICAL")?;
    element(xml, "selecttype", "ALL")?;
    element(xml, "selectcount", "0")?;
    element(xml, "gradingtype", "ABSOLUTE_POSITION")?;
    element(xml, "showgrading", "SHOW")?;
    element(xml, "numberingstyle", "none")?;
    let mut events = (1..).zip(order.in_order());
    events.try_for_each(|(place, label): (u32, &str)| {
        answer(xml, (&place.to_string(), "html"), &html(label), "", |_| Ok(()))
    })
}

/// Writes a matching question, in which each event matches its place in the order.
fn matching(xml: &mut Xml, order: &Order) -> io::Result<()> {
    element(xml, "shuffleanswers", "true")?;
    order.places().try_for_each(|(label, place)| {
        let event = xml.create_element("subquestion").with_attribute(("format", "html"));
        event.write_inner_content(|xml| {
            element(xml, "text", &paragraph(label))?;
            nested(xml, "answer", &place.to_string())
        })?;
        Ok(())
    })
}

fn essay(xml: &mut Xml, rubric: &str) -> io::Result<()> {
    element(xml, "responseformat", "editor")?;
    element(xml, "responserequired", "1")?;
    element(xml, "responsefieldlines", "10")?;
    element(xml, "attachments", "0")?;
    element(xml, "attachmentsrequired", "0")?;
    html_element(xml, "graderinfo", rubric)?;
    html_element(xml, "responsetemplate", "")
}

/// Writes an answer with its grade, its format and its explanation.
fn answer(
    xml: &mut Xml,
    (fraction, format): (&str, &str),
    text: &str,
    explanation: &str,
    more: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    let attributes = [("fraction", fraction), ("format", format)];
    xml.create_element("answer").with_attributes(attributes).write_inner_content(|xml| {
        element(xml, "text", text)?;
        html_element(xml, "feedback", &optional(explanation))?;
        more(xml)
    })?;
    Ok(())
}

fn question(
    xml: &mut Xml,
    kind: &str,
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    xml.create_element("question").with_attribute(("type", kind)).write_inner_content(content)?;
    Ok(())
}

/// Writes an element with HTML.
fn html_element(xml: &mut Xml, name: &str, html: &str) -> io::Result<()> {
    let outer = xml.create_element(name).with_attribute(("format", "html"));
    outer.write_inner_content(|xml| element(xml, "text", html))?;
    Ok(())
}

/// Writes an element with a text inside `<text>`.
fn nested(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    xml.create_element(name).write_inner_content(|xml| element(xml, "text", text))?;
    Ok(())
}

fn element(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    xml.create_element(name).write_text_content(BytesText::new(&allowed(text)))?;
    Ok(())
}

/// Returns the text as a paragraph, or an empty string if the text is empty.
fn optional(text: &str) -> String {
    if text.is_empty() { String::new() } else { paragraph(text) }
}
