//! Confinement: after a server has opened its sockets, it gives up the rights that it no longer
//! needs: its user's rights, its privileges, access to files, and system calls.
//!
//! The order matters. The process switches its user and groups first, while it still has the right
//! to do so. Capabilities, no-new-privileges and Landlock apply only to the calling thread and to
//! threads that it starts later. So [`Confinement::begin`] sets them before any other thread
//! starts. seccomp comes last ([`PartlyConfined::finish`]), applies to every thread and forbids new
//! threads.

use super::Server;
use crate::sys;
use crate::sys::{Credentials, Links};
use std::collections::BTreeSet;
use std::fmt;
use std::io;

named! {
    /// Strictness of the sandbox: which of its four layers must be in force. The layers are no
    /// capabilities, no new privileges, Landlock and seccomp.
    #[non_exhaustive]
    #[derive(Default)]
    pub enum Sandbox {
        /// Applies no layer of the sandbox.
        Off = "off",
        /// Applies every layer that this system supports. [`Confined::missing`] lists the other
        /// layers.
        #[default]
        On = "on",
        /// Applies every layer. If a layer is missing, confinement fails with
        /// [`ConfineError::Incomplete`].
        Require = "require",
    }
}

named! {
    /// Layer of the sandbox.
    #[non_exhaustive]
    pub enum Layer {
        /// Every set of capabilities is empty (capabilities(7)).
        Capabilities = "no capabilities",
        /// A program that the process starts gets no more rights than the process (prctl(2),
        /// `PR_SET_NO_NEW_PRIVS`).
        NoNewPrivileges = "no new privileges",
        /// The process has no access to files. The other restrictions of landlock(7) also apply, as
        /// far as the kernel and this program support them.
        Landlock = "landlock",
        /// The process may make only the system calls that the service needs (seccomp(2)).
        Seccomp = "seccomp",
    }
}

/// Reason why a server cannot be confined. Such a server must not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// The user does not exist.
    #[error("there is no user {name:?}")]
    UnknownUser {
        /// Name of the user, as given.
        name: String,
    },
    /// The group does not exist.
    #[error("there is no group {name:?}")]
    UnknownGroup {
        /// Name of the group, as given.
        name: String,
    },
    /// The user ID has no entry in the user database, so the user's primary group is unknown.
    #[error("user {user} has no entry in the user database, so its group is unknown")]
    NoGroup {
        /// ID of the user.
        user: u32,
    },
    /// The user or group is root. Switching to root would give up no right.
    #[error("cannot change to {name:?}, which is root")]
    Root {
        /// Name of the user or group.
        name: String,
    },
    /// The user database cannot be read, or this program cannot change users on this system.
    #[error("cannot look up {name:?}")]
    LookUp {
        /// Name of the user or group.
        name: String,
        /// Error from the operating system.
        source: io::Error,
    },
    /// A system call failed. `PermissionDenied` means that the process lacks CAP_SETUID or
    /// CAP_SETGID, which root usually has.
    #[error("cannot become {identity}: {call}")]
    Become {
        /// User and group that the process tried to switch to.
        identity: Identity,
        /// Name of the system call that failed.
        call: &'static str,
        /// Error from the operating system.
        source: io::Error,
    },
    /// After the switch, the process still has a part of its former identity, or can get a part of
    /// it back.
    #[error("cannot become {identity} for good: {left}")]
    WayBack {
        /// User and group that the process tried to switch to.
        identity: Identity,
        /// Description of the part that the process kept or can get back.
        left: String,
    },
    /// A layer is missing, and [`Sandbox::Require`] requires all layers.
    #[error("the sandbox is not complete: {layer}: {reason}")]
    Incomplete {
        /// Layer that is missing.
        layer: Layer,
        /// Reason why the layer is missing.
        reason: String,
    },
}

/// User and group that a server switches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// ID of the user.
    user: u32,
    /// ID of the primary group. The process keeps no other group.
    group: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}, group {}", self.user, self.group)
    }
}

impl Identity {
    /// Looks up a user, and optionally a group that replaces the user's primary group. Each is
    /// looked up by name first, then by ID.
    ///
    /// # Errors
    /// Returns [`ConfineError::UnknownUser`], [`ConfineError::UnknownGroup`],
    /// [`ConfineError::NoGroup`], [`ConfineError::Root`] or [`ConfineError::LookUp`].
    ///
    /// ```
    /// use daytime::server::Identity;
    /// assert!(Identity::find("root", None).is_err()); // root gives up nothing
    /// assert!(Identity::find("no such user", None).is_err());
    /// ```
    pub fn find(user: &str, group: Option<&str>) -> Result<Self, ConfineError> {
        let owned = |name: &str| name.to_owned();
        let look_up = |name| move |source| ConfineError::LookUp { name: owned(name), source };
        let account = sys::find_user(user).map_err(look_up(user))?;
        let account = account.ok_or_else(|| ConfineError::UnknownUser { name: owned(user) })?;
        let group = match group {
            None => account.group.ok_or(ConfineError::NoGroup { user: account.id })?,
            Some(name) => match sys::find_group(name).map_err(look_up(name))? {
                None => return Err(ConfineError::UnknownGroup { name: owned(name) }),
                Some(0) => return Err(ConfineError::Root { name: owned(name) }),
                Some(group) => group,
            },
        };
        match account.id {
            0 => Err(ConfineError::Root { name: owned(user) }),
            user => Ok(Self { user, group }),
        }
    }

    /// Switches the process to this identity, and checks that the process cannot switch back.
    /// Returns whether the process already had this identity.
    fn assume(self) -> Result<bool, ConfineError> {
        let failed = |call| move |source| ConfineError::Become { identity: self, call, source };
        let before = sys::credentials().map_err(failed("getresuid"))?;
        let already = self.left_of(&before).is_none();
        if !already {
            sys::become_user(self.user, self.group).map_err(|(call, error)| failed(call)(error))?;
        }
        sys::drop_capabilities().map_err(failed("capset"))?;
        let way_back = |left| Err(ConfineError::WayBack { identity: self, left });
        if sys::has_capabilities().map_err(failed("capget"))? {
            return way_back("the process still has capabilities".to_owned());
        }
        for user in ids_to_try(self.user, &before.users) {
            if sys::regains_user(user) {
                return way_back(format!("the process can become user {user} again"));
            }
        }
        for group in ids_to_try(self.group, before.groups.iter().chain(&before.supplementary)) {
            if sys::regains_group(group) {
                return way_back(format!("the process can join group {group} again"));
            }
        }
        // Check the credentials last. This also detects IDs that changed when this function tried
        // to get an old ID back.
        match self.left_of(&sys::credentials().map_err(failed("getresuid"))?) {
            Some(what) => way_back(what),
            None => Ok(already),
        }
    }

    /// Compares the process's credentials `now` with this identity. Returns a description of the
    /// first IDs that differ; `None` if all are equal.
    fn left_of(self, now: &Credentials) -> Option<String> {
        if now.users != [self.user; 3] {
            return Some(format!("its user ids are {:?}", now.users));
        }
        if now.groups != [self.group; 3] {
            return Some(format!("its group ids are {:?}", now.groups));
        }
        // Some systems list the primary group among the supplementary groups (getgroups(2)).
        let other = now.supplementary.iter().any(|group| *group != self.group);
        other.then(|| format!("its supplementary groups are {:?}", now.supplementary))
    }
}

/// Returns the IDs that the process must not be able to get back: its former IDs, and root's.
fn ids_to_try<'a>(new: u32, before: impl IntoIterator<Item = &'a u32>) -> BTreeSet<u32> {
    before.into_iter().copied().chain([0]).filter(|id| *id != new).collect()
}

options! {
    /// A server's confinement: its user and its sandbox.
    ///
    /// ```no_run
    /// use daytime::server::{Confinement, Identity, Sandbox};
    /// use daytime::{Config, Server};
    /// let nobody = Identity::find("nobody", None)?;
    /// let server = Server::bind(Config::default())?; // binds port 13 as root
    /// let confinement = Confinement::default().identity(Some(nobody)).sandbox(Sandbox::Require);
    /// let begun = confinement.begin()?;
    /// let shutdown = server.shutdown();
    /// std::thread::spawn(move || { /* … */ shutdown.stop() });
    /// println!("{}", begun.finish(&server)?);
    /// server.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Confinement {
        /// User and group to switch to. `None` keeps the current ones.
        pub identity: Option<Identity>,
        /// Strictness of the sandbox.
        pub sandbox: Sandbox,
    }
}

impl Confinement {
    /// Applies the first part of the confinement: user, capabilities, no-new-privileges and
    /// Landlock. Call this after all files and sockets are open, and before this thread starts
    /// other threads. The restrictions apply to this thread and to threads that it starts later.
    ///
    /// # Errors
    /// Returns [`ConfineError`]. The process may already have given up some rights, so it should
    /// end.
    pub fn begin(self) -> Result<PartlyConfined, ConfineError> {
        let already = self.identity.map(Identity::assume).transpose()?;
        let mut confined = Confined {
            identity: self.identity,
            already: already.unwrap_or(false),
            is_root: sys::is_root(),
            ..Confined::default()
        };
        if self.sandbox != Sandbox::Off {
            // Each of these two layers is either fully in force or not in force, so no text
            // describes its extent.
            let whole = |()| String::new();
            let mut note = |layer, done| confined.note(self.sandbox, layer, done);
            let text = |error: io::Error| error.to_string();
            note(Layer::Capabilities, sys::drop_capabilities().map(whole).map_err(text))?;
            note(Layer::NoNewPrivileges, sys::no_new_privileges().map(whole).map_err(text))?;
            note(Layer::Landlock, sys::restrict_files())?;
        }
        Ok(PartlyConfined { sandbox: self.sandbox, links: Links::Hidden, confined })
    }
}

/// Result of [`Confinement::begin`]: the process is confined except for seccomp, so it can still
/// start threads.
#[derive(Debug)]
#[must_use = "seccomp comes with `finish`"]
pub struct PartlyConfined {
    sandbox: Sandbox,
    links: Links,
    confined: Confined,
}

impl PartlyConfined {
    /// Returns the identity of the process and the layers that are already in force.
    #[must_use]
    pub fn so_far(&self) -> &Confined {
        &self.confined
    }

    /// Allows the process to keep reading symbolic links (`readlink(2)`). A server that uses this
    /// host's time zone needs this, because `/etc/localtime` is a link whose target names that
    /// zone. Code in the process can then find out which paths exist and where links lead, but it
    /// cannot read files.
    ///
    /// ```
    /// use daytime::server::{Confinement, Sandbox};
    /// let confining = Confinement::default().sandbox(Sandbox::Off).begin()?.reading_links();
    /// assert!(confining.so_far().applied.is_empty()); // a sandbox that is off forbids nothing
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reading_links(self) -> Self {
        Self { links: Links::Readable, ..self }
    }

    /// Applies the last part of the confinement, seccomp: every thread may make only the system
    /// calls that the running `server` needs. Only the server's UDP sockets can still send to an
    /// address.
    ///
    /// # Errors
    /// Returns [`ConfineError::Incomplete`] if seccomp fails and the sandbox is
    /// [`Sandbox::Require`].
    ///
    /// ```
    /// use daytime::server::{Confinement, Sandbox};
    /// use daytime::{Config, Server};
    /// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?;
    /// let confinement = Confinement::default().sandbox(Sandbox::Off); // gives up nothing
    /// let confined = confinement.begin()?.finish(&server)?;
    /// assert!(confined.applied.is_empty() && confined.missing.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish(mut self, server: &Server) -> Result<Confined, ConfineError> {
        if self.sandbox != Sandbox::Off {
            let calls = sys::restrict_calls(server.udp_descriptors.as_ref(), self.links);
            let calls = calls.map(|calls| format!("({calls} system calls)"));
            self.confined.note(self.sandbox, Layer::Seccomp, calls)?;
        }
        Ok(self.confined)
    }
}

/// Layer of the sandbox that the process tried to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TriedLayer {
    /// Layer of the sandbox.
    pub layer: Layer,
    /// If the layer is in force, its extent, which may be empty. Otherwise, the reason why it is
    /// not in force.
    pub detail: String,
}

/// Result of a confinement: the identity of the process and the layers in force. `Display` lists
/// these layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confined {
    /// User and group of the process; `None` if no switch was requested.
    pub identity: Option<Identity>,
    /// Whether the process already had this user and group. In that case nothing was changed.
    pub already: bool,
    /// Whether the process runs as root.
    pub is_root: bool,
    /// Layers in force.
    pub applied: Vec<TriedLayer>,
    /// Layers not in force.
    pub missing: Vec<TriedLayer>,
}

impl Confined {
    /// Records the result of applying a layer: its extent, or the reason why it is not in force.
    fn note(
        &mut self,
        sandbox: Sandbox,
        layer: Layer,
        done: Result<String, String>,
    ) -> Result<(), ConfineError> {
        match done {
            Ok(detail) => self.applied.push(TriedLayer { layer, detail }),
            Err(reason) if sandbox == Sandbox::Require => {
                return Err(ConfineError::Incomplete { layer, reason });
            }
            Err(detail) => self.missing.push(TriedLayer { layer, detail }),
        }
        Ok(())
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = self.applied.iter();
        let texts = layers.map(|TriedLayer { layer, detail }| format!("{layer} {detail}"));
        let texts: Vec<String> = texts.map(|text| text.trim_end().to_owned()).collect();
        f.write_str(if texts.is_empty() { "nothing in force" } else { "" })?;
        f.write_str(&texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;

    const NOBODY: Identity = Identity { user: 65_534, group: 65_533 };

    fn credentials() -> Credentials {
        Credentials { users: [65_534; 3], groups: [65_533; 3], supplementary: vec![65_533] }
    }

    #[test]
    fn an_identity_needs_matching_real_effective_and_saved_ids() {
        assert_eq!(NOBODY.left_of(&credentials()), None);
        assert_eq!(NOBODY.left_of(&Credentials { supplementary: vec![], ..credentials() }), None);
        let saved = Credentials { users: [65_534, 65_534, 0], ..credentials() };
        let left = |of: &Credentials| NOBODY.left_of(of).expect("left");
        mentions(&left(&saved), &["user ids", "[65534, 65534, 0]"]);
        let real = Credentials { groups: [0, 65_533, 65_533], ..credentials() };
        mentions(&left(&real), &["group ids", "[0, 65533, 65533]"]);
        let more = Credentials { supplementary: vec![65_533, 4], ..credentials() };
        mentions(&left(&more), &["supplementary groups", "[65533, 4]"]);
    }

    #[test]
    fn former_ids_and_root_are_tried_again() {
        assert_eq!(ids_to_try(65_534, &[1000, 65_534, 1000]), [0, 1000].into());
        assert_eq!(ids_to_try(0, &[0, 0, 0]), [].into());
    }

    #[test]
    fn a_missing_layer_is_recorded_or_under_require_an_error() {
        let detail = "kernel too old".to_owned();
        let missing = || Err(detail.clone());
        let mut on = Confined::default();
        on.note(Sandbox::On, Layer::Landlock, missing()).expect("recorded");
        let error = Confined::default().note(Sandbox::Require, Layer::Landlock, missing());
        mentions(&error.expect_err("required"), &["sandbox", "landlock", &detail]);
        assert_eq!(on.missing, [TriedLayer { layer: Layer::Landlock, detail }]);
    }

    #[test]
    fn a_report_is_one_line() {
        let mut confined = Confined::default();
        assert_eq!(confined.to_string(), "nothing in force");
        confined.note(Sandbox::On, Layer::NoNewPrivileges, Ok(String::new())).expect("noted");
        confined.note(Sandbox::On, Layer::Landlock, Ok("ABI 7".into())).expect("noted");
        mentions(&confined, &["no new privileges", "landlock ABI 7"]);
        assert_eq!(confined.to_string().lines().count(), 1, "{confined}");
    }
}
