//! Gives back the pages of code that only the start of a program needed: `madvise(2)`.
//!
//! The kernel maps a program's file as it runs, 16 pages at a time, so what read the command line and set
//! up a server stays resident though it never runs again: more than half of a small server's memory.
#![expect(unsafe_code, reason = "no crate calls madvise(2) without")]

use nix::sys::mman::{MmapAdvise, madvise};
use std::ffi::c_void;
use std::fs;
use std::io;
use std::ptr::{self, NonNull};

/// Where the code of this process is mapped: of the program and of its libraries.
#[derive(Debug)]
pub(crate) struct Code(Vec<Mapping>);

/// Some pages of a file, by their addresses.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    end: usize,
}

impl Code {
    /// Looks it up, in proc_pid_smaps(5).
    pub(crate) fn of_this_process() -> io::Result<Self> {
        Ok(Self(mappings(&fs::read_to_string("/proc/self/smaps")?)))
    }

    /// Has the kernel forget that these pages are mapped; what runs again is mapped again. How many octets
    /// of code it has forgotten.
    pub(crate) fn give_back(&self) -> usize {
        self.0.iter().filter(|mapping| mapping.forget()).map(|it| it.end - it.start).sum()
    }
}

impl Mapping {
    /// False if the kernel does not.
    fn forget(&self) -> bool {
        let place = NonNull::new(ptr::with_exposed_provenance_mut::<c_void>(self.start));
        let Some(place) = place else { return false };
        // SAFETY: the mapping is code of a file that cannot be written to, and none of its pages differed from
        // the file when it was looked up; only a debugger changes such pages, and what it changes later is its
        // own matter. The kernel may forget pages that are as the file is at any time, and reads them again.
        unsafe { madvise(place, self.end - self.start, MmapAdvise::MADV_DONTNEED) }.is_ok()
    }
}

/// The mappings of code of a file that are as the file is: none of their pages is a copy of this process's
/// own.
fn mappings(smaps: &str) -> Vec<Mapping> {
    let mut found = Vec::new();
    let mut code = None;
    for line in smaps.lines() {
        if let Some((mapping, is_code)) = first_line(line) {
            code = is_code.then_some(mapping);
        } else if line.split_whitespace().eq(["Anonymous:", "0", "kB"]) {
            found.extend(code.take());
        }
    }
    found
}

/// What the line that begins a mapping tells, as `55d0-55d8 r-xp 00000000 fe:00 4711 /usr/bin/daytime`, and
/// whether that is code of a file; `None` for another line.
fn first_line(line: &str) -> Option<(Mapping, bool)> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let mapping = Mapping { start: address(start)?, end: address(end)? };
    let executable = fields.next() == Some("r-xp");
    let of_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
    Some((mapping, executable && of_file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
1000-3000 r--p 00000000 fe:00 4711                       /usr/bin/daytime
Size:                  8 kB
Anonymous:             0 kB
3000-5000 r-xp 00002000 fe:00 4711                       /usr/bin/daytime
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
5000-6000 rw-p 00004000 fe:00 4711                       /usr/bin/daytime
Anonymous:             0 kB
6000-7000 r-xp 00000000 fe:00 4712                       /usr/lib/libpatched.so
Anonymous:             4 kB
7000-8000 rwxp 00000000 fe:00 4713                       /usr/lib/libstrange.so
Anonymous:             0 kB
8000-9000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
";

    #[test]
    fn only_code_that_is_as_its_file_is_may_be_forgotten() {
        assert_eq!(mappings(SMAPS), [Mapping { start: 0x3000, end: 0x5000 }]);
    }

    #[test]
    fn what_is_given_back_runs_again() {
        let code = Code::of_this_process().expect("proc(5)");
        let own = Code::of_this_process as fn() -> io::Result<Code> as usize;
        assert!(code.0.iter().any(|mapping| (mapping.start..mapping.end).contains(&own)));
        let resident = || {
            let smaps = fs::read_to_string("/proc/self/smaps").expect("proc(5)");
            let (_, own) = smaps.split_once(&format!("{:x}-", code.0[0].start)).expect("mapped");
            let line = own.lines().find_map(|line| line.strip_prefix("Rss:")).expect("told");
            line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number")
        };
        let before = resident();
        assert!(code.give_back() > before << 10);
        assert!(resident() < before, "{before} KiB before, {} KiB after", resident());
    }
}
