//! Boots a real systemd in its own namespaces, with the units from `packaging/systemd`.

use super::wire::eventually;
use super::{Namespace, good, program, run, stdout};
use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Units from systemd itself that those in `packaging/systemd` need. They are copied from this machine.
const SYSTEM: [&str; 10] = [
    "basic.target",
    "local-fs.target",
    "multi-user.target",
    "shutdown.target",
    "sockets.target",
    "sysinit.target",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "time-set.target",
];

/// Address of the host inside the namespaces.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A running systemd. Dropping this value ends systemd and all its processes.
#[derive(Debug)]
pub struct Systemd {
    pub network: Namespace,
    /// The unshare(1) process, whose only child is systemd.
    child: Child,
    /// The control group that contains systemd: a folder in the mount namespace of `network`.
    group: PathBuf,
    id: String,
}

impl Systemd {
    /// Boots systemd and starts these units, such as `daytime.socket`.
    ///
    /// # Errors
    /// The error is the reason to pass to [`skip`](super::skip).
    pub fn boot(started: &[&str]) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0); // distinguishes tests that run at the same time
        if !geteuid().is_root() {
            return Err("only root may start a systemd".to_owned());
        }
        for name in ["systemctl", "journalctl", "unshare", "nsenter", "mount", "pivot_root"] {
            program(name)?;
        }
        let network = Namespace::having(&[&format!("{HOST}/32")])?;
        let folder = network.folder().to_owned();
        lay_out(&folder, started)?;
        let groups = folder.join("groups");
        let mounted = run(network.command("mount").args(["-t", "cgroup2", "none"]).arg(&groups));
        if !mounted.status.success() {
            return Err("this kernel has no control groups of version 2".to_owned());
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let group = groups.join(format!("daytime-test-{}-{number}", std::process::id()));
        good(network.command("mkdir").arg(&group));
        let script = r#"echo 0 >"$1/cgroup.procs" && shift && exec unshare "$@""#;
        let mut boot = network.command("sh");
        boot.args(["-c", script, "sh"]).arg(&group);
        boot.args(["-C", "-m", "-p", "-u", "-i", "--fork", "--kill-child", "sh"]);
        boot.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/systemd.sh"));
        boot.arg(env!("CARGO_BIN_EXE_daytime")).arg(&folder);
        let child = boot.stdout(Stdio::null()).spawn().expect("started");
        let mut systemd = Self { network, child, group, id: String::new() };
        systemd.wait_for_boot();
        Ok(systemd)
    }

    fn wait_for_boot(&mut self) {
        let unshare = self.child.id();
        let children = format!("/proc/{unshare}/task/{unshare}/children");
        eventually("systemd has started the units", || {
            let ended = self.child.try_wait().expect("waited for");
            assert_eq!(ended, None, "systemd did not start");
            let children = fs::read_to_string(&children).unwrap_or_default();
            children.trim().clone_into(&mut self.id);
            !self.id.is_empty() && self.is_active("default.target")
        });
    }

    /// Returns a command that runs in systemd's namespaces.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.network.command("nsenter");
        command.args(["-t", &self.id, "-m", "-p", "-u", "-i", "-C", "--"]).arg(program);
        command
    }

    /// Runs `systemctl` with these arguments, and returns its output.
    pub fn control(&self, arguments: &[&str]) -> String {
        good(self.command("systemctl").args(arguments))
    }

    pub fn is_active(&self, unit: &str) -> bool {
        run(self.command("systemctl").args(["is-active", unit])).status.success()
    }

    /// Returns a property of `daytime.service`.
    pub fn property(&self, name: &str) -> String {
        self.control(&["show", "--value", "-p", name, "daytime.service"]).trim().to_owned()
    }

    /// Returns the journal of `daytime.service`.
    pub fn log(&self) -> String {
        good(self.command("journalctl").args(["--no-pager", "-o", "cat", "-u", "daytime.service"]))
    }

    /// Waits until the journal of `daytime.service` contains this text.
    pub fn logs(&self, text: &str) {
        eventually(text, || self.log().contains(text));
    }

    /// Queries the server once. Returns the reply, and ignores the exit status of `daytime query`.
    pub fn ask(&self, transport: &str) -> String {
        let mut query = self.network.daytime();
        query.args(["query", "-q", "--timeout", "20", "--proto", transport]);
        stdout(&run(query.arg(HOST.to_string())))
    }

    /// Changes settings of `daytime.socket` or `daytime.service`, as `systemctl edit` does, and stops the service. The
    /// next client starts the service again.
    pub fn edit(&self, unit: &str, section: &str, settings: &str) {
        let script = "folder=/run/systemd/system/daytime.$1.d && mkdir -p $folder && \
            printf '[%s]\\n%s\\n' \"$2\" \"$3\" >$folder/test.conf && \
            systemctl daemon-reload && systemctl stop daytime.service 2>/dev/null";
        good(self.command("sh").args(["-c", script, "sh", unit, section, settings]));
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // When process 1 ends, the kernel ends all other processes in its PID namespace.
        let _ = self.child.kill();
        let _ = self.child.wait();
        eventually("its control groups are empty", || {
            let remove = ["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"];
            let _ = run(self.network.command("find").arg(&self.group).args(remove));
            !run(self.network.command("test").arg("-e").arg(&self.group)).status.success()
        });
    }
}

/// Fills the folder from which `systemd.sh` boots systemd.
fn lay_out(folder: &Path, started: &[&str]) -> Result<(), String> {
    for name in ["root", "groups", "system", "own"] {
        fs::create_dir(folder.join(name)).expect("made");
    }
    for unit in SYSTEM {
        let here = Path::new("/usr/lib/systemd/system").join(unit);
        let copied = fs::copy(here, folder.join("system").join(unit));
        copied.map_err(|error| format!("systemd's {unit} is not installed: {error}"))?;
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    for unit in fs::read_dir(ours).expect("readable") {
        let unit = unit.expect("readable");
        let text = fs::read_to_string(unit.path()).expect("UTF-8");
        let here = text.replace("/usr/bin/daytime", "/opt/daytime");
        fs::write(folder.join("own").join(unit.file_name()), here).expect("written");
    }
    let journal = "systemd-journald.service";
    let started = started.join(" ");
    let target = format!("[Unit]\nRequires={journal} {started}\nAfter={journal}\n");
    fs::write(folder.join("own/default.target"), target).expect("written");
    Ok(())
}
