//! Formats labs and their runs as JSON. On the engine `sim`, the same seed gives the same octets: no value depends on
//! the host or on how long the run took.

use super::ask;
use super::deciding::{self, Decision, TableRow};
use super::phrases::{self, expected, value};
use super::{FinishedRun, ending, not_run};
use crate::duration::Unit;
use crate::lab::question::AnswerForm;
use crate::lab::question::answer::Answer;
use crate::lab::question::verdict::{AnsweredQuestion, MarkedAnswer, Shown};
use crate::lab::{
    Engine, Expected, Finding, Ground, Lab, Lesson, OptionRange, Part, Procedure, Question, Report,
    TraceAction, TraceEvent, Value, fill,
};
use crate::report::{hex, joined, packet};
use crate::sys;
use crate::wire::decode::decode;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};
use std::time::Duration;

/// Returns the list of labs.
pub(crate) fn list(labs: &[&Lab]) -> Json {
    json!({ "labs": labs })
}

/// Writes one lab of `daytime lab list --json`, as `docs/LAB_JSON.md` describes.
impl Serialize for Lab {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "name": self.name,
            "question": self.text.question,
            "level": self.text.level.name(),
            "minutes": self.text.minutes,
            "engines": self.engines().map(Engine::name).collect::<Vec<_>>(),
            "options": Json::Object(self.procedures.iter().map(options).collect()),
            "theory": self.text.theory,
            "next": self.text.next,
            "questions": self.text.questions.iter().map(question).collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

/// Returns a question without its explanations, so that the list does not give answers away.
fn question(Question { id, text, form, .. }: &Question) -> Json {
    let form = match form {
        AnswerForm::Choice(choices) => {
            json!({ "choices": choices.iter().map(|it| &it.text).collect::<Vec<_>>() })
        }
        AnswerForm::Number(number) => json!({ "unit": number.unit }),
    };
    joined([Some(json!({ "id": id, "question": text })), Some(form)])
}

/// Returns the engine's name, and the options that the lab accepts on this engine with their ranges: percent,
/// milliseconds, octets, or a count.
fn options(Procedure { engine, options, .. }: &Procedure) -> (String, Json) {
    let limits = |range: &OptionRange| {
        let (from, to) = (*range.values.start(), *range.values.end());
        (range.option.name().to_owned(), json!({ "from": from, "to": to }))
    };
    (engine.name().to_owned(), Json::Object(options.iter().map(limits).collect()))
}

/// Returns runs with their findings and traces.
pub(crate) fn runs(done: &[FinishedRun]) -> Json {
    let one = |FinishedRun { report, captures, answers, html, pictures, .. }: &FinishedRun| {
        let mut run = json!(report);
        if let Some(answers) = answers {
            run["answers"] = answers.iter().map(|it| answered(it, report)).collect();
        }
        if let Some(html) = html {
            run["html"] = html.display().to_string().into();
        }
        if let Some(pictures) = pictures {
            run["pictures"] = pictures.iter().map(|path| path.display().to_string()).collect();
        }
        if let Some(captures) = captures {
            run["captures"] = captures.iter().map(|path| path.display().to_string()).collect();
        }
        run
    };
    json!({ "runs": done.iter().map(one).collect::<Vec<_>>() })
}

/// Returns a question with the student's answers, the verdicts, and the answer that the run shows.
fn answered(answered: &AnsweredQuestion, report: &Report) -> Json {
    let AnsweredQuestion { question, prediction, observation } = answered;
    let values = (report.procedure.values)(&report.setting);
    let marked = answered.marked(report.findings());
    let shown = marked.map(|it| it.shown);
    let answer = |answer: Option<Answer>, marked: Option<MarkedAnswer>| {
        json!({
            "answer": answer.map(|it| ask::in_words(question, Some(it), &values)),
            "verdict": marked.map(|it| it.mark.name()),
            "reason": marked.and_then(|it| it.why).map(|it| fill(it, &values)),
        })
    };
    let decision = deciding::decision(report, question);
    joined([
        Some(json!({
            "id": question.id,
            "question": fill(&question.text, &values),
            "prediction": answer(*prediction, marked.map(|it| it.prediction)),
            "observation": answer(*observation, marked.map(|it| it.observation)),
            "shown": shown.map(|it| ask::shown_in_words(question, it, &values)),
            "reason": shown.map(|it| fill(question.why_right(it), &values)),
            "findings": shown.map(|it| rows(report, question, it)),
        })),
        decision.map(|it| json!({ "decided_by": decided_by(&it) })),
    ])
}

fn rows(report: &Report, question: &Question, shown: Shown) -> Vec<String> {
    deciding::rows(report, question, shown).iter().map(TableRow::in_record).collect()
}

fn decided_by(decision: &Decision<'_>) -> Json {
    json!({
        "transport": decision.part.transport.to_string(),
        "part": decision.part.name,
        "kind": decision.kind.name(),
        "number": decision.number,
        "at_ns": nanoseconds(decision.at),
        "host": decision.host,
        "label": decision.label,
        "in_words": decision.in_words(),
    })
}

/// Writes one run of `daytime lab run --json`, as `docs/LAB_JSON.md` describes.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { lab, procedure, setting, outcome } = self;
        let system = match procedure.engine {
            Engine::Sim => None,
            Engine::Loopback | Engine::Netns => sys::release(),
        };
        let unit = lab.time_unit;
        json!({
            "lab": lab.name,
            "question": lab.text.question,
            "engine": procedure.engine.name(),
            "seed": self.seed(),
            "options": phrases::options(&setting.options),
            "system": system,
            "good": self.is_as_predicted(),
            "ended": ending(self).1,
            "obstacle": outcome.as_ref().err().map(not_run),
            "theory": lab.text.theory,
            "method": lab.method(procedure, setting),
            "findings": self.findings().iter().map(|it| finding(it, unit)).collect::<Vec<_>>(),
            "lesson": lessons(self),
            "elsewhere": lab.text.other_systems,
            "remarks": self.remarks(),
            "parts": self.parts().iter().map(part).collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

/// Returns the sentences of the lesson, each with the findings that support it.
fn lessons(report: &Report) -> Vec<Json> {
    let ground = |ground: &Ground| {
        let finding = report.finding(ground.transport, ground.what);
        let observed = finding.and_then(Finding::observed);
        json!({
            "transport": ground.transport.to_string(),
            "what": ground.what,
            "must": phrases::requirement(ground.must),
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
        "observed": finding.observed.as_ref().map(|it| exact_value(it, unit)),
        "verdict": finding.verdict.to_string(),
        "in_words": phrases::verdict(finding, unit),
        "varies": prediction.varies,
    })
}

/// Returns a prediction as an object. If theory predicts no value, the object has only the key `in_words`.
fn prediction_of(prediction: &Expected, unit: Unit) -> Json {
    let mut object = Map::new();
    let ends = match prediction.only() {
        Some(only) => [("is", Some(only)), ("to", None)],
        None => [("from", prediction.lowest()), ("to", prediction.highest())],
    };
    for (end, value) in ends {
        object.extend(value.map(|value| (end.to_owned(), exact_value(value, unit))));
    }
    object.insert("in_words".to_owned(), expected(prediction, unit).into());
    object.into()
}

fn exact_value(of: &Value, unit: Unit) -> Json {
    joined([Some(json!(of)), Some(json!({ "in_words": value(of, unit) }))])
}

fn part(Part { transport, name, trace }: &Part) -> Json {
    json!({
        "transport": transport.to_string(),
        "name": name,
        "hosts": trace.hosts,
        "events": trace.events().map(event).collect::<Vec<_>>(),
    })
}

fn event(TraceEvent { at, host, action, .. }: TraceEvent) -> Json {
    let place = json!({ "at_ns": nanoseconds(at), "host": host });
    let action = match action {
        TraceAction::Call { call, outcome } => json!({ "call": call, "outcome": outcome }),
        TraceAction::State { transport, state } => {
            json!({ "transport": transport.to_string(), "state": state })
        }
        TraceAction::Packet { to, octets, arrivals, fate } => {
            let times = arrivals.iter().copied().map(nanoseconds).collect::<Json>();
            let label = decode(octets).map(|it| packet::label(&it));
            joined([
                Some(json!({ "to": to, "packet": label, "fate": fate })),
                (!arrivals.is_empty()).then(|| json!({ "arrived_ns": times })),
                Some(json!({ "octets_hex": hex(octets) })),
            ])
        }
    };
    joined([Some(place), Some(action)])
}

fn nanoseconds(duration: Duration) -> Json {
    // u64::MAX nanoseconds are 584 years, longer than any run.
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
}
