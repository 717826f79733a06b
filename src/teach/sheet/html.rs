//! The sheet as an HTML page that a student can fill in on the screen or print.

use super::{Sheet, form};
use crate::report::plural;
use crate::teach::bank::LabItems;
use crate::teach::item::{Cell, Item, Kind, PacketField, PacketTable, letter};
use askama::Template;

/// The data for the page's template.
#[derive(Debug, Template)]
#[template(path = "sheet.html", whitespace = "minimize")]
struct Page<'a> {
    css: &'static str,
    assignment: &'a str,
    student: &'a str,
    /// The student's name; empty if the class list does not contain names.
    name: &'a str,
    sheet: &'a str,
    points: u32,
    labs: Vec<LabView<'a>>,
}

/// A lab on the page.
#[derive(Debug)]
struct LabView<'a> {
    name: &'static str,
    question: &'static str,
    options: &'a [String],
    command: &'a str,
    items: Vec<ItemView<'a>>,
}

/// An item on the page.
#[derive(Debug)]
struct ItemView<'a> {
    number: usize,
    id: &'a str,
    prompt: &'a str,
    form: String,
    points: String,
    /// Table above the item; `None` if the previous item already shows the same table.
    table: Option<TableView<'a>>,
    input: Input<'a>,
}

/// The form field in which a student enters an answer.
#[derive(Debug)]
enum Input<'a> {
    Choice(Vec<(char, &'a str)>),
    Explanation,
    Order(Vec<(char, &'a str)>),
    /// A line to write on, followed by this unit.
    Line(&'a str),
}

#[derive(Debug)]
struct TableView<'a> {
    caption: &'a str,
    rows: Vec<RowView<'a>>,
}

#[derive(Debug)]
struct RowView<'a> {
    number: usize,
    from: &'a str,
    to: &'a str,
    cells: Vec<CellView>,
    is_lost: bool,
}

#[derive(Debug)]
struct CellView {
    text: String,
    is_blank: bool,
    is_number: bool,
}

/// Returns a sheet's page for the student with this name.
///
/// # Errors
/// Returns an error if the template cannot be written to memory.
pub(crate) fn html(sheet: &Sheet, name: Option<&str>) -> askama::Result<String> {
    let header = &sheet.header;
    let mut number = 0;
    let page = Page {
        css: include_str!("../../../templates/sheet.css"),
        assignment: &header.name.assignment,
        student: &header.name.student,
        name: name.unwrap_or_default(),
        sheet: &header.sheet,
        points: sheet.items().map(|item| item.points).sum(),
        labs: sheet.labs.iter().map(|lab| lab_view(lab, &mut number)).collect(),
    };
    page.render()
}

fn lab_view<'a>(lab: &'a LabItems, number: &mut usize) -> LabView<'a> {
    let mut before: Option<&PacketTable> = None;
    let items = lab.items.iter().map(|item| {
        *number += 1;
        let is_new = item.table.is_some() && item.table.as_ref() != before;
        before = item.table.as_ref();
        item_view(item, *number, is_new)
    });
    LabView {
        items: items.collect(),
        name: lab.lab.name(),
        question: lab.lab.question(),
        options: &lab.options,
        command: &lab.command,
    }
}

fn item_view(item: &Item, number: usize, has_new_table: bool) -> ItemView<'_> {
    let input = match &item.kind {
        Kind::Number(number) => Input::Line(number.unit),
        Kind::Field(_) => Input::Line(""),
        Kind::Choice(choices) => Input::Choice(lettered(choices.iter().map(|it| &*it.text))),
        Kind::Order(order) => Input::Order(lettered(order.labels.iter().map(|it| &**it))),
        Kind::Explanation(_) => Input::Explanation,
    };
    let table = item.table.as_ref().filter(|_| has_new_table).map(table_view);
    ItemView {
        number,
        id: &item.id,
        prompt: &item.prompt,
        form: form(item),
        points: plural(item.points.into(), "point"),
        table,
        input,
    }
}

fn lettered<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<(char, &'a str)> {
    texts.enumerate().map(|(number, text)| (letter(number), text)).collect()
}

fn table_view(table: &PacketTable) -> TableView<'_> {
    let fields = [
        PacketField::Flags,
        PacketField::Sequence,
        PacketField::Acknowledgement,
        PacketField::Length,
    ];
    let cell = |row: usize, field: PacketField| {
        let is_number = field != PacketField::Flags;
        match table.cell(row, field) {
            Cell::Blank(letter) => CellView { text: letter.to_string(), is_blank: true, is_number },
            Cell::Value(text) => CellView { text, is_blank: false, is_number },
        }
    };
    let rows = table.rows.iter().enumerate().map(|(row, packet)| RowView {
        number: row + 1,
        from: &packet.from,
        to: &packet.to,
        cells: fields.map(|field| cell(row, field)).into(),
        is_lost: packet.is_lost,
    });
    TableView { caption: &table.caption, rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sheet;
    use super::*;

    #[test]
    fn the_page_has_every_item_with_an_input_and_the_options_and_no_script() {
        let sheet = sheet(&["exchange", "loss", "silent", "stale", "loop", "notes"]);
        let page = html(&sheet, Some("Jo Roe")).expect("a page");
        for item in sheet.items() {
            assert!(page.contains(&format!("name=\"{}\"", item.id)), "{}", item.id);
        }
        for lab in &sheet.labs {
            assert!(page.contains(&lab.command), "{}", lab.command);
        }
        assert!(page.contains("Content-Security-Policy") && page.contains("Jo Roe"));
        assert!(
            !page.contains("<script") && !page.contains("http:") && !page.contains("https:"),
            "{page}"
        );
        assert_eq!(page.matches("<caption>").count(), 2, "one table for three items");
    }

    #[test]
    fn the_page_shows_letters_in_place_of_blank_fields_and_no_tag() {
        let sheet = sheet(&["exchange"]);
        let page = html(&sheet, None).expect("a page");
        assert!(!page.contains(&sheet.header.tag));
        for letter in ["A", "B", "C"] {
            assert!(page.contains(&format!("<td class=\"blank\">{letter}</td>")), "{page}");
        }
        assert_eq!(page.matches("class=\"blank\"").count(), 3);
    }

    #[test]
    fn names_from_a_class_list_are_inert() {
        let mut sheet = sheet(&["loop"]);
        "<img src=x>\"'".clone_into(&mut sheet.header.name.student);
        let page = html(&sheet, Some("</title><script>alert(1)</script>")).expect("a page");
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    }
}
