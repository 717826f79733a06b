//! One experiment, one file, and one page in `docs/labs`.

/// The text of a lab, read from its page when it is first used.
macro_rules! page {
    ($name:literal) => {
        std::sync::LazyLock::new(|| {
            let page =
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/labs/", $name, ".md"));
            crate::lab::Text::of($name, page)
        })
    };
}

mod backlog;
mod boundaries;
#[cfg(test)]
mod check;
mod exchange;
mod flood;
mod hold;
mod loop_;
mod loss;
mod multihome;
mod notes;
mod raw;
mod refused;
mod restart;
mod share;
mod silent;
mod stale;
mod truncate;
mod unread;

use super::Lab;

/// In the order of the course.
pub(super) static ALL: &[&Lab] = &[
    &exchange::LAB,
    &loss::LAB,
    &boundaries::LAB,
    &truncate::LAB,
    &refused::LAB,
    &silent::LAB,
    &backlog::LAB,
    &flood::LAB,
    &restart::LAB,
    &share::LAB,
    &unread::LAB,
    &stale::LAB,
    &multihome::LAB,
    &hold::LAB,
    &loop_::LAB,
    &raw::LAB,
    &notes::LAB,
];
