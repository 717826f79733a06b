//! Grades whole answer files, and checks the grades in every output format.

use super::*;
use crate::teach::sheet::answers_file;
use crate::teach::submission::read;

fn secret() -> Secret {
    Secret::of(b"the secret of the tests").expect("long enough")
}

fn sheet(student: &str) -> Sheet {
    let name = SheetName { assignment: "week 1".to_owned(), student: student.to_owned() };
    Sheet::new(&secret(), name, &["exchange", "loss", "stale"], &mut Runs::default())
}

/// Returns a sheet's answer file. The function `answer` fills in the answer to each item.
fn filled(sheet: &Sheet, answer: impl Fn(&Item) -> String) -> String {
    sheet.items().fold(answers_file(sheet), |file, item| {
        let empty = match item.kind {
            Kind::Explanation(_) => format!("{} = '''\n\n'''", item.id),
            _ => format!("{} = ''", item.id),
        };
        assert!(file.contains(&empty));
        file.replace(&empty, &format!("{} = \"{}\"", item.id, answer(item)))
    })
}

fn right(item: &Item) -> String {
    item.right_answer().unwrap_or_else(|| "Because.".to_owned())
}

fn graded(file: &str, marks: &Marks) -> Result<Grade, Vec<Mistake>> {
    let submission = read(file.as_bytes()).map_err(|it| vec![it])?;
    grade(&secret(), &submission, marks, &mut Runs::default())
}

fn best() -> Grade {
    graded(&filled(&sheet("s1"), right), &Marks::default()).expect("a grade")
}

#[test]
fn the_key_gets_all_points_and_an_empty_file_none() {
    let best = best();
    assert_eq!(best.points(), best.max());
    assert_eq!((best.unmarked().count(), best.unreadable.len()), (3, 0));
    let none = graded(&answers_file(&sheet("s1")), &Marks::default()).expect("a grade");
    assert_eq!((none.points(), none.max()), (Points(0), best.max()));
    let empty = none.items.iter().filter(|it| it.outcome == Outcome::Empty);
    assert!(
        empty.clone().count() > 10 && empty.clone().all(|it| it.feedback.starts_with("Right: "))
    );
}

#[test]
fn the_answers_of_another_student_get_few_points() {
    let other = sheet("s2");
    let copied = filled(&sheet("s1"), |item| {
        other.items().find(|it| it.id == item.id).map_or_else(String::new, right)
    });
    let grade = graded(&copied, &Marks::default()).expect("a grade");
    assert!(grade.points() < Points(grade.max().0 / 2), "{} of {}", grade.points(), grade.max());
}

#[test]
fn an_edited_or_foreign_file_is_not_graded() {
    let file = filled(&sheet("s1"), right);
    for edited in [
        file.replace("student = \"s1\"", "student = \"s2\""),
        file.replace("week 1", "week 2"),
        file.replace("[\"exchange\", \"loss\", \"stale\"]", "[\"exchange\"]"),
    ] {
        assert_ne!(edited, file);
        let mistakes = graded(&edited, &Marks::default()).expect_err("edited");
        assert!(mistakes[0].reason.contains("edited") && mistakes[0].line == 5, "{mistakes:?}");
    }
    let missing = file.replace("exchange-sequence = ", "exchange-sequenze = ");
    let mistakes = graded(&missing, &Marks::default()).expect_err("another item");
    let [foreign, missing] = &mistakes[..] else { panic!("{mistakes:?}") };
    assert!(foreign.reason.contains("no item exchange-sequenze"), "{foreign:?}");
    assert!(missing.reason.contains("exchange-sequence is missing"), "{missing:?}");
}

#[test]
fn an_answer_that_cannot_be_read_is_reported_with_its_line() {
    let text = filled(&sheet("s1"), |item| match &*item.id {
        "exchange-tcp-time" => "eighty".to_owned(),
        _ => right(item),
    });
    let grade = graded(&text, &Marks::default()).expect("a grade");
    let [mistake] = &grade.unreadable[..] else { panic!("{:?}", grade.unreadable) };
    let line = text.lines().nth(mistake.line - 1).expect("the line");
    assert_eq!(line, "exchange-tcp-time = \"eighty\"");
    assert!(mistake.reason.contains("not a number"), "{mistake:?}");
}

#[test]
fn marks_by_hand_count_and_unmarked_explanations_do_not() {
    let marks = b"student_id,item,points,comment\ns1,loss-explanation,1.5,Good.\n";
    let marks = Marks::read(marks).expect("marks");
    let (before, after) = (best(), graded(&filled(&sheet("s1"), right), &marks).expect("a grade"));
    let item = after.items.iter().find(|it| it.id == "loss-explanation").expect("the item");
    assert_eq!((item.points, &*item.feedback), (Some(Points(150)), "Good."));
    assert_eq!(after.points().0, before.points().0 + 150);
    assert_eq!(after.max().0, before.max().0 + item.max.0);
    assert_eq!(after.unmarked().count(), 2);
}

#[test]
fn a_mark_without_an_answer_or_above_the_maximum_is_reported() {
    let marks = "student_id,item,points\ns1,loss-explanation,99\ns9,loss-explanation,1\ns1,loss-tcp-time,1\n\
                 s1,stale-explanation,1\n";
    let marks = Marks::read(marks.as_bytes()).expect("marks");
    let grade = graded(&filled(&sheet("s1"), right), &marks).expect("a grade");
    let possible = best().points().0 + 100;
    assert_eq!(grade.points(), Points(possible), "an impossible mark does not count");
    let mistakes = marks.mistakes(&[grade]);
    let lines: Vec<usize> = mistakes.iter().map(|it| it.line).collect();
    assert_eq!(lines, [2, 3, 4], "{mistakes:?}");
}

#[test]
fn every_format_has_the_points_and_the_feedback() {
    let best = best();
    let grades = [best.clone(), best.clone()];
    let score = best.points();
    let shown = text(&grades);
    assert!(
        shown.starts_with(&format!("s1, week 1: {score} of {score} points; 3 to mark by hand\n"))
    );
    assert!(shown.contains("  exchange-tcp-time: 2 of 2, right\n"), "{shown}");
    let table = csv(&grades).expect("CSV");
    let row = format!("week 1,,,s1,,,,{score},0,{score},{score}");
    assert_eq!(table.lines().nth(1), Some(&*row));
    assert!(table.starts_with("assignment,duedate,timestamp,student_id,"));
    let object = json(&grades);
    assert_eq!(object["grades"][1]["score"], score.number());
    let xml = junit(&grades).expect("XML");
    assert!(
        xml.contains("<testsuite name=\"week 1 s1\"") && xml.contains("skipped=\"3\""),
        "{xml}"
    );
    let results = gradescope(&best);
    assert_eq!(results["tests"].as_array().map(Vec::len), Some(best.items.len() - 3));
    assert_eq!(results["tests"][0]["max_score"], 2.0);
    let lines = autolab(&best);
    let last: serde_json::Value = lines.lines().last().expect("a line").parse().expect("JSON");
    assert_eq!(last["scores"]["exchange-tcp-time"], 2.0);
}
