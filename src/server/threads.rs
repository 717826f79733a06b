//! Threads of all workers except the first.

use super::ServeError;
use super::worker::Worker;
use std::io;
use std::mem;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Workers that have no thread yet, and threads that are waiting or running.
#[derive(Debug)]
pub(super) struct Threads {
    workers: Vec<Worker>,
    started: Vec<Started>,
}

#[derive(Debug)]
struct Started {
    /// Channel to the thread. A message makes the thread run its worker. If the channel is dropped
    /// without a message, the thread ends without running the worker.
    go: Sender<()>,
    thread: JoinHandle<Result<(), ServeError>>,
}

impl Threads {
    pub(super) fn new(workers: Vec<Worker>) -> Self {
        Self { workers, started: Vec::new() }
    }

    /// Starts the threads. Each thread then waits for [`go`](Self::go).
    pub(super) fn start(&mut self) -> io::Result<()> {
        for mut worker in mem::take(&mut self.workers) {
            let (go, started) = mpsc::channel();
            let run = move || if started.recv().is_ok() { worker.serve() } else { Ok(()) };
            let name = format!("worker {}", self.started.len() + 2);
            let thread = thread::Builder::new().name(name).spawn(run)?;
            self.started.push(Started { go, thread });
        }
        Ok(())
    }

    /// Lets the waiting threads run.
    pub(super) fn go(&self) {
        for started in &self.started {
            // The thread is still waiting for this message, so sending succeeds.
            let _ = started.go.send(());
        }
    }

    /// Waits until all threads have ended. Returns the first error, if there is one.
    pub(super) fn join(mut self) -> Result<(), ServeError> {
        let started = mem::take(&mut self.started).into_iter();
        let ended: Vec<_> = started.map(|started| join(started.thread)).collect();
        ended.into_iter().collect()
    }
}

/// Waits for a thread and returns its result; a panic becomes an error.
pub(super) fn join(thread: JoinHandle<Result<(), ServeError>>) -> Result<(), ServeError> {
    thread.join().unwrap_or_else(|reason| Err(ServeError::died(&*reason)))
}

/// Ends the waiting threads without running their workers. This also closes the workers' sockets.
impl Drop for Threads {
    fn drop(&mut self) {
        for Started { go, thread } in mem::take(&mut self.started) {
            drop(go);
            let _ = thread.join();
        }
    }
}
