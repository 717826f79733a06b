//! iproute2's `ip`, which makes and joins interfaces.

use super::super::Obstacle;
use crate::sys;
use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::{Command, Stdio};

/// What it said when it failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// There is none, or it could not be started.
    Start(io::Error),
    /// The sentence that it printed.
    Said(String),
}

/// Does what these lines say, on the network of this thread, up to the first that fails.
pub(super) fn ip(lines: &str) -> Result<(), Failed> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .env("PATH", path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Failed::Start)?;
    if let Some(mut input) = child.stdin.take() {
        // If it has ended early, it says why.
        let _ = input.write_all(lines.as_bytes());
    }
    let output = child.wait_with_output().map_err(Failed::Start)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failed::Said(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")))
}

/// Where a user looks, and where some systems keep it from users.
fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

impl From<Failed> for Obstacle {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Start(error) if error.kind() == ErrorKind::NotFound => {
                let missing =
                    "there is no program ip, which joins the namespaces: install iproute2";
                Self::Missing(missing.to_owned())
            }
            Failed::Start(error) => Self::Failed("run ip".to_owned(), error),
            Failed::Said(said) if said.contains("not permitted") => {
                Self::Missing(sys::no_rights_inside())
            }
            Failed::Said(said) if said.contains("Unknown device type") => Self::Missing(
                "the kernel has no veth devices: load the module (modprobe veth) as root"
                    .to_owned(),
            ),
            Failed::Said(said) => {
                Self::Failed("set up the network with ip".to_owned(), io::Error::other(said))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ip_lacks_is_told_with_what_to_do() {
        let told = |failed| match Obstacle::from(failed) {
            Obstacle::Missing(what) => what,
            other => panic!("{other:?}"),
        };
        let missing = told(Failed::Start(ErrorKind::NotFound.into()));
        assert!(missing.ends_with("install iproute2"), "{missing}");
        let veth = told(Failed::Said("Error: Unknown device type.".into()));
        assert!(veth.contains("modprobe veth"), "{veth}");
    }

    #[test]
    fn what_ip_says_otherwise_is_kept() {
        let said = Failed::Said("Error: argument \"x\" is wrong".into());
        let Obstacle::Failed(what, cause) = Obstacle::from(said) else { panic!("another") };
        assert_eq!(what, "set up the network with ip");
        assert_eq!(cause.to_string(), "Error: argument \"x\" is wrong");
    }
}
