//! A suite for the Daytime protocol ([RFC 867](https://www.rfc-editor.org/rfc/rfc867)): TCP and UDP
//! services, a client for both, and a laboratory for experiments on both.
//!
//! Daytime is the smallest protocol there is: a client sends a query, and the server answers with
//! the date and time as a line of ASCII. Over TCP, the connection itself is the query, and the end
//! of the stream is the end of the reply. Over UDP, an empty datagram is the query, and one
//! datagram is the answer.
//!
//! This example needs the features `client` and `server`:
//!
#![cfg_attr(all(feature = "client", feature = "server"), doc = "```")]
#![cfg_attr(not(all(feature = "client", feature = "server")), doc = "```ignore")]
//! use daytime::{Config, Options, Server, Transport, ask};
//!
//! let anywhere = "127.0.0.1:0".parse()?; // port 0: the kernel chooses a free port
//! let server = Server::bind(Config::default().address(anywhere))?.spawn()?;
//!
//! for transport in Transport::BOTH {
//!     let target = server.address(transport).expect("both are served").into();
//!     let answer = ask(&target, transport, &Options::default())?;
//!     println!("{transport}: {}", answer.text()); // tcp: Sunday, November 22, 2026 13:23:00-UTC
//!     assert!(answer.text().ends_with("-UTC"));
//! }
//!
//! server.stop()?; // dropping the server stops it too
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//! - **Replies**: a [`Clock`] gives a [`Reading`]: an instant and its reliability. A [`Syntax`]
//!   writes the reading, in a [`Zone`], as a [`Reply`]: one line of at most 512 octets. A
//!   [pattern](read::Pattern) is a custom syntax.
//! - **Serving** (module `server`): a `Config` holds addresses and options. A `Server` runs in the
//!   calling thread, or as `Running` in a thread of its own. Dropping a `Running` stops the server.
//!   `Metrics` count each [`Event`], and can be printed for Prometheus. `server::Listen` holds the
//!   socket options, `server::Limits` the abuse limits, and `server::Inherited` a socket that
//!   another process has opened. A `server::Confinement` gives up rights that the process does not
//!   need.
//! - **Asking** (module `client`): `ask` sends a query to a `Target` over a [`Transport`], with
//!   `Options`, and returns an `Answer` or an `AskError`. A `Client` sends many queries.
//! - **Reading replies** ([`read`]): [`recognise`] reads a reply. A [`Recognised`] reply has a
//!   [form](read::Form), a [time](read::ReplyTime), and [flags](read::Flags) for everything
//!   uncertain. [`validate`](Recognised::validate) decides whether to trust the server. An
//!   [`Offset`] is the difference between the local clock and the server's.
//! - **Checking** (module `check`): checks whether a server complies with RFC 867 and whether it
//!   can be abused.
//! - **Measuring** (module `bench`): measures how many exchanges a server can handle, and how long
//!   each takes.
//! - **Comparing** (module `compare`): sends the same query over both transports, side by side.
//! - **Experimenting** (module `lab`): runs the laboratory's experiments from code.
//!
//! `docs/library.md` in the repository explains which feature to choose, how to use tokio, how to
//! test, and how to handle errors. `examples/` has a small program for each role.
//!
//! The library never prints, never exits, and never panics on input from the network. Octets from
//! the network stay unchanged, and [`Printable`](read::Printable) makes them safe to show.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    any(not(feature = "cli"), all(feature = "lab", not(feature = "teach"))),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "some items are used only by other features"
    )
)]

#[macro_use]
mod macros;

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "cli", feature = "teach"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples of `docs/library.md`, the page for library users.
#[cfg(all(doctest, feature = "client", feature = "server", feature = "lab"))]
#[doc = include_str!("../docs/library.md")]
struct LibraryPage;

#[cfg(feature = "client")]
mod asking;
#[cfg(feature = "client")]
pub mod bench;
#[cfg(feature = "client")]
pub mod check;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "client")]
pub mod client;
mod clock;
#[cfg(all(feature = "client", feature = "server"))]
pub mod compare;
mod duration;
#[cfg(feature = "lab")]
pub mod lab;
#[cfg(feature = "server")]
mod limit;
#[cfg(feature = "server")]
mod listen;
#[cfg(test)]
mod mentions;
mod metrics;
#[cfg(feature = "server")]
mod notice;
mod reply;
#[cfg(any(feature = "cli", feature = "lab"))]
mod report;
mod responder;
#[cfg(feature = "server")]
pub mod server;
mod syntax;
mod sys;
#[cfg(any(feature = "client", feature = "server"))]
mod tcp;
#[cfg(feature = "teach")]
mod teach;
#[cfg(any(feature = "cli", feature = "lab"))]
#[cfg_attr(
    not(feature = "lab"),
    allow(dead_code, unreachable_pub, reason = "only labs use traces")
)]
mod trace;
mod transport;
mod udp;
#[cfg(any(feature = "cli", feature = "lab"))]
mod wire;

/// Replies: prints them in a syntax, recognises them, and computes the offset of the local clock.
/// This module opens no socket.
///
/// ```
/// use daytime::read::{Flag, ReplyTime, recognise};
/// let read = recognise(b"Mon Feb 22 17:37:43 1982\n")?;
/// let ReplyTime::WallClock { local } = read.time else { panic!("ctime(3) names no zone") };
/// assert_eq!(local.to_string(), "1982-02-22 17:37:43");
/// assert!(read.flags.is_empty() && read.validate().is_ok());
/// # Ok::<(), daytime::read::Unrecognised>(())
/// ```
pub mod read {
    pub use crate::clock::{Health, Leap, Reading};
    pub use crate::reply::{Printable, Reply, ReplyError};
    pub use crate::syntax::{
        Candidates, Distrust, Flag, Flags, Form, Marker, Offset, PartFault, Pattern, PatternError,
        Reason, Recognised, ReplyTime, Syntax, TimeCode, UnknownSyntax, Unrecognised, Zone,
        ZoneError, ZoneOffset, recognise,
    };
}

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub use cli::run_command_line;

#[cfg(feature = "client")]
pub use bench::{Bench, BenchError, BenchOptions, Failures, Load, Percentiles, bench};
pub use chrono;
#[cfg(feature = "client")]
pub use client::{Answer, AskError, Client, Options, Target, ask};
pub use clock::{Clock, Health, Leap, Reading};
pub use macros::UnknownName;
pub use metrics::Event;
pub use read::{Offset, Recognised, Reply, Syntax, Zone, recognise};
#[cfg(feature = "server")]
pub use server::{Config, Metrics, Running, ServeError, Server};
pub use transport::{IpVersion, PORT, Transport};
