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

#[cfg(all(feature = "client", feature = "server"))]
mod backlog;
#[cfg(all(feature = "client", feature = "server"))]
mod boundaries;
#[cfg(test)]
mod check;
mod exchange;
#[cfg(all(feature = "client", feature = "server"))]
mod flood;
#[cfg(all(feature = "client", feature = "server"))]
mod hold;
mod loop_;
mod loss;
#[cfg(all(feature = "client", feature = "server"))]
mod multihome;
#[cfg(all(feature = "client", feature = "server"))]
mod notes;
#[cfg(all(feature = "client", feature = "server"))]
mod raw;
#[cfg(all(feature = "client", feature = "server"))]
mod refused;
#[cfg(all(feature = "client", feature = "server"))]
mod restart;
#[cfg(all(feature = "client", feature = "server"))]
mod share;
mod silent;
mod stale;
#[cfg(all(feature = "client", feature = "server"))]
mod truncate;
#[cfg(all(feature = "client", feature = "server"))]
mod unread;

use super::Lab;

/// In the order of the course.
pub(super) static ALL: &[&Lab] = &[
    &exchange::LAB,
    &loss::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &boundaries::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &truncate::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &refused::LAB,
    &silent::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &backlog::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &flood::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &restart::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &share::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &unread::LAB,
    &stale::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &multihome::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &hold::LAB,
    &loop_::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &raw::LAB,
    #[cfg(all(feature = "client", feature = "server"))]
    &notes::LAB,
];
