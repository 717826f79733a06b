//! Tests the text, CSV and JSON output for a sample lab.

use super::*;
use crate::duration::Unit;
use crate::lab::{
    LabOption, LabOptions, LabText, Outcome, Part, Prediction, Results, Value, run_and_compare,
};
use crate::mentions::{each_mentions, mentions};
use crate::trace::{Action, Event, Fate, Host, HostId, Loss, Packet, Trace};
use crate::transport::Transport;
use serde_json::json;
use std::sync::LazyLock;

fn plain(screen: &str) -> String {
    anstream::adapter::strip_str(screen).to_string()
}

fn setting(options: LabOptions) -> Setting {
    Setting { seed: 867, options }
}

#[test]
fn a_run_begins_with_question_engine_seed_and_options() {
    let options = LabOptions { loss: Some(30.0), ..LabOptions::default() };
    let screen = plain(&before_run(&LAB, &LAB.procedures[0], &setting(options), Detail::Usual, 0));
    each_mentions(
        screen.lines(),
        &[
            &["made-up: Does it hold, \"whatever\" comes?"],
            &["engine", "sim", "simulated"],
            &["seed", "867"],
            &["options", "--loss 30"],
        ],
    );
}

#[test]
fn a_run_on_loopback_says_in_one_line_that_it_draws_calls_and_which_engine_draws_packets() {
    let begin = |lab, engine| {
        let procedure = Procedure::new(engine, predict, |_, _| Ok(()));
        let setting = setting(LabOptions::default());
        plain(&before_run(lab, &procedure, &setting, Detail::Usual, 0))
    };
    let text: fn() -> LabText = || LabText::of("made-up", PAGE);
    let text = LazyLock::new(text);
    let only_calls = Lab { name: "made-up", text, time_unit: Unit::Milliseconds, procedures: &[] };
    for (lab, draws_packets) in [(&LAB, true), (&only_calls, false)] {
        let screen = begin(lab, Engine::Loopback);
        let line = screen.lines().find(|line| line.contains("system calls")).expect("the line");
        assert_eq!(line.contains("--engine netns"), draws_packets, "{line}");
        assert!(line.contains("packets") && !line.contains("root"), "{line}");
        assert!(line.chars().count() <= 80, "{line}");
    }
    for engine in [Engine::Sim, Engine::Netns] {
        assert!(!begin(&LAB, engine).contains("system calls"), "{engine} draws packets");
    }
}

#[test]
fn an_explained_run_adds_theory_method_other_systems_and_next_steps() {
    let screen = plain(&before_run(
        &LAB,
        &LAB.procedures[0],
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
              ask()\n";
    assert!(screen.ends_with(explained), "{screen}");
    let done = done(Engine::Sim, LabOptions::default());
    let [usual, all] = [Detail::Usual, Detail::Explained]
        .map(|detail| plain(&after_run(&done.report, detail, Form::Ladder(80))));
    assert_eq!(all, usual + "\nELSEWHERE\n  Nowhere else.\n");
}

#[test]
fn the_answers_to_the_questions_are_shown_on_request_only() {
    let section = |engine, shown| plain(&next(&done(engine, LabOptions::default()).report, shown));
    let questions = section(Engine::Sim, NextSteps::Questions);
    assert_eq!(questions, "\nTRY NEXT\n  daytime time\n      Is it late?\n");
    let answers = section(Engine::Sim, NextSteps::WithAnswers);
    assert_eq!(answers, questions + "      Answer: Yes, it is late.\n");
    assert_eq!(section(Engine::Sim, NextSteps::Hidden), "");
    assert_eq!(section(Engine::Netns, NextSteps::WithAnswers), "", "the lab did not run");
}

#[test]
fn a_run_prints_each_prediction_once_beside_its_observation() {
    let [good, bad, _] = sample_runs().map(|done| done.report);
    for detail in [Detail::Usual, Detail::Explained] {
        let screen = whole(&bad, detail);
        assert_eq!(screen.matches("26 octets").count(), 1, "{screen}");
        let row = screen.lines().find(|line| line.contains("26 octets")).expect("the row");
        mentions(row, &["20 octets", "differs", "6"]);
    }
    let screen = plain(&after_run(&good, Detail::Usual, Form::Ladder(80)));
    let headings: Vec<&str> = screen
        .lines()
        .filter(|line| {
            line.len() > 3 && line.chars().all(|it| it.is_ascii_uppercase() || it == ' ')
        })
        .collect();
    assert_eq!(headings, ["WHAT HAPPENED", "OBSERVED", "LESSON"], "{screen}");
    assert!(screen.contains("\nUDP, once\n"), "{screen}");
    assert_eq!(screen.matches("as predicted").count(), 2, "{screen}");
}

/// Returns the complete text that a run prints.
fn whole(report: &Report, detail: Detail) -> String {
    let before = before_run(report.lab, report.procedure, &report.setting, detail, 0);
    plain(&(before + &after_run(report, detail, Form::Ladder(80))))
}

#[test]
fn a_brief_run_is_question_table_and_lesson() {
    let [good, bad, missing] = sample_runs().map(|done| done.report);
    assert_eq!(
        whole(&good, Detail::Brief),
        "made-up on sim: Does it hold, \"whatever\" comes?\n\
         TCP: as predicted            UDP: as predicted\n\
         octets that came  26 octets  what came  nothing\n\
         \n\
         - Every octet came.\n\
         - Some octets came.\n"
    );
    let screen = whole(&bad, Detail::Brief);
    mentions(&screen, &["TCP", "differs", "1 of 1 finding"]);
    assert!(screen.contains(" 20 octets; theory predicts 26 octets "), "{screen}");
    let screen = whole(&missing, Detail::Brief);
    assert!(screen.ends_with("\nNOT RUN\n  no namespaces here, run it as root\n"), "{screen}");
}

#[test]
fn the_axis_of_a_drawing_has_the_unit_of_the_times_in_the_table() {
    let unit_of = |time_unit, value: Value, at: Duration| {
        let lab: &'static Lab = Box::leak(Box::new(Lab {
            name: "made-up",
            text: LazyLock::new(|| LabText::of("made-up", PAGE)),
            time_unit,
            procedures: &[],
        }));
        let prediction = Prediction::is(Transport::Tcp, "time", value);
        let finding = Finding { prediction, observed: None, verdict: Verdict::Differs };
        let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
        let mut trace = Trace::between(vec![host("client"), host("server")]);
        let action = Action::Call { call: "close()".into(), outcome: String::new() };
        trace.push(Event { at, host: HostId(0), action });
        let part = Part { transport: Transport::Tcp, name: String::new(), trace };
        let outcome = Ok(Outcome { findings: vec![finding], parts: vec![part] });
        let setting = setting(LabOptions::default());
        let report = Report { lab, procedure: &LAB.procedures[0], setting, outcome };
        let screen = plain(&after_run(&report, Detail::Usual, Form::Ladder(80)));
        let axis = screen.lines().find(|line| line.contains(" client ")).expect("an axis");
        axis.split_whitespace().next().expect("a unit").to_owned()
    };
    let time = || Value::from(Duration::from_millis(5));
    let [short, long] = [Duration::from_millis(1), Duration::from_mins(3)];
    assert_eq!(unit_of(Unit::Milliseconds, time(), short), "ms");
    assert_eq!(unit_of(Unit::Milliseconds, time(), long), "ms");
    assert_eq!(unit_of(Unit::Seconds, time(), long), "s");
    assert_eq!(unit_of(Unit::Seconds, time(), short), "ms", "in seconds every time would be 0.0");
    assert_eq!(unit_of(Unit::Milliseconds, "no time".into(), long), "s");
}

#[test]
fn a_lesson_has_the_sentences_that_the_findings_support() {
    let lesson = |report: &Report| {
        let screen = plain(&after_run(report, Detail::Usual, Form::Ladder(80)));
        screen.split_once("\nLESSON\n").expect("a lesson").1.to_owned()
    };
    let [good, bad, _] = sample_runs().map(|done| done.report);
    assert_eq!(lesson(&good), "  Every octet came.\n  Some octets came.\n");
    assert_eq!(lesson(&bad), "  Some octets came.\n");
    let mut none = good;
    none.outcome.as_mut().expect("it ran").findings.clear();
    assert!(lesson(&none).starts_with("  None: "), "{}", lesson(&none));
}

#[test]
fn what_cannot_run_here_says_why() {
    let [_, _, missing] = sample_runs();
    let screen = plain(&after_run(&missing.report, Detail::Usual, Form::Ladder(80)));
    assert_eq!(screen, "\nNOT RUN\n  no namespaces here, run it as root\n");
}

#[test]
fn a_wide_screen_has_both_transports_side_by_side() {
    let done = done(Engine::Sim, LabOptions::default());
    let is_side_by_side = |screen: &str| {
        screen.lines().any(|line| line.starts_with("TCP ") && line.ends_with("UDP, once"))
    };
    assert!(is_side_by_side(&plain(&after_run(&done.report, Detail::Usual, Form::Ladder(100)))));
    assert!(!is_side_by_side(&plain(&after_run(&done.report, Detail::Usual, Form::Ladder(99)))));
}

#[test]
fn a_run_without_packets_says_why_there_is_no_capture() {
    let mut done = done(Engine::Sim, LabOptions::default());
    assert_eq!(captures(&done), "");
    done.captures = Some(vec!["x/made-up-sim-tcp-client.pcapng".into()]);
    assert_eq!(plain(&captures(&done)), "\nCAPTURED\n  x/made-up-sim-tcp-client.pcapng\n");
    done.captures = Some(Vec::new());
    assert!(captures(&done).contains("no packets"), "{}", captures(&done));
}

#[test]
fn the_list_has_question_level_minutes_engines_and_options() {
    let screen = plain(&list(&[&LAB]));
    assert_eq!(
        screen.lines().skip(1).collect::<Vec<_>>(),
        [
            "made-up     advanced      sim, netns       Does it hold, \"whatever\" comes?",
            "            20 min                         --delay --loss (sim)",
        ]
    );
}

#[test]
fn the_list_has_no_empty_line_for_a_lab_without_options() {
    static WITHOUT_OPTIONS: Lab = Lab {
        name: "plain",
        text: LazyLock::new(|| {
            // The lab takes two lines, so options would need a third line.
            LabText::of("made-up", PAGE.replacen("comes?", "comes from there?", 1).leak())
        }),
        time_unit: Unit::Milliseconds,
        procedures: &[Procedure::new(Engine::Sim, predict, |_, _| Ok(()))],
    };
    let screen = plain(&list(&[&WITHOUT_OPTIONS, &LAB]));
    assert_eq!(screen.lines().count(), 1 + 2 + 2, "{screen}");
}

#[test]
fn the_summary_has_the_verdict_of_each_run_and_the_totals() {
    let screen = plain(&summary(&sample_runs()));
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
fn the_summary_names_the_lab_and_not_an_engine_that_ran_other_labs() {
    let mut done = sample_runs();
    done[0].report.outcome = Err(Obstacle::Missing("no second address".into()));
    let screen = plain(&summary(&done));
    mentions(&screen, &["made-up on sim", "no second address"]);
}

#[test]
fn csv_has_a_line_for_each_finding_with_quotes_where_needed() {
    let lines = csv(&sample_runs());
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
fn theorys_prediction_has_one_name_that_is_not_the_students() {
    let [_, bad, _] = sample_runs();
    let [usual, brief] = [Detail::Usual, Detail::Brief].map(|it| whole(&bad.report, it));
    let after_answers = plain(&ask::debrief(&[], &bad.report, Detail::Usual));
    for output in [usual, brief, after_answers] {
        assert!(output.contains("theory predicts"), "{output}");
        let others = output.replace("as predicted", "");
        assert!(!others.contains("predicted"), "{output}");
    }
}

#[test]
fn json_has_the_traces_with_octets_fates_and_times() {
    let all = json::runs(&sample_runs());
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

/// The sample lab's page, as in `docs/labs`.
const PAGE: &str = "\
# made-up

Level: advanced. Time: 20 minutes.

## Question

Does it hold, \"whatever\" comes?

## Theory

- What is sent may be lost (RFC 768).
- TCP sends it
  again. `Twice` (or more often) even (RFC 9293 (2022), section 3.8.1).

## What is done on sim

A packet is sent,
{delay: 20 ms} long.

Then {loss: 0 %} are lost.

## What is done on netns

A real packet is sent.

## Example

Anything.

## What a run may teach

- Every octet came. <!-- tcp octets that came = 26 -->
- Some octets came.
  <!-- tcp octets that came > 0;
       udp what came = \"nothing\" -->

## What differs elsewhere

Nowhere else.

## What to try next

- `daytime time`: Is it
  late?

## Answers

### What to try next

- Yes, it
  is late.

## Programs

### ask.py

```python
if True:
    ask()
```
";

static LAB: Lab = Lab {
    name: "made-up",
    text: LazyLock::new(|| LabText::of("made-up", PAGE)),
    time_unit: Unit::Milliseconds,
    procedures: &[
        Procedure {
            engine: Engine::Sim,
            uses_seed: |setting| setting.options.loss.is_some(),
            options: &[LabOption::Delay.within(0..=1000), LabOption::Loss.within(0..=100)],
            values: |setting| {
                let loss = setting.options.loss.unwrap_or_default();
                vec![("delay", "20 ms".to_owned()), ("loss", format!("{loss} %"))]
            },
            predict,
            run: |setting, results| {
                observe(setting, results);
                Ok(())
            },
        },
        Procedure::new(Engine::Netns, predict, |_, _| {
            Err(Obstacle::Missing("no namespaces here, run it as root".into()))
        })
        .with(&[LabOption::Delay.within(0..=1000)], |_| Vec::new()),
    ],
};

fn predict(_: &Setting) -> Vec<Prediction> {
    vec![
        Prediction::is(Transport::Tcp, "octets that came", (26, "octet")),
        Prediction::is(Transport::Udp, "what came", "nothing"),
    ]
}

/// Records observations that agree with the predictions. If the option `loss` is set, six octets are missing over TCP.
fn observe(setting: &Setting, results: &mut Results) {
    let lost = setting.options.loss.is_some();
    results.observe(
        Transport::Tcp,
        "octets that came",
        Value::from((if lost { 20 } else { 26 }, "octet")),
    );
    results.observe(Transport::Udp, "what came", "nothing");
    results.keep_trace(Transport::Tcp, "", trace(Fate::Arrived(vec![Duration::from_millis(20)])));
    results.keep_trace(Transport::Udp, "once", trace(Fate::Lost(Loss::Chance)));
}

fn trace(fate: Fate) -> Trace {
    let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
    let mut trace = Trace::between(vec![host("client"), host("server")]);
    let action = Action::Packet(Packet { to: HostId(1), octets: vec![0xff, 0x1b], fate });
    trace.push(Event { at: Duration::ZERO, host: HostId(0), action });
    let action = Action::Call { call: "recv(10)".into(), outcome: "EAGAIN".into() };
    trace.push(Event { at: Duration::from_millis(30), host: HostId(0), action });
    trace
}

/// Runs the sample lab; the run's reported duration is one second.
fn done(engine: Engine, options: LabOptions) -> FinishedRun {
    let setting = Setting { seed: 867, options };
    let procedure = LAB.procedure_on(engine).expect("it runs there");
    FinishedRun {
        report: run_and_compare(&LAB, procedure, &setting),
        took: Duration::from_secs(1),
        captures: None,
        answers: None,
        html: None,
        pictures: None,
    }
}

/// Returns three runs: one with results as predicted, one whose results differ, and one that cannot run here.
fn sample_runs() -> [FinishedRun; 3] {
    let lossy = LabOptions { loss: Some(30.0), ..LabOptions::default() };
    [
        done(Engine::Sim, LabOptions::default()),
        done(Engine::Sim, lossy),
        done(Engine::Netns, LabOptions::default()),
    ]
}
