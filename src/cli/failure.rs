//! Errors that end a command: message, hint and exit status.

use super::complain;
use super::hints::{Hint, Hints, RAISE_LIMIT, descriptor_hint, metrics_hint, refused_hint};
use crate::bench::Load;
use crate::client::Answer;
use crate::report::chain;
use crate::server::ServeError;
use crate::wire::read::ReadError;
use std::io;
use std::process::ExitCode;

/// An error that ends a command, with the text to print.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The reader of standard output has closed it, as `head` does. The command ends without a
    /// message.
    #[error("standard output is closed")]
    OutputClosed,
    /// The arguments conflict with each other, or with the files and sockets that the process was
    /// given.
    #[error("{0}")]
    Usage(String),
    /// An operation failed. The text names the operation and the cause, and gives a hint.
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

    /// Builds a failure from an error, with all its causes and its hint.
    pub(super) fn of(error: &impl Hints) -> Self {
        Self::hinted(error.message(), error.hint())
    }

    pub(super) fn output(error: &io::Error) -> Self {
        Self::Message(format!("cannot write to standard output: {error}"))
    }

    pub(super) fn signals(error: &io::Error) -> Self {
        Self::hinted(format!("cannot wait for signals: {error}"), descriptor_hint(error))
    }

    /// Builds the failure for a limit on open files that leaves too few descriptors for clients.
    pub(super) fn descriptors(limit: u64, missing: usize) -> Self {
        let enough = limit.saturating_add(missing as u64);
        Self::Message(format!(
            "cannot serve: the limit of {limit} open files leaves too few for clients: \
             raise the limit to at least {enough}, {RAISE_LIMIT}"
        ))
    }

    /// Builds the failure for an answer that is truncated or empty. Returns `None` if the answer is
    /// neither.
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

    /// Builds the failure for a load that ended early because every attempt was refused. Returns
    /// `None` for any other load.
    pub(super) fn of_load(load: &Load) -> Option<Self> {
        let Load { transport, peer, refused_at_once, .. } = load;
        let hint = || Some(refused_hint(*transport, *peer));
        let message =
            format!("{peer} refused every attempt over {transport}, so the load ended early");
        refused_at_once.then(|| Self::hinted(message, hint()))
    }

    /// Builds the failure for metrics that cannot be served.
    pub(super) fn metrics(error: &ServeError) -> Self {
        Self::hinted(format!("cannot serve metrics: {}", chain(error)), metrics_hint(error))
    }

    /// Builds the failure for a capture file that cannot be read to its end.
    pub(super) fn capture_file(name: &str, error: &ReadError) -> Self {
        Self::hinted(format!("cannot read {name}: {}", error.message()), error.hint())
    }

    /// Returns the exit status for this failure.
    pub(super) fn status(&self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Usage(_) => ExitCode::from(2),
            Self::Message(_) => ExitCode::FAILURE,
        }
    }

    /// Prints the failure on standard error, with the prefix `daytime: `.
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
