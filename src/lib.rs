//! The Daytime protocol (RFC 867).
mod calls;
mod cli;
mod client;
mod clock;
mod compare;
mod listen;
mod metrics;
mod reply;
mod report;
mod responder;
mod server;
mod syntax;
mod sys;
mod tcp;
mod transport;
mod udp;
pub use calls::Calls;
#[doc(hidden)]
pub use cli::run_command_line;
pub use client::{Answer, AskError, Attempt, Family, Options, Target, TargetError, ask};
pub use clock::{Clock, Health, Leap, Reading};
pub use compare::{
    Closed, CompareError, CompareOptions, Comparison, GIVE_UP, Latencies, Leftover, Nobody, Phase,
    Phases, Side, Source, compare,
};
pub use listen::{Listen, ListenError, Setting};
pub use metrics::{Counter, Metrics};
pub use reply::{Printable, Reply, ReplyError};
pub use server::{Bound, Config, ServeError, Server, Shutdown};
pub use syntax::{Pattern, PatternError, Syntax, UnknownSyntax, Zone, ZoneError};
pub use tcp::server::Drain;
pub use transport::{PORT, Transport};
