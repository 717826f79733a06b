//! RFC 867, "TCP Based Daytime Service": "Once a connection is established the current date and time
//! is sent out the connection as a ascii character string (and any data received is thrown away).
//! The service closes the connection after sending the quote."
//!
//! ```text
//! client                         server
//!   | ------------- SYN ----------> |
//!   | <---------- SYN+ACK --------- |
//!   | ------------- ACK ----------> |  accept
//!   | <------ the line, FIN ------- |  send (held back), shutdown(SHUT_WR)
//!   | ------------- ACK ----------> |
//!   |   (whatever the client says)  |  recv, thrown away
//!   | ------------- FIN ----------> |  recv = 0: close
//!   | <------------ ACK ----------- |
//! ```
//!
//! A server that closes while input is unread sends a reset, and the reset may overtake the line
//! (RFC 1122, 4.2.2.13). So ours closes only its own direction, throws away what comes, and closes
//! when the client has: the drain. A client that never closes is given up at a deadline.

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
