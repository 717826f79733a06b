//! Tests on real sockets and with the real binary, on port 0 or in network namespaces of their own.

#![allow(unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

mod compare;
mod docs;
mod interop;
mod layers;
mod query;
mod query_errors;
mod query_udp;
mod serve;
mod serve_errors;
mod serve_load;
mod serve_options;
mod serve_replies;
mod serve_stop;
