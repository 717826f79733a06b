//! The answer file that a student fills in and hands in.

use super::{Explanations, Header, Sheet};
use crate::report::plural;
use crate::teach::item::{Item, Kind, PacketField, letter};

/// Returns the `answers.toml` for a sheet. It contains the header, and one line per item. The comment above each line
/// has the task and the form of the answer. The comment is one line, so that the end of an answer above it can be found.
pub(crate) fn answers_file(sheet: &Sheet) -> String {
    let mut file = head(&sheet.header);
    for (number, item) in sheet.items().enumerate() {
        let points = plural(item.points.into(), "point");
        let number = (number + 1).to_string();
        let empty = match item.kind {
            // In these strings of TOML, a backslash stands for itself.
            Kind::Explanation(_) => " = '''\n\n'''\n",
            _ => " = ''\n",
        };
        let comment = ["\n# ", &number, ". (", &points, ") ", &item.prompt, " ", &form(item), "\n"];
        file.extend(comment.into_iter().chain([&*item.id, empty]));
    }
    file
}

fn head(header: &Header) -> String {
    let Header { version, name, labs, explanations, sheet, items, tag } = header;
    let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let labs: Vec<String> = labs.iter().map(|lab| text(lab)).collect();
    let explanations = match explanations {
        Explanations::Asked => "",
        Explanations::LeftOut => "explanations = false\n",
    };
    format!(
        "# Write each answer between the quotes below [answers]. Leave all other lines as they are.\n\
         version = {version}\nsheet = {}\nassignment = {}\nstudent = {}\nlabs = [{}]\n{explanations}items = {}\ntag = {}\n\n[answers]\n",
        text(sheet),
        text(&name.assignment),
        text(&name.student),
        labs.join(", "),
        text(items),
        text(tag)
    )
}

/// Returns a description of the form that an answer to this item must have, for the student.
pub(crate) fn form(item: &Item) -> String {
    match &item.kind {
        Kind::Number(number) => format!("A number in {}.", number.unit),
        Kind::Choice(choices) => {
            format!("The letter of one choice, A to {}.", letter(choices.len().saturating_sub(1)))
        }
        Kind::Order(order) => {
            let last = letter(order.labels.len().saturating_sub(1));
            format!("All letters from A to {last}, the first event first.")
        }
        Kind::Field(field) if field.asked == PacketField::Flags => {
            "The names of the flags, such as RST, ACK.".to_owned()
        }
        Kind::Field(_) => "A whole number.".to_owned(),
        Kind::Explanation(_) => "A few sentences, also on several lines.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sheet;
    use super::*;

    #[test]
    fn the_file_has_a_line_for_each_item_and_is_toml() {
        let sheet = sheet(&["exchange", "loss"]);
        let file = answers_file(&sheet);
        let table: toml::Table = file.parse().expect("TOML");
        let answers = table["answers"].as_table().expect("a table");
        assert_eq!(answers.len(), sheet.items().count());
        assert!(sheet.items().all(|item| answers.contains_key(&item.id)));
        let time = "# 1. (2 points) The client begins at 0 ms. After how many milliseconds does it have the reply over \
                    TCP? A number in ms.\nexchange-tcp-time = ''\n";
        assert!(file.contains(time), "{file}");
        assert_eq!(table["student"].as_str(), Some("s1"));
    }

    #[cfg(all(feature = "client", feature = "server"))]
    #[test]
    fn the_task_of_every_item_is_one_line_of_at_most_500_characters_above_its_answer() {
        let labs: Vec<&str> = crate::lab::LABS.iter().map(|lab| lab.name).collect();
        let sheet = sheet(&labs);
        let file = answers_file(&sheet);
        for item in sheet.items() {
            let (before, _) = file.split_once(&format!("\n{} = ''", item.id)).expect("a line");
            let line = before.lines().last().expect("a comment");
            assert!(line.starts_with("# ") && line.contains(&item.prompt), "{}: {line}", item.id);
            assert!(line.chars().count() <= 500, "{line}");
        }
    }

    #[test]
    fn a_name_with_quotes_stays_one_string() {
        let mut sheet = sheet(&["loop"]);
        let wild = "a\" \\ ''' \u{2028} ]\n[x]";
        wild.clone_into(&mut sheet.header.name.student);
        let table: toml::Table = answers_file(&sheet).parse().expect("TOML");
        assert_eq!(table["student"].as_str(), Some(wild));
    }
}
