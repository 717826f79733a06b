//! A server of this process, for as long as it is needed.

use super::CompareError;
use crate::server::{Config, ServeError, Server, Shutdown};
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

/// A server in a thread of its own, stopped when dropped.
pub(crate) struct OwnServer {
    /// The first of its addresses.
    pub address: SocketAddr,
    shutdown: Shutdown,
    running: Option<JoinHandle<Result<(), ServeError>>>,
}

impl OwnServer {
    pub(crate) fn start(config: Config) -> Result<Self, CompareError> {
        let server = Server::bind(config)?;
        let address = server.bound()[0].address;
        let shutdown = server.shutdown();
        let thread = thread::Builder::new().name("daytime server".into());
        let running = thread.spawn(move || server.run()).map_err(CompareError::Thread)?;
        Ok(Self { address, shutdown, running: Some(running) })
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.shutdown.stop();
        // What it was for is done; how the server ended does not change it.
        let _ = self.running.take().map(JoinHandle::join);
    }
}
