//! The Daytime protocol ([RFC 867](https://www.rfc-editor.org/rfc/rfc867)) as a suite: a stream
//! service and a datagram service fed by one formatter, a client for both, and a comparison of the two
//! on real sockets.
//!
//! Daytime is the smallest protocol there is: ask, and the server answers with the date and time as a
//! line of ASCII. Over TCP the connection itself is the question, and the end of the stream is the end
//! of the answer. Over UDP an empty datagram asks and one datagram answers.
//!
//! ```
//! use daytime::{Config, Options, Server, Transport, ask};
//!
//! let anywhere = "127.0.0.1:0".parse()?; // port 0: any free one
//! let server = Server::bind(Config::default().address(anywhere))?.spawn()?;
//!
//! for transport in Transport::BOTH {
//!     let target = server.target(transport).expect("both are served").into();
//!     let answer = ask(&target, transport, &Options::default())?;
//!     println!("{transport}: {}", answer.text()); // tcp: Sunday, November 22, 2026 13:23:00-UTC
//!     assert!(answer.text().ends_with("-UTC"));
//! }
//!
//! server.stop()?; // so does dropping it
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The whole of it
//! - **What is sent**: [`Reply`] is one line of at most 512 octets. A [`Syntax`] prints it for a
//!   [`Reading`] of a [`Clock`] in a [`Zone`]; a [`Pattern`] is a syntax of one's own.
//! - **Serving** (module [`server`]): a [`Config`] says what and where; a [`Server`] runs in this thread or, as
//!   [`Running`], in one of its own, and stops when that is dropped. [`Metrics`] count each [`Event`], also for
//!   Prometheus. [`server::Listen`] has the socket options, [`server::Limits`] how much clients may ask,
//!   [`server::Inherited`] the sockets that another process has opened; a [`server::Confinement`] gives up what
//!   the process does not need.
//! - **Asking**: [`ask`] a [`Target`] over a [`Transport`] with [`Options`]; an [`Answer`] or an
//!   [`AskError`] comes back. The [`Offset`] says how far the local clock is from the server's.
//! - **Reading**: [`recognise`] finds out what a reply means. What is [`Recognised`] has a [`Form`], the
//!   time [`Told`], and [`Flags`] for all that is uncertain; what is [`Unrecognised`] says why.
//! - **Checking**: [`check`] tries whether a server keeps RFC 867 and is a safe neighbour: a
//!   [`Check`] with a [`Finding`] for each [`Probe`], and its [`Verdict`].
//! - **Comparing**: [`compare`] gives a [`Comparison`], one [`Side`] for each transport.
//!
//! Nothing here prints, exits, or panics on what a stranger sends. Octets from the network stay as they
//! came; [`Printable`] makes them safe to show.

/// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[macro_use]
mod options;

mod bench;
mod calls;
mod check;
mod cli;
mod client;
mod clock;
mod compare;
mod duration;
#[cfg(feature = "lab")]
mod lab;
mod limit;
mod listen;
mod metrics;
mod notice;
mod reply;
mod report;
mod responder;
pub mod server;
mod syntax;
mod sys;
mod tcp;
#[cfg_attr(not(feature = "lab"), allow(dead_code, reason = "the laboratory writes traces"))]
mod trace;
mod transport;
mod udp;
mod wire;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;

#[doc(hidden)]
pub use cli::run_command_line;

pub use bench::{Bench, BenchError, BenchOptions, Failures, Load, Percentiles, bench};
pub use calls::Calls;
pub use check::{Check, CheckOptions, Finding, Probe, Verdict, check};
pub use client::{
    Answer, AskError, Attempt, Family, Interruption, Offset, Options, Target, TargetError, ask,
};
pub use clock::{Clock, Health, Leap, Reading};
pub use compare::{
    Closed, CompareError, CompareOptions, Comparison, GIVE_UP, Latencies, Leftover, Nobody, Phase,
    Phases, Side, Source, compare,
};
pub use reply::{Printable, Reply, ReplyError};
pub use server::{Config, Event, Metrics, Running, ServeError, Server};
pub use syntax::{
    Flag, Flags, Form, Marker, Pattern, PatternError, Readings, Reason, Recognised, Syntax,
    TimeCode, Told, UnknownSyntax, Unrecognised, Zone, ZoneError, ZoneOffset, recognise,
};
pub use transport::{IpVersion, PORT, Transport};
