//! One experiment, one file.

mod backlog;
mod boundaries;
#[cfg(test)]
mod check;
pub(super) mod exchange;
mod flood;
mod hold;
pub(super) mod loop_;
mod loss;
pub(super) mod multihome;
mod notes;
mod raw;
pub(super) mod refused;
mod restart;
mod share;
pub(super) mod silent;
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
