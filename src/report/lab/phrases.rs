//! Formats predictions, observations and verdicts as short phrases.

use crate::duration::{Unit, short};
use crate::lab::{
    Comparand, Expected, Finding, LabOption, LabOptions, Requirement, Value, Verdict,
};
use crate::report::{escaped, plural};
use std::fmt;

/// The name of the program's predictions in tables: a student's prediction, which `--ask` asks for, never has this name.
pub(crate) const THEORY_PREDICTS: &str = "theory predicts";

/// Returns a value as text: `2 reads`, `30 %`, or a time in this unit, such as `20 ms`.
pub(crate) fn value(value: &Value, unit: Unit) -> String {
    match value {
        Value::Count { count, of } => plural(*count, of),
        Value::Share { share } => percent(*share),
        Value::Text { text } => escaped(text),
        Value::Time { time } => unit.show(*time),
    }
}

/// Formats a value as text; a time is in the unit that suits it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Time { time } => short(*time),
            _ => value(self, Unit::Seconds),
        })
    }
}

/// Returns a prediction as text: `at least 2 reads`, `1 to 20 reads`, `up to 1000 ms`, or `observe` if theory predicts
/// nothing.
pub(crate) fn expected(expected: &Expected, unit: Unit) -> String {
    range(expected, |of| value(of, unit))
}

/// Formats an expectation as text: `at least 2 reads`, or `observe` if theory predicts nothing. Each time is in the
/// unit that suits it.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&range(self, Value::to_string))
    }
}

fn range(expected: &Expected, value: impl Fn(&Value) -> String) -> String {
    let Some(low) = expected.lowest() else { return "observe".to_owned() };
    match (low, expected.highest()) {
        (low, Some(high)) if value(low) == value(high) => value(low),
        (Value::Count { count: 0, of }, None) => {
            format!("any number of {}", plural(0, of).trim_start_matches("0 "))
        }
        (low, None) => format!("at least {}", value(low)),
        (low, Some(high)) if low.number() == Some(0.0) => format!("up to {}", value(high)),
        (Value::Count { count: low, .. }, Some(high)) => format!("{low} to {}", value(high)),
        (low, Some(high)) => format!("{} to {}", value(low), value(high)),
    }
}

/// Returns a verdict, with its reason if it has one: `as predicted`, `observed`, `differs: 2 too many`, `varies here:
/// …`.
pub(crate) fn verdict(finding: &Finding, unit: Unit) -> String {
    let why = match (finding.verdict, &finding.observed) {
        (Verdict::AsPredicted | Verdict::Observed, _) => None,
        (Verdict::Varies, _) => finding.prediction.varies.map(str::to_owned),
        (Verdict::Differs, None) => Some("not reached".to_owned()),
        (Verdict::Differs, Some(observed)) => how_far_off(finding.expected(), observed, unit),
    };
    let verdict = finding.verdict;
    why.map_or_else(|| verdict.to_string(), |why| format!("{verdict}: {why}"))
}

/// Returns the distance of an observation from the predicted range, such as `2 too many`. Returns `None` for shares and
/// strings, and if the two values are of different kinds or count different things.
fn how_far_off(expected: &Expected, observed: &Value, unit: Unit) -> Option<String> {
    let beyond = |more: &Value, less: &Value| match (more, less) {
        (Value::Count { count, .. }, Value::Count { count: less, .. }) => {
            Some((count.checked_sub(*less)?.to_string(), ["few", "many"]))
        }
        (Value::Time { time }, Value::Time { time: less }) => {
            Some((unit.show(time.checked_sub(*less)?), ["short", "long"]))
        }
        _ => None,
    };
    let low = expected.lowest().filter(|low| low.is_comparable(observed))?;
    if let Some((gap, [too_little, _])) = beyond(low, observed) {
        return Some(format!("{gap} too {too_little}"));
    }
    let (gap, [_, too_much]) = beyond(observed, expected.highest()?)?;
    Some(format!("{gap} too {too_much}"))
}

/// Returns the condition that a lesson sets on a finding's value, as text: `more than 0`, `"ECONNREFUSED"`.
pub(crate) fn requirement(requirement: Requirement) -> String {
    let other = |other| match other {
        Comparand::Finding(transport, what) => format!("in {transport} {what}"),
        Comparand::Number(number) => number.to_string(),
        Comparand::Text(text) => format!("\"{text}\""),
    };
    match requirement {
        Requirement::BeAsPredicted => "as predicted".to_owned(),
        Requirement::Equal(to @ Comparand::Finding(..)) => format!("as many as {}", other(to)),
        Requirement::Equal(to) => other(to),
        Requirement::FallBelow(most) => format!("less than {}", other(most)),
        Requirement::Exceed(least) => format!("more than {}", other(least)),
    }
}

/// Returns the options that are set, as written on the command line.
pub(crate) fn options(options: &LabOptions) -> Vec<String> {
    let setting = |option: LabOption| {
        let all: Vec<String> = options.of(option).iter().map(f64::to_string).collect();
        all.join(",")
    };
    let given = options.given().into_iter();
    given.map(|option| format!("--{} {}", option.name(), setting(option))).collect()
}

/// Formats a share in percent, with at most one decimal place.
fn percent(share: f64) -> String {
    let percent = format!("{:.1}", share * 100.0);
    format!("{} %", percent.trim_end_matches(".0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Prediction;
    use crate::mentions::mentions;
    use crate::transport::Transport;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    fn expected(it: &Expected) -> String {
        super::expected(it, Unit::Milliseconds)
    }

    fn value(it: &Value) -> String {
        super::value(it, Unit::Milliseconds)
    }

    fn reads(count: u64) -> Value {
        (count, "read").into()
    }

    #[test]
    fn a_prediction_is_shown_as_a_phrase() {
        assert_eq!(expected(&Expected::is(reads(1))), "1 read");
        assert_eq!(expected(&Expected::at_least(reads(2))), "at least 2 reads");
        assert_eq!(expected(&Expected::between(reads(1), reads(20))), "1 to 20 reads");
        let times = Expected::between(20 * MS, 1060 * MS);
        assert_eq!(expected(&times), "20 ms to 1060 ms");
        let seconds = |from: u32, to: u32| Expected::between(from * MS, to * MS);
        assert_eq!(expected(&seconds(0, 1000)), "up to 1000 ms");
        assert_eq!(expected(&Expected::between(reads(10), reads(10))), "10 reads");
        mentions(&expected(&Expected::at_least(reads(0))), &["any", "reads"]);
        assert_eq!(expected(&Expected::OBSERVE), "observe");
        assert_eq!(value(&Value::share(0.49)), "49 %");
        assert_eq!(value(&Value::share(0.4904)), "49 %");
        assert_eq!(value(&Value::share(0.497)), "49.7 %");
        assert_eq!(value(&"\x1b[2J \u{9b}µ".into()), "\\u{1b}[2J \\u{9b}µ");
    }

    #[test]
    fn a_finding_that_differs_says_how_far() {
        let words = verdict;
        let verdict = |expected, observed| {
            let prediction = Prediction::new(Transport::Tcp, "reads", expected);
            let finding = Finding { prediction, observed, verdict: Verdict::Differs };
            words(&finding, Unit::Milliseconds)
        };
        let many = verdict(Expected::is(reads(2)), Some(reads(5)));
        mentions(&many, &["differs", "3", "many"]);
        let few = verdict(Expected::at_least(reads(2)), Some(reads(1)));
        mentions(&few, &["differs", "1", "few"]);
        let times = Expected::between(20 * MS, 40 * MS);
        let short = verdict(times.clone(), Some((19 * MS).into()));
        mentions(&short, &["differs", "1 ms", "short"]);
        mentions(&verdict(times, Some((43 * MS).into())), &["differs", "3 ms", "long"]);
        assert_eq!(verdict(Expected::is("a"), Some("b".into())), "differs");
        mentions(&verdict(Expected::is(reads(2)), None), &["differs", "not reached"]);
        // Counts of different things cannot be subtracted, so the verdict has no number.
        assert_eq!(verdict(Expected::is(reads(2)), Some((5, "packet").into())), "differs");
    }

    #[test]
    fn options_are_shown_as_on_the_command_line() {
        let given = LabOptions {
            delay: Some(MS * 20),
            drop: vec![2, 5],
            loss: Some(30.0),
            ..LabOptions::default()
        };
        assert_eq!(options(&given), ["--delay 20", "--drop 2,5", "--loss 30"]);
    }
}
