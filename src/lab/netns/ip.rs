//! iproute2's `ip`, which makes and joins interfaces.

use super::super::Obstacle;
use super::super::loopback::PATIENCE;
use super::{crowded, pipe};
use crate::sys;
use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where systems keep it, some of them from users.
const USUAL: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Why it did not do all of it.
#[derive(Debug)]
pub(super) enum Failed {
    /// There is none, or it could not be run.
    Run(io::Error),
    /// The sentence that it printed, or else how it ended.
    Said(String),
    /// It did not end, and has been ended.
    TooLate,
}

/// Does what these lines say, on the network of this thread, up to the first that fails.
pub(super) fn ip(lines: &str) -> Result<(), Failed> {
    let mut child = start(&folders(env::var_os("PATH"))).map_err(Failed::Run)?;
    let said = tell(&mut child, lines);
    if said.is_err() {
        // What it has started itself ends with the group of the run.
        let _ = child.kill();
    }
    let ended = child.wait();
    let said = said.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => Failed::TooLate,
        _ => Failed::Run(error),
    })?;
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if said.is_empty() => Err(Failed::Said(status.to_string())),
        // Where SIGCHLD is ignored nobody is told how it ended (wait(2)); but it is silent if all went well.
        Err(_) if said.is_empty() => Ok(()),
        _ => Err(Failed::Said(said)),
    }
}

/// The first that can be run. Not by execvp(3): that would take an empty folder for the current one.
fn start(folders: &[PathBuf]) -> io::Result<Child> {
    let mut refused = ErrorKind::NotFound.into();
    for folder in folders {
        match spawn(&folder.join("ip")) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => refused = error,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            started => return started.map_err(crowded),
        }
    }
    Err(refused)
}

fn spawn(program: &Path) -> io::Result<Child> {
    Command::new(program)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// What it says to these lines.
fn tell(child: &mut Child, lines: &str) -> io::Result<String> {
    if let Some(mut input) = child.stdin.take() {
        // If it has ended early, it says why.
        let _ = input.write_all(lines.as_bytes());
    }
    let said = match &mut child.stderr {
        Some(stderr) => pipe::read_to_end(stderr, PATIENCE)?,
        None => Vec::new(),
    };
    Ok(String::from_utf8_lossy(&said).trim().replace('\n', "; "))
}

/// Where a user looks, then where it usually is. Never where the user happens to be: root may be in a folder
/// of somebody else.
fn folders(path: Option<OsString>) -> Vec<PathBuf> {
    let path = path.unwrap_or_default();
    let own = env::split_paths(&path).filter(|folder| folder.is_absolute());
    own.chain(USUAL.map(PathBuf::from)).collect()
}

impl From<Failed> for Obstacle {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Run(error) if error.kind() == ErrorKind::NotFound => Self::Missing(
                "there is no program ip, which joins the namespaces: install iproute2".to_owned(),
            ),
            Failed::Run(error) if error.kind() == ErrorKind::PermissionDenied => {
                Self::Missing(format!(
                    "the program ip may not be run here ({error}): make it executable, or install iproute2"
                ))
            }
            Failed::Run(error) => Self::Failed("run ip".to_owned(), error),
            Failed::TooLate => Self::TooLate("the end of ip".to_owned(), PATIENCE),
            Failed::Said(said) => said_obstacle(said),
        }
    }
}

fn said_obstacle(said: String) -> Obstacle {
    let says = |words: &str| said.contains(words);
    if says("Operation not permitted") {
        return Obstacle::Missing(sys::no_rights_inside());
    }
    if says("Unknown device type") {
        let veth = "the kernel has no veth devices: load the module (modprobe veth) as root";
        return Obstacle::Missing(veth.to_owned());
    }
    // BusyBox tells its name and how it is used; others would name the option.
    if says("BusyBox") || says("-batch") {
        let other = "the program ip here is not iproute2's, it has no -batch: install iproute2";
        return Obstacle::Missing(other.to_owned());
    }
    Obstacle::Failed("set up the network with ip".to_owned(), io::Error::other(said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn missing(failed: Failed) -> String {
        match Obstacle::from(failed) {
            Obstacle::Missing(what) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_ip_lacks_is_told_with_what_to_do() {
        let told = missing(Failed::Run(ErrorKind::NotFound.into()));
        assert!(told.ends_with("install iproute2"), "{told}");
        let told = missing(Failed::Said("Error: Unknown device type.".into()));
        assert!(told.contains("modprobe veth"), "{told}");
        let told = missing(Failed::Said("RTNETLINK answers: Operation not permitted".into()));
        assert_eq!(told, sys::no_rights_inside());
    }

    #[test]
    fn an_ip_of_another_make_is_no_reason_to_suspect_the_namespace() {
        let busybox =
            "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.; ; Usage: ip";
        for said in [busybox, "Option \"-batch\" is unknown, try \"ip -help\"."] {
            let told = missing(Failed::Said(said.into()));
            assert!(told.ends_with("install iproute2"), "{told}");
        }
    }

    #[test]
    fn what_ip_says_otherwise_is_kept() {
        for said in ["Error: argument \"x\" is wrong", "exit status: 1"] {
            let Obstacle::Failed(what, cause) = Failed::Said(said.into()).into() else {
                panic!("another")
            };
            assert_eq!(what, "set up the network with ip");
            assert_eq!(cause.to_string(), said);
        }
    }

    #[test]
    fn ip_is_never_looked_for_in_the_current_folder() {
        let usual = USUAL.map(PathBuf::from);
        for path in [None, Some(""), Some(":"), Some("."), Some("bin:./bin:")] {
            assert_eq!(folders(path.map(Into::into)), usual, "{path:?}");
        }
        let own = folders(Some(":/opt/bin:bin".into()));
        assert_eq!(own.split_first(), Some((&PathBuf::from("/opt/bin"), &usual[..])));
    }

    #[test]
    fn an_ip_that_may_not_be_run_is_passed_over_and_told_if_there_is_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ip"), "").expect("written");
        let [nowhere, here] = ["nowhere", ""].map(|name| folder.path().join(name));
        let refused = start(&[here.clone(), nowhere, here.join("ip")]).expect_err("none to run");
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        let told = missing(Failed::Run(refused));
        assert!(told.contains("make it executable"), "{told}");
    }
}
