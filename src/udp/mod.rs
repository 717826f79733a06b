//! RFC 867, "UDP Based Daytime Service": "When a datagram is received, an answering datagram is sent
//! containing the current date and time as a ASCII character string (the data in the received
//! datagram is ignored)." There is one exception: a datagram that is itself a reply gets no answer
//! (`content.rs`).
//!
//! ```text
//! client                         server
//!   | ---- any octets, or none ---> |  receive; guard and limits admit it
//!   | <---------- reply ----------- |  send, from the address that was asked
//! ```

#[cfg(feature = "client")]
pub(crate) mod client;
mod content;
#[cfg(feature = "server")]
mod drop_checks;
pub(crate) mod guard;
pub(crate) mod retries;
#[cfg(feature = "server")]
pub(crate) mod server;
