//! What the tests of every lab ask of it.

use crate::lab::finding::compare;
use crate::lab::{Engine, Knobs, Lab, Outcome, Setting, Verdict};
use crate::trace::What;

/// Runs a lab and has every finding as predicted, with one observation for each.
pub(super) fn as_predicted(lab: &'static Lab, engine: Engine, seed: u64, knobs: Knobs) -> Outcome {
    let (procedure, setting) = (lab.on(engine).expect("it runs there"), Setting { seed, knobs });
    for knob in setting.knobs.turned() {
        let dial = procedure.dial(knob).expect("it has the knob");
        let (least, most) = (f64::from(*dial.range.start()), f64::from(*dial.range.end()));
        assert!(setting.knobs.of(knob).iter().all(|at| (least..=most).contains(at)), "{setting:?}");
    }
    let run = (procedure.run)(&setting).expect("nothing is in the way");
    let mut observed: Vec<_> = run.observed.iter().map(|it| (it.transport, &*it.what)).collect();
    let predictions = (procedure.predict)(&setting);
    let mut predicted: Vec<_> = predictions.iter().map(|it| (it.transport, it.what)).collect();
    observed.sort_unstable();
    predicted.sort_unstable();
    assert_eq!(observed, predicted, "one observation for each prediction");
    assert!(predicted.windows(2).all(|two| two[0] != two[1]), "twice the same: {predicted:?}");
    let findings = compare(predictions, &run.observed);
    let outcome = Outcome { findings, parts: run.parts };
    assert!(!outcome.findings.is_empty());
    for finding in &outcome.findings {
        assert_eq!(finding.verdict, Verdict::AsPredicted, "{setting:?}: {finding:?}");
    }
    outcome
}

/// The same for a lab on loopback, where nothing comes from a seed.
pub(super) fn all_is_as_predicted(lab: &'static Lab, knobs: Knobs) -> Outcome {
    as_predicted(lab, Engine::Loopback, 0, knobs)
}

/// True if such a call stands in a trace.
pub(super) fn is_shown(outcome: &Outcome, call: &str) -> bool {
    let mut events = outcome.parts.iter().flat_map(|part| &part.trace.events);
    events.any(|event| matches!(&event.what, What::Call { call: shown, .. } if shown == call))
}
