//! Grades whole answer files, and checks the grades in every output format.

use super::*;
use crate::teach::sheet::{Explanations, answers_file};
use crate::teach::submission::read;

fn secret() -> Secret {
    Secret::of(b"the secret of the tests").expect("long enough")
}

fn sheet(student: &str) -> Sheet {
    let name = SheetName { assignment: "week 1".to_owned(), student: student.to_owned() };
    let (labs, explanations) = (["exchange", "loss", "stale"], Explanations::Asked);
    Sheet::new(&secret(), name, &labs, explanations, &mut Runs::default())
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

/// Grades a sheet with the same text for each explanation, and with these marks.
pub(super) fn graded_explanations(
    student: &str,
    explanation: &str,
    marks: &[(&str, Points, &str)],
) -> Grade {
    let text = toml::Value::String(explanation.to_owned()).to_string();
    let file = answers_file(&sheet(student)).replace("'''\n\n'''", &text);
    let mut grade = graded(&file, &Marks::default()).expect("a grade");
    for (id, points, comment) in marks {
        let item = grade.items.iter_mut().find(|it| it.id == *id).expect("the item");
        (item.outcome, item.points) = (Outcome::Marked, Some(*points));
        (*comment).clone_into(&mut item.feedback);
    }
    grade
}

fn best() -> Grade {
    graded(&filled(&sheet("s1"), right), &Marks::default()).expect("a grade")
}

#[test]
fn the_key_gets_all_points_and_an_empty_file_none() {
    let best = best();
    assert_eq!(best.points().0 + best.unmarked_points().0, best.max().0);
    assert_eq!((best.unmarked().count(), best.mistakes.len()), (3, 0));
    let none = graded(&answers_file(&sheet("s1")), &Marks::default()).expect("a grade");
    assert_eq!((none.points(), none.max()), (Points(0), best.max()));
    let empty = none.items.iter().filter(|it| it.outcome == Outcome::Empty);
    assert!(
        empty.clone().count() > 10
            && empty.clone().all(|it| it.is_by_hand() || it.feedback.starts_with("Right: "))
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
}

#[test]
fn a_missing_and_a_foreign_line_are_reported_and_the_other_items_are_graded() {
    let file = filled(&sheet("s1"), right);
    let renamed = file.replace("exchange-sequence = ", "exchange-sequenze = ");
    let grade = graded(&renamed, &Marks::default()).expect("a grade");
    assert_eq!(grade.points().0, best().points().0 - 100);
    let [foreign, missing] = &grade.mistakes[..] else { panic!("{:?}", grade.mistakes) };
    assert!(foreign.reason.contains("no item exchange-sequenze"), "{foreign:?}");
    assert!(missing.reason.contains("exchange-sequence: the line is missing"), "{missing:?}");
}

#[test]
fn a_missing_quote_costs_one_item() {
    let file = filled(&sheet("s1"), right);
    let broken = file.replacen("exchange-tcp-time = \"", "exchange-tcp-time = ", 1);
    assert_ne!(broken, file);
    let grade = graded(&broken, &Marks::default()).expect("a grade");
    assert_eq!(grade.points().0, best().points().0 - 200);
    let item = grade.items.iter().find(|it| it.id == "exchange-tcp-time").expect("the item");
    assert_eq!((item.outcome, grade.mistakes.len()), (Outcome::Unreadable, 1));
    assert!(item.answer.ends_with("ms\""), "the teacher sees what the student wrote: {item:?}");
}

#[test]
fn a_file_in_which_no_answer_can_be_read_is_not_graded() {
    let sheet = sheet("s1");
    let file = answers_file(&sheet);
    let (header, _) = file.split_once("[answers]\n").expect("a header");
    for body in ["", "x = 1\n", "The answers are 80 ms and 40 ms.\n"] {
        let mistakes =
            graded(&format!("{header}[answers]\n{body}"), &Marks::default()).expect_err(body);
        assert!(mistakes.len() >= sheet.items().count(), "{mistakes:?}");
    }
}

#[test]
fn an_explanation_with_a_mistake_in_its_quotes_can_be_marked_and_an_empty_one_has_no_points() {
    let text = filled(&sheet("s1"), |item| match &*item.id {
        "loss-explanation" => "TCP \" repeats".to_owned(),
        "stale-explanation" => String::new(),
        _ => right(item),
    });
    let grade = graded(&text, &Marks::default()).expect("a grade");
    let item = |id: &str| grade.items.iter().find(|it| it.id == id).expect("the item");
    assert_eq!(item("loss-explanation").outcome, Outcome::Unmarked);
    assert!(item("loss-explanation").answer.contains("TCP \" repeats"));
    assert_eq!(item("stale-explanation").outcome, Outcome::Empty);
    assert_eq!((item("stale-explanation").points, grade.mistakes.len()), (Some(Points(0)), 1));
}

/// The lab unread needs sockets.
#[cfg(all(feature = "client", feature = "server"))]
#[test]
fn a_sheet_with_only_an_explanation_can_be_marked_if_its_quotes_are_wrong_and_not_if_it_is_empty() {
    let name = SheetName { assignment: "week 1".to_owned(), student: "s1".to_owned() };
    let asked = Explanations::Asked;
    let sheet = Sheet::new(&secret(), name, &["unread"], asked, &mut Runs::default());
    assert_eq!(sheet.items().count(), 1);
    let of = |text: &str| answers_file(&sheet).replace("'''\n\n'''", text);
    for text in ["'''\nA reset.\n", "A reset.", "'A reset.", "‘A reset.’"] {
        let marks = Marks::read(b"id,item,points\ns1,unread-explanation,1\n").expect("marks");
        let grade = graded(&of(text), &marks).expect(text);
        assert_eq!((grade.points(), grade.mistakes.len()), (Points(100), 1), "{text}");
        assert!(grade.items[0].answer.contains("A reset."), "{grade:?}");
    }
    graded(&of("'''\n"), &Marks::default()).expect_err("no text");
}

#[test]
fn a_mistake_in_one_answer_does_not_cut_an_explanation_that_quotes_another_item() {
    let text = "As exchange-tcp-time shows:\nexchange-tcp-time = '40'\nloss = dropped packet";
    let best = best();
    let broken = answers_file(&sheet("s1"))
        .replacen(
            "loss-explanation = '''\n\n'''",
            &format!("loss-explanation = '''\n{text}\n'''"),
            1,
        )
        .replacen("exchange-udp-time = ''", "exchange-udp-time = '", 1)
        .replacen("exchange-tcp-time = ''", "exchange-tcp-time = 'A'", 1);
    let right =
        &best.items.iter().find(|it| it.id == "exchange-tcp-time").expect("the item").answer;
    let grade = graded(&broken.replace("'A'", &format!("'{right}'")), &Marks::default());
    let grade = grade.expect("a grade");
    let item = |id: &str| grade.items.iter().find(|it| it.id == id).expect("the item");
    assert_eq!((item("exchange-tcp-time").outcome, grade.mistakes.len()), (Outcome::Right, 1));
    assert_eq!(item("loss-explanation").answer, text);
}

#[test]
fn a_long_name_that_is_no_item_is_cut_in_its_message() {
    let file = filled(&sheet("s1"), right) + &format!("\"{}\" = 1\n", "x".repeat(200_000));
    let grade = graded(&file, &Marks::default()).expect("a grade");
    let [mistake] = &grade.mistakes[..] else { panic!("one mistake") };
    assert!(
        mistake.reason.ends_with("xx…") && mistake.reason.len() < 100,
        "{}",
        mistake.reason.len()
    );
}

#[test]
fn an_answer_that_cannot_be_read_is_reported_with_its_line() {
    let text = filled(&sheet("s1"), |item| match &*item.id {
        "exchange-tcp-time" => "eighty".to_owned(),
        _ => right(item),
    });
    let grade = graded(&text, &Marks::default()).expect("a grade");
    let [mistake] = &grade.mistakes[..] else { panic!("{:?}", grade.mistakes) };
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
    assert_eq!(after.max(), before.max(), "the maximum is that of the sheet");
    assert_eq!(after.unmarked_points().0, before.unmarked_points().0 - item.max.0);
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

/// Returns marks for all explanations of the student: 1 point each.
fn all_marks() -> Marks {
    let rows = ["exchange", "loss", "stale"].map(|lab| format!("s1,{lab}-explanation,1\n"));
    let file = format!("student_id,item,points\n{}", rows.concat());
    Marks::read(file.as_bytes()).expect("marks")
}

#[test]
fn every_format_has_the_same_maximum_and_says_what_is_not_marked_yet() {
    let best = best();
    let marked = graded(&filled(&sheet("s1"), right), &all_marks()).expect("a grade");
    let (score, max, open) = (best.points(), best.max(), best.unmarked_points());
    let all = marked.points();
    assert_eq!(all.0, score.0 + 300);
    let grades = [best.clone(), marked.clone()];
    let shown = text(&grades);
    let heads = [
        format!("s1, week 1: {score} of {max} points so far; not marked yet: 3 explanations"),
        format!("s1, week 1: {all} of {max} points\n"),
    ];
    assert!(shown.replace("\n  with", " with").starts_with(&heads[0]), "{shown}");
    assert!(shown.contains(&heads[1]), "{shown}");
    assert!(shown.contains("  1. exchange-tcp-time: 2 of 2, right\n"), "{shown}");

    let table = csv(&grades).expect("CSV");
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[0].starts_with("assignment,duedate,timestamp,student_id,"), "{table}");
    assert!(rows[0].ends_with("max_score,name,state,not_marked,not_marked_points,mistakes"));
    let not_yet = format!("week 1,,,s1,,,,{score},0,{score},{max},,not marked yet,3,{open},0");
    let complete = format!("week 1,,,s1,,,,{all},0,{all},{max},,complete,0,0,0");
    assert_eq!(rows[1..], [not_yet, complete]);

    let object = json(&grades);
    for (at, state, points) in [(0, "not marked yet", open.number()), (1, "complete", 0.0)] {
        let grade = &object["grades"][at];
        assert_eq!(grade["state"], state);
        assert_eq!(
            (&grade["max_score"], &grade["not_marked_points"]),
            (&max.number().into(), &points.into())
        );
    }

    let xml = junit(&grades).expect("XML");
    assert_eq!(xml.matches("skipped=\"3\"").count(), 1, "{xml}");
    assert_eq!(xml.matches("not marked yet, at most ").count(), 3, "{xml}");
    assert_eq!(xml.matches(&format!("name=\"max_score\" value=\"{max}\"")).count(), 2, "{xml}");
}

#[test]
fn autograders_get_no_score_for_what_is_not_marked_yet_and_say_so() {
    let [best, marked] = [Marks::default(), all_marks()]
        .map(|marks| graded(&filled(&sheet("s1"), right), &marks).expect("a grade"));
    let [results, complete] = [&best, &marked].map(|grade| gradescope(grade, &[]));
    let tests = |value: &serde_json::Value| value["tests"].as_array().map(Vec::len);
    assert_eq!(tests(&results), Some(best.items.len() - 3));
    assert_eq!(tests(&complete), Some(best.items.len()));
    assert_eq!(results["tests"][0]["max_score"], 2.0);
    let [before, after] = [&results, &complete].map(|it| it["output"].as_str().expect("a text"));
    assert!(before.contains("loss-explanation (3 points)"), "{before}");
    assert_eq!(after, format!("The sheet has {} points.", best.max()));
    let lines = autolab(&best, &[]);
    let last: serde_json::Value = lines.lines().last().expect("a line").parse().expect("JSON");
    assert_eq!(last["scores"]["exchange-tcp-time"], 2.0);
    assert_eq!(last["scores"].get("loss-explanation"), None);
}

#[test]
fn gradescope_shows_at_once_what_cannot_be_read_but_no_right_answer() {
    let file =
        filled(&sheet("s1"), right).replacen("exchange-tcp-time = \"", "exchange-tcp-time = ", 1);
    let grade = graded(&file, &Marks::default()).expect("a grade");
    let results = gradescope(&grade, &[]);
    let output = results["output"].as_str().expect("a text");
    assert!(output.contains("exchange-tcp-time: the quotes are missing"), "{output}");
    assert!(!output.contains("Right") && !output.contains(" ms"), "{output}");
}

#[test]
fn a_name_of_the_class_list_is_in_the_table_and_is_no_formula() {
    let mut grade = best();
    let list = b"id,last_name,first_name\ns1,=Roe,Jo\n";
    grade.student = crate::teach::class::students(list, None).expect("a list").pop();
    let table = csv(std::slice::from_ref(&grade)).expect("CSV");
    let row = table.lines().nth(1).expect("a row");
    assert!(row.starts_with("week 1,,,s1,'=Roe,Jo,") && row.contains(",Jo =Roe,"), "{row}");
    assert!(text(std::slice::from_ref(&grade)).starts_with("s1, Jo =Roe, week 1: "));
    grade.name.assignment = "=1+1".to_owned();
    let table = csv(&[grade]).expect("CSV");
    assert!(table.lines().nth(1).expect("a row").starts_with("'=1+1,"), "{table}");
}
