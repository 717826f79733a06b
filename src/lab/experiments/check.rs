//! What the tests of every lab ask of it.

use crate::lab::{Engine, Knobs, Lab, Outcome, Setting, Verdict, run};
use std::collections::BTreeSet;

/// Runs a lab and holds it to its predictions, each of which has one observation and the other way round.
pub(super) fn as_predicted(lab: &'static Lab, engine: Engine, seed: u64, knobs: Knobs) -> Outcome {
    let setting = Setting { engine, seed, knobs };
    let told = (lab.run)(&setting).expect("no obstacle");
    let observed: Vec<_> = told.observed.iter().map(|it| (it.transport, it.what.clone())).collect();
    let names: BTreeSet<_> = observed.iter().cloned().collect();
    assert_eq!(names.len(), observed.len(), "observed twice: {observed:?}");
    let predicted: BTreeSet<_> =
        (lab.predict)(&setting).into_iter().map(|it| (it.transport, it.what.to_owned())).collect();
    assert_eq!(names, predicted, "{}", lab.name);
    let report = run(lab, &setting);
    let outcome = report.outcome.expect("no obstacle");
    for finding in &outcome.findings {
        assert_eq!(finding.verdict, Verdict::AsPredicted, "{setting:?}: {finding:?}");
    }
    assert!(!outcome.findings.is_empty());
    outcome
}
