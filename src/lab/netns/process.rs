//! The process of a run. It is this program again, which reads a request from its standard input, makes
//! the namespaces, runs, and writes what came out to its standard output, both as JSON.

use super::super::{Obstacle, Run, Setting};
use super::ip::{Failed, ip};
use super::runs;
use crate::sys;
use serde::{Deserialize, Serialize};
use std::env;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The subcommand that does it.
pub(crate) const SUBCOMMAND: &str = "lab-inside";

/// Longer than any run takes, apart from what packets need to get there.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Deserialize, Serialize)]
struct Request {
    lab: String,
    setting: Setting,
}

/// What came out; an [`Obstacle`] in a form that can be sent.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
enum Outcome {
    Ran(Run),
    Missing(String),
    Failed { what: String, cause: Cause },
    TooLate(String, Duration),
}

/// An error of the system, or another.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
enum Cause {
    Number(i32),
    Text(String),
}

/// Runs the experiment of this lab in a process of its own.
pub(super) fn within(lab: &str, setting: &Setting) -> Result<Run, Obstacle> {
    if cfg!(test) {
        // This program would be the test, which would start itself for ever.
        return Err(Obstacle::Missing("only the program itself can be its own inside".into()));
    }
    let failed = |what: &str, cause| Obstacle::Failed(what.to_owned(), cause);
    let request = Request { lab: lab.to_owned(), setting: setting.clone() };
    let request =
        serde_json::to_string(&request).map_err(|it| failed("tell the setting", it.into()))?;
    let mut child = start().map_err(|it| failed("start the process of the run", it))?;
    let limit = LIMIT + 50 * setting.knobs.delay.unwrap_or_default();
    let answer = converse(&mut child, request, limit);
    // Whatever it was doing: its namespaces, and all that is in them, end with it.
    let _ = child.kill();
    let ended = child.wait();
    match answer? {
        answer if answer.is_empty() => {
            let how = ended.map_or_else(|it| it.to_string(), |status| status.to_string());
            Err(failed("run in a namespace", io::Error::other(format!("its process ended: {how}"))))
        }
        answer => serde_json::from_str::<Outcome>(&answer)
            .map_err(|it| failed("read what came out", it.into()))?
            .into(),
    }
}

fn start() -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .arg(SUBCOMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

/// Hands the request over and takes the answer, which ends with the stream.
fn converse(child: &mut Child, request: String, limit: Duration) -> Result<String, Obstacle> {
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Obstacle::Missing("the process of the run has no pipes".into()));
    };
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = String::new();
        let read = input
            .write_all(request.as_bytes())
            .map(|()| drop(input))
            .and_then(|()| output.read_to_string(&mut answer));
        drop(tell.send(read.map(|_| answer))); // nobody waits any more if it was too late
    });
    match told.recv_timeout(limit) {
        Ok(answer) => answer.map_err(|it| Obstacle::Failed("talk to the run's process".into(), it)),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(Obstacle::TooLate("the end of the run".to_owned(), limit))
        }
    }
}

/// What the process of a run does. It has to have one thread only.
pub(crate) fn inside(input: impl Read, mut output: impl Write) -> io::Result<()> {
    let Request { lab, setting } = serde_json::from_reader(input)?;
    let outcome = Outcome::from(run(&lab, &setting));
    serde_json::to_writer(&mut output, &outcome)?;
    output.flush()
}

fn run(lab: &str, setting: &Setting) -> Result<Run, Obstacle> {
    let run = runs::find(lab)
        .ok_or_else(|| Obstacle::Missing(format!("lab {lab} does not run in namespaces")))?;
    sys::isolate().map_err(Obstacle::Missing)?;
    // A namespace can be made and yet give no right to change it.
    ip("link set lo up\n").map_err(|failed| match failed {
        Failed::Said(_) => Obstacle::Missing(sys::no_rights_inside()),
        failed @ Failed::Start(_) => failed.into(),
    })?;
    run(setting)
}

impl From<Result<Run, Obstacle>> for Outcome {
    fn from(outcome: Result<Run, Obstacle>) -> Self {
        match outcome {
            Ok(run) => Self::Ran(run),
            Err(Obstacle::Missing(what)) => Self::Missing(what),
            Err(Obstacle::Failed(what, cause)) => {
                let text = || Cause::Text(cause.to_string());
                Self::Failed { what, cause: cause.raw_os_error().map_or_else(text, Cause::Number) }
            }
            Err(Obstacle::TooLate(what, limit)) => Self::TooLate(what, limit),
        }
    }
}

impl From<Outcome> for Result<Run, Obstacle> {
    fn from(outcome: Outcome) -> Self {
        Err(match outcome {
            Outcome::Ran(run) => return Ok(run),
            Outcome::Missing(what) => Obstacle::Missing(what),
            Outcome::Failed { what, cause: Cause::Number(number) } => {
                Obstacle::Failed(what, io::Error::from_raw_os_error(number))
            }
            Outcome::Failed { what, cause: Cause::Text(text) } => {
                Obstacle::Failed(what, io::Error::other(text))
            }
            Outcome::TooLate(what, limit) => Obstacle::TooLate(what, limit),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Knobs;
    use super::*;
    use crate::trace::{Event, Fate, Host, HostId, Loss, Packet, Trace, What};
    use crate::transport::Transport;

    fn as_sent(outcome: Result<Run, Obstacle>) -> Result<Run, Obstacle> {
        let json = serde_json::to_string(&Outcome::from(outcome)).expect("JSON");
        serde_json::from_str::<Outcome>(&json).expect("the same").into()
    }

    #[test]
    fn a_run_comes_out_as_it_was() {
        let mut trace = Trace::between(vec![Host {
            name: "client".into(),
            addresses: vec!["10.0.0.1".parse().expect("address")],
        }]);
        let lost =
            Packet { to: HostId(1), octets: vec![69, 0], fate: Fate::Lost(Loss::Ordered(3)) };
        let came = Fate::Arrived(vec![Duration::from_nanos(20_000_001)]);
        let came = Packet { fate: came, ..lost.clone() };
        let call = What::Call { call: "recv(10)".into(), outcome: "10 octets".into() };
        let state = What::State(Transport::Udp, "ESTABLISHED".into());
        for what in [What::Packet(lost), What::Packet(came), call, state] {
            trace.push(Event { at: Duration::from_nanos(1), host: HostId(0), what });
        }
        let mut run = Run::default();
        run.show(Transport::Tcp, "", trace);
        run.saw(Transport::Tcp, "reads", (2, "read"));
        run.saw(Transport::Udp, "share", super::super::super::Value::Share(0.1));
        run.saw(Transport::Udp, "time", Duration::from_millis(3));
        assert_eq!(as_sent(Ok(run.clone())).expect("ran"), run);
    }

    #[test]
    fn an_obstacle_comes_out_as_it_was() {
        let obstacles = [
            Obstacle::Missing("ip".into()),
            Obstacle::Failed("bind".into(), io::Error::from_raw_os_error(13)),
            Obstacle::Failed("bind".into(), io::Error::other("taken")),
            Obstacle::TooLate("the end".into(), Duration::from_secs(3)),
        ];
        for obstacle in obstacles {
            let before = format!("{obstacle:?}");
            let after = as_sent(Err(obstacle)).expect_err("an obstacle");
            assert_eq!(format!("{after:?}"), before);
        }
    }

    #[test]
    fn a_setting_goes_in_as_it_is() {
        let knobs = Knobs { loss: Some(0.1), drop: vec![2, 3], ..Knobs::default() };
        let setting = Setting { seed: u64::MAX, knobs };
        let request = Request { lab: "raw".into(), setting };
        let json = serde_json::to_string(&request).expect("JSON");
        assert_eq!(serde_json::from_str::<Request>(&json).expect("the same"), request);
    }
}
