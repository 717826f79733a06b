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
//! If a server closes while input is unread, it sends a reset, and the reset may destroy the reply
//! (RFC 1122, 4.2.2.13). So this server closes only its own direction, discards input, and closes
//! after the client has closed: the drain. The server gives up a client that does not close by a
//! deadline.

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
