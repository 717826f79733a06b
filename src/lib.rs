//! The Daytime protocol ([RFC 867](https://www.rfc-editor.org/rfc/rfc867)) as a suite: a stream
//! service and a datagram service fed by one formatter, a client for both, and a comparison of the two
//! on real sockets.
//!
//! Daytime is the smallest protocol there is: ask, and the server answers with the date and time as a
//! line of ASCII. Over TCP the connection itself is the question, and the end of the stream is the end
//! of the answer. Over UDP an empty datagram asks and one datagram answers.
//!
#![cfg_attr(all(feature = "client", feature = "server"), doc = "```")]
#![cfg_attr(not(all(feature = "client", feature = "server")), doc = "```ignore")]
//! use daytime::{Config, Options, Server, Transport, ask};
//!
//! let anywhere = "127.0.0.1:0".parse()?; // port 0: any free one
//! let server = Server::bind(Config::default().address(anywhere))?.spawn()?;
//!
//! for transport in Transport::BOTH {
//!     let target = server.address(transport).expect("both are served").into();
//!     let answer = ask(&target, transport, &Options::default())?;
//!     println!("{transport}: {}", answer.text()); // tcp: Sunday, November 22, 2026 13:23:00-UTC
//!     assert!(answer.text().ends_with("-UTC"));
//! }
//!
//! server.stop()?; // so does dropping it
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//! - **What is sent**: [`Reply`] is one line of at most 512 octets. A [`Syntax`] prints it for a
//!   [`Reading`] of a [`Clock`] in a [`Zone`]; a [pattern](read::Pattern) is a syntax of one's own.
//! - **Serving** (module `server`): a `Config` says what and where; a `Server` runs in this thread or, as
//!   `Running`, in one of its own, and stops when that is dropped. `Metrics` count each [`Event`], also for
//!   Prometheus. `server::Listen` has the socket options, `server::Limits` how much clients may ask,
//!   `server::Inherited` the sockets that another process has opened; a `server::Confinement` gives up what
//!   the process does not need.
//! - **Asking** (module `client`): `ask` a `Target` over a [`Transport`] with `Options`; an `Answer` or an
//!   `AskError` comes back. A `Client` asks many times.
//! - **Reading** ([`read`]): [`recognise`] finds out what a reply means. What is [`Recognised`] has a
//!   [form](read::Form), a [time](read::ReplyTime), and [flags](read::Flags) for all that is uncertain;
//!   [`validate`](Recognised::validate) says whether to trust the server, and an [`Offset`] how far the local
//!   clock is from the server's.
//! - **Checking** (module `check`): whether a server follows RFC 867 and is safe from abuse.
//! - **Loading** (module `bench`): how much a server does, and how long each exchange takes.
//! - **Comparing** (module `compare`): the same question over both transports, side by side.
//! - **Experimenting** (module `lab`): runs each experiment of the laboratory from code.
//!
//! `docs/library.md` in the repository says which feature to choose, how to use tokio, how to test, and what to do about errors.
//! `examples/` has a small program for each role.
//!
//! Nothing here prints, exits, or panics on what a stranger sends. Octets from the network stay as they
//! came; [`Printable`](read::Printable) makes them safe to show.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "cli"),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "a part of the suite leaves out what only the other parts use"
    )
)]

#[macro_use]
mod macros;

/// Compiles what the README shows.
#[cfg(all(doctest, feature = "cli", feature = "lab"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles what the page for library users shows.
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
#[cfg(any(feature = "cli", feature = "lab"))]
#[cfg_attr(not(feature = "lab"), allow(dead_code, unreachable_pub, reason = "labs have traces"))]
mod trace;
mod transport;
mod udp;
#[cfg(any(feature = "cli", feature = "lab"))]
mod wire;

/// Replies: written in a syntax, recognised, and what they say about the local clock. No socket is opened here.
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
