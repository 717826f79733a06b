//! A host: a thread with a network of its own, which does what it is told.

use super::crowded;
use crate::sys;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// Sockets that its jobs open are on its network, as are the threads they start.
#[derive(Debug)]
pub(super) struct Host {
    jobs: Sender<Job>,
    /// By which `ip link set … netns` finds it.
    pub number: i32,
}

/// Something that a host does meanwhile.
#[derive(Debug)]
pub(super) struct Pending<T>(Receiver<io::Result<T>>);

impl Host {
    /// Its thread ends when the host is dropped and what it does is done.
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        let host = move || {
            let number = sys::own_network();
            if tell.send(number).is_ok() {
                for job in todo {
                    job();
                }
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(host).map_err(crowded)?;
        let number = told.recv().map_err(|_| died())??;
        Ok(Self { jobs, number })
    }

    /// Does it there and waits until it is done.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (tell, told) = mpsc::channel();
        let job = move || drop(tell.send(job())); // who asked may have gone
        self.jobs.send(Box::new(job)).map_err(|_| died())?;
        told.recv().map_err(|_| died())?
    }

    /// Does it there in a thread of its own.
    pub(super) fn start<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<Pending<T>> {
        let (tell, told) = mpsc::channel();
        let job = move || drop(tell.send(job()));
        self.run(move || thread::Builder::new().spawn(job).map_err(crowded))?;
        Ok(Pending(told))
    }
}

impl<T> Pending<T> {
    /// What came of it; `TimedOut` if it is not done in time.
    pub(super) fn wait(self, patience: Duration) -> io::Result<T> {
        self.0.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Disconnected => died(),
            RecvTimeoutError::Timeout => io::ErrorKind::TimedOut.into(),
        })?
    }
}

/// A job panicked, which is a defect.
fn died() -> io::Error {
    io::Error::other("a thread of the laboratory died")
}
