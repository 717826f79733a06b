//! A student's exercise sheet: items from one or more labs, as a page to read and as an answer file to hand in.

mod answers;
mod html;

pub(crate) use answers::{answers_file, form};
pub(crate) use html::html;

use super::bank::{LabItems, Runs, draw_items};
use super::draw::{Secret, SheetName, VERSION};
use super::item::Item;
use crate::lab::{self, Lab};
use crate::report::hex;

/// The fields that identify a sheet. The answer file repeats them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub version: u64,
    pub name: SheetName,
    /// Names of the labs, in the order in which they appear on the sheet.
    pub labs: Vec<String>,
    /// Short name of the sheet, for human readers.
    pub sheet: String,
    /// Message authentication code over the other fields. It cannot be computed for different fields without the
    /// secret.
    pub tag: String,
}

/// One student's sheet.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub header: Header,
    pub labs: Vec<LabItems>,
}

impl Header {
    /// Makes the header of a sheet.
    pub(crate) fn new(secret: &Secret, name: SheetName, labs: &[&str]) -> Self {
        let labs: Vec<String> = labs.iter().map(|it| (*it).to_owned()).collect();
        let fields: Vec<&[u8]> = labs.iter().map(String::as_bytes).collect();
        let sheet = hex(&secret.tag(&name, &[b"sheet"]))[..8].to_owned();
        let fields: Vec<&[u8]> = [&b"header"[..]].into_iter().chain(fields).collect();
        let tag = hex(&secret.tag(&name, &fields));
        Self { version: VERSION, name, labs, sheet, tag }
    }

    /// Whether the header was made with this secret and has not been edited.
    pub(crate) fn is_genuine(&self, secret: &Secret) -> bool {
        let labs: Vec<&str> = self.labs.iter().map(String::as_str).collect();
        *self == Self::new(secret, self.name.clone(), &labs)
    }
}

impl Sheet {
    /// Generates the sheet for a header. The caller has checked the header with [`Header::is_genuine`].
    pub(crate) fn draw(secret: &Secret, header: Header, runs: &mut Runs) -> Self {
        let labs = header.labs.iter().filter_map(|name| lab::find(name));
        let draw =
            |lab: &'static Lab| draw_items(lab, &mut secret.draw(&header.name, lab.name()), runs);
        let labs = labs.map(draw).collect();
        Self { header, labs }
    }

    /// Iterates over the items from all labs.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.labs.iter().flat_map(|lab| &lab.items)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn secret() -> Secret {
        Secret::of(b"the secret of the tests").expect("long enough")
    }

    pub(crate) fn name() -> SheetName {
        SheetName { assignment: "week 1".to_owned(), student: "s1".to_owned() }
    }

    pub(crate) fn sheet(labs: &[&str]) -> Sheet {
        let header = Header::new(&secret(), name(), labs);
        Sheet::draw(&secret(), header, &mut Runs::default())
    }

    #[test]
    fn an_edited_header_is_not_genuine() {
        let header = Header::new(&secret(), name(), &["loss", "silent"]);
        assert!(header.is_genuine(&secret()));
        let other = Secret::of(b"the secret of another teacher").expect("long enough");
        assert!(!header.is_genuine(&other));
        let edits: [fn(&mut Header); 6] = [
            |it| it.version += 1,
            |it| it.name.assignment.push('x'),
            |it| it.name.student.push('x'),
            |it| it.labs.truncate(1),
            |it| it.labs = vec!["losssilent".to_owned()],
            |it| it.sheet.push('0'),
        ];
        for edit in edits {
            let mut edited = header.clone();
            edit(&mut edited);
            assert!(!edited.is_genuine(&secret()), "{edited:?}");
        }
    }

    #[test]
    fn two_students_have_different_sheets_and_one_student_always_the_same() {
        let other = SheetName { student: "s2".to_owned(), ..name() };
        let other = Header::new(&secret(), other, &["exchange"]);
        let other = Sheet::draw(&secret(), other, &mut Runs::default());
        let [one, again] = [sheet(&["exchange"]), sheet(&["exchange"])];
        let prompts = |sheet: &Sheet| sheet.items().cloned().collect::<Vec<_>>();
        assert_eq!(prompts(&one), prompts(&again));
        assert_ne!(prompts(&one), prompts(&other));
    }
}
