//! The answer key: the right answer to each item on a student's sheet.

use super::class::Student;
use super::item::{Item, Kind};
use super::sheet::Sheet;
use crate::report::{escaped, wrapped};
use serde_json::{Value, json};

/// Returns the answer keys of students as text for people.
pub(crate) fn text(sheets: &[(Student, Sheet)]) -> String {
    sheets.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one((student, sheet): &(Student, Sheet)) -> String {
    let name = student.name.as_deref().map(|name| format!("{}, ", escaped(name)));
    let (id, assignment) = (escaped(&student.id), escaped(&sheet.header.name.assignment));
    let name = name.unwrap_or_default();
    let mut text = format!("{id}, {name}{assignment}, sheet {}\n", sheet.header.sheet);
    let mut numbers = 1..;
    for lab in &sheet.labs {
        text.extend(["  ", &lab.command, "\n"]);
        text.extend(lab.items.iter().zip(numbers.by_ref()).map(lines));
    }
    text
}

/// Returns the lines for an item and its number on the sheet.
fn lines((item, number): (&Item, usize)) -> String {
    match &item.kind {
        Kind::Explanation(criteria) => {
            let criteria =
                criteria.iter().map(|it| wrapped(&format!("      {}: {}", it.points, it.text), 9));
            format!(
                "    {number}. {}: by hand, at most {} points\n{}",
                item.id,
                item.points,
                criteria.collect::<String>()
            )
        }
        _ => format!(
            "    {number}. {}: {}{}\n",
            item.id,
            item.right_answer().unwrap_or_default(),
            tolerance(item)
        ),
    }
}

fn tolerance(item: &Item) -> String {
    match &item.kind {
        Kind::Number(number) => format!(" ± {}", number.tolerance),
        _ => String::new(),
    }
}

/// Returns the answer keys of students as JSON.
pub(crate) fn json(sheets: &[(Student, Sheet)]) -> Value {
    let key = |(student, sheet): &(Student, Sheet)| {
        json!({
            "student": student.id,
            "name": student.name,
            "assignment": sheet.header.name.assignment,
            "sheet": sheet.header.sheet,
            "items": sheet.labs.iter().flat_map(|lab| lab.items.iter().map(|it| item(&lab.command, it)))
                .collect::<Vec<_>>(),
        })
    };
    json!({ "keys": sheets.iter().map(key).collect::<Vec<_>>() })
}

fn item(command: &str, item: &Item) -> Value {
    let mut object = json!({
        "item": item.id,
        "command": command,
        "points": item.points,
        "prompt": item.prompt,
        "answer": item.right_answer(),
    });
    match &item.kind {
        Kind::Number(number) => {
            object["number"] = number.answer.into();
            object["tolerance"] = number.tolerance.into();
            object["unit"] = number.unit.into();
        }
        Kind::Order(order) => object["order"] = order.in_order().collect::<Vec<_>>().into(),
        Kind::Field(field) => {
            let row =
                item.table.as_ref().and_then(|it| it.blanks.get(field.blank)).map(|it| it.row + 1);
            object["packet"] = row.into();
            object["field"] = field.asked.name().into();
        }
        Kind::Explanation(criteria) => {
            let criterion =
                |it: &super::item::Criterion| json!({ "points": it.points, "text": it.text });
            object["rubric"] = criteria.iter().map(criterion).collect();
        }
        Kind::Choice(choices) => {
            object["choice"] =
                choices.iter().find(|it| it.is_right).map(|it| it.text.as_str()).into();
        }
    }
    object
}
