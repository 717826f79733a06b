//! Shows long output on a terminal through a pager, as git does: `$DAYTIME_PAGER`, `$PAGER`, or `less`.

use crate::sys;
use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use signal_hook::consts::{SIGINT, SIGQUIT};
use std::borrow::Cow;
use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Whether the user has switched the pager off.
static IS_OFF: OnceLock<bool> = OnceLock::new();
/// Whether a pager is running, so that Ctrl-C is left to the pager.
static IS_RUNNING: AtomicBool = AtomicBool::new(false);

/// Exit statuses with which a shell reports that it cannot run a command (POSIX.1-2024, Shell Command Language, section
/// 2.8.2).
const NOT_RUN: [i32; 2] = [126, 127];

/// Switches the pager off for this process if `is_off` is true.
pub(super) fn switch_off(is_off: bool) {
    IS_OFF.get_or_init(|| is_off);
}

/// Whether output may go to a pager.
pub(super) fn is_possible() -> bool {
    !IS_OFF.get().copied().unwrap_or(false)
        && io::stdout().is_terminal()
        && sys::is_in_foreground(io::stdout())
        && command().is_some()
}

#[cfg(feature = "lab")]
pub(super) fn is_running() -> bool {
    IS_RUNNING.load(Ordering::Relaxed)
}

/// Shows a text in the pager if the text is longer than the screen. Returns false if the text was not shown, because it
/// is short or no pager can be run.
pub(super) fn show(text: &str) -> bool {
    let Some(command) = command().filter(|_| is_possible() && is_longer_than_screen(text)) else {
        return false;
    };
    // Ctrl-C sends SIGINT to both the pager and this process, but this process must not end before the pager.
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGQUIT].into_iter().filter(|signal| !sys::ignores_signal(*signal)) {
        // If no handler can be registered, Ctrl-C ends this process before the pager, which still works.
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&is_over));
    }
    IS_RUNNING.store(true, Ordering::Relaxed);
    let shown = page(&command, text).unwrap_or(false);
    IS_RUNNING.store(false, Ordering::Relaxed);
    is_over.store(true, Ordering::Relaxed);
    shown
}

/// Returns the pager's command, or `None` if it is empty or `cat`.
fn command() -> Option<String> {
    let named = env::var("DAYTIME_PAGER").or_else(|_| env::var("PAGER"));
    let named = named.unwrap_or_else(|_| "less".to_owned()).trim().to_owned();
    Some(named).filter(|it| !it.is_empty() && it != "cat")
}

/// Whether the text, followed by a prompt, has more lines than the terminal has rows.
fn is_longer_than_screen(text: &str) -> bool {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.is_some_and(|(_, terminal_size::Height(rows))| text.lines().count() >= rows.into())
}

/// Shows a text in the pager. Returns false if the pager cannot be run.
fn page(command: &str, text: &str) -> io::Result<bool> {
    let mut pager = match start(command) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Ok(false);
        }
        started => started?,
    };
    if let Some(mut input) = pager.stdin.take() {
        // The pager gets colours if the terminal itself would get them.
        let text = match AutoStream::choice(&io::stdout()) {
            ColorChoice::Never => Cow::Owned(strip_str(text).to_string()),
            _ => Cow::Borrowed(text),
        };
        // A write error is ignored, because the user may quit the pager before it has read the whole text.
        let _ = input.write_all(text.as_bytes());
    }
    let status = pager.wait()?;
    Ok(!status.code().is_some_and(|code| NOT_RUN.contains(&code)))
}

/// Starts the pager, through a shell if the command needs one. `LESS=FRX` makes less exit immediately if the text fits,
/// show colours, and leave the text on the screen. `LESSCHARSET` makes less show the line-drawing characters in ladders
/// even if no locale is set.
fn start(command: &str) -> io::Result<Child> {
    let needs_shell =
        command.contains(|it: char| !it.is_ascii_alphanumeric() && !"/._-+".contains(it));
    let mut pager = if needs_shell { Command::new("sh") } else { Command::new(command) };
    if needs_shell {
        pager.args(["-c", command]);
    }
    for (name, value) in [("LESS", "FRX"), ("LESSCHARSET", "utf-8"), ("LV", "-c")] {
        if env::var_os(name).is_none() {
            pager.env(name, value);
        }
    }
    pager.stdin(Stdio::piped()).spawn()
}
