//! The result of one probe.

use super::probe::Probe;

/// The result of one probe.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The probe.
    pub probe: Probe,
    /// Whether the server passed.
    pub verdict: Verdict,
    /// Reason for the verdict: one line, safe to print on a terminal.
    pub reason: String,
    /// Measured numbers with their names. Each name ends with its unit.
    pub numbers: Vec<(&'static str, f64)>,
}

named! {
    /// Whether the server passed a probe.
    #[non_exhaustive]
    pub enum Verdict {
        /// `pass`: the server behaves as it should.
        Pass = "pass",
        /// `fail`: the server does not behave as it should.
        Fail = "fail",
        /// `not-tried`: the probe could not run, or there was nothing to judge.
        NotTried = "not-tried",
    }
}

/// A verdict with its reason and numbers: a [`Finding`] without its probe.
#[derive(Debug)]
pub(super) struct Judgement {
    verdict: Verdict,
    reason: String,
    numbers: Vec<(&'static str, f64)>,
}

impl Judgement {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), numbers: Vec::new() }
    }

    pub(super) fn pass(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, reason)
    }

    pub(super) fn fail(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, reason)
    }

    pub(super) fn not_tried(reason: impl Into<String>) -> Self {
        Self::new(Verdict::NotTried, reason)
    }

    /// Adds a measured number.
    pub(super) fn with(mut self, name: &'static str, number: f64) -> Self {
        self.numbers.push((name, number));
        self
    }

    /// Adds a count.
    #[expect(clippy::cast_precision_loss, reason = "every count here is far below 2^52")]
    pub(super) fn with_count(self, name: &'static str, count: usize) -> Self {
        self.with(name, count as f64)
    }

    pub(super) fn on(self, probe: Probe) -> Finding {
        let Self { verdict, reason, numbers } = self;
        Finding { probe, verdict, reason, numbers }
    }
}
