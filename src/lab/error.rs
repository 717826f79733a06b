//! Errors of a laboratory run.

use crate::duration::short;
use std::io;
use std::time::Duration;

/// An error that prevents a report. Its text says what to do, if the lab knows a remedy.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LabError(pub(super) Obstacle);

/// The reason why a run of a lab failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    /// The lab does not run on this engine, or does not accept an option or its value. The text names the accepted
    /// ones.
    #[error("{0}")]
    Usage(String),
    /// This system lacks something that the engine needs. The text names it, and says what to do.
    #[error("{0}")]
    Missing(String),
    /// A system call failed that the lab needs.
    #[error("cannot {0}")]
    Failed(String, #[source] io::Error),
    /// An event did not happen in time. The lab does not record this as an observation.
    #[error("{0} did not happen within {time}", time = short(*.1))]
    TooLate(String, Duration),
}

impl LabError {
    /// Whether the request is wrong: the lab does not run on the engine, lacks an option, or does not accept its value.
    ///
    /// ```
    /// use daytime::lab::{self, Engine, Setting};
    ///
    /// let loss = lab::find("loss").expect("a lab of that name");
    /// let error = loss.run(Engine::Sim, &Setting::default().backlog(3)).expect_err("not an option");
    /// assert!(error.is_usage() && !error.is_unavailable());
    /// let text = error.to_string();
    /// assert!(text.contains("backlog") && text.contains("loss, drop,"));
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
