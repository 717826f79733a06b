//! RFC 867, "TCP Based Daytime Service": "Once a connection is established the current date and time
//! is sent out the connection as a ascii character string (and any data received is thrown away).
//! The service closes the connection after sending the quote."
//!
//! ```text
//! client                         server
//!   | ------------- SYN ----------> |
//!   | <---------- SYN+ACK --------- |
//!   | ------------- ACK ----------> |  accept
//!   | <------ reply, FIN ---------- |  send (held back), shutdown(SHUT_WR)
//!   | ------------- ACK ----------> |
//!   |      (any client data)        |  recv, discard
//!   | ------------- FIN ----------> |  recv = 0: close
//!   | <------------ ACK ----------- |
//! ```
//!
//! A server that closes while input is unread sends a reset, and the reset may destroy the reply
//! (RFC 1122, 4.2.2.13). So this server first closes only its own direction and discards input. It closes the
//! connection after the client has closed its direction. This phase is the drain. At a deadline, the server gives up on
//! a client that has not closed.

#[cfg(feature = "client")]
pub(crate) mod client;
#[cfg(feature = "client")]
mod connect;
#[cfg(feature = "server")]
mod connection;
#[cfg(feature = "server")]
mod draining;
#[cfg(feature = "server")]
pub(crate) mod server;
