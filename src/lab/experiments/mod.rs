//! One experiment, one file.

#[cfg(test)]
mod check;
mod exchange;
mod loop_;
mod loss;
mod raw;
mod silent;
mod stale;

use super::Lab;

/// In the order of the course.
pub(super) static ALL: &[&Lab] =
    &[&exchange::LAB, &loss::LAB, &silent::LAB, &stale::LAB, &loop_::LAB, &raw::LAB];
