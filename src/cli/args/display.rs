//! Options for all commands that determine the format of the output.

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct Display {
    /// Draw ladders and tables in ASCII, as in a locale without UTF-8 (LC_ALL=C)
    #[arg(long, global = true, display_order = 102)]
    pub ascii: bool,
    /// Do not use a pager ($DAYTIME_PAGER, $PAGER, or less) for output that is
    /// longer than the screen
    #[arg(long, global = true, display_order = 103)]
    pub no_pager: bool,
}
