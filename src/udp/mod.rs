//! RFC 867, "UDP Based Daytime Service": "When a datagram is received, an answering datagram is sent
//! containing the current date and time as a ASCII character string (the data in the received
//! datagram is ignored)." One kind of content is not ignored: a reply is never answered (`content.rs`).
//!
//! ```text
//! client                         server
//!   | ---- any octets, or none ---> |  recvmsg; the guard and the limits let it pass
//!   | <---------- the line -------- |  sendmsg, from the address that was asked
//! ```

#[cfg(feature = "client")]
pub(crate) mod client;
mod content;
pub(crate) mod exchange;
pub(crate) mod guard;
#[cfg(feature = "server")]
mod losses;
#[cfg(feature = "server")]
pub(crate) mod server;
