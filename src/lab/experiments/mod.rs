//! One experiment, one file.

use super::Lab;

/// In the order of the course.
pub(super) static ALL: &[&Lab] = &[];
