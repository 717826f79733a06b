//! Shows long output on a terminal through a pager, as git does: `$DAYTIME_PAGER`, `$PAGER`, or `less`.

use crate::sys;
use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag::{register_conditional_default, register_usize};
use signal_hook::low_level::emulate_default_handler;
use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Once, OnceLock};

/// Whether the user has switched the pager off.
static IS_OFF: OnceLock<bool> = OnceLock::new();
/// Whether a signal may end this process: true except while a pager runs.
static MAY_END: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));
/// The last SIGTERM or SIGHUP that arrived while a pager ran; 0 if none arrived.
static POSTPONED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

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

#[cfg(feature = "teach")]
pub(super) fn is_running() -> bool {
    !MAY_END.load(Ordering::Relaxed)
}

/// Shows text in the pager if it is longer than the screen. Returns false if nothing was shown, either because the text
/// is short or because no pager can be run.
///
/// The hint, such as `q goes on`, says how to leave the pager. It is in the first line of the pager and, in less, in the
/// prompt on every page.
///
/// While the pager runs, no signal ends this process. Otherwise pager and shell would both read from the terminal. As
/// with git, SIGTERM and SIGHUP end this process once the pager has exited. Ctrl-C and Ctrl-\ affect only the pager.
pub(super) fn show(text: &str, hint: Option<&str>) -> bool {
    let Some(command) = command().filter(|_| is_possible() && is_longer_than_screen(text)) else {
        return false;
    };
    MAY_END.store(false, Ordering::Relaxed);
    let_signals_end();
    let shown = page(&command, text, hint).unwrap_or(false);
    MAY_END.store(true, Ordering::Relaxed);
    if let Ok(signal @ 1..) = i32::try_from(POSTPONED.load(Ordering::Relaxed)) {
        // This call ends the process, so it returns only if the system refuses the signal.
        let _ = emulate_default_handler(signal);
    }
    shown
}

/// Lets signals end this process, except while a pager runs. A signal that was ignored before stays ignored.
pub(super) fn let_signals_end() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let signals = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter();
        for signal in signals.filter(|signal| !sys::ignores_signal(*signal)) {
            // If no handler can be registered, a signal may end this process while the pager still runs. The pager
            // itself is not affected.
            let _ = register_conditional_default(signal, Arc::clone(&MAY_END));
            if [SIGTERM, SIGHUP].contains(&signal) {
                let _ =
                    register_usize(signal, Arc::clone(&POSTPONED), signal.unsigned_abs() as usize);
            }
        }
    });
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

/// Shows text in the pager. Returns false if the pager cannot be run.
fn page(command: &str, text: &str, hint: Option<&str>) -> io::Result<bool> {
    let mut pager = match start(command, hint) {
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
        let first = hint.map(|hint| format!("  {}.\n", with_next_page(hint))).unwrap_or_default();
        // A write error is ignored, because the user may quit the pager before it has read the whole text.
        let _ = input.write_all(first.as_bytes()).and_then(|()| input.write_all(text.as_bytes()));
    }
    let status = pager.wait()?;
    Ok(!status.code().is_some_and(|code| NOT_RUN.contains(&code)))
}

/// Starts the pager, through a shell if the command needs one. `LESS=FRX` makes less exit immediately if the text fits,
/// show colours, and leave the text on the screen. `LESSCHARSET` makes less show the line-drawing characters in ladders
/// even if no locale is set.
fn start(command: &str, hint: Option<&str>) -> io::Result<Child> {
    let needs_shell =
        command.contains(|it: char| !it.is_ascii_alphanumeric() && !"/._-+".contains(it));
    let mut pager = if needs_shell { Command::new("sh") } else { Command::new(command) };
    if needs_shell {
        pager.args(["-c", command]);
    }
    for (name, value) in [("LESSCHARSET", "utf-8"), ("LV", "-c")] {
        if env::var_os(name).is_none() {
            pager.env(name, value);
        }
    }
    // The user's options follow ours: a prompt of the user wins, and an option with text does not swallow ours.
    let mut of_less = OsString::from(hint.map(less_prompt).unwrap_or_default());
    of_less.push(env::var_os("LESS").unwrap_or_else(|| "FRX".into()));
    pager.env("LESS", of_less);
    pager.stdin(Stdio::piped()).spawn()
}

/// Returns options of less that make the hint its prompt: the short one, and the longer ones that the user may have
/// chosen with `-m` and `-M`. In a prompt of less, `?eA:B.` prints A on the last page and B before it.
fn less_prompt(hint: &str) -> String {
    let more = with_next_page(hint);
    // Characters with a meaning in a prompt of less need a backslash.
    let special = |it: char| "?:.%\\".contains(it);
    let escape = |it: char| if special(it) { format!("\\{it}") } else { it.to_string() };
    let [last, more] = [hint, &more].map(|text| text.chars().map(escape).collect::<String>());
    ["s", "m", "M"].map(|kind| format!("-P{kind}?e(END) {last}:{more}.$ ")).concat()
}

fn with_next_page(hint: &str) -> String {
    format!("Space shows the next page, and {hint}")
}
