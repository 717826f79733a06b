//! Checks every question of every lab against actual runs.

use super::verdict::{Mark, Shown};
use super::{AnswerForm, Condition, Question};
use crate::lab::question::answer::Answer;
use crate::lab::{
    Comparand, Engine, LABS, LabOption, LabOptions, Obstacle, OptionRange, Procedure, Report,
    Requirement, Setting, run_and_compare,
};
use crate::transport::Transport;
use std::time::Duration;

/// Returns a setting without options, and settings that each give one option a value from its range.
pub(crate) fn settings(procedure: &Procedure) -> Vec<Setting> {
    let mut all = vec![LabOptions::default()];
    for OptionRange { option, values } in procedure.options {
        let (from, to) = (*values.start(), *values.end());
        // Runs on the real kernel take real time, so the test makes fewer of them.
        let some: &[u32] = match procedure.engine {
            Engine::Sim => &[2, 4, 10, 50, 100, 1000],
            Engine::Loopback | Engine::Netns => &[2, 50],
        };
        for at in [from].into_iter().chain(some.iter().map(|at| *at.clamp(&from, &to))) {
            all.push(with(*option, at));
        }
    }
    all.dedup();
    all.into_iter().map(|options| Setting { options, ..Setting::default() }).collect()
}

fn with(option: LabOption, at: u32) -> LabOptions {
    let (one, share) = (LabOptions::default(), Some(f64::from(at)));
    match option {
        LabOption::Backlog => LabOptions { backlog: u16::try_from(at).ok(), ..one },
        LabOption::Buffer => LabOptions { buffer: Some(at), ..one },
        LabOption::Count => LabOptions { count: Some(at), ..one },
        LabOption::Delay => LabOptions { delay: Some(Duration::from_millis(at.into())), ..one },
        LabOption::Drop => LabOptions { drop: vec![at], ..one },
        LabOption::Duplicate => LabOptions { duplicate: share, ..one },
        LabOption::Loss => LabOptions { loss: share, ..one },
        LabOption::Reorder => LabOptions { reorder: share, ..one },
    }
}

/// Returns the pairs of findings that a condition compares.
fn compared(condition: &Condition) -> impl Iterator<Item = [(Transport, &'static str); 2]> {
    let grounds = condition.0.iter().flatten();
    grounds.filter_map(|ground| match ground.must {
        Requirement::Equal(Comparand::Finding(transport, what))
        | Requirement::Exceed(Comparand::Finding(transport, what))
        | Requirement::FallBelow(Comparand::Finding(transport, what)) => {
            Some([(ground.transport, ground.what), (transport, what)])
        }
        _ => None,
    })
}

/// Sheets have the questions that the lowest and the highest predictions decide alike.
#[test]
fn no_question_compares_two_ranges_because_their_ends_do_not_decide_the_comparison() {
    let mut count = 0;
    for lab in LABS.iter().filter(|lab| lab.procedure_on(Engine::Sim).is_none()) {
        for procedure in lab.procedures {
            let mut certain = (procedure.predict)(&Setting::default());
            certain.retain(|it| it.varies.is_none());
            let find = |of| certain.iter().find(|it| (it.transport, it.what) == of);
            let choices = lab.text.questions.iter().flat_map(Question::choices);
            for pair in choices.filter_map(|it| it.is_right_if.as_ref()).flat_map(compared) {
                let [Some(one), Some(other)] = pair.map(find) else { continue };
                let is_one = one.expected.only().is_some() || other.expected.only().is_some();
                assert!(is_one, "{}: {pair:?} are two ranges", lab.name);
                count += 1;
            }
        }
    }
    let has_sockets = cfg!(all(feature = "client", feature = "server"));
    assert!(count > 0 || !has_sockets, "no comparison was checked");
}

/// Runs each lab on each engine that this system supports, and calls `check` for each question that belongs to the run.
fn for_each_question(settings: fn(&Procedure) -> Vec<Setting>, check: fn(&Question, &Report)) {
    let mut asked = 0;
    for lab in LABS.iter().filter(|lab| !lab.text.questions.is_empty()) {
        for procedure in lab.procedures {
            for setting in settings(procedure) {
                let report = run_and_compare(lab, procedure, &setting);
                match &report.outcome {
                    Err(Obstacle::Missing(why)) => eprintln!("skipped: {}: {why}", lab.name),
                    outcome => assert!(outcome.is_ok(), "{}: {outcome:?}", lab.name),
                }
                let predictions = (procedure.predict)(&setting);
                let questions = lab.text.questions.iter();
                for question in questions.filter(|it| it.applies(procedure.engine, &predictions)) {
                    if report.outcome.is_ok() {
                        check(question, &report);
                        asked += 1;
                    }
                }
            }
        }
    }
    assert!(asked > 5, "only {asked} questions were asked");
}

#[test]
fn in_every_run_exactly_one_choice_is_right_and_each_number_is_known() {
    for_each_question(settings, |question, report| {
        let Report { lab, procedure, setting, .. } = report;
        let run = format!("{} on {} with {:?}", lab.name, procedure.engine, setting.options);
        let shown = question.shown(report.findings());
        let shown = shown.unwrap_or_else(|| panic!("{run}: {}: none or several", question.id));
        assert!(!question.why_right(shown).is_empty(), "{run}: {}", question.id);
        if let (AnswerForm::Choice(choices), Shown::Choice(right)) = (&question.form, shown) {
            for given in 0..choices.len() {
                let answer = Answer::Choice(given);
                let mark = if given == right { Mark::Right } else { Mark::Wrong };
                assert_eq!(question.mark(Some(answer), shown), mark, "{run}: {}", question.id);
                assert!(!question.why(answer, shown, report.findings()).is_empty());
            }
        }
    });
}

#[test]
fn every_question_is_asked_in_some_run_and_has_a_choice_that_can_be_right() {
    for lab in LABS {
        for question in &lab.text.questions {
            let is_asked = lab.procedures.iter().any(|procedure| {
                let asked =
                    |it: &Setting| question.applies(procedure.engine, &(procedure.predict)(it));
                settings(procedure).iter().any(asked)
            });
            // A system that reports no queue lengths lacks the findings of some questions.
            let may_lack = !crate::sys::REPORTS_QUEUES;
            assert!(is_asked || may_lack, "{}: {} is never asked", lab.name, question.id);
            if let AnswerForm::Choice(choices) = &question.form {
                let can_be_right = choices.iter().any(|it| it.is_right_if.is_some());
                assert!(can_be_right, "{}: {}", lab.name, question.id);
            }
        }
    }
}

#[test]
fn every_lab_asks_at_least_two_questions_in_its_usual_run_on_each_engine() {
    for lab in LABS {
        for procedure in lab.procedures {
            let asked = lab.questions(procedure, &Setting::default()).len();
            let engine = procedure.engine;
            assert!((2..=5).contains(&asked), "{} on {engine} asks {asked} questions", lab.name);
        }
    }
}

// Without sockets there are too few labs to judge by.
#[cfg(all(feature = "client", feature = "server"))]
#[test]
fn the_right_choice_is_not_known_by_its_place_or_its_length() {
    let (mut places, mut longest, mut shortest, mut all) = ([0; 9], 0, 0, 0);
    for lab in LABS {
        for procedure in lab.procedures.iter().take(1) {
            let report = run_and_compare(lab, procedure, &Setting::default());
            for question in lab.questions(procedure, &Setting::default()) {
                let (AnswerForm::Choice(choices), Some(Shown::Choice(right))) =
                    (&question.form, question.shown(report.findings()))
                else {
                    continue;
                };
                let others = || choices.iter().enumerate().filter(|(at, _)| *at != right);
                let length = choices[right].text.len();
                longest += usize::from(others().all(|(_, it)| it.text.len() < length));
                shortest += usize::from(others().all(|(_, it)| it.text.len() > length));
                places[right] += 1;
                all += 1;
            }
        }
    }
    assert!(all > 30, "{all}");
    assert!(places.iter().all(|it| it * 2 < all), "{places:?} of {all}");
    assert!(longest * 3 < all && shortest * 3 < all, "{longest}, {shortest} of {all}");
}

#[test]
fn a_page_has_the_names_of_rows_in_quotation_marks_since_a_terminal_shows_no_font_for_code() {
    let mut names = 0;
    for lab in LABS {
        let page = std::fs::read_to_string(format!("docs/labs/{}.md", lab.name)).expect("a page");
        for procedure in lab.procedures {
            for prediction in (procedure.predict)(&Setting::default()) {
                let name = prediction.what;
                assert!(!name.contains(' ') || !page.contains(&format!("`{name}`")), "{name}");
                names += 1;
            }
        }
    }
    // Without sockets only the labs on the simulator remain.
    assert!(names > 30, "{names}");
}
