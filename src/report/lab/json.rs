//! Labs and their runs as JSON. Nothing in it depends on how long this took or where it ran, beside what
//! the run itself gave: the same seed gives the same octets.

use super::phrases::{self, expected, value};
use super::{FinishedRun, ending, not_run};
use crate::duration::Unit;
use crate::lab::{
    Engine, Expected, Finding, Ground, Happening, Lab, Lesson, Next, OptionRange, Part, Procedure,
    Report, Theory, TraceEvent, Value,
};
use crate::report::{hex, joined, packet};
use crate::sys;
use crate::wire::decode::decode;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;
use std::time::Duration;

/// Which labs there are.
pub(crate) fn list(labs: &[&Lab]) -> Json {
    json!({ "labs": labs })
}

/// As one of `daytime lab list --json`: `docs/LAB_JSON.md`.
impl Serialize for Lab {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "name": self.name,
            "question": self.text.question,
            "engines": self.engines().map(Engine::name).collect::<Vec<_>>(),
            "options": Json::Object(self.procedures.iter().map(options).collect()),
            "theory": theory(self),
            "next": self.text.next.iter().map(next).collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

/// Which options there are on an engine, and how far: percent, milliseconds, or a number of something.
fn options(Procedure { engine, options, .. }: &Procedure) -> (String, Json) {
    let limits = |range: &OptionRange| {
        let (from, to) = (*range.values.start(), *range.values.end());
        (range.option.name().to_owned(), json!({ "from": from, "to": to }))
    };
    (engine.name().to_owned(), Json::Object(options.iter().map(limits).collect()))
}

/// Runs, whole, with their traces.
pub(crate) fn runs(done: &[FinishedRun]) -> Json {
    let paths = |captures: &Vec<PathBuf>| {
        captures.iter().map(|path| path.display().to_string()).collect::<Json>()
    };
    let one = |FinishedRun { report, captures, .. }: &FinishedRun| {
        let captures = captures.as_ref().map(|captures| json!({ "captures": paths(captures) }));
        joined([Some(run(report)), captures])
    };
    json!({ "runs": done.iter().map(one).collect::<Vec<_>>() })
}

/// As one of `daytime lab run --json`: `docs/LAB_JSON.md`.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        run(self).serialize(serializer)
    }
}

fn run(report: &Report) -> Json {
    let Report { lab, procedure, setting, outcome } = report;
    let system = match procedure.engine {
        Engine::Sim => None,
        Engine::Loopback | Engine::Netns => sys::release(),
    };
    json!({
        "lab": lab.name,
        "question": lab.text.question,
        "engine": procedure.engine.name(),
        "seed": report.seed(),
        "options": phrases::options(&setting.options),
        "system": system,
        "good": report.is_as_predicted(),
        "ended": ending(report).1,
        "obstacle": outcome.as_ref().err().map(not_run),
        "theory": theory(lab),
        "method": lab.method(procedure, setting),
        "findings": report.findings().iter().map(|it| finding(it, lab.time_unit)).collect::<Vec<_>>(),
        "lesson": lessons(report),
        "elsewhere": lab.text.other_systems,
        "remarks": report.remarks(),
        "parts": report.parts().iter().map(part).collect::<Vec<_>>(),
    })
}

fn theory(lab: &Lab) -> Vec<Json> {
    let sentence = |it: &Theory| json!({ "says": it.says, "source": it.source });
    lab.text.theory.iter().map(sentence).collect()
}

fn next(Next { command, watch }: &Next) -> Json {
    json!({ "command": command, "watch": watch })
}

/// The sentences of the lesson, each with what was observed of its grounds.
fn lessons(report: &Report) -> Vec<Json> {
    let ground = |ground: &Ground| {
        let finding = ground.finding(report.findings());
        let observed = finding.and_then(|it| it.observed.as_ref());
        json!({
            "transport": ground.transport.to_string(),
            "what": ground.what,
            "must": phrases::must(ground.must),
            "observed": observed.map(|it| value(it, report.lab.time_unit)),
        })
    };
    let sentence = |lesson: &Lesson| {
        let grounds: Vec<Json> = lesson.rests_on.iter().map(ground).collect();
        json!({ "says": lesson.says, "rests_on": grounds })
    };
    report.lessons().map(sentence).collect()
}

fn finding(finding: &Finding, unit: Unit) -> Json {
    let prediction = &finding.prediction;
    json!({
        "transport": prediction.transport.to_string(),
        "what": prediction.what,
        "predicted": prediction_of(&prediction.expected, unit),
        "observed": finding.observed.as_ref().map(|it| exact(it, unit)),
        "verdict": finding.verdict.to_string(),
        "in_words": phrases::verdict(finding, unit),
        "varies": prediction.varies,
    })
}

/// Only its words where theory expects nothing.
fn prediction_of(prediction: &Expected, unit: Unit) -> Json {
    let mut object = Map::new();
    let ends = match prediction.only() {
        Some(only) => [("is", Some(only)), ("to", None)],
        None => [("from", prediction.lowest()), ("to", prediction.highest())],
    };
    for (end, value) in ends {
        object.extend(value.map(|value| (end.to_owned(), exact(value, unit))));
    }
    object.insert("in_words".to_owned(), expected(prediction, unit).into());
    object.into()
}

fn exact(of: &Value, unit: Unit) -> Json {
    joined([Some(json!(of)), Some(json!({ "in_words": value(of, unit) }))])
}

fn part(Part { transport, name, trace }: &Part) -> Json {
    let host = |host: &crate::trace::Host| {
        let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
        json!({ "name": host.name, "addresses": addresses })
    };
    json!({
        "transport": transport.to_string(),
        "name": name,
        "hosts": trace.hosts.iter().map(host).collect::<Vec<_>>(),
        "events": trace.events().map(event).collect::<Vec<_>>(),
    })
}

fn event(TraceEvent { at, host, what, .. }: TraceEvent) -> Json {
    let place = json!({ "at_ns": nanoseconds(at), "host": host });
    let what = match what {
        Happening::Call { call, outcome } => json!({ "call": call, "outcome": outcome }),
        Happening::State { transport, state } => {
            json!({ "transport": transport.to_string(), "state": state })
        }
        Happening::Packet { to, octets, arrivals, fate } => {
            let times = arrivals.iter().copied().map(nanoseconds).collect::<Json>();
            let label = decode(octets).map(|it| packet::label(&it));
            joined([
                Some(json!({ "to": to, "packet": label, "fate": fate })),
                (!arrivals.is_empty()).then(|| json!({ "arrived_ns": times })),
                Some(json!({ "octets_hex": hex(octets) })),
            ])
        }
    };
    joined([Some(place), Some(what)])
}

fn nanoseconds(duration: Duration) -> Json {
    // Beyond 584 years there are none.
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
}
