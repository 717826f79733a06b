//! The Daytime protocol (RFC 867).
mod clock;
mod reply;
mod syntax;
mod sys;
mod transport;
pub use clock::{Clock, Health, Leap, Reading};
pub use reply::{Printable, Reply, ReplyError};
pub use syntax::{Pattern, PatternError, Syntax, UnknownSyntax, Zone, ZoneError};
pub use transport::Transport;
