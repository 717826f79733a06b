//! Tests on real sockets and with the real binary, on port 0 or in network namespaces of their own.

#![allow(unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

mod docs;
mod interop;
mod layers;
mod serve;
