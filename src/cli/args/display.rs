//! The options of every command that say how its output is shown.

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct Display {
    /// Draw ladders and tables in ASCII, as in a locale without UTF-8 (LC_ALL=C)
    #[arg(long, global = true, display_order = 102)]
    pub ascii: bool,
    /// Print output that is longer than the screen without a pager
    /// ($DAYTIME_PAGER, $PAGER, or less)
    #[arg(long, global = true, display_order = 103)]
    pub no_pager: bool,
}
