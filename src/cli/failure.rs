//! Why a command ends early, printed once, with what to try.

use super::complain;
use super::hints::{Hint, Hints, RAISE_LIMIT, descriptor_hint, metrics_hint, refused_hint};
use crate::bench::Load;
use crate::client::Answer;
use crate::report::chain;
use crate::server::ServeError;
use crate::wire::read::ReadError;
use std::io;
use std::process::ExitCode;

/// Why a command ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The reader closed standard output, as `head` does: no reason to complain, or to go on.
    #[error("standard output is closed")]
    OutputClosed,
    /// The arguments do not go together with each other or with what there is.
    #[error("{0}")]
    Usage(String),
    /// What failed, why, and what to try.
    #[error("{0}")]
    Message(String),
}

impl Failure {
    fn hinted(message: String, hint: Hint) -> Self {
        Self::Message(match hint {
            Some(hint) => format!("{message}: {hint}"),
            None => message,
        })
    }

    /// An error with all its causes.
    pub(super) fn of(error: &impl Hints) -> Self {
        Self::hinted(error.message(), error.hint())
    }

    pub(super) fn output(error: &io::Error) -> Self {
        Self::Message(format!("cannot write to standard output: {error}"))
    }

    pub(super) fn signals(error: &io::Error) -> Self {
        Self::hinted(format!("cannot wait for signals: {error}"), descriptor_hint(error))
    }

    /// The limit of open files leaves too few for clients.
    pub(super) fn descriptors(limit: u64, missing: usize) -> Self {
        let enough = limit.saturating_add(missing as u64);
        Self::Message(format!(
            "cannot serve with a limit of {limit} open files: too few are left for clients: \
             raise it to {enough} at least, {RAISE_LIMIT}"
        ))
    }

    /// What is wrong with an answer that came.
    pub(super) fn of_answer(
        Answer { peer, transport, truncated, octets, .. }: &Answer,
    ) -> Option<Self> {
        let fault = if *truncated {
            format!("the reply of {peer} is cut: it was longer than {} octets", octets.len())
        } else if octets.is_empty() {
            format!("{peer} sent an empty reply over {transport}: it may not know the time")
        } else {
            return None;
        };
        Some(Self::Message(fault))
    }

    /// Why a load ended early.
    pub(super) fn of_load(load: &Load) -> Option<Self> {
        let Load { transport, peer, refused_at_once, .. } = load;
        let hint = || Some(refused_hint(*transport, *peer));
        let message =
            format!("{peer} refused every attempt over {transport}, so the load ended early");
        refused_at_once.then(|| Self::hinted(message, hint()))
    }

    /// The endpoint for metrics cannot be served.
    pub(super) fn metrics(error: &ServeError) -> Self {
        Self::hinted(format!("no metrics: {}", chain(error)), metrics_hint(error))
    }

    /// A capture file cannot be read, or not to its end.
    pub(super) fn capture_file(name: &str, error: &ReadError) -> Self {
        Self::hinted(format!("cannot read {name}: {}", error.message()), error.hint())
    }

    /// What the process ends with.
    pub(super) fn status(&self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Usage(_) => ExitCode::from(2),
            Self::Message(_) => ExitCode::FAILURE,
        }
    }

    /// `daytime: what failed: why: what to try`, on standard error.
    pub(super) fn print(&self) {
        if !matches!(self, Self::OutputClosed) {
            complain(&format!("daytime: {self}"));
        }
    }
}

impl<E: Hints> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}
