//! The threads of all workers but the first.

use super::ServeError;
use super::worker::Worker;
use std::io;
use std::mem;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Workers that have no thread yet, and threads that wait or run.
#[derive(Debug)]
pub(super) struct Threads {
    workers: Vec<Worker>,
    started: Vec<Started>,
}

#[derive(Debug)]
struct Started {
    /// Something on it lets the worker run; if it is dropped, it ends without having run.
    go: Sender<()>,
    thread: JoinHandle<Result<(), ServeError>>,
}

impl Threads {
    pub(super) fn new(workers: Vec<Worker>) -> Self {
        Self { workers, started: Vec::new() }
    }

    /// Starts the threads; they wait.
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

    /// Lets them run.
    pub(super) fn go(&self) {
        for started in &self.started {
            let _ = started.go.send(()); // it waits, so it is there
        }
    }

    /// Waits until all have ended; the first failure, if there was one.
    pub(super) fn join(mut self) -> Result<(), ServeError> {
        let started = mem::take(&mut self.started).into_iter();
        let ended: Vec<_> = started.map(|started| join(started.thread)).collect();
        ended.into_iter().collect()
    }
}

/// How a thread ended.
pub(super) fn join(thread: JoinHandle<Result<(), ServeError>>) -> Result<(), ServeError> {
    thread.join().unwrap_or_else(|reason| Err(ServeError::died(&*reason)))
}

/// Threads that wait end without having run, and their sockets are closed.
impl Drop for Threads {
    fn drop(&mut self) {
        for Started { go, thread } in mem::take(&mut self.started) {
            drop(go);
            let _ = thread.join();
        }
    }
}
