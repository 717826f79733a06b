//! What a server gives up once its sockets are open: its user, its privileges, files, system calls.
//!
//! The order is the point. User and groups go while the process still may change them. Capabilities, no
//! new privileges and Landlock are of one thread and of those it starts later: so they come before
//! any other thread ([`Confinement::begin`]). seccomp comes last and reaches every thread, because it
//! forbids to start more of them ([`PartlyConfined::finish`]).

use super::Server;
use crate::sys;
use crate::sys::{Credentials, Links};
use std::collections::BTreeSet;
use std::fmt;
use std::io;

named! {
    /// How much of the sandbox has to be in force: no capabilities, no new privileges, Landlock, seccomp.
    #[non_exhaustive]
    #[derive(Default)]
    pub enum Sandbox {
        /// None of it.
        Off = "off",
        /// What this system has; [`Confined::missing`] has the rest.
        #[default]
        On = "on",
        /// All of it, or [`ConfineError::Incomplete`].
        Require = "require",
    }
}

named! {
    /// A part of the sandbox.
    #[non_exhaustive]
    pub enum Layer {
        /// Every set of capabilities is empty (capabilities(7)).
        Capabilities = "no capabilities",
        /// What it starts gets no more rights (prctl(2), `PR_SET_NO_NEW_PRIVS`).
        NoNewPrivileges = "no new privileges",
        /// No files, and what else the kernel's landlock(7) can forbid.
        Landlock = "landlock",
        /// No system calls but those the service makes (seccomp(2)).
        Seccomp = "seccomp",
    }
}

/// Why a server cannot be confined, and must not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// No such user.
    #[error("there is no user {name:?}")]
    UnknownUser {
        /// The name that was given.
        name: String,
    },
    /// No such group.
    #[error("there is no group {name:?}")]
    UnknownGroup {
        /// The name that was given.
        name: String,
    },
    /// A number that is no user's here, so it has no primary group.
    #[error("user {user} has no entry here that names a group")]
    NoGroup {
        /// The number.
        user: u32,
    },
    /// As that user, or in that group, nothing would be given up.
    #[error("{name:?} is root")]
    Root {
        /// The name of the user or group.
        name: String,
    },
    /// The users and groups cannot be read, or this system cannot change them.
    #[error("cannot look up {name:?}")]
    LookUp {
        /// The name of the user or group.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// A system call failed; with `PermissionDenied` the process lacks CAP_SETUID or CAP_SETGID, which root usually has.
    #[error("cannot become {identity}: {call}")]
    Become {
        /// Who to become.
        identity: Identity,
        /// The name of the system call.
        call: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Something of the former identity is left, or can be had again.
    #[error("cannot become {identity} for good: {left}")]
    WayBack {
        /// Who to become.
        identity: Identity,
        /// What is left.
        left: String,
    },
    /// A layer is missing under [`Sandbox::Require`].
    #[error("the sandbox is not complete: {layer}: {reason}")]
    Incomplete {
        /// The missing layer.
        layer: Layer,
        /// Why it is missing.
        reason: String,
    },
}

/// A user and a group to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The user's number.
    user: u32,
    /// The only group's number.
    group: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}, group {}", self.user, self.group)
    }
}

impl Identity {
    /// Looks up a user, and a group instead of the user's primary one; each by name, else by number.
    ///
    /// # Errors
    /// All that are about a user or a group and do not begin with "cannot become".
    ///
    /// ```
    /// use daytime::server::Identity;
    /// assert!(Identity::find("root", None).is_err()); // nothing would be given up
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

    /// Becomes it, unless the process is it already (true), and proves that there is no way back.
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
            return way_back("it has capabilities".to_owned());
        }
        for user in ids_to_try(self.user, &before.users) {
            if sys::regains_user(user) {
                return way_back(format!("it may be user {user} again"));
            }
        }
        for group in ids_to_try(self.group, before.groups.iter().chain(&before.supplementary)) {
            if sys::regains_group(group) {
                return way_back(format!("it may have group {group} again"));
            }
        }
        // Last, so that it would tell of a trial that has changed something, too.
        match self.left_of(&sys::credentials().map_err(failed("getresuid"))?) {
            Some(what) => way_back(what),
            None => Ok(already),
        }
    }

    /// What a process has that is not this identity's.
    fn left_of(self, now: &Credentials) -> Option<String> {
        if now.users != [self.user; 3] {
            return Some(format!("its users are {:?}", now.users));
        }
        if now.groups != [self.group; 3] {
            return Some(format!("its groups are {:?}", now.groups));
        }
        // Some systems count the primary group among them (getgroups(2)).
        let other = now.supplementary.iter().any(|group| *group != self.group);
        other.then(|| format!("its supplementary groups are {:?}", now.supplementary))
    }
}

/// What to try to become again: what there was, and root.
fn ids_to_try<'a>(new: u32, before: impl IntoIterator<Item = &'a u32>) -> BTreeSet<u32> {
    before.into_iter().copied().chain([0]).filter(|id| *id != new).collect()
}

options! {
    /// What to give up.
    ///
    /// ```no_run
    /// use daytime::server::{Confinement, Identity, Sandbox};
    /// use daytime::{Config, Server};
    /// let nobody = Identity::find("nobody", None)?;
    /// let server = Server::bind(Config::default())?; // port 13, as root
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
        /// Who to become; `None`: the process stays who it is.
        pub identity: Option<Identity>,
        /// What to forbid itself.
        pub sandbox: Sandbox,
    }
}

impl Confinement {
    /// The first part, all but seccomp: when all files and sockets are open, and before this thread
    /// starts the others. What it does counts for this thread and those it starts from now on.
    ///
    /// # Errors
    /// [`ConfineError`]; the process may have given up something by then, and should end.
    pub fn begin(self) -> Result<PartlyConfined, ConfineError> {
        let already = self.identity.map(Identity::assume).transpose()?;
        let mut confined = Confined {
            identity: self.identity,
            already: already.unwrap_or(false),
            is_root: sys::is_root(),
            ..Confined::default()
        };
        if self.sandbox != Sandbox::Off {
            let whole = |()| String::new(); // these two have no extent
            let mut note = |layer, done| confined.note(self.sandbox, layer, done);
            let text = |error: io::Error| error.to_string();
            note(Layer::Capabilities, sys::drop_capabilities().map(whole).map_err(text))?;
            note(Layer::NoNewPrivileges, sys::no_new_privileges().map(whole).map_err(text))?;
            note(Layer::Landlock, sys::restrict_files())?;
        }
        Ok(PartlyConfined { sandbox: self.sandbox, links: Links::Hidden, confined })
    }
}

/// Confined but for seccomp: threads can still be started.
#[derive(Debug)]
#[must_use = "seccomp comes with `finish`"]
pub struct PartlyConfined {
    sandbox: Sandbox,
    links: Links,
    confined: Confined,
}

impl PartlyConfined {
    /// What was given up so far.
    #[must_use]
    pub fn so_far(&self) -> &Confined {
        &self.confined
    }

    /// Lets the process go on asking where symbolic links lead, `readlink(2)`: the name of this host's zone is
    /// where `/etc/localtime` leads. Code inside can then also find out which paths exist and
    /// where links lead, but read no file.
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

    /// The rest: no system calls but those of the running `server`, on every thread there is. Only its UDP sockets
    /// can still send to an address.
    ///
    /// # Errors
    /// [`ConfineError::Incomplete`].
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

/// A layer of the sandbox that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TriedLayer {
    /// The layer.
    pub layer: Layer,
    /// To what extent it is in force, which may be empty; or why it is not.
    pub detail: String,
}

/// What was given up. It displays as what is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confined {
    /// The user and group of the process, if some were asked for.
    pub identity: Option<Identity>,
    /// They were these before, so none had to be changed.
    pub already: bool,
    /// It runs as root.
    pub is_root: bool,
    /// The layers in force.
    pub applied: Vec<TriedLayer>,
    /// The layers that are not in force.
    pub missing: Vec<TriedLayer>,
}

impl Confined {
    /// Notes how a layer went: to what extent it is in force, or why it is not.
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

    const NOBODY: Identity = Identity { user: 65_534, group: 65_533 };

    fn credentials() -> Credentials {
        Credentials { users: [65_534; 3], groups: [65_533; 3], supplementary: vec![65_533] }
    }

    #[test]
    fn only_an_identity_in_all_its_places_is_taken_for_one() {
        assert_eq!(NOBODY.left_of(&credentials()), None);
        assert_eq!(NOBODY.left_of(&Credentials { supplementary: vec![], ..credentials() }), None);
        let saved = Credentials { users: [65_534, 65_534, 0], ..credentials() };
        assert_eq!(NOBODY.left_of(&saved).expect("left"), "its users are [65534, 65534, 0]");
        let real = Credentials { groups: [0, 65_533, 65_533], ..credentials() };
        assert_eq!(NOBODY.left_of(&real).expect("left"), "its groups are [0, 65533, 65533]");
        let more = Credentials { supplementary: vec![65_533, 4], ..credentials() };
        assert_eq!(NOBODY.left_of(&more).expect("left"), "its supplementary groups are [65533, 4]");
    }

    #[test]
    fn the_way_back_is_tried_to_all_it_was_and_to_root() {
        assert_eq!(ids_to_try(65_534, &[1000, 65_534, 1000]), [0, 1000].into());
        assert_eq!(ids_to_try(0, &[0, 0, 0]), [].into());
    }

    #[test]
    fn what_is_missing_is_told_and_where_all_is_required_an_error() {
        let missing = || Err("the kernel does not have it".to_owned());
        let mut on = Confined::default();
        on.note(Sandbox::On, Layer::Landlock, missing()).expect("told");
        let detail = "the kernel does not have it".to_owned();
        assert_eq!(on.missing, [TriedLayer { layer: Layer::Landlock, detail }]);
        let error = Confined::default().note(Sandbox::Require, Layer::Landlock, missing());
        assert_eq!(
            error.expect_err("required").to_string(),
            "the sandbox is not complete: landlock: the kernel does not have it"
        );
    }

    #[test]
    fn it_reads_as_one_line() {
        let mut confined = Confined::default();
        assert_eq!(confined.to_string(), "nothing in force");
        confined.note(Sandbox::On, Layer::NoNewPrivileges, Ok(String::new())).expect("noted");
        confined.note(Sandbox::On, Layer::Landlock, Ok("ABI 7".into())).expect("noted");
        assert_eq!(confined.to_string(), "no new privileges, landlock ABI 7");
    }
}
