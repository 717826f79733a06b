//! One experiment, one file.

mod raw;

use super::Lab;

/// In the order of the course.
pub(super) static ALL: &[&Lab] = &[&raw::LAB];
