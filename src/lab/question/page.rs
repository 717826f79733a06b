//! Reads the section `## Questions` on a lab's page.
//!
//! ```text
//! ### How many packets does one exchange over TCP take?
//!
//! <!-- id: tcp-packets; decided by: tcp packet last "ACK" -->
//!
//! - **2 packets**: Why this is right or wrong. <!-- tcp packets sent = 2 -->
//! - **6 or 7 packets**: … <!-- tcp packets sent = 7 | tcp packets sent = 6 -->
//! - **none at all**: Why this is wrong in every run.
//!
//! ### After how many milliseconds does the client have the reply over TCP?
//!
//! <!-- id: tcp-time; number: tcp time to the reply; unit: ms; within: 5 % -->
//!
//! - **as long as over UDP**: Why a student may think so, and what is wrong. <!-- udp time to the reply -->
//! - **half of it**: … <!-- 0.5 × tcp time to the reply -->
//! - **the right number**: Why it is right.
//! - **any other number**: What the student should count.
//! ```

use super::{
    Amount, AnswerForm, Choice, Condition, DecidingEvent, EventKind, KnownNumber, NumberAnswer,
    Question, Tolerance,
};
use crate::lab::lesson::transport_and_name;
use crate::lab::markdown::{Mistake, items, strip_markup};
use crate::lab::{Engine, Ground};
use crate::transport::Transport;

/// Reads all questions in the section.
pub(in crate::lab) fn questions(body: &'static str) -> Result<Vec<Question>, Mistake> {
    let (before, _) = body.split_once("\n### ").unwrap_or((body, ""));
    if !before.trim().is_empty() {
        return Err(Mistake { expected: "only questions, each below ###", at: before });
    }
    let mut questions: Vec<Question> = Vec::new();
    for part in body.split("\n### ").skip(1) {
        let question = question(part)?;
        if questions.iter().any(|other| other.id == question.id) {
            return Err(Mistake { expected: "another id: this one is taken", at: part });
        }
        questions.push(question);
    }
    Ok(questions)
}

fn question(part: &'static str) -> Result<Question, Mistake> {
    let mistake = |expected| Mistake { expected, at: part };
    let (text, rest) = part.split_once('\n').ok_or(mistake("a question that ends with ?"))?;
    if !text.ends_with('?') {
        return Err(mistake("a question that ends with ?"));
    }
    let comment = rest.trim_start().strip_prefix("<!--").and_then(|it| it.split_once("-->"));
    let (comment, answers) = comment.ok_or(Mistake {
        expected: "<!-- id: …; decided by: … --> below the question",
        at: rest,
    })?;
    let answers = answers.strip_prefix('\n').unwrap_or(answers);
    let mut facts = Facts::default();
    for pair in comment.split(';').map(str::trim) {
        facts.read(pair).map_err(|expected| Mistake { expected, at: pair })?;
    }
    let id = facts.id.ok_or(Mistake { expected: "id: a-short-name", at: comment })?;
    let form = match facts.number {
        None => AnswerForm::Choice(choices(answers)?),
        Some(number) => AnswerForm::Number(number_answer(number, &facts, comment, answers)?),
    };
    let Facts { engines, only_if, decided_by, .. } = facts;
    Ok(Question { id, text: strip_markup(text), engines, only_if, form, decided_by })
}

/// The content of the HTML comment below a question.
#[derive(Default)]
struct Facts {
    id: Option<&'static str>,
    engines: Vec<Engine>,
    only_if: Vec<Condition>,
    number: Option<(Transport, &'static str)>,
    unit: Option<&'static str>,
    within: Option<Tolerance>,
    decided_by: Vec<DecidingEvent>,
}

impl Facts {
    /// Reads `key: value`, or returns the expected format as an error.
    fn read(&mut self, pair: &'static str) -> Result<(), &'static str> {
        let keys = "a key: id, decided by, number, unit, within, on, or only if";
        let (key, value) = pair.split_once(": ").ok_or(keys)?;
        match key {
            "id" => self.id = Some(id(value).ok_or("letters, digits and dashes as the id")?),
            "decided by" => self.decided_by.push(
                deciding_event(value)
                    .ok_or("an event such as tcp part \"SYN lost\" packet last \"FIN\"")?,
            ),
            "number" => {
                self.number =
                    Some(transport_and_name(value).ok_or("a finding such as tcp packets")?);
            }
            "unit" => self.unit = Some(value),
            "within" => self.within = Some(tolerance(value).ok_or("5 % or a number")?),
            "on" => {
                let engines: Result<_, _> = value.split(", ").map(str::parse).collect();
                self.engines = engines.map_err(|_| "names of engines: sim, netns")?;
            }
            "only if" => self.only_if.push(condition(value).ok_or(GROUNDS)?),
            _ => return Err(keys),
        }
        Ok(())
    }
}

const GROUNDS: &str = "grounds such as tcp packets > 6 | tcp packets = 2";

fn id(value: &'static str) -> Option<&'static str> {
    let is_good = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    (!value.is_empty() && value.chars().all(is_good)).then_some(value)
}

fn tolerance(value: &str) -> Option<Tolerance> {
    let read = |text: &str| text.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0);
    match value.strip_suffix(" %") {
        Some(percent) => Some(Tolerance::Share(read(percent)? / 100.0)),
        None => Some(Tolerance::Absolute(read(value)?)),
    }
}

/// Reads a condition such as `ground; ground | ground`. The sign `|` separates alternatives. The condition holds if all
/// grounds of at least one alternative hold.
fn condition(text: &'static str) -> Option<Condition> {
    let all = |it: &'static str| it.split(';').map(|it| Ground::parse(it.trim())).collect();
    text.split('|').map(all).collect::<Option<Vec<Vec<Ground>>>>().map(Condition)
}

/// Reads an event such as `tcp packet "FIN"`. The kind of the event, here `packet`, may have `part "NAME"` before it
/// and `last` after it. ` after "SYN"` at the end skips the events up to the first one with that text.
fn deciding_event(text: &'static str) -> Option<DecidingEvent> {
    let (transport, mut rest) = text.split_once(' ')?;
    let mut part = None;
    if let Some(named) = rest.strip_prefix("part \"") {
        let (name, after) = named.split_once("\" ")?;
        (part, rest) = (Some(name), after);
    }
    let (kind, rest) = rest.split_once(' ')?;
    let kind: EventKind = kind.parse().ok()?;
    let (is_last, label) = match rest.strip_prefix("last ") {
        Some(label) => (true, label),
        None => (false, rest),
    };
    let label = label.strip_prefix('"').and_then(|label| label.strip_suffix('"'))?;
    let (text, after) = match label.split_once("\" after \"") {
        Some((text, after)) => (text, Some(after)),
        None => (label, None),
    };
    let transport = transport.parse().ok()?;
    Some(DecidingEvent { transport, part, kind, is_last, text, after })
}

/// An answer on a page, in the form `**the answer**: the explanation <!-- its grounds -->`. Some answers have no comment.
struct Answer {
    text: String,
    why: String,
    grounds: Option<&'static str>,
}

fn answer(item: &'static str) -> Result<Answer, &'static str> {
    let form = "**an answer**: an explanation, and its grounds in a comment at the end";
    let (text, rest) = item.strip_prefix("**").and_then(|it| it.split_once("**:")).ok_or(form)?;
    let commented = rest.strip_suffix("-->").and_then(|it| it.split_once("<!--"));
    let (why, grounds) = commented.map_or((rest, None), |(why, it)| (why, Some(it.trim())));
    let (text, why) = (strip_markup(text), strip_markup(why));
    if text.is_empty() || why.is_empty() || why.contains("<!--") {
        return Err(form);
    }
    Ok(Answer { text, why, grounds })
}

fn choices(body: &'static str) -> Result<Vec<Choice>, Mistake> {
    let choices = items(body, |item| {
        let Answer { text, why, grounds } = answer(item)?;
        let is_right_if = grounds.map(|it| condition(it).ok_or(GROUNDS)).transpose()?;
        Ok(Choice { text, is_right_if, why })
    })?;
    let differ = |(at, one): (usize, &Choice)| choices[..at].iter().all(|it| it.text != one.text);
    match choices.len() {
        2..=9 if choices.iter().enumerate().all(differ) => Ok(choices),
        _ => Err(Mistake { expected: "2 to 9 different choices", at: body }),
    }
}

fn number_answer(
    (transport, what): (Transport, &'static str),
    facts: &Facts,
    comment: &'static str,
    body: &'static str,
) -> Result<NumberAnswer, Mistake> {
    let unit =
        facts.unit.ok_or(Mistake { expected: "unit: ms, s, µs, % or a noun", at: comment })?;
    let (mut why_right, mut why_other, mut known) = (None, None, Vec::new());
    let both_answers = "the answers **the right number** and **any other number**";
    for Answer { text, why, grounds } in items(body, answer)? {
        match (&*text, grounds) {
            ("the right number", None) => why_right = Some(why),
            ("any other number", None) => why_other = Some(why),
            (_, Some(number)) => {
                let expected = "a number or 0.5 × a finding";
                let amount = amount(number).ok_or(Mistake { expected, at: number })?;
                known.push(KnownNumber { amount, why });
            }
            _ => return Err(Mistake { expected: both_answers, at: body }),
        }
    }
    let both = why_right.zip(why_other);
    let expected = both_answers;
    let (why_right, why_other) = both.ok_or(Mistake { expected, at: body })?;
    let within = facts.within.unwrap_or(Tolerance::Absolute(0.0));
    Ok(NumberAnswer { transport, what, unit, within, known, why_right, why_other })
}

/// Reads an amount such as `7`, `udp time to the reply`, or `0.5 × tcp time to the reply`.
fn amount(text: &'static str) -> Option<Amount> {
    let number = |text: &str| text.parse().ok().filter(|it: &f64| it.is_finite());
    if let Some(number) = number(text) {
        return Some(Amount::Number(number));
    }
    let (times, finding) = text.split_once(" × ").unwrap_or(("1", text));
    let (transport, what) = transport_and_name(finding)?;
    Some(Amount::Finding(number(times)?, transport, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::markdown::line;

    const BODY: &str = "
### How many ticks?

<!-- id: ticks; on: sim, netns; only if: tcp delay = 0; decided by: tcp part \"a, b\" call last \"tick()\";
     decided by: udp packet \"\" after \"SYN\" -->

- **`one`
  tick**: Because
  it ticks once.
  <!-- tcp ticks = 1; udp ticks = 1 | tcp ticks > 9 -->
- **two: both**: No.

### How long?

<!-- id: time; number: tcp time; unit: ms; within: 5 % -->

- **half**: Half. <!-- 0.5 × tcp time -->
- **seven**: Seven. <!-- 7 -->
- **as over UDP**: UDP. <!-- udp time -->
- **the right number**: Right.
- **any other number**: Other.
";

    #[test]
    fn the_section_has_choices_and_numbers_with_their_conditions() {
        let questions = questions(BODY).expect("questions");
        let [ticks, time] = &questions[..] else { panic!("{questions:?}") };
        assert_eq!((ticks.id, &*ticks.text), ("ticks", "How many ticks?"));
        assert_eq!((ticks.engines.len(), ticks.only_if.len()), (2, 1));
        let event = |transport, part, kind, is_last, text, after| DecidingEvent {
            transport,
            part,
            kind,
            is_last,
            text,
            after,
        };
        let call = event(Transport::Tcp, Some("a, b"), EventKind::Call, true, "tick()", None);
        let packet = event(Transport::Udp, None, EventKind::Packet, false, "", Some("SYN"));
        assert_eq!(ticks.decided_by, [call, packet]);
        let AnswerForm::Choice(choices) = &ticks.form else { panic!("{ticks:?}") };
        assert_eq!((&*choices[0].text, &*choices[0].why), ("one tick", "Because it ticks once."));
        assert_eq!((&*choices[1].text, &*choices[1].why), ("two: both", "No."));
        assert!(choices[1].is_right_if.is_none(), "wrong in every run");
        let Some(Condition(alternatives)) = &choices[0].is_right_if else { panic!("{choices:?}") };
        assert_eq!(alternatives.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);

        let AnswerForm::Number(number) = &time.form else { panic!("{time:?}") };
        assert_eq!((number.unit, number.within), ("ms", Tolerance::Share(0.05)));
        assert_eq!((&*number.why_right, &*number.why_other), ("Right.", "Other."));
        let amounts: Vec<&Amount> = number.known.iter().map(|it| &it.amount).collect();
        let finding = |times, transport| Amount::Finding(times, transport, "time");
        let expected =
            [finding(0.5, Transport::Tcp), Amount::Number(7.0), finding(1.0, Transport::Udp)];
        assert_eq!(amounts, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_mistake_in_a_question_is_reported_with_its_line() {
        for (right, wrong, number) in [
            ("\n### How many", "\nQuestions:\n### How many", 2),
            ("How many ticks?", "Ticks", 2),
            ("<!-- id: ticks", "<!-- ID: ticks", 4),
            ("id: ticks", "id: Ticks!", 4),
            ("id: ticks; ", "", 4),
            ("on: sim, netns", "on: simulator", 4),
            ("only if: tcp delay = 0", "only if: delay", 4),
            ("udp packet", "udp segment", 5),
            ("tcp ticks = 1;", "ticks = 1;", 7),
            ("tick**: Because", "tick: Because", 7),
            ("once.\n", "once <!-- tcp ticks -->.\n", 7),
            ("**: No.", "**:", 11),
            ("**: No.", "**: No <!-- tcp ticks = 2 -->.", 11),
            ("- **two: both", "- **one tick", 7),
            ("- **two: both**: No.\n", "", 7),
            ("number: tcp time", "number: time", 15),
            ("; unit: ms", "", 15),
            ("within: 5 %", "within: -5 %", 15),
            ("<!-- 7 -->", "<!-- seven -->", 18),
            (" <!-- 7 -->", "", 17),
            ("- **any other number**: Other.\n", "", 17),
            ("id: time", "id: ticks", 13),
        ] {
            let page: &'static str = BODY.replacen(right, wrong, 1).leak();
            assert_ne!(page, BODY, "{right:?} is not there");
            let mistake = questions(page).map(drop).map_err(|it| line(page, it.at));
            assert_eq!(mistake, Err(number), "{wrong:?} for {right:?}");
        }
    }
}
