//! Errors from running a lab.

use crate::duration::short;
use std::io;
use std::time::Duration;

/// An error that ends a run without a report. If the lab knows a remedy, the error's text names it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LabError(pub(super) Obstacle);

/// The reason why a lab run failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    /// The lab does not run on this engine, or rejects an option or its value. The text names the engines, options or
    /// values that the lab accepts.
    #[error("{0}")]
    Usage(String),
    /// This system lacks something that the engine needs. The text names what is missing and how to provide it.
    #[error("{0}")]
    Missing(String),
    /// A system call that the lab needs failed.
    #[error("cannot {0}")]
    Failed(String, #[source] io::Error),
    /// An event that the lab needs did not happen in time. This ends the run, unlike a missing reply, which is an
    /// observation.
    #[error("{0} did not happen within {time}", time = short(*.1))]
    TooLate(String, Duration),
}

impl LabError {
    /// Whether the request is wrong: the lab does not run on the engine, has no such option, or rejects the option's
    /// value.
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
