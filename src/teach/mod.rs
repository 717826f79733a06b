//! What a teacher hands out and a student hands in: reports as HTML and SVG, sheets, keys, grades and quizzes. All of
//! it is text made from values: this module opens no socket and no file, and knows no terminal.

pub(crate) mod bank;
pub(crate) mod draw;
pub(crate) mod item;
