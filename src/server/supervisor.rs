//! Reports to the supervisor that the server is ready, alive or stopping (`sd_notify(3)`).
//!
//! The socket is opened once and stays open, because a confined event loop may not open sockets.

use crate::sys;
use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// Time until the next attempt to send while the supervisor's queue is full.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The supervisor that started this process and listens on `$NOTIFY_SOCKET`.
///
/// If the supervisor does not listen, the service runs without reporting.
///
/// ```
/// use daytime::server::Supervisor;
/// use daytime::{Config, Server};
/// let mut server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?;
/// if let Some(supervisor) = Supervisor::from_environment() {
///     server = server.supervised(supervisor); // systemd started this process
/// }
/// assert_eq!(server.workers(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Supervisor {
    /// Socket to the supervisor; `None` once the supervisor no longer listens.
    socket: Option<UnixDatagram>,
    /// Interval between two heartbeats: half of the time that the watchdog allows.
    pub(super) beat: Option<Duration>,
    /// Message that was not sent because the supervisor's queue was full.
    unsent: Option<String>,
    /// Time at which [`Supervisor::tick`] must act next.
    pub(super) due: Option<Instant>,
}

impl Supervisor {
    /// Returns the supervisor that `NOTIFY_SOCKET` names; `None` if there is no supervisor.
    /// Includes the supervisor's watchdog if there is one (`WATCHDOG_USEC`, `WATCHDOG_PID`;
    /// `sd_watchdog_enabled(3)`). Logs a warning if the supervisor cannot be reached.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let place = env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty())?;
        let variable = |name| env::var(name).ok();
        let (usec, pid) = (variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
        let beat = beat(usec.as_deref(), pid.as_deref(), std::process::id());
        match connect(&place) {
            Ok(socket) => Some(Self { socket: Some(socket), beat, unsent: None, due: None }),
            Err(error) => {
                let place = place.display();
                log::warn!("cannot reach the supervisor at NOTIFY_SOCKET={place}: {error}");
                None
            }
        }
    }

    /// Reports that the sockets are bound and that the event loop is starting.
    pub(super) fn ready(&mut self, status: &str) {
        self.due = self.beat.map(|beat| Instant::now() + beat);
        self.send(format!("READY=1\nSTATUS={status}\n"));
    }

    /// Reports that the server accepts no new clients.
    pub(super) fn stopping(&mut self) {
        let status = "stopping: answering clients that have arrived; open connections get 1 s";
        self.send(format!("STOPPING=1\nSTATUS={status}\n"));
    }

    /// Sends a heartbeat if one is due and all workers are alive. The event loop of the first
    /// worker calls this in every round.
    pub(super) fn tick(&mut self, now: Instant, alive: impl FnOnce() -> bool) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = self.beat.map(|beat| now + beat);
        if let Some(text) = self.unsent.take() {
            self.send(text);
        }
        if self.beat.is_some() && self.unsent.is_none() && alive() {
            self.send("WATCHDOG=1\n".to_owned());
        }
    }

    fn send(&mut self, text: String) {
        let Some(socket) = &self.socket else { return };
        let sent = loop {
            match socket.send(text.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => break sent,
            }
        };
        match sent {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.unsent = Some(text);
                let retry = Instant::now() + RETRY_INTERVAL;
                self.due = Some(self.due.map_or(retry, |due| due.min(retry)));
            }
            Err(error) => {
                log::warn!("cannot reach the supervisor any more: {error}; serving without it");
                *self = Self { socket: None, beat: None, unsent: None, due: None };
            }
        }
    }
}

/// Returns half of the time that the watchdog allows between two heartbeats; `None` if the watchdog
/// does not watch the process with the ID `this`.
fn beat(usec: Option<&str>, pid: Option<&str>, this: u32) -> Option<Duration> {
    let watches = pid.is_none_or(|pid| pid.parse() == Ok(this));
    let allowed = usec?.parse().ok().filter(|usec| watches && *usec > 0);
    allowed.map(|usec| Duration::from_micros(usec) / 2)
}

/// Connects to a path, or to an abstract name (unix(7)) if `place` begins with an @.
fn connect(place: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match place.as_bytes() {
        [b'/', ..] => socket.connect(place)?,
        [b'@', name @ ..] => socket.connect_addr(&sys::abstract_address(name)?)?,
        _ => {
            return Err(io::Error::new(
                ErrorKind::Unsupported,
                "not a path, and not @ with a name",
            ));
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(socket: UnixDatagram, beat: Option<Duration>) -> Supervisor {
        socket.set_nonblocking(true).expect("set");
        Supervisor { socket: Some(socket), beat, unsent: None, due: None }
    }

    fn received(supervisor: &UnixDatagram) -> Option<String> {
        supervisor.set_nonblocking(true).expect("set");
        let mut text = [0; 256];
        let length = supervisor.recv(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text[..length]).into_owned())
    }

    #[test]
    fn the_beat_is_half_of_what_the_watchdog_allows_this_process() {
        let half = Some(Duration::from_secs(15));
        assert_eq!(beat(Some("30000000"), None, 42), half);
        assert_eq!(beat(Some("30000000"), Some("42"), 42), half);
        assert_eq!(beat(Some("30000000"), Some("43"), 42), None);
        assert_eq!(beat(Some("30000000"), Some(""), 42), None);
        assert_eq!(beat(Some("0"), None, 42), None);
        assert_eq!(beat(Some("soon"), None, 42), None);
        assert_eq!(beat(None, Some("42"), 42), None);
    }

    #[test]
    fn a_sign_of_life_is_due_after_each_beat_and_not_before() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        let beat = Duration::from_secs(10);
        let mut supervisor = with(ours, Some(beat));
        supervisor.ready("serving");
        assert_eq!(received(&theirs).as_deref(), Some("READY=1\nSTATUS=serving\n"));
        for _ in 0..3 {
            let due = supervisor.due.expect("a watchdog");
            supervisor.tick(due.checked_sub(Duration::from_millis(1)).expect("in range"), || true);
            assert_eq!(received(&theirs), None);
            supervisor.tick(due, || true);
            assert_eq!(received(&theirs).as_deref(), Some("WATCHDOG=1\n"));
            assert_eq!(supervisor.due, Some(due + beat));
        }
    }

    #[test]
    fn without_a_watchdog_nothing_is_ever_due() {
        let (ours, _theirs) = UnixDatagram::pair().expect("a pair");
        let mut supervisor = with(ours, None);
        supervisor.ready("serving");
        assert_eq!(supervisor.due, None);
    }

    #[test]
    fn a_message_that_a_full_queue_refuses_is_sent_later() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        let mut supervisor = with(ours.try_clone().expect("a second handle"), None);
        let mut filled = 0;
        while ours.send(b"full").is_ok() {
            filled += 1;
        }
        supervisor.ready("serving");
        let due = supervisor.due.expect("to be tried again");
        for _ in 0..filled {
            assert_eq!(received(&theirs).as_deref(), Some("full"));
        }
        assert_eq!(received(&theirs), None);
        supervisor.tick(due, || true);
        assert_eq!(received(&theirs).as_deref(), Some("READY=1\nSTATUS=serving\n"));
        assert_eq!(supervisor.due, None);
    }

    #[test]
    fn a_supervisor_that_has_gone_gets_no_more_messages() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        let mut supervisor = with(ours, Some(Duration::from_secs(1)));
        drop(theirs);
        supervisor.ready("serving");
        assert_eq!(supervisor.due, None);
        assert!(supervisor.socket.is_none());
    }

    #[test]
    fn an_invalid_unix_socket_address_is_refused() {
        for place in ["vsock:2:1", "relative/path", "", "/no/such/socket"] {
            assert!(connect(OsStr::new(place)).is_err(), "{place}");
        }
    }
}
