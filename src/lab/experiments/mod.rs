//! One experiment, one file.

mod backlog;
mod boundaries;
#[cfg(test)]
mod check;
mod flood;
mod hold;
mod multihome;
mod notes;
mod refused;
mod restart;
mod share;
mod truncate;
mod unread;

use super::Lab;

/// In the order of the course.
pub(super) static ALL: &[&Lab] = &[
    &boundaries::LAB,
    &truncate::LAB,
    &refused::LAB,
    &backlog::LAB,
    &flood::LAB,
    &restart::LAB,
    &share::LAB,
    &unread::LAB,
    &multihome::LAB,
    &hold::LAB,
    &notes::LAB,
];
