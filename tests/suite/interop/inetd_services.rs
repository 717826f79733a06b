//! The inetds of Debian start `daytime serve --inetd`, in each of the ways they have.

use super::inetds::{HOST, Inetd, OPENBSD, XINETD};
use super::peer::Peer;
use crate::or_skip;
use crate::support::wire::eventually;
use crate::support::{Namespace, good, program, run, stderr, stdout};
use std::process::Output;

/// A service that is ours, in both languages.
#[derive(Clone, Copy)]
struct Service {
    /// `stream` or `dgram`.
    kind: &'static str,
    /// `wait` or `nowait`.
    mode: &'static str,
    arguments: &'static str,
}

const STREAM_NOWAIT: Service =
    Service { kind: "stream", mode: "nowait", arguments: "serve --inetd --strftime ours:%Y" };
const STREAM_WAIT: Service = Service {
    kind: "stream",
    mode: "wait",
    arguments: "serve --inetd --idle 1 --strftime ours:%Y",
};
const DGRAM_WAIT: Service = Service { kind: "dgram", ..STREAM_WAIT };
const DGRAM_NOWAIT: Service =
    Service { kind: "dgram", mode: "nowait", arguments: "serve --inetd=nowait --strftime ours:%Y" };

impl Service {
    fn protocol(self) -> &'static str {
        if self.kind == "stream" { "tcp" } else { "udp" }
    }

    fn start(self, inetd: &Inetd) -> Result<(Peer, Namespace), String> {
        let Self { kind, mode, arguments } = self;
        let namespace = Namespace::having(&[&format!("{HOST}/32")])?;
        let (binary, protocol) = (env!("CARGO_BIN_EXE_daytime"), self.protocol());
        if inetd.package == OPENBSD.package {
            let line =
                format!("daytime {kind} {protocol}4 {mode} root {binary} daytime {arguments}\n");
            return Ok((inetd.start_with(&namespace, &line, 1)?, namespace));
        }
        let wait = if mode == "wait" { "yes" } else { "no" };
        let block = format!(
            "service daytime\n{{\nsocket_type = {kind}\nprotocol = {protocol}\nwait = {wait}\n\
             user = root\nserver = {binary}\nserver_args = {arguments}\n\
             instances = UNLIMITED\ncps = 0 0\n}}\n"
        );
        Ok((inetd.start_with(&namespace, &block, 1)?, namespace))
    }

    fn assert_answers(self, inside: &Namespace) {
        let mut query = inside.daytime();
        let line = good(query.args(["query", "-q", "--proto", self.protocol(), HOST]));
        assert!(line.starts_with("ours:2") && line.len() == 10, "{line:?}");
    }

    /// Several clients, and then nobody is left over.
    fn assert_serves(self, inetd: &Inetd) {
        let (peer, inside) = or_skip!(self.start(inetd));
        for _ in 0..3 {
            self.assert_answers(&inside);
        }
        let process = peer.children();
        eventually("every process has ended and is buried", || peer.children().is_empty());
        if self.mode == "wait" {
            assert_eq!(process.len(), 1, "one for all clients");
        }
        self.assert_answers(&inside); // the next is started again
        eventually("that one too", || peer.children().is_empty());
    }
}

#[test]
fn openbsd_inetd_starts_us_for_each_connection() {
    STREAM_NOWAIT.assert_serves(&OPENBSD);
}

#[test]
fn openbsd_inetd_starts_us_for_a_listener() {
    STREAM_WAIT.assert_serves(&OPENBSD);
}

#[test]
fn openbsd_inetd_starts_us_for_datagrams() {
    DGRAM_WAIT.assert_serves(&OPENBSD);
}

#[test]
fn openbsd_inetd_starts_us_for_each_datagram() {
    DGRAM_NOWAIT.assert_serves(&OPENBSD);
}

#[test]
fn xinetd_starts_us_for_each_connection() {
    STREAM_NOWAIT.assert_serves(&XINETD);
}

#[test]
fn xinetd_starts_us_for_a_listener() {
    STREAM_WAIT.assert_serves(&XINETD);
}

#[test]
fn xinetd_starts_us_for_datagrams() {
    DGRAM_WAIT.assert_serves(&XINETD);
}

/// And for one only: behind it Debian's xinetd (2.3.15.3) closes its own socket, whatever it starts.
#[test]
fn xinetd_starts_us_for_one_datagram() {
    let (peer, inside) = or_skip!(DGRAM_NOWAIT.start(&XINETD));
    DGRAM_NOWAIT.assert_answers(&inside);
    eventually("it has ended and is buried", || peer.children().is_empty());
}

/// What a client reads to the end that sends CR LF first, 20 times; a reset is a failure.
fn talk_first(inside: &Namespace) -> Result<Output, String> {
    program("bash")?;
    let script = format!(
        "for round in {{1..20}}; do exec 3<>/dev/tcp/{HOST}/13 && printf '\\r\\n' >&3 && \
         cat <&3 && exec 3<&- || exit; done"
    );
    Ok(run(inside.command("bash").args(["-c", &script])))
}

/// 18 of 20 such clients lose their line against openbsd-inetd's own service.
fn a_talking_client_has_its_whole_line(inetd: &Inetd) {
    let (_peer, inside) = or_skip!(STREAM_NOWAIT.start(inetd));
    let output = or_skip!(talk_first(&inside));
    assert_eq!(stderr(&output), "");
    let lines = stdout(&output);
    assert_eq!(lines.matches("ours:2").count(), 20, "{lines}");
    // Nothing but the lines: no log, no list of sockets.
    assert_eq!(lines.len(), 20 * "ours:2026\r\n".len(), "{lines}");
}

#[test]
fn a_client_of_openbsd_inetd_that_talks_first_has_our_whole_line_and_nothing_else() {
    a_talking_client_has_its_whole_line(&OPENBSD);
}

#[test]
fn a_client_of_xinetd_that_talks_first_has_our_whole_line_and_nothing_else() {
    a_talking_client_has_its_whole_line(&XINETD);
}

#[test]
fn clients_do_not_get_errors_of_the_command_line() {
    for arguments in ["serve --inetd --bogus", "serve --inetd --port 9", "serve -vv --inetd=maybe"]
    {
        let service = Service { arguments, ..STREAM_NOWAIT };
        let (_peer, inside) = or_skip!(service.start(&OPENBSD));
        let output = run(inside.daytime().args(["query", "--json", HOST]));
        let answer: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        assert_eq!(answer["octets"], 0, "{arguments}: {answer}");
    }
}
