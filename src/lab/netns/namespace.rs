//! A network namespace and the thread that runs inside it.

use super::crowded;
use crate::sys;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Maximum time that a caller waits for a job. Each wait inside a job has a shorter timeout, so only a job that hangs
/// because of a bug reaches this maximum.
const MAX_JOB_TIME: Duration = Duration::from_mins(5);

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace. A socket belongs to the namespace of the thread that opens it, so jobs (functions that use the
/// network) run in the namespace's own thread or in threads that it starts. The kernel removes a namespace when no
/// thread and no socket uses it.
#[derive(Debug)]
pub(super) struct Namespace {
    jobs: Sender<Job>,
    /// Kernel ID of the thread. The kernel finds the namespace by this ID when a cable to the namespace is created.
    pub thread: i32,
}

/// A job that runs in its own thread, and whose result is not yet available.
#[derive(Debug)]
pub(in crate::lab) struct Pending<T>(Receiver<io::Result<T>>);

impl Namespace {
    /// Creates a namespace with its own thread. When this value is dropped, the thread ends after its current job.
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

    /// Runs a job in the namespace's thread, waits until the job ends, and returns its result.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (done, result) = mpsc::channel();
        let job = move || drop(done.send(job())); // the send fails only if no caller still waits for the result
        self.jobs.send(Box::new(job)).map_err(|_| panicked())?;
        Pending(result).wait(MAX_JOB_TIME)
    }

    /// Starts a job in a new thread inside the namespace.
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
    /// Waits for the job's result. Returns the error `TimedOut` if the job takes longer than `patience`.
    pub(in crate::lab) fn wait(self, patience: Duration) -> io::Result<T> {
        self.0.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Disconnected => panicked(),
            RecvTimeoutError::Timeout => io::ErrorKind::TimedOut.into(),
        })?
    }
}

/// Returns the error for a thread that ended without a result: the thread panicked, which is a bug in this program.
pub(super) fn panicked() -> io::Error {
    io::Error::other("a thread of the laboratory panicked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;

    #[test]
    fn a_job_that_panics_is_an_error_for_each_caller_that_waits() {
        let namespace = match Namespace::new("test") {
            Ok(namespace) => namespace,
            Err(error) => return eprintln!("skipped: no network namespace here: {error}"),
        };
        let pending = namespace.start(|| -> io::Result<()> { panic!("as the test wants") });
        let error = pending.expect("a thread").wait(Duration::from_secs(10)).expect_err("a panic");
        mentions(&error, &["thread", "panicked"]);
        for _ in 0..2 {
            let run = namespace.run(|| -> io::Result<()> { panic!("as the test wants") });
            assert_eq!(run.expect_err("a panic").to_string(), error.to_string());
        }
    }
}
