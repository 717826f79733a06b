//! The process of a run. It is this program again, which reads a request from its standard input, makes
//! the namespaces, runs, and writes what came out to its standard output, both as JSON. It ends when its
//! input does, so with whoever started it, and all that it has started with it.

use super::super::loopback::failed;
use super::super::{Engine, Obstacle, Run, Setting};
use super::ip::ip;
use super::{crowded, pipe, runs};
use crate::sys;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Stdin, Write};
use std::process::{self, Child, Stdio};
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
    let request = Request { lab: lab.to_owned(), setting: setting.clone() };
    let request =
        serde_json::to_string(&request).map_err(|it| failed("tell the setting")(it.into()))?;
    let mut child = start()?;
    let limit = LIMIT + setting.knobs.delay.unwrap_or_default().saturating_mul(50);
    let answer = converse(&mut child, &request, limit);
    // Whatever it was doing: its namespaces, and all that is in them, end with it.
    sys::end_group(child.id());
    let _ = child.kill();
    let ended = child.wait();
    match answer? {
        answer if answer.is_empty() => {
            let how = ended.map_or_else(|it| it.to_string(), |status| status.to_string());
            let how = io::Error::other(format!("its process ended: {how}"));
            Err(failed("run in a namespace")(how))
        }
        answer => serde_json::from_slice::<Outcome>(&answer)
            .map_err(|it| failed("read what came out")(it.into()))?
            .into(),
    }
}

fn start() -> Result<Child, Obstacle> {
    let mut program = sys::again().map_err(Obstacle::Missing)?;
    let started = program.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    started.map_err(|it| lacking(failed("start the process of the run")(crowded(it))))
}

/// Hands the request over and takes the answer, which ends with the stream.
fn converse(child: &mut Child, request: &str, limit: Duration) -> Result<Vec<u8>, Obstacle> {
    let (Some(input), Some(output)) = (&mut child.stdin, &mut child.stdout) else {
        return Err(Obstacle::Missing("the process of the run has no pipes".into()));
    };
    // If it has ended early, how it did says more. The pipe stays open until it has answered.
    let _ = writeln!(input, "{request}");
    pipe::read_to_end(output, limit).map_err(|error| match error.kind() {
        ErrorKind::TimedOut => Obstacle::TooLate("the end of the run".to_owned(), limit),
        _ => failed("talk to the run's process")(error),
    })
}

/// What the process of a run does. It has to have one thread only.
pub(crate) fn inside(input: Stdin, mut output: impl Write) -> io::Result<()> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let request: Request = serde_json::from_str(&line)?;
    let outcome = Outcome::from(run(&request, input).map_err(lacking));
    serde_json::to_writer(&mut output, &outcome)?;
    output.flush()
}

fn run(
    Request { lab, setting }: &Request,
    input: impl Read + Send + 'static,
) -> Result<Run, Obstacle> {
    let run = runs::find(lab)
        .ok_or_else(|| Obstacle::Missing(format!("lab {lab} does not run in namespaces")))?;
    check(lab, setting)?;
    sys::isolate().map_err(Obstacle::Missing)?;
    end_with(input)?;
    // A namespace can be made and yet give no right to change it.
    ip("link set lo up\n")?;
    run(setting)
}

/// That no knob is turned further than it goes, which the command line has seen to.
fn check(lab: &str, setting: &Setting) -> Result<(), Obstacle> {
    let procedure = crate::lab::find(lab).and_then(|lab| lab.on(Engine::Netns));
    for dial in procedure.into_iter().flat_map(|it| it.knobs) {
        if !setting.knobs.of(dial.knob).into_iter().all(|at| dial.allows(at)) {
            let what = format!("turn --{} beyond {}", dial.knob.name(), dial.range.end());
            return Err(failed(what)(ErrorKind::InvalidInput.into()));
        }
    }
    Ok(())
}

/// From now on this process ends, with its group, when the input does: whoever started it has gone. That is
/// seen however early it went, which a signal sent at its death would not be.
fn end_with(mut input: impl Read + Send + 'static) -> Result<(), Obstacle> {
    let watch = move || {
        let _ = io::copy(&mut input, &mut io::sink());
        sys::end_group(process::id());
    };
    let started = thread::Builder::new().name("lifeline".to_owned()).spawn(watch);
    started.map(drop).map_err(|it| failed("start a thread")(crowded(it)))
}

/// What the system forbids or limits is something that it lacks.
fn lacking(obstacle: Obstacle) -> Obstacle {
    match obstacle {
        Obstacle::Failed(_, cause) if cause.kind() == ErrorKind::StorageFull => {
            Obstacle::Missing(sys::limit_reached())
        }
        Obstacle::Failed(what, cause) if cause.kind() == ErrorKind::PermissionDenied => {
            Obstacle::Missing(format!(
                "cannot {what}: {cause}; a container or a security module forbids it: run it outside"
            ))
        }
        other => other,
    }
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
    use nix::errno::Errno;

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
    fn what_the_system_forbids_or_limits_is_missing_and_anything_else_has_failed() {
        let of =
            |number| lacking(Obstacle::Failed("try".into(), io::Error::from_raw_os_error(number)));
        for forbidden in [Errno::EPERM, Errno::EACCES] {
            let told = of(forbidden as i32).to_string();
            assert!(
                told.starts_with("cannot try: ") && told.ends_with(": run it outside"),
                "{told}"
            );
        }
        assert!(matches!(of(Errno::ENOSPC as i32), Obstacle::Missing(_)));
        assert!(matches!(of(Errno::EINVAL as i32), Obstacle::Failed(..)));
    }

    #[test]
    fn a_knob_that_is_turned_beyond_its_end_is_refused() {
        let at = |delay| Setting { seed: 1, knobs: Knobs { delay, ..Knobs::default() } };
        let most = Duration::from_secs(1);
        for delay in [None, Some(Duration::ZERO), Some(most)] {
            check("raw", &at(delay)).expect("as far as it goes");
        }
        for delay in [most + Duration::from_nanos(1), Duration::MAX] {
            let refused = check("raw", &at(Some(delay))).expect_err("beyond");
            assert_eq!(refused.to_string(), "cannot turn --delay beyond 1000");
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
