//! Checks the pages for the simulated labs, and for runs that contain hostile text.

use super::*;
use crate::lab::question::answer::Answer;
use crate::lab::question::verdict::AnsweredQuestion;
use crate::lab::{self, Engine, Report, Setting};
use crate::trace::{Action, Event, HostId};
use std::time::Duration;

fn run(name: &str, setting: &Setting) -> Report {
    lab::find(name).expect("a lab").run(Engine::Sim, setting).expect("a run")
}

fn simulated() -> Vec<Report> {
    let labs = lab::all().filter(|lab| lab.engines().any(|it| it == Engine::Sim));
    let reports: Vec<Report> = labs.map(|lab| run(lab.name(), &Setting::default())).collect();
    assert!(reports.len() >= 5, "{}", reports.len());
    reports
}

fn page(of: &Report) -> String {
    report(of, None).expect("a page")
}

#[test]
fn a_page_runs_no_script_and_asks_no_other_host() {
    for report in simulated() {
        let page = page(&report);
        let policy = "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"";
        assert!(page.contains(policy), "{page}");
        for outside in ["<script", "src=", "href=\"http", "url(http", "@import", "<link", "<iframe"]
        {
            assert!(!page.contains(outside), "{}: {outside}", report.lab.name);
        }
    }
}

#[test]
fn a_page_has_at_most_300_kb_and_is_the_same_for_the_same_seed() {
    for report in simulated() {
        let first = page(&report);
        assert!(first.len() <= MAX_OCTETS, "{}: {}", report.lab.name, first.len());
        assert!(first == page(&run(report.lab.name, &Setting::default())), "{}", report.lab.name);
    }
}

#[test]
fn the_tables_have_every_packet_once() {
    for report in simulated() {
        let page = page(&report);
        let all: usize = report.parts().iter().map(|part| part.trace.packets().count()).sum();
        let row = page.matches("<tr data-packet=").count()
            + page.matches("<tr class=\"lost\" data-packet=").count();
        let listed = page.matches("<tr><td>").count();
        assert_eq!(row + listed, all, "{}", report.lab.name);
    }
}

#[test]
fn a_page_names_the_question_the_command_and_the_lesson() {
    let loss = page(&run("loss", &Setting::default().drop([2]).count(10)));
    assert!(loss.contains("<h1>Who repairs what the network loses?</h1>"), "{loss}");
    assert!(
        loss.contains("daytime lab run loss --seed 867 --drop 2 --count 10")
            || loss.contains("--count 10 --drop 2")
    );
    for part in ["Theory", "What is done", "Lesson", "Elsewhere", "Repeat this run"] {
        assert!(loss.contains(&format!("<h2>{part}</h2>")), "{part}");
    }
    assert!(loss.contains("href=\"data:application/octet-stream;base64,Cg0NC"), "a capture");
}

#[test]
fn a_capture_that_is_too_large_is_named_with_the_command_that_writes_it() {
    let page = page(&run("loop", &Setting::default()));
    assert!(
        page.contains("too large for this page; <code>daytime lab run loop --pcapng DIR</code>")
    );
}

#[test]
fn a_run_with_too_many_packets_for_a_page_says_so() {
    let mut report = run("loop", &Setting::default());
    let outcome = report.outcome.as_mut().expect("a run");
    let part = outcome.parts.iter_mut().max_by_key(|it| it.trace.events.len()).expect("a part");
    let mut again = part.trace.events.clone();
    for event in &mut again {
        event.at += Duration::from_secs(2);
    }
    part.trace.events.extend(again);
    let page = page(&report);
    assert!(page.len() <= MAX_OCTETS, "{}", page.len());
    assert!(page.contains("They are too many for a page; <code>--json</code> prints them."));
}

/// Returns the heights of the unbreakable pieces of each picture on paper, in pixels, and whether its part may have a
/// page break inside.
fn printed(page: &str) -> Vec<(Vec<f64>, bool)> {
    let number = |text: &str| text.split(['"', 'p']).next().and_then(|it| it.parse().ok());
    let part = |figure: &str| {
        let (head, _) = figure.split_once("<figcaption>")?;
        let slices: Vec<f64> = figure.split("--height:").skip(1).filter_map(number).collect();
        let (_, picture) = figure.split_once("<svg class=\"ladder")?;
        let height: f64 = number(picture.split_once(" height=\"")?.1)?;
        let is_whole = slices.is_empty() || (slices.iter().sum::<f64>() - height).abs() < 0.3;
        assert!(is_whole, "{slices:?} {height}");
        let pieces = if slices.is_empty() { vec![height] } else { slices };
        Some((pieces, head.contains(" tall\"")))
    };
    page.split("<figure ").skip(1).map(|it| part(it).expect("a picture")).collect()
}

#[test]
fn every_picture_fits_printed_pages_with_its_caption_and_no_text_is_below_6_points() {
    let mut reports = simulated();
    reports.push(run("loss", &Setting::default().drop(1..=7)));
    let pages: Vec<String> = reports.iter().map(page).collect();
    let all: Vec<_> = pages.iter().flat_map(|page| printed(page)).collect();
    assert!(all.len() > 10 && all.iter().any(|(pieces, _)| pieces.len() > 1), "{all:?}");
    let scale = 0.8;
    for (pieces, is_tall) in &all {
        assert!(scale * (pieces[0] + 120.0) <= 960.0, "{pieces:?}");
        assert!(pieces.iter().all(|it| scale * it <= 960.0), "{pieces:?}");
        assert!(pieces.len() == 1 || *is_tall, "{pieces:?}");
    }
    assert!(
        include_str!("../../../templates/page.css").contains("figure{break-inside:avoid;zoom:.8;")
    );
    let sizes = include_str!("../../../templates/picture.css").split("px").filter_map(|rule| {
        let (_, property) = rule.rsplit_once(['{', ';'])?;
        let (_, size) = property.strip_prefix("font")?.rsplit_once([' ', ':'])?;
        size.parse::<f64>().ok()
    });
    let sizes: Vec<f64> = sizes.collect();
    // A pixel on paper is 0.75 points.
    assert!(sizes.len() > 10 && sizes.iter().all(|it| it * scale * 0.75 >= 6.0), "{sizes:?}");
}

#[test]
fn a_hostile_text_is_inert() {
    let mut report = run("exchange", &Setting::default());
    let outcome = report.outcome.as_mut().expect("a run");
    let call = "<script>alert(1)</script>]]>\u{202e}\u{1b}[2J".to_owned();
    let action = Action::Call { call, outcome: "\"'&".into() };
    outcome.parts[0].trace.push(Event { at: Duration::ZERO, host: HostId(0), action });
    let page = page(&report);
    assert!(!page.contains("<script") && !page.contains("]]>"), "{page}");
    assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
}

#[test]
fn a_students_answers_are_on_the_page_with_the_reason_and_the_deciding_packet() {
    let exchange = run("exchange", &Setting::default());
    assert!(!page(&exchange).contains("Your predictions"));
    let question = exchange.lab.text.questions.iter().find(|it| it.id == "tcp-packets");
    let answer = AnsweredQuestion {
        question: question.expect("a question"),
        prediction: Some(Answer::Choice(0)),
        observation: Some(Answer::Choice(2)),
    };
    let page = report(&exchange, Some(&[answer])).expect("a page");
    let (_, section) = page.split_once("Your predictions").expect("a section");
    for text in ["2 packets", "you saw 6 to 9", "✗ not as observed", "over UDP", "Packet 7 of"] {
        assert!(section.contains(text), "{text}: {section}");
    }
    let heads = [">your prediction</th>", ">theory predicts</th>"];
    assert!(heads.iter().all(|it| section.contains(it)), "{section}");
    assert!(!section.contains(">predicted</th>"), "{section}");
    assert!(!section.contains("ecided by"), "the sentence itself says what decides: {section}");
}

#[test]
fn the_index_links_to_each_report() {
    let report = run("exchange", &Setting::default());
    let page =
        index(&[Entry { report: &report, file: "exchange-sim.html".into() }]).expect("a page");
    assert!(page.contains("<a href=\"exchange-sim.html\">exchange</a>"), "{page}");
    assert!(page.contains("✓ as predicted") && page.contains("Content-Security-Policy"), "{page}");
}
