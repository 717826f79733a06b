//! What came of a probe.

use super::probe::Probe;

/// What came of one probe.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What was tried.
    pub probe: Probe,
    /// How it ended.
    pub verdict: Verdict,
    /// Why, in a line that is safe for a terminal.
    pub reason: String,
    /// What was measured; each name ends in its unit.
    pub numbers: Vec<(&'static str, f64)>,
}

named! {
    /// How a probe ended.
    #[non_exhaustive]
    pub enum Verdict {
        /// `pass`: as it should be.
        Pass = "pass",
        /// `fail`: not as it should be.
        Fail = "fail",
        /// `not-tried`: could not be tried, or there was nothing to judge.
        NotTried = "not-tried",
    }
}

/// What to make of what was seen: a [`Finding`] before its probe is named.
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

    /// Adds a number.
    pub(super) fn with(mut self, name: &'static str, number: f64) -> Self {
        self.numbers.push((name, number));
        self
    }

    /// Adds a number of things.
    #[expect(clippy::cast_precision_loss, reason = "nothing here is counted beyond 2^52")]
    pub(super) fn with_count(self, name: &'static str, count: usize) -> Self {
        self.with(name, count as f64)
    }

    pub(super) fn on(self, probe: Probe) -> Finding {
        let Self { verdict, reason, numbers } = self;
        Finding { probe, verdict, reason, numbers }
    }
}
