//! A sample lab, for the tests of what draws labs.

use super::FinishedRun;
use crate::duration::Unit;
use crate::lab::lesson::tcp;
use crate::lab::{
    Engine, Knob, Knobs, Lab, Lesson, Must, Next, Obstacle, Prediction, Procedure, Program, Run,
    Setting, Theory, Value, draws_nothing, run,
};
use crate::trace::{Event, Fate, Host, HostId, Loss, Packet, Trace, What};
use crate::transport::Transport;
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "made-up",
    question: "Does it hold, \"whatever\" comes?",
    theory: &[
        Theory { says: "What is sent may be lost.", source: "RFC 768" },
        Theory { says: "TCP sends it again.", source: "RFC 9293, section 3.8.1" },
    ],
    lessons: &[
        Lesson {
            says: "Every octet came.",
            rests_on: &[tcp("octets that came", Must::Number(26))],
        },
        Lesson {
            says: "Some octets came.",
            rests_on: &[tcp("octets that came", Must::BeAbove(0))],
        },
    ],
    time_unit: Unit::Milliseconds,
    programs: &[Program { name: "ask.py", text: "if True:\n    ask()\n" }],
    elsewhere: "Nowhere else.",
    next: &[Next { command: "daytime time", watch: "Whether it is late." }],
    procedures: &[
        Procedure {
            engine: Engine::Sim,
            draws: |setting| setting.knobs.loss.is_some(),
            knobs: &[Knob::Delay.within(0..=1000), Knob::Loss.within(0..=100)],
            method: |_| "A packet is sent.".to_owned(),
            predict,
            run: |setting| Ok(observe(setting)),
        },
        Procedure {
            engine: Engine::Netns,
            draws: draws_nothing,
            knobs: &[Knob::Delay.within(0..=1000)],
            method: |_| "A real packet is sent.".to_owned(),
            predict,
            run: |_| Err(Obstacle::Missing("no namespaces here, run it as root".into())),
        },
    ],
};

fn predict(_: &Setting) -> Vec<Prediction> {
    vec![
        Prediction::is(Transport::Tcp, "octets that came", (26, "octet")),
        Prediction::is(Transport::Udp, "what came", "nothing"),
    ]
}

/// The loss decides whether the prediction holds.
fn observe(setting: &Setting) -> Run {
    let mut run = Run::default();
    let lost = setting.knobs.loss.is_some();
    run.saw(Transport::Tcp, "octets that came", Value::from((if lost { 20 } else { 26 }, "octet")));
    run.saw(Transport::Udp, "what came", "nothing");
    run.show(Transport::Tcp, "", trace(Fate::Arrived(vec![Duration::from_millis(20)])));
    run.show(Transport::Udp, "once", trace(Fate::Lost(Loss::Chance)));
    run
}

fn trace(fate: Fate) -> Trace {
    let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
    let mut trace = Trace::between(vec![host("client"), host("server")]);
    let what = What::Packet(Packet { to: HostId(1), octets: vec![0xff, 0x1b], fate });
    trace.push(Event { at: Duration::ZERO, host: HostId(0), what });
    let what = What::Call { call: "recv(10)".into(), outcome: "EAGAIN".into() };
    trace.push(Event { at: Duration::from_millis(30), host: HostId(0), what });
    trace
}

/// A run of it, which took a second.
pub(super) fn done(engine: Engine, knobs: Knobs) -> FinishedRun {
    let setting = Setting { seed: 867, knobs };
    let procedure = LAB.on(engine).expect("it runs there");
    FinishedRun {
        report: run(&LAB, procedure, &setting),
        took: Duration::from_secs(1),
        captures: None,
    }
}

/// One that is as predicted, one that differs, and one that cannot be had here.
pub(super) fn three() -> [FinishedRun; 3] {
    let lossy = Knobs { loss: Some(30.0), ..Knobs::default() };
    [
        done(Engine::Sim, Knobs::default()),
        done(Engine::Sim, lossy),
        done(Engine::Netns, Knobs::default()),
    ]
}
