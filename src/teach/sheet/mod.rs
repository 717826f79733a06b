//! A student's exercise sheet: items from one or more labs, as a page to read and as an answer file to hand in.

mod answers;
mod html;

pub(crate) use answers::{answers_file, form};
pub(crate) use html::html;

use super::bank::{LabItems, Runs, draw_items};
use super::draw::{Secret, SheetName, VERSION};
use super::item::{Criterion, Item, Kind};
use crate::lab::{self, Lab};
use crate::report::hex;

/// The fields that identify a sheet. The answer file repeats them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub version: u64,
    pub name: SheetName,
    /// Names of the labs, in the order in which they appear on the sheet.
    pub labs: Vec<String>,
    pub explanations: Explanations,
    /// Short name of the sheet, for human readers.
    pub sheet: String,
    /// Code over the items with their points and right answers, as this version of the program draws them.
    pub items: String,
    /// Code over the other fields. It cannot be made for other fields without the secret.
    pub tag: String,
}

/// Whether a sheet asks for explanations, which a teacher marks by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Explanations {
    #[default]
    Asked,
    LeftOut,
}

/// One student's sheet.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub header: Header,
    pub labs: Vec<LabItems>,
}

impl Header {
    /// Makes the header of a sheet with these items.
    fn new(
        secret: &Secret,
        name: SheetName,
        labs: Vec<String>,
        explanations: Explanations,
        items: String,
    ) -> Self {
        let fields = [&items].into_iter().chain(&labs).map(String::as_bytes);
        let sheet = hex(&secret.tag(&name, &[b"sheet"]))[..8].to_owned();
        let fields: Vec<&[u8]> = [explanations.purpose()].into_iter().chain(fields).collect();
        let tag = hex(&secret.tag(&name, &fields));
        Self { version: VERSION, name, labs, explanations, sheet, items, tag }
    }

    /// Whether the header was made with this secret and has not been edited.
    pub(crate) fn is_genuine(&self, secret: &Secret) -> bool {
        let Self { name, labs, explanations, items, .. } = self.clone();
        *self == Self::new(secret, name, labs, explanations, items)
    }
}

impl Explanations {
    /// Returns the first field of a header's tag. So a student who adds or removes the line `explanations = false` has
    /// a header that is not genuine.
    const fn purpose(self) -> &'static [u8] {
        match self {
            Self::Asked => b"header",
            Self::LeftOut => b"header without explanations",
        }
    }
}

impl Sheet {
    /// Makes the sheet of a student. Leaves out labs that have no items.
    pub(crate) fn new(
        secret: &Secret,
        name: SheetName,
        labs: &[&str],
        explanations: Explanations,
        runs: &mut Runs,
    ) -> Self {
        let names: Vec<String> = labs.iter().map(|it| (*it).to_owned()).collect();
        let mut labs = draw_labs(secret, &name, &names, explanations, runs);
        labs.retain(|lab| !lab.items.is_empty());
        let names = labs.iter().map(|lab| lab.lab.name().to_owned()).collect();
        let items = items_code(secret, &name, &labs);
        Self { header: Header::new(secret, name, names, explanations, items), labs }
    }

    /// Draws the sheet of a header that [`Header::is_genuine`] again. Returns `None` if this version of the program draws
    /// other items.
    pub(crate) fn draw(secret: &Secret, header: Header, runs: &mut Runs) -> Option<Self> {
        let labs = draw_labs(secret, &header.name, &header.labs, header.explanations, runs);
        let items = items_code(secret, &header.name, &labs);
        (items == header.items).then_some(Self { header, labs })
    }

    /// Iterates over the items from all labs.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.labs.iter().flat_map(|lab| &lab.items)
    }
}

/// Draws the items of the labs. The other items are the same with explanations and without.
fn draw_labs(
    secret: &Secret,
    name: &SheetName,
    labs: &[String],
    explanations: Explanations,
    runs: &mut Runs,
) -> Vec<LabItems> {
    let labs = labs.iter().filter_map(|name| lab::find(name));
    let is_asked = |item: &Item| match explanations {
        Explanations::Asked => true,
        Explanations::LeftOut => !matches!(item.kind, Kind::Explanation(_)),
    };
    let draw = |lab: &'static Lab| {
        let mut lab = draw_items(lab, &mut secret.draw(name, lab.name()), runs);
        lab.items.retain(is_asked);
        lab
    };
    labs.map(draw).collect()
}

fn points_of(criteria: &[Criterion]) -> String {
    criteria.iter().map(|it| format!(" {}", it.points)).collect::<Vec<_>>().concat()
}

/// Returns a code computed with the secret from everything that affects the points. Without the secret, a student
/// cannot use the code to test guesses.
fn items_code(secret: &Secret, name: &SheetName, labs: &[LabItems]) -> String {
    let facts = labs.iter().flat_map(|lab| &lab.items).flat_map(|item| {
        let answer = match &item.kind {
            Kind::Explanation(criteria) => points_of(criteria),
            _ => item.right_answer().unwrap_or_default(),
        };
        [item.id.clone(), item.points.to_string(), answer]
    });
    let facts: Vec<String> = facts.collect();
    let fields = std::iter::once("items").chain(facts.iter().map(String::as_str));
    hex(&secret.tag(name, &fields.map(str::as_bytes).collect::<Vec<_>>()))
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
        Sheet::new(&secret(), name(), labs, Explanations::Asked, &mut Runs::default())
    }

    #[test]
    fn an_edited_header_is_not_genuine() {
        let header = sheet(&["loss", "silent"]).header;
        assert!(header.is_genuine(&secret()));
        let other = Secret::of(b"the secret of another teacher").expect("long enough");
        assert!(!header.is_genuine(&other));
        let edits: [fn(&mut Header); 8] = [
            |it| it.items.push('0'),
            |it| it.version += 1,
            |it| it.name.assignment.push('x'),
            |it| it.name.student.push('x'),
            |it| it.labs.truncate(1),
            |it| it.labs = vec!["losssilent".to_owned()],
            |it| it.sheet.push('0'),
            |it| it.explanations = Explanations::LeftOut,
        ];
        for edit in edits {
            let mut edited = header.clone();
            edit(&mut edited);
            assert!(!edited.is_genuine(&secret()), "{edited:?}");
        }
    }

    #[test]
    fn a_sheet_with_other_points_is_of_another_version() {
        let (mut runs, mut sheet) = (Runs::default(), sheet(&["exchange"]));
        let header = sheet.header.clone();
        assert!(Sheet::draw(&secret(), header.clone(), &mut runs).is_some());
        sheet.labs[0].items[0].points += 1;
        let items = items_code(&secret(), &name(), &sheet.labs);
        assert_ne!(items, header.items);
        let older = Header::new(&secret(), name(), header.labs, header.explanations, items);
        assert!(older.is_genuine(&secret()));
        assert!(Sheet::draw(&secret(), older, &mut runs).is_none());
    }

    /// If this test fails, sheets that were handed out before can no longer be graded.
    // The code is over all labs.
    #[cfg(all(feature = "client", feature = "server"))]
    #[test]
    fn a_change_of_the_items_needs_a_new_version() {
        if !crate::sys::REPORTS_QUEUES {
            return; // such a system has fewer findings, so it has other items
        }
        let labs: Vec<&str> = lab::LABS.iter().map(|lab| lab.name).collect();
        let code = (VERSION, &*sheet(&labs).header.items);
        let advice = "after a release, increase VERSION; then put the new code into this test";
        assert_eq!(code, (1, "3a723226c32fb03fcf8099e89f1d61f0"), "the items changed: {advice}");
    }

    /// The lab unread needs sockets.
    #[cfg(all(feature = "client", feature = "server"))]
    #[test]
    fn a_sheet_without_explanations_has_the_same_other_items_and_another_tag() {
        let (secret, mut runs) = (secret(), Runs::default());
        let labs = ["exchange", "unread", "loss"];
        let without = Sheet::new(&secret, name(), &labs, Explanations::LeftOut, &mut runs);
        let with = sheet(&labs);
        assert_eq!(without.header.labs, ["exchange", "loss"], "unread has only an explanation");
        let others = with.items().filter(|it| !matches!(it.kind, Kind::Explanation(_)));
        assert!(without.items().eq(others) && without.items().count() == with.items().count() - 3);
        // A header with the labs and items of the other sheet is not genuine either.
        let (mut one, mut other) = (without.header.clone(), sheet(&["exchange", "loss"]).header);
        assert!(one.is_genuine(&secret) && other.is_genuine(&secret));
        assert!(Sheet::draw(&secret, one.clone(), &mut runs).is_some());
        std::mem::swap(&mut one.explanations, &mut other.explanations);
        assert!(!one.is_genuine(&secret) && !other.is_genuine(&secret));
        std::mem::swap(&mut one.items, &mut other.items);
        assert!(!one.is_genuine(&secret) && !other.is_genuine(&secret));
    }

    #[test]
    fn two_students_have_different_sheets_and_one_student_always_the_same() {
        let other = SheetName { student: "s2".to_owned(), ..name() };
        let other =
            Sheet::new(&secret(), other, &["exchange"], Explanations::Asked, &mut Runs::default());
        let [one, again] = [sheet(&["exchange"]), sheet(&["exchange"])];
        let prompts = |sheet: &Sheet| sheet.items().cloned().collect::<Vec<_>>();
        assert_eq!(prompts(&one), prompts(&again));
        assert_ne!(prompts(&one), prompts(&other));
    }
}
