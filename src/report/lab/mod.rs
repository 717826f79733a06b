//! A run of a lab as text: the prediction, what happened, what was observed, and the lesson.

mod csv;
pub(crate) mod json;
mod list;
mod observed;
mod phrases;
#[cfg(test)]
mod sample;
mod summary;

pub(crate) use csv::csv;
pub(crate) use list::list;
pub(crate) use summary::summary;

use super::ladder;
use super::page::{BAD, GOOD, NOTE, Page, STRONG, WIDTH, wrap};
use super::{chain, escaped, plural};
use crate::lab::{Engine, Lab, Next, Obstacle, Part, Procedure, Program, Report, Setting, Verdict};
use crate::sys;
use crate::transport::Transport;
use anstyle::Style;
use std::path::PathBuf;
use std::time::Duration;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Brief,
    /// Theory with its sources, what is done, what is different elsewhere, and what to try next.
    Explained,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct FinishedRun {
    pub report: Report,
    pub took: Duration,
    /// The capture files that were written, if any were asked for.
    pub captures: Option<Vec<PathBuf>>,
}

/// What is known before the run, the prediction above all. `number` is the number of runs before it.
pub(crate) fn before_run(
    lab: &Lab,
    procedure: &Procedure,
    setting: &Setting,
    detail: Detail,
    number: usize,
) -> String {
    let mut page = Page::default();
    if number > 0 {
        page.line("");
    }
    for line in wrap(&format!("{}: {}", lab.name, lab.text.question), WIDTH) {
        page.line(format_args!("{STRONG}{line}{STRONG:#}"));
    }
    page.line(format_args!("  engine   {}", engine(procedure.engine)));
    if let Some(seed) = procedure.seed(setting) {
        page.line(format_args!("  seed     {seed}"));
    }
    let options = phrases::options(&setting.options);
    if !options.is_empty() {
        page.line(format_args!("  with     {}", options.join(" ")));
    }
    if detail == Detail::Explained {
        page.heading("THEORY");
        for theory in &lab.text.theory {
            page.paragraph(2, &format!("{} ({}).", theory.says, theory.source));
        }
        page.heading("WHAT IS DONE");
        page.paragraph(2, &lab.method(procedure, setting));
        programs(&mut page, &lab.text.programs);
    }
    observed::predicted(&mut page, &(procedure.predict)(setting), lab.time_unit);
    page.finish()
}

/// The result of the run, for a screen of this many columns.
pub(crate) fn after_run(report: &Report, detail: Detail, width: usize) -> String {
    let mut page = Page::default();
    let outcome = match &report.outcome {
        Ok(outcome) => outcome,
        Err(obstacle) => {
            page.heading("NOT RUN");
            page.paragraph(2, &not_run(obstacle));
            return page.finish();
        }
    };
    if !outcome.parts.is_empty() {
        page.heading("WHAT HAPPENED");
        page.line(drawings(&outcome.parts, width).trim_end_matches('\n'));
        for remark in report.remarks() {
            page.line("");
            page.paragraph(2, &remark);
        }
    }
    observed::observed(&mut page, &outcome.findings, report.lab.time_unit);
    lesson(&mut page, report);
    if detail == Detail::Explained {
        page.heading("ELSEWHERE");
        page.paragraph(2, &report.lab.text.other_systems);
        next(&mut page, report.lab);
    }
    page.finish()
}

/// The sentences that the run bears out.
fn lesson(page: &mut Page, report: &Report) {
    page.heading("LESSON");
    let mut lessons = report.lesson().peekable();
    let is_empty = lessons.peek().is_none();
    for sentence in lessons {
        page.paragraph(2, sentence);
    }
    if is_empty {
        page.paragraph(2, "None: what was observed bears out nothing that this lab teaches.");
    }
}

/// The programs that a lab is about, as they are in their files.
fn programs(page: &mut Page, programs: &[Program]) {
    for Program { name, text } in programs {
        page.heading(&format!("PROGRAM {name}"));
        for line in text.lines() {
            page.line(format!("  {line}").trim_end());
        }
    }
}

fn next(page: &mut Page, lab: &Lab) {
    page.heading("TRY NEXT");
    for Next { command, watch } in &lab.text.next {
        page.line(format_args!("  {STRONG}{command}{STRONG:#}"));
        page.paragraph(6, watch);
    }
}

/// Which capture files there are, if any were asked for.
pub(crate) fn captures(done: &FinishedRun) -> String {
    let Some(captures) = &done.captures else { return String::new() };
    let mut page = Page::default();
    page.heading("CAPTURED");
    if captures.is_empty() {
        let no_packets = "no packets were seen, so there is nothing to write";
        let why = match (&done.report.outcome, done.report.procedure.engine) {
            (Err(_), _) => "it did not run, so there is nothing to write".to_owned(),
            (Ok(_), Engine::Loopback) => {
                format!("{no_packets}: on loopback a user without privileges sees the calls only")
            }
            (Ok(_), Engine::Sim | Engine::Netns) => no_packets.to_owned(),
        };
        page.paragraph(2, &why);
    }
    for path in captures {
        page.line(format_args!("  {}", escaped(&path.display().to_string())));
    }
    page.finish()
}

/// TCP beside UDP where both have room, one below the other where not.
fn drawings(parts: &[Part], width: usize) -> String {
    let of = |transport| parts.iter().filter(move |part| part.transport == transport);
    let longest = parts.iter().map(|part| ladder::length(&part.trace)).max().unwrap_or_default();
    let draw = |part: &Part, width| ladder::draw(&part.trace, &title(part), longest, width);
    let below = |part| ladder::text(&draw(part, width.min(WIDTH)));
    let hosts = parts.iter().map(|part| part.trace.hosts.len()).max().unwrap_or_default();
    let Some(half) = ladder::half(width, hosts) else {
        let all = of(Transport::Tcp).chain(of(Transport::Udp)).map(below);
        return all.collect::<Vec<_>>().join("\n");
    };
    let (mut tcp, mut udp) = (of(Transport::Tcp), of(Transport::Udp));
    let mut drawn = Vec::new();
    loop {
        drawn.push(match (tcp.next(), udp.next()) {
            (Some(tcp), Some(udp)) => {
                ladder::side_by_side(&draw(tcp, half), &draw(udp, half), half)
            }
            (Some(one), None) | (None, Some(one)) => below(one),
            (None, None) => return drawn.join("\n"),
        });
    }
}

fn title(part: &Part) -> String {
    let transport = observed::name(part.transport);
    if part.name.is_empty() { transport.to_owned() } else { format!("{transport}, {}", part.name) }
}

/// What the engine is, and on which kernel.
fn engine(engine: Engine) -> String {
    let here = || sys::release().map(|release| format!(", {release}")).unwrap_or_default();
    match engine {
        Engine::Sim => "sim: two simulated hosts on a link of our own, in virtual time".to_owned(),
        Engine::Loopback => format!("loopback: real sockets on this host{}", here()),
        Engine::Netns => format!("netns: real sockets in two namespaces{}", here()),
    }
}

fn not_run(obstacle: &Obstacle) -> String {
    escaped(&chain(obstacle))
}

/// How a run ended, in a few words.
fn ending(report: &Report) -> (Style, String) {
    let outcome = match &report.outcome {
        Ok(outcome) => outcome,
        Err(obstacle @ Obstacle::Missing(_)) => {
            return (NOTE, format!("cannot run here: {}", not_run(obstacle)));
        }
        Err(obstacle) => return (BAD, format!("failed: {}", not_run(obstacle))),
    };
    let count = |verdict| outcome.findings.iter().filter(|it| it.verdict == verdict).count();
    let of = plural(outcome.findings.len() as u64, "finding");
    match (count(Verdict::Differs), count(Verdict::Varies)) {
        (0, 0) => (GOOD, "as predicted".to_owned()),
        (0, varies) => (NOTE, format!("varies here: {varies} of {of}")),
        (differs, _) => (BAD, format!("differs: {differs} of {of}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;
    use serde_json::json;

    fn plain(screen: &str) -> String {
        anstream::adapter::strip_str(screen).to_string()
    }

    fn setting(options: LabOptions) -> Setting {
        Setting { seed: 867, options }
    }

    #[test]
    fn the_prediction_stands_before_the_run() {
        let options = LabOptions { loss: Some(30.0), ..LabOptions::default() };
        let screen = plain(&before_run(
            &sample::LAB,
            &sample::LAB.procedures[0],
            &setting(options),
            Detail::Brief,
            0,
        ));
        assert_eq!(
            screen,
            "made-up: Does it hold, \"whatever\" comes?\n  \
               engine   sim: two simulated hosts on a link of our own, in virtual time\n  \
               seed     867\n  \
               with     --loss 30\n\
             \n\
             PREDICTED\n  \
               TCP\n  \
               octets that came          26 octets\n  \
               UDP\n  \
               what came                 nothing\n"
        );
    }

    #[test]
    fn who_wants_it_explained_is_told_theory_with_its_sources_and_what_is_done() {
        let screen = plain(&before_run(
            &sample::LAB,
            &sample::LAB.procedures[0],
            &setting(LabOptions { loss: Some(30.0), ..LabOptions::default() }),
            Detail::Explained,
            1,
        ));
        assert!(screen.starts_with("\nmade-up: "), "{screen}");
        let explained = "\n\
            THEORY\n  \
              What is sent may be lost (RFC 768).\n  \
              TCP sends it again. Twice (or more often) even (RFC 9293 (2022), section\n  \
              3.8.1).\n\
            \n\
            WHAT IS DONE\n  \
              A packet is sent, 20 ms long.\n  \
              Then 30 % are lost.\n\
            \n\
            PROGRAM ask.py\n  \
              if True:\n      \
                  ask()\n\
            \n\
            PREDICTED\n";
        assert!(screen.contains(explained), "{screen}");
        let done = sample::done(Engine::Sim, LabOptions::default());
        let [brief, all] = [Detail::Brief, Detail::Explained]
            .map(|detail| plain(&after_run(&done.report, detail, 80)));
        let more =
            "\nELSEWHERE\n  Nowhere else.\n\nTRY NEXT\n  daytime time\n      Whether it is late.\n";
        assert_eq!(all, brief + more);
    }

    #[test]
    fn what_happened_stands_before_what_was_observed_and_the_lesson() {
        let [good, bad, _] = sample::three().map(|done| done.report);
        let screen = plain(&after_run(&good, Detail::Brief, 80));
        let headings: Vec<&str> = screen
            .lines()
            .filter(|line| {
                line.len() > 3 && line.chars().all(|it| it.is_ascii_uppercase() || it == ' ')
            })
            .collect();
        assert_eq!(headings, ["WHAT HAPPENED", "OBSERVED", "LESSON"], "{screen}");
        assert!(screen.contains("\nUDP, once\n"), "{screen}");
        assert_eq!(screen.matches("as predicted").count(), 2, "{screen}");
        let screen = plain(&after_run(&bad, Detail::Brief, 80));
        assert!(
            screen.contains("26 octets          20 octets          differs: 6 too"),
            "{screen}"
        );
    }

    #[test]
    fn a_lesson_is_what_the_run_bears_out() {
        let lesson = |report: &Report| {
            let screen = plain(&after_run(report, Detail::Brief, 80));
            screen.split_once("\nLESSON\n").expect("a lesson").1.to_owned()
        };
        let [good, bad, _] = sample::three().map(|done| done.report);
        assert_eq!(lesson(&good), "  Every octet came.\n  Some octets came.\n");
        assert_eq!(lesson(&bad), "  Some octets came.\n");
        let mut none = good;
        none.outcome.as_mut().expect("it ran").findings.clear();
        assert!(lesson(&none).starts_with("  None: "), "{}", lesson(&none));
    }

    #[test]
    fn what_cannot_run_here_says_why() {
        let [_, _, missing] = sample::three();
        let screen = plain(&after_run(&missing.report, Detail::Brief, 80));
        assert_eq!(screen, "\nNOT RUN\n  no namespaces here, run it as root\n");
    }

    #[test]
    fn a_wide_screen_has_both_transports_beside_each_other() {
        let done = sample::done(Engine::Sim, LabOptions::default());
        let is_side_by_side = |screen: &str| {
            screen.lines().any(|line| line.starts_with("TCP ") && line.ends_with("UDP, once"))
        };
        assert!(is_side_by_side(&plain(&after_run(&done.report, Detail::Brief, 100))));
        assert!(!is_side_by_side(&plain(&after_run(&done.report, Detail::Brief, 99))));
    }

    #[test]
    fn a_run_without_packets_says_why_there_is_no_capture() {
        let mut done = sample::done(Engine::Sim, LabOptions::default());
        assert_eq!(captures(&done), "");
        done.captures = Some(vec!["x/made-up-sim-tcp-client.pcapng".into()]);
        assert_eq!(plain(&captures(&done)), "\nCAPTURED\n  x/made-up-sim-tcp-client.pcapng\n");
        done.captures = Some(Vec::new());
        assert!(captures(&done).contains("no packets were seen"), "{}", captures(&done));
    }

    #[test]
    fn the_list_has_question_engines_and_options() {
        let screen = plain(&list(&[&sample::LAB]));
        assert_eq!(
            screen.lines().skip(1).collect::<Vec<_>>(),
            [
                "made-up       sim, netns             Does it hold, \"whatever\" comes?",
                "                                     --delay --loss (sim)",
            ]
        );
    }

    #[test]
    fn the_summary_tells_how_each_ended_and_how_many() {
        let screen = plain(&summary(&sample::three()));
        assert_eq!(
            screen.lines().skip(2).collect::<Vec<_>>(),
            [
                "  lab           engine        time  verdict",
                "  made-up       sim         1.00 s  as predicted",
                "  made-up       sim         1.00 s  differs: 1 of 2 findings",
                "  made-up       netns       1.00 s  cannot run here",
                "",
                "  netns cannot run here: no namespaces here, run it as root",
                "",
                "1 as predicted, 1 not, 0 failed, 1 cannot run here; in 3.00 s",
            ]
        );
    }

    #[test]
    fn an_engine_that_other_labs_ran_on_is_not_what_is_missing() {
        let mut done = sample::three();
        done[0].report.outcome = Err(Obstacle::Missing("no second address".into()));
        let screen = plain(&summary(&done));
        assert!(
            screen.contains("\n  made-up on sim cannot run here: no second address\n"),
            "{screen}"
        );
    }

    #[test]
    fn csv_has_a_line_for_each_finding_and_quotes_what_it_must() {
        let lines = csv(&sample::three());
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "lab,engine,seed,options,transport,what,predicted,observed,number,unit,verdict,varies",
                "made-up,sim,,,tcp,octets that came,26 octets,26 octets,26,octet,as predicted,",
                "made-up,sim,,,udp,what came,nothing,nothing,,,as predicted,",
                "made-up,sim,867,--loss 30,tcp,octets that came,26 octets,20 octets,20,octet,\
                 differs: 6 too few,",
                "made-up,sim,867,--loss 30,udp,what came,nothing,nothing,,,as predicted,",
                "made-up,netns,,,,,,,,,\"cannot run here: no namespaces here, run it as root\",",
            ]
        );
    }

    #[test]
    fn json_has_the_traces_with_octets_fates_and_times() {
        let all = json::runs(&sample::three());
        let run = &all["runs"][0];
        assert_eq!((&run["lab"], &run["seed"]), (&"made-up".into(), &serde_json::Value::Null));
        assert_eq!(all["runs"][1]["seed"], 867, "this one draws");
        assert_eq!((&run["good"], &run["system"]), (&true.into(), &serde_json::Value::Null));
        assert_eq!(run["findings"][0]["observed"]["count"], 26);
        assert_eq!(run["findings"][0]["verdict"], "as predicted");
        let ground = json!({
            "transport": "tcp",
            "what": "octets that came",
            "must": "26",
            "observed": "26 octets",
        });
        let sentence = json!({ "says": "Every octet came.", "rests_on": [ground] });
        assert_eq!(run["lesson"][0], sentence);
        let packet = &run["parts"][0]["events"][0];
        assert_eq!((&packet["host"], &packet["to"]), (&"client".into(), &"server".into()));
        assert_eq!(packet["octets_hex"], "ff1b");
        assert_eq!(packet["arrived_ns"], serde_json::json!([20_000_000]));
        assert_eq!(run["parts"][1]["events"][0]["fate"], "lost by chance");
        assert_eq!(run["parts"][1]["events"][1]["outcome"], "EAGAIN");
        assert_eq!(all["runs"][1]["good"], false);
        assert_eq!(all["runs"][1]["options"], serde_json::json!(["--loss 30"]));
        assert_eq!(all["runs"][2]["obstacle"], "no namespaces here, run it as root");
    }
}
