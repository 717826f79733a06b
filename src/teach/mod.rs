//! Material for teaching: reports as HTML and SVG, exercise sheets, answer keys, grades and quizzes. This module only
//! converts values to text and back. It does not open sockets or files, and does not depend on a terminal.

pub(crate) mod bank;
pub(crate) mod class;
pub(crate) mod draw;
mod formula;
pub(crate) mod grade;
pub(crate) mod item;
pub(crate) mod key;
pub(crate) mod mistake;
pub(crate) mod page;
pub(crate) mod picture;
pub(crate) mod predictions;
pub(crate) mod quiz;
pub(crate) mod sheet;
pub(crate) mod submission;
