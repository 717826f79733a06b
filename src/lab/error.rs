//! Why a lab does not run, or not to its end.

use crate::duration::short;
use std::io;
use std::time::Duration;

/// Why a lab gave no report. Its text says what to do where that is known.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LabError(pub(super) Obstacle);

/// Why a lab did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    /// The lab does not run on this engine, or does not take an option or its value: says what it takes.
    #[error("{0}")]
    Usage(String),
    /// This system lacks something that the engine needs: says what, and what to do about it.
    #[error("{0}")]
    Missing(String),
    /// A call failed that had to succeed.
    #[error("cannot {0}")]
    Failed(String, #[source] io::Error),
    /// It took too long, which is no observation.
    #[error("{0} did not happen within {time}", time = short(*.1))]
    TooLate(String, Duration),
}

impl LabError {
    /// Whether the lab does not run on the engine, lacks an option, or does not take its value.
    ///
    /// ```
    /// use daytime::lab::{self, Engine, Setting};
    ///
    /// let loss = lab::find("loss").expect("a lab of that name");
    /// let error = loss.run(Engine::Sim, &Setting::default().backlog(3)).expect_err("not an option");
    /// assert!(error.is_usage() && !error.is_unavailable());
    /// assert!(error.to_string().starts_with("loss has no --backlog: it has --loss, --drop,"));
    /// ```
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self.0, Obstacle::Usage(_))
    }

    /// Whether this system lacks something that the engine needs, such as network namespaces.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self.0, Obstacle::Missing(_))
    }
}
