//! A network namespace, and the thread that lives in it.

use super::crowded;
use crate::sys;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Maximum time of a job that is waited for. Each wait in a job has a limit of its own; this one is for a defect.
const MAX_JOB_TIME: Duration = Duration::from_mins(5);

type Job = Box<dyn FnOnce() + Send>;

/// A socket belongs to the namespace of the thread that opens it. So jobs run in the namespace's own thread, or in
/// threads that it starts. The kernel ends a namespace with its last thread and socket.
#[derive(Debug)]
pub(super) struct Namespace {
    jobs: Sender<Job>,
    /// The number of its thread, by which others refer to the namespace.
    pub thread: i32,
}

/// The result of a job that runs in a thread of its own.
#[derive(Debug)]
pub(in crate::lab) struct Pending<T>(Receiver<io::Result<T>>);

impl Namespace {
    /// Its thread ends when the value is dropped and the running job is done.
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (entered, result) = mpsc::channel();
        let live = move || {
            if entered.send(sys::enter_new_network()).is_ok() {
                for job in queue {
                    job();
                }
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(live).map_err(crowded)?;
        let thread = result.recv().map_err(|_| panicked())??;
        Ok(Self { jobs, thread })
    }

    /// Does a job in the namespace, and waits until it is done.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (done, result) = mpsc::channel();
        let job = move || drop(done.send(job())); // nobody may wait for it any more
        self.jobs.send(Box::new(job)).map_err(|_| panicked())?;
        Pending(result).wait(MAX_JOB_TIME)
    }

    /// Starts a job in a new thread of the namespace.
    pub(super) fn start<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<Pending<T>> {
        let (done, result) = mpsc::channel();
        let job = move || drop(done.send(job()));
        self.run(move || thread::Builder::new().spawn(job).map_err(crowded))?;
        Ok(Pending(result))
    }
}

impl<T> Pending<T> {
    /// The job's result; `TimedOut` if it is not done in time.
    pub(in crate::lab) fn wait(self, patience: Duration) -> io::Result<T> {
        self.0.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Disconnected => panicked(),
            RecvTimeoutError::Timeout => io::ErrorKind::TimedOut.into(),
        })?
    }
}

/// A thread ended without a result: it panicked, which is a defect.
pub(super) fn panicked() -> io::Error {
    io::Error::other("a thread of the laboratory panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_panics_is_an_error_to_each_that_waits_for_it() {
        let namespace = match Namespace::new("test") {
            Ok(namespace) => namespace,
            Err(error) => return eprintln!("skipped: no network namespace here: {error}"),
        };
        let pending = namespace.start(|| -> io::Result<()> { panic!("as the test wants") });
        let error = pending.expect("a thread").wait(Duration::from_secs(10)).expect_err("a panic");
        assert_eq!(error.to_string(), "a thread of the laboratory panicked");
        for _ in 0..2 {
            let run = namespace.run(|| -> io::Result<()> { panic!("as the test wants") });
            assert_eq!(run.expect_err("a panic").to_string(), error.to_string());
        }
    }
}
