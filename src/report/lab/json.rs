//! Labs and their runs as JSON. Nothing in it depends on how long this took or where it ran, beside what
//! the run itself gave: the same seed gives the same octets.

use super::phrases::{self, expected, value};
use super::{FinishedRun, ending, not_run};
use crate::duration::Unit;
use crate::lab::{
    Dial, Engine, Expected, Finding, Ground, Lab, Lesson, Next, Outcome, Part, Procedure, Report,
    Value, Verdict,
};
use crate::report::json::{hex, joined};
use crate::report::packet;
use crate::sys;
use crate::trace::{Event, Fate, HostId, Packet, Trace, What};
use crate::wire::decode::decode;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::time::Duration;

/// Which labs there are.
pub(crate) fn list(labs: &[&Lab]) -> Json {
    let lab = |lab: &&Lab| {
        json!({
            "name": lab.name,
            "question": lab.text.question,
            "engines": lab.procedures.iter().map(|it| it.engine.name()).collect::<Vec<_>>(),
            "knobs": Json::Object(lab.procedures.iter().map(knobs).collect()),
            "theory": theory(lab),
            "next": lab.text.next.iter().map(next).collect::<Vec<_>>(),
        })
    };
    json!({ "labs": labs.iter().map(lab).collect::<Vec<_>>() })
}

/// What can be turned on an engine, and how far: percent, milliseconds, or a number of something.
fn knobs(Procedure { engine, knobs, .. }: &Procedure) -> (String, Json) {
    let limits = |dial: &Dial| {
        let (from, to) = (*dial.range.start(), *dial.range.end());
        (dial.knob.name().to_owned(), json!({ "from": from, "to": to }))
    };
    (engine.name().to_owned(), Json::Object(knobs.iter().map(limits).collect()))
}

/// Runs, whole, with their traces.
pub(crate) fn runs(done: &[FinishedRun]) -> Json {
    json!({ "runs": done.iter().map(run).collect::<Vec<_>>() })
}

fn run(FinishedRun { report, captures, .. }: &FinishedRun) -> Json {
    let Report { lab, procedure, setting, .. } = report;
    let outcome = report.outcome.as_ref();
    let system = match procedure.engine {
        Engine::Sim => None,
        Engine::Loopback | Engine::Netns => sys::release(),
    };
    let findings = outcome.map_or(&[][..], |it| &it.findings).iter();
    let findings: Vec<Json> = findings.map(|it| finding(it, lab.time_unit)).collect();
    let object = json!({
        "lab": lab.name,
        "question": lab.text.question,
        "engine": procedure.engine.name(),
        "seed": report.seed(),
        "knobs": phrases::knobs(&setting.knobs),
        "system": system,
        "good": outcome.is_ok_and(Outcome::is_as_predicted),
        "ended": ending(report).1,
        "obstacle": outcome.err().map(not_run),
        "theory": theory(lab),
        "method": lab.method(procedure, setting),
        "findings": findings,
        "lesson": outcome.map_or_else(|_| Vec::new(), |it| lessons(lab, it)),
        "elsewhere": lab.text.elsewhere,
        "remarks": report.remarks(),
        "parts": outcome.map_or(&[][..], |it| &it.parts).iter().map(part).collect::<Vec<_>>(),
    });
    let paths = |captures: &Vec<PathBuf>| {
        captures.iter().map(|path| path.display().to_string()).collect::<Json>()
    };
    let captures = captures.as_ref().map(|captures| json!({ "captures": paths(captures) }));
    joined([Some(object), captures])
}

fn theory(lab: &Lab) -> Vec<Json> {
    let sentence = |it: &crate::lab::Theory| json!({ "says": it.says, "source": it.source });
    lab.text.theory.iter().map(sentence).collect()
}

fn next(Next { command, watch }: &Next) -> Json {
    json!({ "command": command, "watch": watch })
}

/// The sentences of the lesson, each with what was observed of its grounds.
fn lessons(lab: &'static Lab, outcome: &Outcome) -> Vec<Json> {
    let ground = |ground: &Ground| {
        let finding = ground.finding(&outcome.findings);
        let observed = finding.and_then(|it| it.observed.as_ref());
        json!({
            "transport": ground.transport.to_string(),
            "what": ground.what,
            "must": phrases::must(ground.must),
            "observed": observed.map(|it| value(it, lab.time_unit)),
        })
    };
    let sentence = |lesson: &Lesson| {
        let grounds: Vec<Json> = lesson.rests_on.iter().map(ground).collect();
        json!({ "says": lesson.says, "rests_on": grounds })
    };
    outcome.lessons(lab).into_iter().map(sentence).collect()
}

fn finding(finding: &Finding, unit: Unit) -> Json {
    let prediction = &finding.prediction;
    json!({
        "transport": prediction.transport.to_string(),
        "what": prediction.what,
        "predicted": prediction_of(&prediction.expected, unit),
        "observed": finding.observed.as_ref().map(|it| exact(it, unit)),
        "verdict": match finding.verdict {
            Verdict::AsPredicted => "as predicted",
            Verdict::Differs => "differs",
            Verdict::Varies => "varies here",
        },
        "in_words": phrases::verdict(finding, unit),
        "varies": prediction.varies,
    })
}

fn prediction_of(prediction: &Expected, unit: Unit) -> Json {
    let exact = |it| exact(it, unit);
    let object = match prediction {
        Expected::Is(only) => json!({ "is": exact(only) }),
        Expected::Between(low, high) => json!({ "from": exact(low), "to": exact(high) }),
        Expected::AtLeast(low) => json!({ "from": exact(low) }),
    };
    joined([Some(object), Some(json!({ "in_words": expected(prediction, unit) }))])
}

fn exact(of: &Value, unit: Unit) -> Json {
    let object = match of {
        Value::Count(count, of) => json!({ "count": count, "of": of }),
        Value::Share(share) => json!({ "share": share }),
        Value::Text(text) => json!({ "text": text }),
        Value::Time(time) => json!({ "time_ns": nanoseconds(*time) }),
    };
    joined([Some(object), Some(json!({ "in_words": value(of, unit) }))])
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
        "events": trace.events.iter().map(|it| event(trace, it)).collect::<Vec<_>>(),
    })
}

fn event(trace: &Trace, Event { at, host, what }: &Event) -> Json {
    let name = |HostId(number): HostId| trace.hosts.get(number).map(|host| host.name.as_str());
    let place = json!({ "at_ns": nanoseconds(*at), "host": name(*host) });
    let what = match what {
        What::Call { call, outcome } => json!({ "call": call, "outcome": outcome }),
        What::State(transport, state) => {
            json!({ "transport": transport.to_string(), "state": state })
        }
        What::Packet(Packet { to, octets, fate }) => {
            let times = match fate {
                Fate::Arrived(times) => Some(times.iter().copied().map(nanoseconds).collect()),
                Fate::Lost(_) | Fate::Seen => None,
            };
            let label = decode(octets).map(|it| packet::label(&it));
            joined([
                Some(json!({ "to": name(*to), "packet": label, "fate": fate.words(*at) })),
                times.map(|times: Json| json!({ "arrived_ns": times })),
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
