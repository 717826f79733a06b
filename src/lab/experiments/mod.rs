//! One experiment, one file.

mod backlog;
mod boundaries;
#[cfg(test)]
mod check;
mod flood;
mod refused;
mod truncate;
mod unread;

use super::Lab;

/// In the order of the course.
pub(super) static ALL: &[&Lab] =
    &[&boundaries::LAB, &truncate::LAB, &refused::LAB, &backlog::LAB, &flood::LAB, &unread::LAB];
