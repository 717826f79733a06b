//! The experiments. Each lab has a module here and a page in `docs/labs`.

/// Creates a lab from its name and its procedures, one for each engine. The lab's page in `docs/labs` is compiled into
/// the program and parsed at first use. The report prints times in milliseconds unless a third argument names another
/// unit.
macro_rules! lab {
    ($name:literal, $procedures:expr) => {
        lab!($name, $procedures, Milliseconds)
    };
    ($name:literal, $procedures:expr, $time_unit:ident) => {
        crate::lab::Lab {
            name: $name,
            text: std::sync::LazyLock::new(|| {
                let page =
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/labs/", $name, ".md"));
                crate::lab::LabText::of($name, page)
            }),
            time_unit: crate::duration::Unit::$time_unit,
            procedures: &$procedures,
        }
    };
}

#[cfg(all(feature = "client", feature = "server"))]
mod backlog;
#[cfg(all(feature = "client", feature = "server"))]
mod boundaries;
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

/// All labs, in the order in which the course teaches them (`docs/teaching/course.md`).
#[cfg(all(feature = "client", feature = "server"))]
pub(super) static ALL: &[&Lab] = &[
    &exchange::LAB,
    &boundaries::LAB,
    &truncate::LAB,
    &flood::LAB,
    &backlog::LAB,
    &loss::LAB,
    &silent::LAB,
    &refused::LAB,
    &restart::LAB,
    &share::LAB,
    &hold::LAB,
    &unread::LAB,
    &stale::LAB,
    &multihome::LAB,
    &loop_::LAB,
    &raw::LAB,
    &notes::LAB,
];

/// The labs that need no real sockets, in the same order.
#[cfg(not(all(feature = "client", feature = "server")))]
pub(super) static ALL: &[&Lab] =
    &[&exchange::LAB, &loss::LAB, &silent::LAB, &stale::LAB, &loop_::LAB];

#[cfg(test)]
mod tests;
