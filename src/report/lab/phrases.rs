//! Phrases for predictions, observations and verdicts.

use crate::duration::Unit;
use crate::lab::{Expected, Finding, Knob, Knobs, Must, Other, Value, Verdict};
use crate::report::{escaped, plural};

/// `2 reads`, `30 %`, `20 ms`, or the text itself; every time in this unit.
pub(super) fn value(value: &Value, unit: Unit) -> String {
    match value {
        Value::Count(count, of) => plural(*count, of),
        Value::Share(share) => percent(*share),
        Value::Text(text) => escaped(text),
        Value::Time(time) => unit.show(*time),
    }
}

/// `at least 2 reads`, `1 to 20 reads`, `up to 1000 ms`.
pub(super) fn expected(expected: &Expected, unit: Unit) -> String {
    let value = |of| value(of, unit);
    match expected {
        Expected::Is(only) => value(only),
        Expected::Between(low, high) if value(low) == value(high) => value(low),
        Expected::AtLeast(Value::Count(0, of)) => {
            format!("any number of {}", plural(0, of).trim_start_matches("0 "))
        }
        Expected::AtLeast(low) => format!("at least {}", value(low)),
        Expected::Between(low, high) if is_nothing(low) => format!("up to {}", value(high)),
        Expected::Between(Value::Count(low, _), high) => format!("{low} to {}", value(high)),
        Expected::Between(low, high) => format!("{} to {}", value(low), value(high)),
    }
}

fn is_nothing(of: &Value) -> bool {
    match of {
        Value::Count(count, _) => *count == 0,
        Value::Share(share) => *share <= 0.0,
        Value::Text(_) => false,
        Value::Time(time) => time.is_zero(),
    }
}

/// `as predicted`, `differs: 2 too many`, `varies here: …`.
pub(super) fn verdict(finding: &Finding, unit: Unit) -> String {
    match (finding.verdict, finding.prediction.varies, &finding.observed) {
        (Verdict::AsPredicted, ..) => "as predicted".to_owned(),
        (Verdict::Varies, why, _) => format!("varies here: {}", why.unwrap_or("it is known to")),
        (Verdict::Differs, _, None) => "differs: it did not come to this".to_owned(),
        (Verdict::Differs, _, Some(observed)) => {
            match by(&finding.prediction.expected, observed, unit) {
                Some(by) => format!("differs: {by}"),
                None => "differs".to_owned(),
            }
        }
    }
}

/// By how much it is outside, where that is a number.
fn by(expected: &Expected, observed: &Value, unit: Unit) -> Option<String> {
    let (low, high) = match expected {
        Expected::Is(only) => (only, only),
        Expected::AtLeast(low) => (low, low),
        Expected::Between(low, high) => (low, high),
    };
    match (low, observed, high) {
        (Value::Count(low, of), Value::Count(count, same), _) if of == same && count < low => {
            Some(format!("{} too few", low - count))
        }
        (_, Value::Count(count, same), Value::Count(high, of)) if of == same && count > high => {
            Some(format!("{} too many", count - high))
        }
        (Value::Time(low), Value::Time(time), _) if time < low => {
            Some(format!("{} too short", unit.show(low.saturating_sub(*time))))
        }
        (_, Value::Time(time), Value::Time(high)) if time > high => {
            Some(format!("{} too long", unit.show(time.saturating_sub(*high))))
        }
        _ => None,
    }
}

/// What a ground of a lesson has to be: `more than 0`, `"ECONNREFUSED"`.
pub(super) fn must(must: Must) -> String {
    let other = |other| match other {
        Other::Finding(transport, what) => format!("in {transport} {what}"),
        Other::Number(number) => number.to_string(),
        Other::Text(text) => format!("\"{text}\""),
    };
    match must {
        Must::BeAsPredicted => "as predicted".to_owned(),
        Must::Equal(to @ Other::Finding(..)) => format!("as many as {}", other(to)),
        Must::Equal(to) => other(to),
        Must::Exceed(least) => format!("more than {}", other(least)),
    }
}

/// Those that were turned, as on the command line.
pub(super) fn knobs(knobs: &Knobs) -> Vec<String> {
    let setting = |knob: Knob| {
        let all: Vec<String> = knobs.of(knob).iter().map(f64::to_string).collect();
        all.join(",")
    };
    let turned = knobs.turned().into_iter();
    turned.map(|knob| format!("--{} {}", knob.name(), setting(knob))).collect()
}

/// With one decimal, unless that is 0.
fn percent(share: f64) -> String {
    let percent = format!("{:.1}", share * 100.0);
    format!("{} %", percent.trim_end_matches(".0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Prediction;
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
    fn what_is_predicted_reads_as_a_phrase() {
        assert_eq!(expected(&Expected::Is(reads(1))), "1 read");
        assert_eq!(expected(&Expected::AtLeast(reads(2))), "at least 2 reads");
        assert_eq!(expected(&Expected::Between(reads(1), reads(20))), "1 to 20 reads");
        let times = Expected::Between((20 * MS).into(), (1060 * MS).into());
        assert_eq!(expected(&times), "20 ms to 1060 ms");
        let seconds = |from: u32, to: u32| Expected::Between((from * MS).into(), (to * MS).into());
        assert_eq!(expected(&seconds(0, 1000)), "up to 1000 ms");
        assert_eq!(expected(&Expected::Between(reads(10), reads(10))), "10 reads");
        assert_eq!(expected(&Expected::AtLeast(reads(0))), "any number of reads");
        assert_eq!(value(&Value::Share(0.49)), "49 %");
        assert_eq!(value(&Value::Share(0.4904)), "49 %");
        assert_eq!(value(&Value::Share(0.497)), "49.7 %");
        assert_eq!(value(&"\x1b[2J \u{9b}µ".into()), "\\u{1b}[2J \\u{9b}µ");
    }

    #[test]
    fn what_differs_says_by_how_much() {
        let words = verdict;
        let verdict = |expected, observed| {
            let prediction = Prediction::new(Transport::Tcp, "reads", expected);
            let finding = Finding { prediction, observed, verdict: Verdict::Differs };
            words(&finding, Unit::Milliseconds)
        };
        assert_eq!(verdict(Expected::Is(reads(2)), Some(reads(5))), "differs: 3 too many");
        assert_eq!(verdict(Expected::AtLeast(reads(2)), Some(reads(1))), "differs: 1 too few");
        let times = Expected::Between((20 * MS).into(), (40 * MS).into());
        assert_eq!(verdict(times.clone(), Some((19 * MS).into())), "differs: 1 ms too short");
        assert_eq!(verdict(times, Some((43 * MS).into())), "differs: 3 ms too long");
        assert_eq!(verdict(Expected::Is("a".into()), Some("b".into())), "differs");
        assert_eq!(verdict(Expected::Is(reads(2)), None), "differs: it did not come to this");
        // Another kind of thing has no number to compare.
        assert_eq!(verdict(Expected::Is(reads(2)), Some((5, "packet").into())), "differs");
    }

    #[test]
    fn the_knobs_that_were_turned_are_told_as_on_the_command_line() {
        let turned =
            Knobs { delay: Some(MS * 20), drop: vec![2, 5], loss: Some(30.0), ..Knobs::default() };
        assert_eq!(knobs(&turned), ["--delay 20", "--drop 2,5", "--loss 30"]);
    }
}
